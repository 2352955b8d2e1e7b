"""What a body says by its structure, before a word of it is read: yes, and the ids in it.

`success: true`, a fine code, the status word of a live task and an id are a yes. A yes is never made a no by a
sentence beside it, and beside a declared error it makes the answer a contradiction.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from batchgen.service.reply.body import ID_PLACES, at, id_text, parsed_or_none, unfolded
from batchgen.service.reply.words import ALIVE, plain

Place = tuple[str | int, ...]

#: Below these keys stands what was asked, who asked, or the error itself: nothing of a task.
_NOT_OF_THE_TASK = re.compile(
    r"errors?|details?|inputs?|request|params?|parameters|options|prompt|negative_?prompt|metadata|user|account"
    r"|owner|team|organi[sz]ation|project|model|billing|usage|links?|urls?|(?:image|video)_input",
    re.IGNORECASE,
)
_DEEPEST, _MOST = 5, 200
#: Keys whose value names the task where `ID_PLACES` finds none, and is shown to the person.
_ID_KEY = re.compile(r"id|(?:task|job|generation|video|prediction)_?id|uuid", re.IGNORECASE)
#: Keys of ids that may also name the request, the error or a person: shown, and never a yes.
_SHOWN_KEY = re.compile(r"\w*_?id|uuid|name", re.IGNORECASE)
_CODES = ("code", "statusCode", "status_code", "errcode", "errorCode", "error_code", "status")
_WORDS = ("status", "state", "task_status", "taskStatus", "code")
_FINE_WORDS = frozenset({"success", "successful", "succeeded", "ok", "okay", "accepted", "created", "true"})


def layers(body: Any, *, everything: bool = False) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The objects of an answer with their places, outermost first; texts that are JSON are looked into.

    Of what is not the task's (the error, the request) only with `everything`. At most 200 objects, five deep.
    """
    waiting: deque[tuple[Place, Any]] = deque([((), body)])
    seen = 0
    while waiting and seen < _MOST:
        place, value = waiting.popleft()
        value = unfolded(value)
        if isinstance(value, list):
            inner: list[tuple[str | int, Any]] = list(enumerate(value[:20]))
        elif isinstance(value, dict):
            seen += 1
            yield place, value
            inner = [(key, one) for key, one in value.items() if everything or not _NOT_OF_THE_TASK.fullmatch(key)]
        else:
            continue
        if len(place) < _DEEPEST:
            waiting.extend(((*place, key), one) for key, one in inner if isinstance(one, dict | list | str))


def says_yes(body: Any) -> bool:
    """Does the structure say that the task was taken?"""
    return any(_is_yes(layer) for _, layer in layers(body))


def _is_yes(layer: dict[str, Any]) -> bool:
    if any(layer.get(key) is True or _word(layer.get(key)) == "true" for key in ("success", "ok")):
        return True
    if any(_is_fine_number(layer.get(key)) for key in _CODES):
        return True
    if any((word := _word(layer.get(key))) in ALIVE or word in _FINE_WORDS for key in _WORDS):
        return True
    return any(_ID_KEY.fullmatch(key) and id_text(value) for key, value in layer.items())


def _word(value: Any) -> str:
    return plain(value) if isinstance(value, str) else ""


def _is_fine_number(value: Any) -> bool:
    """0, 200 to 299, as number or text."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,3}\s*", value):
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and (value == 0 or 200 <= value <= 299)


#: Where the documented envelope names its task: twice.
_DOCUMENTED: tuple[Place, ...] = (("id",), ("data", "id"))
_RIVAL_KEY = re.compile(r"(?:task|job|generation|video|prediction)_?id", re.IGNORECASE)
_TASK_KEY = re.compile(r"(?:task|job|generation|prediction)_?id", re.IGNORECASE)
_OF_TASKS = frozenset({"data", "task", "tasks", "job", "jobs", "generation", "generations", "output", "result"})


def disagreeing_ids(body: Any) -> tuple[str, ...]:
    """The ids of an answer that names more than one task, or ().

    Where `id` and `data.id` are one, as documented, that is the task, whatever else is named beside it.

    >>> disagreeing_ids({"id": "req-1", "data": {"id": "task_1"}})
    ('req-1', 'task_1')
    """
    documented = [id_text(at(body, place)) for place in _DOCUMENTED]
    if documented[0] and documented[0] == documented[1]:
        return ()
    found = [found for place in ID_PLACES if (found := id_text(at(body, place)))]
    for place, layer in layers(body):
        if not all(isinstance(step, int) or step in _OF_TASKS for step in place):
            continue
        of_a_list = bool(place) and isinstance(place[-1], int)
        found += [
            named
            for key, value in layer.items()
            if (_RIVAL_KEY.fullmatch(key) or (of_a_list and key == "id")) and (named := id_text(value))
        ]
    different = tuple(dict.fromkeys(found))
    return different if len(different) > 1 else ()


def ids_in(body: Any, most: int = 12) -> tuple[tuple[str, str], ...]:
    """Every id in an answer with where it stands, for a person who looks for the task.

    >>> ids_in({"success": True, "data": {"job_id": "abc"}})
    (('data.job_id', 'abc'),)
    """
    found: dict[tuple[str, str], None] = {}
    for place, layer in layers(body, everything=True):
        for key, value in layer.items():
            if _SHOWN_KEY.fullmatch(key) and (named := id_text(value)):
                found[".".join(str(step) for step in (*place, key)), named] = None
    return tuple(found)[:most]


def ids_of(evidence: bytes, most: int = 12) -> tuple[tuple[str, str], ...]:
    """The same of what had come of an answer, also where it is cut or no JSON.

    >>> ids_of(b'{"success":true,"data":{"taskId":"task_1","sta')
    (('taskId', 'task_1'),)
    """
    body = parsed_or_none(evidence)
    if body is not None:
        return ids_in(body, most)
    text = evidence.decode("utf-8", "replace")
    found = ((key, id_text(one or other)) for key, one, other in _ID_IN_TEXT.findall(text))
    return tuple(dict.fromkeys((key, named) for key, named in found if named))[:most]


_ID_IN_TEXT = re.compile(
    r"""(?i)["']?\b((?:\w{0,40}_)?id|(?:task|job|generation|video|prediction|request)id|uuid)["']?\s{0,9}[:=]\s{0,9}"""
    r"""(?:"([^"\\]{1,512})"|([\w.:/\-]{1,512}))"""
)


def names_another(body: Any, task_id: str) -> bool:
    """Are the only ids in a status answer those of other tasks, in whatever shape they are named?

    An `id` names the task on the outside, in `data`, in `task`, and in a list's item that has a status; a file's id
    does not. `request_id` names the question.
    """
    others = False
    for place, layer in layers(body):
        for key, value in layer.items():
            named = id_text(value) if _SHOWN_KEY.fullmatch(key) else ""
            if named == task_id:
                return False
            others = others or (bool(named) and _names_a_task(place, key, layer))
    return others


def _names_a_task(place: Place, key: str, layer: dict[str, Any]) -> bool:
    if not all(isinstance(step, int) or step in (*_OF_TASKS, "response") for step in place):
        return False
    if _TASK_KEY.fullmatch(key):
        return True
    if key != "id":
        return False
    if place and isinstance(place[-1], int):
        return any(isinstance(layer.get(word), str) for word in _WORDS)
    return not place or place[-1] in ("data", "task")


def narrowed(body: Any, task_id: str) -> Any:
    """A list of tasks cut down to ours; anything else unchanged."""
    for place in ((), ("data",), ("tasks",), ("data", "tasks"), ("jobs",), ("data", "jobs")):
        listed = at(body, place) if place else body
        if not isinstance(listed, list) or len(listed) < 2:
            continue
        ours = [one for one in listed if isinstance(one, dict) and not names_another(one, task_id) and _has_id(one)]
        if len(ours) == 1:
            return _with(body, place, ours)
    return body


def _has_id(layer: dict[str, Any]) -> bool:
    return any(_ID_KEY.fullmatch(key) and id_text(value) for key, value in layer.items())


def _with(body: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    return {**unfolded(body), place[0]: _with(at(body, place[:1]), place[1:], value)}
