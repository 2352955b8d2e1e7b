"""The documented gateway: POST /v1/videos/generations, GET /v1/tasks/{id}. Its reply tables are `service/reply`."""

from collections.abc import Sequence
from urllib.parse import quote

from batchgen.job import Answer, Look, Outcome, request_body
from batchgen.service import reply
from batchgen.service.dialects import Call, Lists, Request, Service


class Gateway:
    """The documented API."""

    lists: Lists | None = None

    def __init__(self, service: Service) -> None:
        self._paths = service.paths

    def create(self, request: Request) -> Call:
        return Call("POST", self._paths["create"], request_body(request), JSON)

    def created(self, answer: Answer, sent: Call, *, idempotent: bool = False) -> Outcome:
        return reply.outcome(answer, idempotent=idempotent, sent=sent.body)

    def ask(self, task_id: str, model: str) -> tuple[Call, ...]:
        del model
        return (Call("GET", self._paths["status"].replace("{id}", place_of(task_id))),)

    def asked(self, answers: Sequence[Answer], task_id: str) -> Look | None:
        return reply.look(answers[0], task_id)

    def needs_key(self, path: str) -> bool:
        del path
        return False


JSON = (("Content-Type", "application/json"),)


def place_of(task_id: str) -> str:
    """A task's id as one step of a path: dots alone would climb out of it."""
    return quote(task_id, safe="") if task_id.strip(".") else task_id.replace(".", "%2E")


def dialect(service: Service) -> Gateway:
    return Gateway(service)
