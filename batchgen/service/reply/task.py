"""The answer to GET /v1/tasks/{id} -> Look: what the service says of a task, or why it says nothing.

Errors of the question are never the task's failure: a task has failed when its own status word says so, or
when it has ended with an error and without a video.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from batchgen.job import ABOUT_ANOTHER, WHOLE_CHARGE, Answer, Look, State, TaskStatus, Trouble
from batchgen.service.reply import words
from batchgen.service.reply.body import (
    Unreadable,
    at,
    id_text,
    one_line,
    parse,
    parsed_or_none,
    unfolded,
)
from batchgen.service.reply.complaint import Complaint, error_text, spoken_complaint
from batchgen.service.reply.create import charged_credits_of, edge_made
from batchgen.service.reply.signs import names_another, narrowed
from batchgen.service.reply.urls import video_urls_of

_BAD_ENDS = (State.FAILED, State.CANCELLED, State.EXPIRED)
#: Keys under which a refund is stated, without their capitals, lines and blanks.
_REFUND_KEYS = frozenset(
    {
        "refund", "refunded", "isrefunded", "refundedcredits", "refundcredits", "creditsrefunded",
        "refundedamount", "refundamount", "refundstatus", "refundstate",
    }
)  # fmt: skip
_REFUND_WORDS = frozenset({"refunded", "success", "succeeded", "completed", "done", "full", "true"})
_WORD_KEYS = ("status", "state", "task_status", "taskStatus", "successFlag")
_FLAGS = {0: State.RUNNING, 1: State.SUCCEEDED, 2: State.FAILED, 3: State.FAILED}
#: Where a task may stand in an answer, from the outside in.
_LAYERS: tuple[tuple[str | int, ...], ...] = (
    (), ("data",), ("data", 0), ("task",), ("data", "task"), ("output",), ("result",), ("data", "result"),
    ("response",), ("data", "response"), ("data", "attributes"), ("jobs", 0), ("status",),
)  # fmt: skip


def look(answer: Answer, task_id: str) -> Look:
    """What a status answer says of the task `task_id`. Never raises."""
    complaint = error_text(parsed_or_none(answer.body))
    if answer.status in (404, 410):
        return _trouble(answer, Trouble.NOT_FOUND, complaint)
    if answer.status in (401, 402, 403):
        return _trouble(answer, Trouble.REFUSED, complaint)
    waits = answer.status == 503 and answer.headers.get("retry-after", "").strip()
    if answer.status in (425, 429) or waits:
        return _trouble(answer, Trouble.THROTTLED, complaint)
    if not 200 <= answer.status <= 299:
        return _trouble(answer, Trouble.ERROR, complaint)
    try:
        body = parse(answer.body, strict=False)
    except Unreadable as why:
        return _trouble(answer, Trouble.ERROR, complaint, str(why))
    return _of_body(answer, body, task_id)


def is_the_service(answer: Answer) -> bool:
    """Did the service itself answer this GET (not an edge, a captive portal or a broken server)?"""
    if answer.status >= 500 or edge_made(answer):
        return False
    return parsed_or_none(answer.body) is not None or answer.status in (401, 404, 429)


def _of_body(answer: Answer, body: Any, task_id: str) -> Look:
    body = narrowed(body, task_id)
    if names_another(body, task_id):
        return _trouble(answer, Trouble.ERROR, error_text({}), ABOUT_ANOTHER)
    complaint = spoken_complaint(body)
    status = _task_status(body)
    if status.word or status.video_urls:
        return Look(status=status, http_status=answer.status, headers=answer.headers)
    if complaint is None:
        return Look(status=TaskStatus(None), http_status=answer.status, headers=answer.headers)
    if 404 in complaint.numbers or complaint.says(words.NO_SUCH_TASK):
        return _trouble(answer, Trouble.NOT_FOUND, complaint)
    if complaint.bad_key or complaint.numbers & {402, 403}:
        return _trouble(answer, Trouble.REFUSED, complaint)
    throttled = complaint.throttle is not None
    return _trouble(answer, Trouble.THROTTLED if throttled else Trouble.ERROR, complaint)


def _task_status(body: Any) -> TaskStatus:
    """The task that `body` speaks of; `word` is "" when it has no status word."""
    layers = [layer for place in _LAYERS if isinstance(layer := at(body, place), dict)]
    said = list(_words(body, layers))
    states = {state for _word, state in said if state is not None}
    urls = video_urls_of(body, ended=State.SUCCEEDED in states)
    error_code, error = _error(body, layers)
    state = _settle(states, has_urls=bool(urls), has_error=_has_error(layers))
    if state is None and urls:
        state = State.SUCCEEDED  # an unknown word beside a video: it is there
    word = next((word for word, meant in said if meant is state), said[0][0] if said else "")
    ended_badly = state in _BAD_ENDS
    partial = word.lower().startswith("partial")
    return TaskStatus(
        state,
        word=one_line(word, 60),
        video_urls=urls,
        error_code=error_code if ended_badly else "partial" if partial and urls else "",
        error=error if ended_badly or partial else "",
        refunded=_refunded(layers),
        charged_credits=charged_credits_of(body),
        expires_at=_expires_at(layers),
    )


def _words(body: Any, layers: list[dict[str, Any]]) -> Iterator[tuple[str, State | None]]:
    """Each status word with its meaning. An envelope's own `status: success` is not the task's."""
    for depth, layer in enumerate(layers):
        if depth == 0 and layer is body and _is_envelope(layer):
            continue
        for key in _WORD_KEYS:
            value = layer.get(key)
            if isinstance(value, str) and value.strip():
                yield value.strip(), meaning_of(value)
            elif isinstance(value, int) and not isinstance(value, bool) and layer is not body:
                yield str(value), _FLAGS.get(value) if key == "successFlag" else None
    info = at(body, ("data", "taskInfo")) or at(body, ("taskInfo",))
    raw = at(info, ("status",))
    if isinstance(raw, str) and raw and not any(layer.get(key) for layer in layers for key in _WORD_KEYS):
        yield raw, meaning_of(raw)


def _is_envelope(body: dict[str, Any]) -> bool:
    """Is the top level only a wrapping (`{"status": "success", "data": {…}}`), not the task itself?"""
    if any(id_text(body.get(key)) for key in ("id", "task_id", "taskId")) or "object" in body:
        return False
    wrapped = any(isinstance(body.get(key), dict | list) for key in ("data", "task", "result"))
    return wrapped or "message" in body or "msg" in body or "code" in body


def meaning_of(word: str) -> State | None:
    """The state that a status word stands for, or None when it is not in the vocabulary.

    >>> meaning_of("In-Progress").value
    'running'
    """
    return words.MEANING.get(re.sub(r"[\s\-]+", "_", word.strip().casefold()))


def _settle(states: set[State], *, has_urls: bool, has_error: bool) -> State | None:
    """One state out of all that were said: an end over no end, a bad end over success without a video."""
    bad = next((state for state in _BAD_ENDS if state in states), None)
    if State.SUCCEEDED in states:
        if has_urls:
            return State.SUCCEEDED
        return bad or (State.FAILED if has_error else State.SUCCEEDED)
    return bad or next((state for state in (State.RUNNING, State.QUEUED) if state in states), None)


def _has_error(layers: list[dict[str, Any]]) -> bool:
    """A structured error of the task (fal says COMPLETED with an `error` where a task failed)."""
    errors = (layer.get(key) for layer in layers for key in ("error", "error_type", "failCode", "errorCode"))
    return any(any(e.values()) if isinstance(e, dict) else isinstance(e, str) and e.strip() for e in errors)


def _error(body: Any, layers: list[dict[str, Any]]) -> tuple[str, str]:
    """(code, sentence) of why the task ended badly, from wherever it is told."""
    info = unfolded(at(body, ("data", "taskInfo")) or at(body, ("taskInfo",)))
    layers = [*reversed(layers), *([info] if isinstance(info, dict) else [])]
    objects = [e for layer in layers if isinstance(e := layer.get("error"), dict)] + layers
    codes = (
        one.get(key)
        for one in objects
        for key in ("errorCode", "error_code", "failCode", "failureCode", "error_type", "code")
        if not (key == "code" and one is body)
    )
    code = next((str(c) for c in codes if isinstance(c, str | int) and not isinstance(c, bool) and c), "")
    keys = (
        "errorMessage", "error_message", "failMsg", "failure", "fail_reason", "failure_reason",
        "task_status_msg", "error", "message", "detail",
        "msg", "reason",
    )  # fmt: skip
    texts = (one.get(key) for one in objects for key in keys)
    fine = ("success", "ok", "succeeded")
    text = next((t for t in texts if isinstance(t, str) and t.strip() and t.strip().lower() not in fine), "")
    return one_line(code, 100), one_line(text)


def _refunded(layers: list[dict[str, Any]]) -> int | None:
    """Credits that the answer says were given back: the least that it says, None when it says nothing."""
    return min((said for layer in layers for said in _refunds(layer)), default=None)


def _refunds(layer: dict[str, Any]) -> Iterator[int]:
    """Each word about a refund in a layer, as credits. In `refund` itself a key may be short (`amount`)."""
    for holder, prefix in (("", ""), ("usage", ""), ("credits", ""), ("refund", "refund")):
        held = layer.get(holder) if holder else layer
        for key, value in held.items() if isinstance(held, dict) else ():
            name = re.sub(r"[\s_\-]", "", key).lower()
            name = name if name in _REFUND_KEYS else prefix + name
            if name in _REFUND_KEYS and (said := _credits_back(name, value)) is not None:
                yield said


def _credits_back(name: str, value: Any) -> int | None:
    """An amount of credits; a yes is the whole charge; any other word is none at all."""
    if isinstance(value, bool):
        return WHOLE_CHARGE if value else 0
    if isinstance(value, str) and value.strip():
        word = words.plain(value)
        if "partial" in word:
            return None  # how much, the amount says
        return WHOLE_CHARGE if word in _REFUND_WORDS else 0
    if isinstance(value, int | float) and name not in ("refundstatus", "refundstate"):  # no code is an amount
        return int(value) if 0 < value < WHOLE_CHARGE else 0
    return None


def _expires_at(layers: list[dict[str, Any]]) -> float | None:
    """When the URLs die, in seconds since 1970, if the answer says so."""
    keys = ("expires_at", "expiresAt", "expire_at", "expireAt", "expire_time", "expireTime", "urlExpiresAt")
    for value in (layer.get(key) for layer in layers for key in keys):
        if isinstance(value, int | float) and not isinstance(value, bool) and 1e9 < value < 1e14:
            return float(value / 1000 if value > 1e12 else value)
        if isinstance(value, str) and (moment := _moment(value)) is not None:
            return moment
    return None


def _moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _trouble(answer: Answer, trouble: Trouble, complaint: Complaint, message: str = "") -> Look:
    text = message or complaint.message or f"HTTP {answer.status}"
    return Look(trouble=trouble, message=text, http_status=answer.status, headers=answer.headers)
