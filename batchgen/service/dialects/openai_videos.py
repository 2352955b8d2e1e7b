"""The OpenAI videos API, as LiteLLM and self-hosted servers speak it: POST /v1/videos, content by its own path.

`litellm` takes JSON, with num_retries 0 always: it sends one POST for ours, and not three. `openai-videos` takes a
form, as vLLM-Omni does. A finished video has no address: its content is fetched with the key, from here only.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from batchgen.job import Answer, Look, Outcome, OutcomeKind, State
from batchgen.service.dialects import Call, Lists, Request, Service
from batchgen.service.dialects.fal import flat_body
from batchgen.service.dialects.reading import amount, json_call, outcome_of, place_of, status_of

LITELLM = "litellm"
_COST = "x-litellm-response-cost"


class OpenAIVideos:
    """Any server of this API; `service` says which of the two it is."""

    lists: Lists | None = None

    def __init__(self, service: Service) -> None:
        self._service = service
        self._is_litellm = service.name == LITELLM

    def create(self, request: Request) -> Call:
        path = self._service.paths["create"]
        fields = self._fields(request)
        return json_call(path, fields | {"num_retries": 0}) if self._is_litellm else form_call(path, fields)

    def created(self, answer: Answer, sent: Call, *, idempotent: bool = False) -> Outcome:
        echo = sent.body if self._is_litellm else _as_json(sent.body)
        said = outcome_of(self._service, answer, echo, [("id",)], idempotent=idempotent)
        if self._is_litellm:
            cost = amount(answer.headers.get(_COST), self._service.scale)
            # 0 is what LiteLLM says of a model that it has no price for: that is no statement.
            return replace(said, charged_credits=cost) if cost and said.kind is OutcomeKind.ACCEPTED else said
        return replace(said, halt=_BEHIND_LITELLM) if _of_litellm(answer.headers) else said

    def ask(self, task_id: str, model: str) -> tuple[Call, ...]:
        del model
        return (Call("GET", self._service.paths["status"].replace("{id}", place_of(task_id))),)

    def asked(self, answers: Sequence[Answer], task_id: str) -> Look | None:
        # LiteLLM makes its ids of what it knows of a task, and need not make the same one again.
        places = [] if self._is_litellm else [("id",)]
        look = status_of(
            self._service, answers[0], task_id, id_places=places, word_place=("status",), url_places=[]
        )  # fmt: skip
        if look.status is None or look.status.state is not State.SUCCEEDED:
            return look
        content = self._service.paths["content"].replace("{id}", place_of(task_id))
        return replace(look, status=replace(look.status, video_urls=(content,)))

    def needs_key(self, path: str) -> bool:
        before, _, after = self._service.paths["content"].partition("{id}")
        inner = path[len(before) : len(path) - len(after)]
        return path.startswith(before) and path.endswith(after) and bool(inner) and "/" not in inner

    def _fields(self, request: Request) -> dict[str, Any]:
        """The request side by side; seconds are text in this API."""
        model = self._service.catalogue.model(str(request["model"]))
        fields = {"model": request["model"], **flat_body(model, request)}
        if isinstance(seconds := fields.get("seconds"), int | float) and not isinstance(seconds, bool):
            fields["seconds"] = f"{seconds:g}"
        return fields


_BEHIND_LITELLM = (
    "A LiteLLM proxy answers at this address, and it may send one submission on three times: nothing more was "
    "submitted. Use --service litellm, which tells it not to."
)


def _of_litellm(headers: Mapping[str, str]) -> bool:
    return any(name.startswith("x-litellm-") for name in headers)


def form_call(path: str, fields: Mapping[str, Any]) -> Call:
    """A multipart form. Its boundary is made of what is in it: the same fields are the same bytes."""
    texts = {name: value if isinstance(value, str) else _text(value) for name, value in fields.items()}
    boundary = "batchgen-" + hashlib.sha256(_text(texts).encode()).hexdigest()[:32]
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{text}\r\n'
        for name, text in texts.items()
    )
    body = "".join(parts) + f"--{boundary}--\r\n"
    return Call("POST", path, body.encode(), (("Content-Type", f"multipart/form-data; boundary={boundary}"),))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _quoted(name: str) -> str:
    """A field's name in a header, as browsers write it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _as_json(form: bytes) -> bytes:
    """The texts of a form of ours, as the JSON that the shared reading takes echoes out of."""
    boundary = form.partition(b"\r\n")[0]
    texts = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in form.split(boundary)]
    return _text([text.decode("utf-8", "replace") for text in texts]).encode()


def dialect(service: Service) -> OpenAIVideos:
    return OpenAIVideos(service)
