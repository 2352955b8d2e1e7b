"""Does this address speak the API at all? A router's refusal is about the address, not about a row. Pure.

405, 501 and a router's 404 (no JSON, or a framework's fixed words) mean that nothing of ours can be bought there.
Whether it counts is the caller's to know: where a job was accepted before, the address is right.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from batchgen.job import Answer
from batchgen.service.dialects import GATEWAY, NAMES, service_of
from batchgen.service.reply import words
from batchgen.service.reply.body import at, parsed_or_none

#: What routers and frameworks say of a path that they do not have, each as a whole text.
_ROUTER = re.compile(
    r"(?:http )?(?:error )?(?:404[ :]*)?(?:page |resource |endpoint |route |path |url )?not found\.?"
    r"|the requested (?:url|resource|path|page)(?: \S+)? (?:was |could )?not (?:be )?found.*"
    r"|cannot (?:post|get) \S+.*|route (?:post|get)?:?\S* not found.*|no route matched.*"
    r"|no (?:such )?(?:route|endpoint).*"
    r"|(?:unknown|invalid) (?:url|path|endpoint|route|api)\b.*|\S+ not found on this server.*|not found error"
)
#: Texts of such an answer that say nothing of why.
_ASIDE = frozenset(
    {"timestamp", "path", "documentation_url", "request_id", "requestId", "trace_id", "type", "code"}
)
_ASIDE_WORDS = frozenset({"error", "fail", "false", "not_found", "not found"})


def speaks_another_api(answer: Answer) -> bool:
    """Whether the answer to a POST says that this address has no such API."""
    if answer.status in (405, 501):
        return True
    if answer.status != 404:
        return False
    body = parsed_or_none(answer.body)
    if not isinstance(body, dict):
        return True
    said = [words.plain(text) for text in _texts(body)]
    return bool(said) and all(_ROUTER.fullmatch(text) or text in _ASIDE_WORDS for text in said) and any(
        _ROUTER.fullmatch(text) for text in said
    )  # fmt: skip


def likely_service(answer: Answer, base_url: str, service: str) -> str:
    """Which service's API is probably spoken at this address; "" where nothing tells, or it is the one in use."""
    host = urlsplit(base_url).hostname or ""
    known = {urlsplit(service_of(name).base_url).hostname: name for name in NAMES if name != "litellm"}
    found = known.get(host, "") or _by_answer(answer.headers, parsed_or_none(answer.body))
    return "" if found == service else found


def about(answer: Answer, base_url: str, service: str) -> str:
    """The sentence for a person."""
    likely = likely_service(answer, base_url, service)
    flag = f"--service {likely}"
    match likely:
        case "":
            return "Check the address (--base-url) and the service (--service)."
        case "openai-videos":
            return f"It looks like an OpenAI-style server: {flag}."
        case "litellm":
            return f"It looks like a LiteLLM proxy: {flag}."
        case _ if likely == GATEWAY:
            return f"It looks like the documented gateway: {flag}."
        case _:
            return f"It looks like {likely}: {flag}."


def _by_answer(headers: Mapping[str, str], body: Any) -> str:
    if any(name.startswith("x-litellm-") for name in headers):
        return "litellm"
    if any(name.startswith("x-fal-") for name in headers):
        return "fal"
    fast_api = isinstance(at(body, ("detail",)), str) or headers.get("server", "").lower().startswith("uvicorn")
    openai = isinstance(at(body, ("error",)), dict) and at(body, ("error", "message")) is not None
    return "openai-videos" if fast_api or openai else ""


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str) and value.strip():
        yield value
    elif isinstance(value, dict) and depth < 4:
        for key, inner in value.items():
            if key not in _ASIDE:
                yield from _texts(inner, depth + 1)
    elif isinstance(value, list) and depth < 4:
        for inner in value[:10]:
            yield from _texts(inner, depth + 1)
