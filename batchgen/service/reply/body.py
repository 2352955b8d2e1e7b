"""bytes -> JSON value, and where in it things stand."""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

#: The most of an answer that is kept as evidence, in bytes.
EVIDENCE_LIMIT = 64 * 1024
#: Where a task id stands, in order (the service, its sister gateways, its upstreams).
ID_PLACES: tuple[tuple[str | int, ...], ...] = (
    ("id",),
    ("data", "id"),
    ("task_id",),
    ("taskId",),
    ("data", "task_id"),
    ("data", "taskId"),
    ("data", 0, "id"),
    ("data", 0, "task_id"),
    ("data", 0, "taskId"),
    ("task", "id"),
    ("task", "task_id"),
    ("data", "task", "id"),
    ("output", "task_id"),
    ("result", "task_id"),
    ("result", "taskId"),
)
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: A request id names the request; it names the task only where nothing else does (fal's queue).
REQUEST_ID_PLACES: tuple[tuple[str | int, ...], ...] = (("request_id",), ("data", "request_id"))


_WHY = {
    "empty": "the answer is empty",
    "html": "the answer is an HTML page, not JSON",
    "not_utf8": "the answer is not UTF-8",
    "not_json": "the answer is not JSON",
    "duplicate_keys": "the answer names a key twice",
}


class Unreadable(Exception):
    """The body is no JSON value that may be believed; `code` says why in one word, `str` in a sentence."""

    def __init__(self, code: str) -> None:
        super().__init__(_WHY[code])
        self.code = code


def parse(body: bytes, *, strict: bool = True) -> Any:
    """The JSON value of `body`. `strict` refuses what a damaged or doubtful answer may hold: a key that
    stands twice in one object, NaN and Infinity.

    >>> parse(b'{"id": "t"}')
    {'id': 't'}
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("not_utf8") from None
    start = text.lstrip()[:1]
    if not start:
        raise Unreadable("empty")
    if start == "<":
        raise Unreadable("html")
    try:
        if strict:
            return json.loads(text, object_pairs_hook=_no_twins, parse_constant=_no_constant)
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("not_json") from None


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("duplicate_keys")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def parsed_or_none(body: bytes) -> dict[str, Any] | list[Any] | None:
    """The JSON object or list of `body`, or None when it is anything else."""
    try:
        value = parse(body, strict=False)
    except Unreadable:
        return None
    return value if isinstance(value, dict | list) else None


def unfolded(value: Any) -> Any:
    """JSON inside a string, decoded (`resultJson`, `taskInfo`); anything else unchanged."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return _decoded(value)
    return value


@lru_cache(maxsize=4)  # many places are looked at, and each text on the way to them is decoded once
def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def at(value: Any, place: Sequence[str | int]) -> Any:
    """What stands at `place` (keys and list positions from the outside in), or None."""
    for step in place:
        value = unfolded(value)
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return None
    return value


def id_text(value: Any) -> str:
    """A task id as text, or "" when `value` can't be one (wrong type, blank, unprintable, too long)."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**40:
        return str(value)
    if not isinstance(value, str):
        return ""
    usable = 0 < len(value) <= 512 and value.isprintable() and value.strip() == value and value.strip(".") != ""
    return value if usable else ""


def task_id_of(body: Any) -> str:
    """The task id of an answer, or "". Whether others disagree with it, `signs.disagreeing_ids` says."""
    return next((found for place in ID_PLACES if (found := id_text(at(body, place)))), "")


def request_id_of(body: Any) -> str:
    """A request id that stands where no task id does, or ""."""
    return next((found for place in REQUEST_ID_PLACES if (found := id_text(at(body, place)))), "")


def one_line(text: str, limit: int = 500) -> str:
    """`text` as one line of at most `limit` characters, without what would steer a terminal (ESC, C1, BS, bidi)."""
    line = " ".join(_STEERING.sub(" ", text.encode("utf-8", "replace").decode("utf-8")).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
