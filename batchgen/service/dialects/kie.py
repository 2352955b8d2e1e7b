"""kie.ai's jobs: HTTP 200 for nearly everything, the body's own `code` counts; the result is JSON inside a text."""

from collections.abc import Sequence
from urllib.parse import quote

from batchgen.job import Answer, Look, Outcome
from batchgen.service.dialects import Call, Lists, Request, Service
from batchgen.service.dialects.fal import flat_body
from batchgen.service.dialects.reading import amount, json_call, outcome_of, status_of
from batchgen.service.reply.body import at, parsed_or_none


class Kie:
    """kie.ai. It has no list: a doubt is a person's."""

    lists: Lists | None = None

    def __init__(self, service: Service) -> None:
        self._service = service

    def create(self, request: Request) -> Call:
        model = self._service.catalogue.model(str(request["model"]))
        body = {"model": request["model"], "input": flat_body(model, request)}
        return json_call(self._service.paths["create"], body)

    def created(self, answer: Answer, sent: Call, *, idempotent: bool = False) -> Outcome:
        return outcome_of(self._service, answer, sent.body, [("data", "taskId")], idempotent=idempotent)

    def ask(self, task_id: str, model: str) -> tuple[Call, ...]:
        del model
        return (Call("GET", self._service.paths["status"].replace("{id}", quote(task_id, safe=""))),)

    def asked(self, answers: Sequence[Answer], task_id: str) -> Look | None:
        body = parsed_or_none(answers[0].body)
        return status_of(
            self._service, answers[0], task_id,
            id_places=[("data", "taskId")],
            word_place=("data", "state"),
            url_places=[("data", "resultJson", "resultUrls"), ("data", "resultJson", "resultObject", "videoUrl")],
            charged=amount(at(body, ("data", "creditsConsumed")), self._service.scale),
        )  # fmt: skip

    def needs_key(self, path: str) -> bool:
        del path
        return False


def dialect(service: Service) -> Kie:
    return Kie(service)
