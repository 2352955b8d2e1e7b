"""The text of single cells -> values: lists of addresses, options as JSON, typed options.

Each function returns the value or raises BadValue with a code, a sentence and a hint.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from batchgen.manifest import addresses
from batchgen.manifest.entry import shown

_TRUE = frozenset({"true", "yes", "1", "on"})
_FALSE = frozenset({"false", "no", "0", "off"})
_TIME = re.compile(r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?P<rest>:00)?\s*(?P<noon>[AaPp]\.?[Mm]\.?)?")
NUL_HINT = "It often comes from a damaged export. Retype the cell."
_SURROGATE = re.compile("[\ud800-\udfff]")


class BadValue(Exception):
    """A cell that does not hold what its column is for."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def urls(text: str) -> list[Any]:
    """The addresses of a cell: one, several set apart by white space, commas, `|` or `;`, or a JSON list."""
    if text.lstrip().startswith("["):
        loaded = strict_json(text, "bad_list")
        if isinstance(loaded, list):
            return listed_urls(loaded)
    return addresses.split(text)


def listed_urls(items: Sequence[Any]) -> list[Any]:
    """The addresses of a list: each item as it is, but for its blanks, and for one that holds several."""
    found: list[Any] = []
    for item in items:
        found.extend(addresses.split_item(item) if isinstance(item, str) else [item])
    return found


def options(text: str) -> dict[str, Any]:
    """An `options` cell: a JSON object."""
    loaded = strict_json(text, "bad_options")
    refuse_nul(loaded)
    if not isinstance(loaded, dict):
        raise BadValue(
            "bad_options",
            f"options is {shown(text)}, but it must be a JSON object.",
            'Write {"duration": "10"}, or use a column options.duration.',
        )
    return loaded


def typed(text: str, as_type: str) -> Any:
    """The value of an `options.NAME:TYPE` cell; text is never changed."""
    if as_type == "text":
        return text
    if as_type == "json":
        loaded = strict_json(text, "bad_options")
        refuse_nul(loaded)
        return loaded
    word = text.strip()
    if as_type == "bool" and word.lower() in _TRUE | _FALSE:
        return word.lower() in _TRUE
    if as_type == "int" and (whole := re.fullmatch(r"([+-]?[0-9]{1,300})(?:\.0{1,20})?", word)):
        return int(whole[1])  # pandas writes a column of whole numbers with a gap in it as 7.0
    if as_type == "float" and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", word):
        number = float(word)
        if math.isfinite(number):
            return number
    wanted = {"int": "a whole number", "float": "a number (1.5, with a point)", "bool": "true or false"}[as_type]
    raise BadValue("bad_value", f"{shown(text)} is not {wanted}.", "The column's header asks for this type.")


def refuse_nul(value: Any) -> None:
    """BadValue when a text, or one inside of a list or an object, holds a NUL character.

    It passes as JSON, and the results.csv that it would be written to could not be read again.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise BadValue("nul", "The cell holds a NUL character.", NUL_HINT)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            refuse_nul(key)
            refuse_nul(item)
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_nul(item)


def refuse_time(text: str) -> None:
    """BadValue for a shape (16:9) that a spreadsheet wrote as a time of day: 16:09, 09:16:00, 04:09:00 PM."""
    found = _TIME.fullmatch(text.strip())
    if found and (found["rest"] or found["noon"] or "0" in (found["hour"][0], found["minute"][0])):
        hour = int(found["hour"]) % 12 + 12 * (found["noon"][0] in "pP") if found["noon"] else int(found["hour"])
        raise BadValue(
            "time_for_ratio",
            f"A spreadsheet made a time of day of this cell: {shown(text)}.",
            f"It was probably {hour}:{int(found['minute'])}. Format the column as Text and type it again.",
        )


def strict_json(text: str, code: str) -> Any:
    """JSON as the standard has it: no NaN, no repeated names, no lone surrogates, 64 levels at most."""
    try:
        loaded = json.loads(
            text, object_pairs_hook=_no_twins, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole
        )
    except BadValue as bad:
        raise BadValue(code, bad.message, bad.hint) from None
    except json.JSONDecodeError as error:
        hint = f"JSON stops making sense at character {error.pos + 1}: {_json_hint(text, error)}"
        raise BadValue(code, f"{shown(text)} is not valid JSON.", hint) from None
    except RecursionError:
        raise BadValue(code, "The JSON is nested too deeply.", "64 levels are the most.") from None
    check_json(loaded, code)
    return loaded


def check_json(value: Any, code: str, depth: int = 0) -> None:
    """BadValue when text holds half a character (a lone surrogate), or nesting goes beyond 64."""
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            raise BadValue(code, f"{shown(ascii(value)[1:-1])} holds half a character.", "Retype it.")
    elif isinstance(value, dict | list):
        if depth >= 64:
            raise BadValue(code, "The value is nested too deeply.", "64 levels are the most.")
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            check_json(item, code, depth + 1)


def _json_hint(text: str, error: json.JSONDecodeError) -> str:
    if any(mark in text for mark in "“”„‟″"):
        return 'the quotes are typographic (“ ”); JSON needs straight ones (").'
    if "'" in text and '"' not in text:
        return "JSON needs double quotes, not single ones."
    if error.msg.startswith("Extra data"):
        return "there is something behind the end."
    return error.msg[0].lower() + error.msg[1:] + "."


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twin = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise BadValue("", f"The JSON names {shown(twin)} twice.", "Keep one of them.")
    return found


def _no_constant(name: str) -> Any:
    raise BadValue("", f"{name} is not a number that JSON knows.", "Leave it out, or write a number.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadValue("", f"The number {shown(text)} is too large.", "Write it as text, in quotes.")
    return number


def _whole(text: str) -> int:
    if len(text) > 300:
        raise BadValue("", f"The number {shown(text)} is too long.", "Write it as text, in quotes.")
    return int(text)
