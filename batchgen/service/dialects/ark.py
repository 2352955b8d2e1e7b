"""BytePlus ModelArk: content items with roles, and a task that ends with its tokens."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from batchgen.job import Answer, Look, Outcome
from batchgen.service.dialects import Call, Candidate, Request, Service
from batchgen.service.dialects.reading import json_call, outcome_of, place_of, status_of
from batchgen.service.reply.body import at, parsed_or_none

PAGE = 500
_VIDEO = (("content", "video_url"), ("content", "video_urls"))


class Ark:
    """ModelArk. Its list tells when and with which model, not what was sent: candidates only."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.lists = ArkLists(service)

    def create(self, request: Request) -> Call:
        model = self._service.catalogue.model(str(request["model"]))
        content: list[dict[str, Any]] = []
        if "prompt" in request:
            content.append({"type": "text", "text": request["prompt"]})
        images, videos = request.get("image_input", ()), request.get("video_input", ())
        roles = _roles(len(images), alone=not videos)
        content += [_item("image_url", url, role) for url, role in zip(images, roles, strict=True)]
        content += [_item("video_url", url, "reference_video") for url in videos]
        options = model.wire_options(request.get("options", {}))
        return json_call(self._service.paths["create"], {"model": request["model"], "content": content, **options})

    def created(self, answer: Answer, sent: Call, *, idempotent: bool = False) -> Outcome:
        return outcome_of(self._service, answer, sent.body, [("id",)], idempotent=idempotent)

    def ask(self, task_id: str, model: str) -> tuple[Call, ...]:
        del model
        return (Call("GET", self._service.paths["status"].replace("{id}", place_of(task_id))),)

    def asked(self, answers: Sequence[Answer], task_id: str) -> Look | None:
        body = parsed_or_none(answers[0].body)
        return status_of(
            self._service, answers[0], task_id,
            id_places=[("id",)], word_place=("status",), url_places=_VIDEO,
            charged=self._cost(at(body, ("model",)), at(body, ("usage", "total_tokens"))),
        )  # fmt: skip

    def _cost(self, model: Any, tokens: Any) -> int | None:
        """What the task's own tokens cost, by the dated price of its model."""
        rate = self._service.catalogue.rates.get(model) if isinstance(model, str) else None
        if rate is None or not isinstance(tokens, int) or isinstance(tokens, bool) or tokens <= 0:
            return None
        return rate.of_tokens(tokens, self._service.scale)

    def needs_key(self, path: str) -> bool:
        del path
        return False


def _roles(images: int, *, alone: bool) -> list[str]:
    """One image is the first frame, two are first and last, more (or any beside a video) are references."""
    if alone and images <= 2:
        return ["first_frame", "last_frame"][:images]
    return ["reference_image"] * images


def _item(kind: str, url: str, role: str) -> dict[str, Any]:
    return {"type": kind, kind: {"url": url}, "role": role}


class ArkLists:
    """Tasks by page number; what was sent is not told."""

    def __init__(self, service: Service) -> None:
        self._path = service.paths["list"]

    def page(self, endpoint: str, since: float, until: float, cursor: str) -> Call:
        del since, until
        query = {"page_num": cursor or "1", "page_size": str(PAGE), "filter.model": endpoint}
        return Call("GET", f"{self._path}?{urlencode(query)}", lists=True)

    def listed(self, answer: Answer, cursor: str) -> tuple[Sequence[Candidate], str]:
        body = parsed_or_none(answer.body)
        items, total = at(body, ("items",)), at(body, ("total",))
        if answer.status != 200 or not isinstance(items, list):
            raise ValueError("the list of tasks can't be read")
        page = int(cursor or "1")
        more = isinstance(total, int) and page * PAGE < total
        if more and not items:
            raise ValueError("the list ends before its own total")
        return [_candidate(item) for item in items], str(page + 1) if more else ""


def _candidate(item: Any) -> Candidate:
    task_id = at(item, ("id",))
    if not isinstance(task_id, str) or not task_id:
        raise ValueError("a task in the list has no id")
    model, created = at(item, ("model",)), at(item, ("created_at",))
    known = isinstance(created, int | float) and not isinstance(created, bool)
    return Candidate(task_id, model if isinstance(model, str) else "", None, float(created) if known else None)


def dialect(service: Service) -> Ark:
    return Ark(service)
