"""JSONL (one object a line) and JSON (a list of objects, or a whole manifest with `jobs`)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchgen.manifest import values
from batchgen.manifest.entry import Entry, Manifest, shown
from batchgen.manifest.feed import Feed
from batchgen.manifest.objects import Objects
from batchgen.manifest.source import ReadOptions, Unreadable

#: A JSON file is read whole; beyond this JSONL is the better format.
LARGEST = 512 << 20


def read_jsonl(path: Path | str, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """One row a line; blank lines are skipped. A line that is no JSON is a bad row, not the end."""
    objects = Objects(manifest, options.own)
    number = 0
    for line, text in enumerate(Feed(path, options.encoding).lines(), 1):
        if text and not text.isspace():
            number += 1
            if number == 1:
                _refuse_other_json(text, line)
            yield _entry(objects, number, line, text)


def _refuse_other_json(text: str, line: int) -> None:
    """Unreadable where the first line shows that the file is JSON of another kind: once, not for each line."""
    if text.lstrip().startswith("["):
        raise Unreadable("bad_json", "The file is a JSON list, not one object a line.", "Name it .json.", line=line)
    opens, bare = text.count("{") + text.count("["), text.strip()
    if bare.startswith("{") and not bare.endswith("}") and opens > text.count("}") + text.count("]"):
        message = "An object goes over several lines; a JSONL file has one object a line."
        raise Unreadable(
            "bad_json", message, "Write each on one line, or a list of them into a .json file.", line=line
        )


def _entry(objects: Objects, number: int, line: int, text: str) -> Entry:
    try:
        found = values.strict_json(text, "bad_json")
    except values.BadValue as bad:
        return objects.bad(number, line, bad.code, bad.message, bad.hint)
    if not isinstance(found, dict):
        return objects.bad(
            number, line, "bad_json", f"{shown(text)} is no object.", 'A row looks like {"prompt": …}.'
        )
    return objects.entry(number, line, found)


def read_json(path: Path | str, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """A list of objects, or `{"jobs": […]}`; a file of objects, one a line, is read as JSONL."""
    text = _whole_text(path, options)
    whole = "".join(text)
    try:
        found = values.strict_json(whole, "bad_json")
    except values.BadValue as bad:
        if _is_jsonl(text):
            yield from read_jsonl(path, manifest, options)
            return
        raise _broken(whole, bad) from None
    if isinstance(found, dict):
        if "jobs" not in found:
            raise Unreadable(
                "no_rows", 'The JSON object has no list "jobs".', "Write a list of objects, or add jobs."
            )
        from batchgen.manifest.yaml import read_object

        yield from read_object(path, manifest, options, found)
    elif isinstance(found, list):
        objects = Objects(manifest, options.own)
        for number, item in enumerate(found, 1):
            if isinstance(item, dict):
                yield objects.entry(number, None, item)
            else:
                message = f"Entry {number} is {shown(json.dumps(item, ensure_ascii=False))}, not an object."
                yield objects.bad(number, None, "bad_json", message, 'A row looks like {"prompt": …}.')
    else:
        raise Unreadable("not_a_manifest", "The file holds a single JSON value, not a list of rows.")


def _whole_text(path: Path | str, options: ReadOptions) -> list[str]:
    text, size = [], 0
    for line in Feed(path, options.encoding).lines():
        text.append(line)
        size += len(line)
        if size > LARGEST:
            raise Unreadable(
                "too_large", "The JSON file is larger than 512 MB.", "Write one object a line (.jsonl)."
            )
    return text


def read_objects(path: Path, options: ReadOptions, kind: str) -> Iterator[tuple[int | None, dict[str, Any]]]:
    """The objects of a JSONL or JSON file that is a table, with their lines. Unreadable where one is none."""
    if kind == "json":
        text = _whole_text(path, options)
        if not _is_jsonl(text):
            whole = "".join(text)
            try:
                found = values.strict_json(whole, "bad_json")
            except values.BadValue as bad:
                raise _broken(whole, bad) from None
            for row in found if isinstance(found, list) else [found]:
                yield None, _object(row, None)
            return
    for line, text_line in enumerate(Feed(path, options.encoding).lines(), 1):
        if text_line.strip():
            if line == 1:
                _refuse_other_json(text_line, line)
            try:
                yield line, _object(values.strict_json(text_line, "bad_json"), line)
            except values.BadValue as bad:
                raise Unreadable(bad.code, bad.message, bad.hint, line=line) from None


def _object(row: Any, line: int | None) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise Unreadable("bad_json", "the file must hold objects.", 'A row looks like {"name": "mug"}.', line=line)
    return row


def _is_jsonl(text: list[str]) -> bool:
    full = [line for line in text if line.strip()]
    return len(full) > 1 and all(line.strip().startswith("{") and line.strip().endswith("}") for line in full[:2])


def _broken(whole: str, bad: values.BadValue) -> Unreadable:
    line = None
    try:
        json.loads(whole)
    except json.JSONDecodeError as error:
        line = error.lineno
    except (ValueError, RecursionError):
        pass
    message = "The file is not valid JSON." if line else f"The file is not valid JSON: {bad.message}"
    return Unreadable("bad_json", message, bad.hint, line=line)
