"""The text of a JSON or JSONL file: which of the two it is, and its objects where it is a table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchgen.manifest import values
from batchgen.manifest.feed import Feed
from batchgen.manifest.source import ReadOptions, Unreadable

#: A JSON file is read whole; beyond this JSONL is the better format.
LARGEST = 512 << 20


def refuse_other_json(text: str, line: int) -> None:
    """Unreadable where the first line shows that the file is JSON of another kind: once, not for each line."""
    if text.lstrip().startswith("["):
        raise Unreadable("bad_json", "The file is a JSON list, not one object a line.", "Name it .json.", line=line)
    opens, bare = text.count("{") + text.count("["), text.strip()
    if bare.startswith("{") and not bare.endswith("}") and opens > text.count("}") + text.count("]"):
        message = "An object goes over several lines; a JSONL file has one object a line."
        raise Unreadable(
            "bad_json", message, "Write each on one line, or a list of them into a .json file.", line=line
        )


def whole_text(path: Path | str, options: ReadOptions) -> list[str]:
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
        text = whole_text(path, options)
        if not is_jsonl(text):
            whole = "".join(text)
            try:
                found = values.strict_json(whole, "bad_json")
            except values.BadValue as bad:
                raise broken(whole, bad) from None
            for row in found if isinstance(found, list) else [found]:
                yield None, _object(row, None)
            return
    for line, text_line in enumerate(Feed(path, options.encoding).lines(), 1):
        if text_line.strip():
            if line == 1:
                refuse_other_json(text_line, line)
            try:
                yield line, _object(values.strict_json(text_line, "bad_json"), line)
            except values.BadValue as bad:
                raise Unreadable(bad.code, bad.message, bad.hint, line=line) from None


def _object(row: Any, line: int | None) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise Unreadable("bad_json", "the file must hold objects.", 'A row looks like {"name": "mug"}.', line=line)
    return row


def is_jsonl(text: list[str]) -> bool:
    full = [line for line in text if line.strip()]
    return len(full) > 1 and all(line.strip().startswith("{") and line.strip().endswith("}") for line in full[:2])


def broken(whole: str, bad: values.BadValue) -> Unreadable:
    line = None
    try:
        json.loads(whole)
    except json.JSONDecodeError as error:
        line = error.lineno
    except (ValueError, RecursionError):
        pass
    message = "The file is not valid JSON." if line else f"The file is not valid JSON: {bad.message}"
    return Unreadable("bad_json", message, bad.hint, line=line)
