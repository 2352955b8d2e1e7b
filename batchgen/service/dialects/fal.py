"""fal's queue: POST /{model}, then the status and the result under the first two steps of the model's name.

A failure shows in the result alone, as an HTTP error: 4xx of the model, or one that carries fal's own error type.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from batchgen.check.video_model import Model
from batchgen.job import Answer, Look, Outcome, State, TaskStatus, Trouble
from batchgen.service import reply
from batchgen.service.dialects import Call, Candidate, Request, Service
from batchgen.service.dialects.reading import (
    ANOTHER_TASK,
    json_call,
    outcome_of,
    path_of,
    place_of,
    status_of,
    urls_at,
)
from batchgen.service.reply.body import at, one_line, parsed_or_none
from batchgen.service.reply.complaint import error_text

#: Namespaces whose apps have three steps, not two.
_NAMESPACES = ("workflows", "comfy")
#: Statuses of the result that tell of the question, not of the task.
_TROUBLE = frozenset({401, 402, 403, 404, 408, 410, 425, 429})
_VIDEO = (("video", "url"), ("video",), ("videos",), ("output", "video", "url"), ("video_url",))
PAGE = 100


class Fal:
    """fal.ai."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.lists = FalLists(service)

    def create(self, request: Request) -> Call:
        model = self._service.catalogue.model(str(request["model"]))
        path = self._service.paths["create"].replace("{model}", path_of(str(request["model"])))
        return json_call(path, flat_body(model, request))

    def created(self, answer: Answer, sent: Call, *, idempotent: bool = False) -> Outcome:
        return outcome_of(self._service, answer, sent.body, [("request_id",)], idempotent=idempotent)

    def ask(self, task_id: str, model: str) -> tuple[Call, ...]:
        paths = (self._service.paths["status"], self._service.paths["result"])
        filled = (path.replace("{app}", app_of(model)).replace("{id}", place_of(task_id)) for path in paths)
        return tuple(Call("GET", path) for path in filled)

    def asked(self, answers: Sequence[Answer], task_id: str) -> Look | None:
        look = status_of(
            self._service, answers[0], task_id,
            id_places=[("request_id",)], word_place=("status",), url_places=[],
        )  # fmt: skip
        if look.status is None or look.status.state is not State.SUCCEEDED:
            return look
        body = parsed_or_none(answers[0].body)
        if error := at(body, ("error",)):
            said = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
            return _failed(answers[0], str(at(body, ("error_type",)) or "failed"), said)
        return _result(answers[1], task_id) if len(answers) > 1 else None

    def needs_key(self, path: str) -> bool:
        del path
        return False


def flat_body(model: Model, request: Request) -> dict[str, Any]:
    """A request as the model's own fields, side by side."""
    body: dict[str, Any] = {}
    if "prompt" in request:
        body[model.inputs.get("prompt", "prompt")] = request["prompt"]
    for key in ("image_input", "video_input"):
        if values := request.get(key):
            body.update(model.placed(key, values) or {key: list(values)})
    return body | model.wire_options(request.get("options", {}))


def app_of(model: str) -> str:
    """The part of a model's name under which its requests are asked for."""
    steps = model.split("/") if model else ["batchgen", "probe"]
    return "/".join(place_of(step) for step in steps[: 3 if steps[0] in _NAMESPACES else 2])


def _result(answer: Answer, task_id: str) -> Look:
    """The result of a request that has come to its end."""
    body = parsed_or_none(answer.body)
    if 200 <= answer.status <= 299:
        if body is None:
            return reply.look(answer, task_id)
        named = at(body, ("request_id",))
        if isinstance(named, str) and named != task_id:
            return Look(trouble=Trouble.ERROR, message=ANOTHER_TASK, http_status=answer.status)
        urls = urls_at(body, _VIDEO) or urls_at(at(body, ("response",)), _VIDEO)
        status = TaskStatus(State.SUCCEEDED, word="COMPLETED", video_urls=urls)
        return Look(status=status, http_status=answer.status, headers=answer.headers)
    named_type = answer.headers.get("x-fal-error-type") or at(body, ("error_type",))
    own = 400 <= answer.status <= 499 and answer.status not in _TROUBLE and isinstance(body, dict)
    if own or (named_type and answer.status not in _TROUBLE):
        complaint = error_text(body)
        code = str(named_type or at(body, ("detail", 0, "type")) or complaint.slug or f"http_{answer.status}")
        return _failed(answer, code, complaint.message)
    return reply.look(answer, task_id)


def _failed(answer: Answer, code: str, message: str) -> Look:
    status = TaskStatus(State.FAILED, word="COMPLETED", error_code=one_line(code, 100), error=one_line(message))
    return Look(status=status, http_status=answer.status, headers=answer.headers)


class FalLists:
    """fal's list of requests by endpoint, with what was sent."""

    def __init__(self, service: Service) -> None:
        self._path = service.paths["list"]

    def page(self, endpoint: str, since: float, until: float, cursor: str) -> Call:
        query = {
            "endpoint_id": endpoint,
            "start": _iso(since),
            "end": _iso(until),
            "expand": "payloads",
            "limit": str(PAGE),
        }
        if cursor:
            query["cursor"] = cursor
        return Call("GET", f"{self._path}?{urlencode(query)}", lists=True)

    def listed(self, answer: Answer, cursor: str) -> tuple[Sequence[Candidate], str]:
        del cursor
        body = parsed_or_none(answer.body)
        items = at(body, ("items",)) if isinstance(body, dict) else None
        if answer.status != 200 or not isinstance(items, list) or not isinstance(body, dict):
            raise ValueError("the list of requests can't be read")
        found = [_candidate(item) for item in items]
        following = body.get("next_cursor")
        if body.get("has_more") and not following:
            raise ValueError("the list says that there is more, and not where")
        return found, str(following) if following else ""


def _candidate(item: Any) -> Candidate:
    task_id = at(item, ("request_id",))
    if not isinstance(task_id, str) or not task_id:
        raise ValueError("a request in the list has no id")
    endpoint = at(item, ("endpoint_id",))
    sent = at(item, ("json_input",))
    return Candidate(task_id, endpoint if isinstance(endpoint, str) else "", sent, moment(at(item, ("sent_at",))))


def moment(text: Any) -> float | None:
    """An ISO date as seconds since 1970."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _iso(at_: float) -> str:
    return datetime.fromtimestamp(at_, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dialect(service: Service) -> Fal:
    return Fal(service)
