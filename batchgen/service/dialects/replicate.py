"""Replicate's predictions of official models: POST /v1/models/{owner}/{name}/predictions {"input": …}."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from batchgen.job import Answer, Look, Outcome
from batchgen.service.dialects import Call, Candidate, Request, Service
from batchgen.service.dialects.fal import flat_body, moment
from batchgen.service.dialects.reading import json_call, outcome_of, path_of, place_of, status_of
from batchgen.service.reply.body import at, parsed_or_none


class Replicate:
    """Replicate."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.lists = ReplicateLists(service)

    def create(self, request: Request) -> Call:
        model = self._service.catalogue.model(str(request["model"]))
        path = self._service.paths["create"].replace("{model}", path_of(str(request["model"])))
        return json_call(path, {"input": flat_body(model, request)})

    def created(self, answer: Answer, sent: Call, *, idempotent: bool = False) -> Outcome:
        return outcome_of(self._service, answer, sent.body, [("id",)], idempotent=idempotent)

    def ask(self, task_id: str, model: str) -> tuple[Call, ...]:
        del model
        return (Call("GET", self._service.paths["status"].replace("{id}", place_of(task_id))),)

    def asked(self, answers: Sequence[Answer], task_id: str) -> Look | None:
        return status_of(
            self._service, answers[0], task_id,
            id_places=[("id",)], word_place=("status",), url_places=[("output",), ("output", "video")],
        )  # fmt: skip

    def needs_key(self, path: str) -> bool:
        del path
        return False


class ReplicateLists:
    """The account's predictions, newest first, with what was sent; the window is ours to hold."""

    def __init__(self, service: Service) -> None:
        self._path = service.paths["list"]

    def page(self, endpoint: str, since: float, until: float, cursor: str) -> Call:
        del endpoint, since, until
        return Call("GET", f"{self._path}?{cursor}" if cursor else self._path, lists=True)

    def listed(self, answer: Answer, cursor: str) -> tuple[Sequence[Candidate], str]:
        del cursor
        body = parsed_or_none(answer.body)
        items = at(body, ("results",)) if isinstance(body, dict) else None
        if answer.status != 200 or not isinstance(items, list) or not isinstance(body, dict):
            raise ValueError("the list of predictions can't be read")
        following = body.get("next")
        if following is not None and not (isinstance(following, str) and urlsplit(following).query):
            raise ValueError("the list names a next page that is none")
        return [_candidate(item) for item in items], urlsplit(following).query if following else ""


def _candidate(item: Any) -> Candidate:
    task_id = at(item, ("id",))
    if not isinstance(task_id, str) or not task_id:
        raise ValueError("a prediction in the list has no id")
    model, sent = at(item, ("model",)), at(item, ("input",))
    body = {"input": sent} if isinstance(sent, dict) else None
    return Candidate(task_id, model if isinstance(model, str) else "", body, moment(at(item, ("created_at",))))


def dialect(service: Service) -> Replicate:
    return Replicate(service)
