"""What the dialects behind the gateway share: the common table of a POST's outcomes, narrowed by lines of data.

A dialect never widens: only where the shared table (`service/reply`) is in doubt may a line with a source say
more, and an accepted id counts only where this dialect's services put it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from batchgen.job import ABOUT_ANOTHER, WHOLE_CHARGE, Answer, Look, Outcome, OutcomeKind, State, TaskStatus, Trouble
from batchgen.service import reply
from batchgen.service.dialects import Call, Service
from batchgen.service.dialects.data import Line
from batchgen.service.reply import words
from batchgen.service.reply.body import Unreadable, at, id_text, parse, parsed_or_none
from batchgen.service.reply.complaint import error_text

Place = Sequence[str | int]
JSON = (("Content-Type", "application/json"),)
ANOTHER_TASK = ABOUT_ANOTHER


def json_call(path: str, body: Mapping[str, Any]) -> Call:
    """A POST of a JSON object; values as they are, keys in this order."""
    return Call("POST", path, json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8"), JSON)


def place_of(text: str) -> str:
    """A task's id, or a piece of a model's name, as one step of a path: dots alone would climb out of it."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def path_of(name: str) -> str:
    """A model's name as steps of a path."""
    return "/".join(place_of(step) for step in name.split("/"))


def outcome_of(
    service: Service, answer: Answer, sent: bytes, places: Sequence[Place], *, idempotent: bool
) -> Outcome:
    """What is known after a POST that was answered in full."""
    said = reply.outcome(answer, idempotent=idempotent, sent=sent)
    if said.kind is OutcomeKind.ACCEPTED:
        body = parsed_or_none(answer.body)
        task_id = next((found for place in places if (found := id_text(at(body, place)))), "")
        if not task_id:
            return replace(
                said, kind=OutcomeKind.IN_DOUBT, code="no_id", task_id="", message=_NO_ID, charged_credits=None
            )
        return replace(said, task_id=task_id, charged_credits=None)
    if said.kind is OutcomeKind.IN_DOUBT:
        line = next((line for line in service.lines if holds(line, answer)), None)
        if line is not None:
            return replace(said, kind=line.outcome, code=line.code, throttle=line.throttle)
    return said


_NO_ID = "the answer holds no task id where this service puts it"


def holds(line: Line, answer: Answer) -> bool:
    """Whether an answer is what a line of the data speaks of. A body with an id in it never is."""
    body = parsed_or_none(answer.body)
    if not isinstance(body, dict) or id_text(at(body, ("id",))) or id_text(at(body, ("data", "taskId"))):
        return False
    if line.status and answer.status not in line.status:
        return False
    if line.header and line.header not in answer.headers:
        return False
    complaint = error_text(body)
    if line.body_code and not complaint.numbers & set(line.body_code):
        return False
    return not line.says or any(re.search(line.says, words.plain(text)) for text in complaint.said)


def amount(value: Any, scale: int) -> int | None:
    """A stated amount in the smallest part of the unit, rounded up; None where it is none.

    >>> amount("1.5170001", 1_000_000)
    1517001
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    if not found.is_finite() or found < 0 or found > 10**9:
        return None
    return int((found * scale).to_integral_value(rounding=ROUND_CEILING))


def body_of(answer: Answer) -> Any:
    """The JSON of a status answer. Raises Unreadable."""
    return parse(answer.body, strict=False)


def status_of(
    service: Service,
    answer: Answer,
    task_id: str,
    *,
    id_places: Sequence[Place],
    word_place: Place,
    url_places: Sequence[Place],
    charged: int | None = None,
) -> Look:
    """What a status answer says, read at this dialect's own places; the rest of it as the shared reading has it."""
    look = reply.look(answer, task_id)
    if not 200 <= answer.status <= 299:
        return look
    try:
        body = body_of(answer)
    except Unreadable:
        return look
    named = [found for place in id_places if (found := id_text(at(body, place)))]
    if named and task_id not in named:
        return Look(trouble=Trouble.ERROR, message=ANOTHER_TASK, http_status=answer.status, headers=answer.headers)
    word = at(body, word_place)
    if not isinstance(word, str) or not word.strip():
        return look if look.status is None else replace(look, status=TaskStatus(None, word=look.status.word))
    state = service.words.get(word.strip())
    shared = look.status or TaskStatus(None)
    status = replace(
        shared,
        state=State(state) if state else None,
        word=word.strip()[:60],
        video_urls=urls_at(body, url_places),
        refunded=shared.refunded if shared.refunded in (0, WHOLE_CHARGE) else None,
        charged_credits=charged,
    )
    if status.state in (State.FAILED, State.CANCELLED, State.EXPIRED):
        complaint = error_text(body)
        status = replace(
            status, error_code=shared.error_code or complaint.slug, error=shared.error or complaint.message
        )
    else:
        status = replace(status, error_code="", error="")
    return Look(status=status, http_status=answer.status, headers=answer.headers)


def urls_at(body: Any, places: Sequence[Place]) -> tuple[str, ...]:
    """The web addresses that stand at these places: a text, a list of texts, or a list of objects with `url`."""
    found: list[str] = []
    for place in places:
        value = at(body, place)
        for item in value if isinstance(value, list) else [value]:
            url = item.get("url") if isinstance(item, dict) else item
            if isinstance(url, str) and url.lower().startswith(("http://", "https://")) and url not in found:
                found.append(url)
        if found:
            break
    return tuple(found)
