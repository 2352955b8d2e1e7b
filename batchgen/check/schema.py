"""A row's values against `schemas/job.schema.json`, in sentences.

jsonschema is the reference and finds the errors; jsonschema-rs, about a hundred times faster, decides first
whether there are any. A test shows that both agree on our schemas. Pure but for reading the schema once.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from batchgen.job import REQUEST_KEYS, SCENES, Problem, Row
from batchgen.manifest.entry import shown

_NEEDS = {"prompt": "text-to-video", "image_input": "image-to-video", "video_input": "video-to-video"}
_WHAT = {
    "provider": "the provider, for example kie or fal",
    "model": "the model's name",
    "scene": f"one of {', '.join(SCENES)}",
}
_INVISIBLE = re.compile("[\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]")

#: Words that were meant as an address, if a wrong one.
_ADDRESS_LIKE = re.compile(r"[a-z]+:/|www\.|data:|[a-z0-9-]+(\.[a-z0-9-]+)+/", re.IGNORECASE)


def schema_text(name: str) -> str:
    """The text of a published schema: "job" or "manifest". In the wheel, else in the source tree."""
    package = Path(__file__).parent.parent
    for folder in (package / "schemas", package.parent / "schemas"):
        file = folder / f"{name}.schema.json"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise FileNotFoundError(f"{name}.schema.json")


@cache
def job_schema() -> dict[str, Any]:
    """`job.schema.json` as a dictionary."""
    loaded: dict[str, Any] = json.loads(schema_text("job"))
    return loaded


@cache
def fast_gate() -> Callable[[Any], bool]:
    """Whether values hold to the job schema, decided by jsonschema-rs."""
    check: Callable[[Any], bool] = jsonschema_rs.Draft202012Validator(job_schema()).is_valid
    return check


@cache
def reference() -> Any:
    """The reference validator. `$` in a pattern means the very end here, as JSON Schema has it (ECMA 262)."""
    import jsonschema

    def pattern(validator: Any, wanted: str, instance: Any, _schema: Any) -> Iterator[Any]:
        strict = wanted[:-1] + r"\Z" if wanted.endswith("$") else wanted
        if validator.is_type(instance, "string") and not re.search(strict, instance):
            yield jsonschema.ValidationError(f"{instance!r} does not match {wanted!r}")

    strict = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
        jsonschema.Draft202012Validator, {"pattern": pattern}
    )
    return strict(job_schema())


def request_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object that is sent for valid values: documented order, inputs as lists, no id."""
    return {key: values[key] for key in REQUEST_KEYS if key in values}


def check(row: Row) -> tuple[Problem, ...]:
    """Everything that is wrong with a row's values; nothing when they make a job."""
    if fast_gate()(row.values):
        return ()
    return tuple(explain(row))


def explain(row: Row) -> list[Problem]:
    """The schema's errors as problems, in the order of the request's keys."""
    if stray := _stray(row):
        return [stray]
    found: dict[tuple[str, str, str], Problem] = {}
    for error in reference().iter_errors(row.values):
        for problem in _sentences(error, row):
            found.setdefault((problem.code, problem.column or "", problem.message), problem)
    if not found:  # the two validators disagree: the stricter one counts, and says so
        message = "The row does not hold to the job schema."
        hint = "The two validators disagree about this row: please report it."
        found["", "", ""] = Problem(row.manifest, row.number, row.line, None, None, "schema", message, hint)
    order = {key: index for index, key in enumerate(("id", *REQUEST_KEYS))}
    return sorted(found.values(), key=lambda problem: order.get(problem.column or "", 99))


def _stray(row: Row) -> Problem | None:
    """A total, a heading, a note, the header once more: one sentence for a row that was never meant as a job."""
    if all(row.values.get(key) == key for key in ("provider", "model", "scene")):
        return at(row, "provider", "stray_row", "The header stands here again.", "Delete the line.")
    if row.values.keys() - {"id", "options"}:
        return None
    said = next((text for text in (row.text("id"), *row.cells.values()) if text.strip()), "")
    only = f"holds only {shown(said)}" if said else "is empty"
    message = f"The row {only}: provider, model and scene are blank."
    return at(row, "provider", "stray_row", message, "Is it a total, a heading or a note? Then delete it.")


def _sentences(error: Any, row: Row) -> Iterator[Problem]:
    """One schema error -> problems, by keyword."""
    path = list(error.absolute_path)
    key = str(path[0]) if path else ""
    if error.validator == "required":
        for missing in error.validator_value:
            if missing not in error.instance:
                yield _missing(missing, row)
    elif error.validator == "additionalProperties":
        for name in error.instance:
            if name not in error.schema["properties"]:
                yield _unknown_key(name, row)
    elif key == "scene":
        yield _unknown_scene(error.instance, row)
    elif key in ("image_input", "video_input"):
        yield from _inputs(key, row.values[key], row)
    elif error.validator == "type":
        yield at(row, key, "wrong_type", f"{key} is {_spoken(error.instance)}, but it must be {_wanted(key)}.")
    elif error.validator == "propertyNames" or "propertyNames" in error.absolute_schema_path:
        yield at(row, key, "bad_options", "An option has no name.", "Give it one, or take it out.")
    elif error.validator in ("minLength", "maxLength"):
        size = "blank" if error.validator == "minLength" else f"longer than {error.validator_value} characters"
        yield at(row, key, "bad_length", f"{key} is {size}.", f"It is {_WHAT.get(key, 'a short name')}.")
    else:
        message = f"{key} holds a line break or another control character: {shown(ascii(error.instance)[1:-1])}."
        yield at(row, key, "control_character", message, "Retype it.")


def at(row: Row, key: str, code: str, message: str, hint: str = "") -> Problem:
    """A problem of a row, at the cell or line of a key."""
    column, cell = row.places.get(key, (key, None))
    line = row.lines.get(key, row.line)
    manifest = row.source if row.source and key in row.places else row.manifest
    return Problem(manifest, row.number, line, column, cell, code, message, hint)


def _missing(key: str, row: Row) -> Problem:
    if key not in _NEEDS:
        return at(row, key, f"missing_{key}", f"{key} is blank.", f"Write {_WHAT[key]}.")
    scene = _NEEDS[key]
    hint = {
        "prompt": "Write what the video should show.",
        "image_input": "Put the web address of an image there.",
        "video_input": "Put the web address of a video there.",
    }[key]
    filled = next((other for other in _NEEDS if other in row.values and other != key), None)
    if filled == "prompt" and "image_input" in row.values:
        filled = "image_input"
    if filled and key != "prompt":
        hint += f" Or, since {filled} is filled: is the scene {_NEEDS[filled]}?"
    elif filled:
        hint += f" Or is the scene {_NEEDS[filled]}, since {filled} is filled?"
    return at(row, key, f"missing_{key}", f"{key} is blank, but the scene {scene} needs it.", hint)


def _unknown_key(name: str, row: Row) -> Problem:
    close = difflib.get_close_matches(str(name), ("id", *REQUEST_KEYS), 1, 0.6)
    guess = f' Did you mean "{close[0]}"?' if close else ""
    return at(row, str(name), "unknown_key", f"{shown(name)} is not a known key.{guess}", "Your own: under own.")


def _unknown_scene(value: Any, row: Row) -> Problem:
    if not isinstance(value, str):
        return at(row, "scene", "wrong_type", f"scene is {_spoken(value)}, but it must be {_wanted('scene')}.")
    folded = re.sub(r"[\s_]+", "-", value.strip().lower()).replace("2", "-to-")
    short = {"t2v": SCENES[0], "i2v": SCENES[1], "v2v": SCENES[2], "text": SCENES[0], "image": SCENES[1]}
    close = short.get(value.strip().lower()) or next(iter(difflib.get_close_matches(folded, SCENES, 1, 0.5)), None)
    guess = f' Did you mean "{close}"?' if close else ""
    hint = f"Scenes are {', '.join(SCENES)}."
    return at(row, "scene", "unknown_scene", f"There is no scene {shown(value)}.{guess}", hint)


def _inputs(key: str, value: Any, row: Row) -> Iterator[Problem]:
    if not isinstance(value, str | list):
        yield at(row, key, "wrong_type", f"{key} is {_spoken(value)}, but it must be {_wanted(key)}.")
        return
    items = [value] if isinstance(value, str) else value
    if not items:
        yield at(row, key, "not_a_url", f"{key} is an empty list.", "Put a web address there, or leave it blank.")
    good = re.compile(job_schema()["$defs"]["url"]["pattern"][:-1] + r"\Z")
    if len(items) > 1 and not any(not isinstance(item, str) or _ADDRESS_LIKE.match(item) for item in items):
        items = [" ".join(items)]  # words, not addresses: one sentence for all of them
    for item in items:
        if not isinstance(item, str):
            yield at(row, key, "wrong_type", f"{key} holds {_spoken(item)}, but it must hold web addresses.")
        elif len(item) > 8192:
            yield at(row, key, "not_a_url", f"{key} is longer than a web address can be: {shown(item)}.")
        elif not good.search(item):
            hint = _url_hint(item, items)
            yield at(row, key, "not_a_url", f"{key} is not a web address: {shown(item)}.", hint)


def _url_hint(item: str, items: list[Any]) -> str:
    lower = item.lower()
    if invisible := _INVISIBLE.search(item):
        return f"It holds an invisible character (U+{ord(invisible[0]):04X}): type it again, don't paste it."
    if any(mark in item for mark in '"<>“”'):
        return "Take the quotes or brackets around it away."
    if lower.startswith(("http:/", "https:/", "htp", "http", "htttp")):
        return "An address looks like https://example.com/picture.png."
    if lower.startswith("data:"):
        return "The picture itself can't be sent: put it on the web and give its https:// address."
    if lower.startswith("www.") or re.match(r"[a-z0-9-]+(\.[a-z0-9-]+)+/", lower):
        return f"Write https:// in front: https://{item}"
    if len(items) > 1 and isinstance(items[0], str) and items[0].lower().startswith("http"):
        return "Addresses are separated by blanks: write %20 for a blank that is part of an address."
    if " " in item and "\\" not in item:
        return "If the cell shows a link under these words, write the link's own address: it starts with https://."
    return "The service fetches it itself, so it must start with https://."


def _spoken(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{'true' if value else 'false'} (yes or no)"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, list):
        return "a list"
    return "a group of keys" if isinstance(value, dict) else shown(value)


def _wanted(key: str) -> str:
    if key in ("image_input", "video_input"):
        return "a web address or a list of them"
    return "names with values, such as duration: 10" if key == "options" else "text"
