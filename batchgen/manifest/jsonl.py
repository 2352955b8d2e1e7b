"""JSONL (one object a line) and JSON (a list of objects, or a whole manifest with `jobs`)."""

import json
from collections.abc import Iterator
from pathlib import Path

from batchgen.manifest import values
from batchgen.manifest.entry import Entry, Manifest, shown
from batchgen.manifest.feed import Feed
from batchgen.manifest.json_text import broken, is_jsonl, refuse_other_json, whole_text
from batchgen.manifest.objects import Objects
from batchgen.manifest.source import ReadOptions, Unreadable


def read_jsonl(path: Path | str, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """One row a line; blank lines are skipped. A line that is no JSON is a bad row, not the end."""
    objects = Objects(manifest, options.own)
    number = 0
    for line, text in enumerate(Feed(path, options.encoding).lines(), 1):
        if text and not text.isspace():
            number += 1
            if number == 1:
                refuse_other_json(text, line)
            yield line_entry(objects, number, line, text)


def line_entry(objects: Objects, number: int, line: int, text: str) -> Entry:
    """One line."""
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
    text = whole_text(path, options)
    whole = "".join(text)
    try:
        found = values.strict_json(whole, "bad_json")
    except values.BadValue as bad:
        if is_jsonl(text):
            yield from read_jsonl(path, manifest, options)
            return
        raise broken(whole, bad) from None
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
