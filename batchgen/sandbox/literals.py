"""Refusals in the words of sister services and providers, letter by letter (bodies of published answers)."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """One answer to a POST that was not accepted."""

    status: int
    body: Any
    what: str
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "application/json"

    def content(self) -> bytes:
        """The body's bytes."""
        return json.dumps(self.body).encode()


def _kie(code: int, message: str, what: str) -> Literal:
    return Literal(200, {"code": code, "msg": message}, what)


def _shipany(message: str, what: str) -> Literal:
    return Literal(200, {"code": -1, "message": message}, what)


def _evolink(code: int, message: str, family: str, hint: str, what: str) -> Literal:
    error = {"code": code, "message": message, "type": family, "fallback_suggestion": hint}
    return Literal(code, {"error": error}, what)


_QUOTA = {
    "code": "insufficient_quota",
    "message": "You exceeded your current quota.",
    "type": "insufficient_quota",
}

LITERALS: dict[str, Literal] = {
    "shipany-credits": _shipany("insufficient credits", "200 with code -1: no credits"),
    "shipany-auth": _shipany("no auth, please sign in", "200 with code -1: bad key"),
    "shipany-invalid": _shipany("invalid params", "200 with code -1: a wrong request"),
    "shipany-active": _shipany("too many active tasks", "200 with code -1: too many tasks at once"),
    "shipany-frequency": _shipany("Your call frequency is too high.", "200 with code -1: too many requests"),
    "shipany-upstream": _shipany("request failed with status: 422", "200 with code -1: the provider refused"),
    "kie-401": _kie(401, "You do not have access permissions", "200 with code 401: bad key"),
    "kie-402": _kie(
        402, "Credits insufficient: your current balance isn't enough.", "200 with code 402: no credits"
    ),
    "kie-422": _kie(422, "The model name you specified is not supported.", "200 with code 422: a wrong request"),
    "kie-429": _kie(429, "Your call frequency is too high. Please try again later.", "200 with code 429"),
    "kie-455": _kie(455, "The service is under maintenance.", "200 with code 455: maintenance"),
    "kie-500": _kie(500, "This field is required", "200 with code 500: a wrong request, said badly"),
    "kie-paused": _kie(500, "This interface is temporarily paused", "200 with code 500: the model is paused"),
    "kie-505": _kie(505, "This feature is currently disabled.", "200 with code 505: the feature is off"),
    "evolink-402": _evolink(
        402,
        "Insufficient quota",
        "insufficient_quota_error",
        "https://example.com/billing",
        "402: no credits",
    ),
    "evolink-429": _evolink(
        429,
        "Rate limit exceeded",
        "rate_limit_error",
        "retry after 60 seconds",
        "429, when to come back only in the text",
    ),
    "kinovi-402": Literal(
        402,
        {"message": "Insufficient credits", "required": 200, "available": 10},
        "402 with required and available",
    ),
    "kinovi-429": Literal(
        429,
        {"message": "Concurrency limit reached (3). Wait for a task to finish.", "limit": 3, "current": 3},
        "429: too many tasks at once",
    ),
    "app-401": Literal(
        401,
        {"error": {"code": "invalid_api_key", "message": "The API key is invalid or revoked."}},
        "401 with a string code",
    ),
    "fal-422": Literal(
        422,
        {"detail": [{"loc": ["body", "video_url"], "msg": "x", "type": "file_download_error", "ctx": {}}]},
        "422: the provider could not fetch an input",
        (("X-Fal-Retryable", "false"),),
    ),
    "fal-504": Literal(
        504,
        {"detail": "Request timed out", "error_type": "request_timeout"},
        "504 in JSON",
        (("X-Fal-Error-Type", "request_timeout"),),
    ),
    "replicate-429": Literal(
        429,
        {"detail": "Request was throttled. Your rate limit resets in ~2s."},
        "429, when to come back only in the text",
    ),
    "acedata-used-up": Literal(
        403, {"error": {"code": "used_up", "message": "Used up."}, "trace_id": "t"}, "403: no credits"
    ),
    "acedata-429": Literal(
        429,
        {"error": {"code": "too_many_requests", "message": "Too many."}, "trace_id": "t"},
        "429, no hint when",
    ),
    "quota-429": Literal(429, {"error": _QUOTA}, "429 that means no credits"),
    "problem-429": Literal(
        429,
        {
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Request cannot be satisfied as assigned quota has been exceeded",
            "violated-policies": ["burst"],
        },
        "429 as problem+json with RateLimit",
        (("RateLimit-Policy", '"burst";q=20;w=10'), ("RateLimit", '"burst";r=0;t=2')),
        "application/problem+json",
    ),
}
