"""What may stand behind a `|` in a template, how a value is put into a text, and how long a text may become."""

import json
import math
import re
import threading
from typing import Any

from batchgen.manifest.entry import shown
from batchgen.manifest.values import BadValue

FILTERS = ("capitalize", "default", "float", "int", "lower", "replace", "title", "trim", "upper")
#: No text that a template makes has more characters: `replace` could otherwise multiply one without end.
LONGEST = 1_000_000


class Blank:
    """A variable that has no value in this row: absent where it stands alone, noted where it leaves a hole."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        _now().blanks.append(self.name)
        return ""

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other == "" or isinstance(other, Blank)

    def __hash__(self) -> int:
        return hash("")


class _Now(threading.local):
    """What the rendering that goes on in this thread has made so far."""

    def __init__(self) -> None:
        self.left = LONGEST
        self.blanks: list[str] = []


_NOW = _Now()


def _now() -> _Now:
    return _NOW


def begin() -> None:
    """A rendering begins: nothing was made, no hole was left."""
    _NOW.left, _NOW.blanks = LONGEST, []


def holes() -> list[str]:
    """The blank variables that were put into the text since `begin`."""
    return list(dict.fromkeys(_NOW.blanks))


def spend(characters: int) -> None:
    """Count what a text grows by; BadValue beyond LONGEST."""
    _NOW.left -= characters
    if _NOW.left < 0:
        hint = "Is something repeated or replaced too often?"
        raise BadValue("too_large", f"The template makes a text of more than {LONGEST:,} characters.", hint)


def spoken(value: Any) -> str:
    """A variable inside a text: texts as they are, the rest as YAML would write it."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, float | Blank) or hasattr(value, "_undefined_message"):
        text = str(value)  # what is undefined says so here, as an error
    else:
        text = "" if value is None else json.dumps(value, ensure_ascii=False)
    spend(len(text))
    return text


def table(builtin: dict[str, Any]) -> dict[str, Any]:
    """The filters by name: Jinja's own where they can't multiply, and each of them passes a blank on."""
    plain = {name: _passing(builtin[name]) for name in ("capitalize", "lower", "title", "trim", "upper")}
    ours = {"default": _default, "int": _int, "float": _float, "replace": _replace, "spoken": spoken}
    return {**plain, **ours}


def _passing(made: Any) -> Any:
    def passing(value: Any, *rest: Any) -> Any:
        return value if isinstance(value, Blank) else made(value, *rest)

    return passing


def _default(value: Any, default: Any = "", boolean: bool = False) -> Any:
    missing = isinstance(value, Blank) or hasattr(value, "_undefined_message")
    return default if missing or (boolean and not value) else value


def _replace(value: Any, old: Any, new: Any, count: int = -1) -> Any:
    if isinstance(value, Blank):
        return value
    text, old, new = spoken(value), str(old), str(new)
    times = text.count(old) if count < 0 else min(text.count(old), count)
    spend(max(0, times * (len(new) - len(old))))
    return text.replace(old, new, count)


def _int(value: Any) -> Any:
    if isinstance(value, Blank):
        return value
    word = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?[0-9]{1,300}(?:\.0{1,20})?", word):
        raise BadValue("bad_value", f"{shown(value)} is not a whole number.", "The filter int asks for one.")
    return int(word.partition(".")[0])


def _float(value: Any) -> Any:
    if isinstance(value, Blank):
        return value
    word = str(value).strip()
    number = (
        float(word) if re.fullmatch(r"[+-]?(?:[0-9]{1,300}\.?[0-9]{0,300})(?:[eE][+-]?[0-9]{1,3})?", word) else None
    )
    if number is None or not math.isfinite(number):
        raise BadValue("bad_value", f"{shown(value)} is not a number.", "The filter float asks for one (1.5).")
    return number
