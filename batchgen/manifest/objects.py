"""Rows that are objects already (JSONL, JSON lists, Parquet): keys are columns, values keep their own types."""

import base64
import datetime
import decimal
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.job import Problem, Row, unsettled
from batchgen.manifest import values, words
from batchgen.manifest.columns import REQUIRED, TOLD, WIDEST, Column, of_results, one
from batchgen.manifest.entry import Entry, Manifest, read_scene, shown
from batchgen.manifest.names import KNOWN, is_another_input, near, option_of
from batchgen.manifest.source import Unreadable

_TEXTS = ("id", "provider", "model", "scene", "prompt")


class Objects:
    """Turns dictionaries into entries; what each key means is decided once for each name."""

    def __init__(
        self,
        manifest: Manifest,
        own: tuple[str, ...],
        *,
        header: Mapping[str, Column] | None = None,
        whole: bool = False,
    ) -> None:
        """`header`: the columns of a table. `whole`: 10.0 is 10, as tables mean it."""
        self._manifest = manifest
        self._own = own
        self._columns: dict[tuple[str, bool], Column] = {}
        for name, column in (header or {}).items():
            self._columns[name, False] = self._columns[name, True] = column
        self._fixed = header is not None
        self._whole = whole
        self._said: set[str] = set()

    def entry(self, number: int, line: int | None, found: Mapping[str, Any]) -> Entry:
        """One object as an entry. One with a `job_id` is a result fed back, flat or as `export` wrote it."""
        if "job_id" in found and isinstance(found.get("request"), Mapping):
            found = _as_row(found)
        self._problems: list[Problem] = []
        self._at = (number, line)
        sent: dict[str, Any] = {}
        cells: dict[str, str] = {}
        task_id, told = "", dict.fromkeys(TOLD, "")
        films: dict[str, Any] = {}
        results = "job_id" in found
        for key, value in found.items():
            column = self._columns.get((key, results)) or self._learn(key, found, results)
            if value is None or column.kind in ("ignored", "blank"):
                continue
            if column.kind == "own" and key == "own" and isinstance(value, Mapping):
                cells.update((str(name), self._own_text(f"own.{name}", each)) for name, each in value.items())
            elif column.kind == "told":
                told[key] = as_text(value).strip()
            elif column.kind in ("own", "task_id"):
                if key == "task_id":
                    task_id = as_text(value).strip()
                if column.kind == "own":
                    cells[column.shown_as] = self._own_text(column.header, value)
                    self._nearly(column)
                if column.is_film:
                    films.setdefault(column.header, value)
            else:
                self._take(column, value, sent, cells)
        if films and sent.get("scene") == "video-to-video" and "video_input" not in sent:
            self._film(films, sent)
        self._comment(sent)
        for name in cells:
            self._manifest.columns.setdefault(name)
        money = unsettled(*told.values())
        row = Row(self._manifest.name, number, line, sent, cells, task_id=task_id, unsettled=money)
        return Entry(row, tuple(self._problems))

    def _film(self, films: Mapping[str, Any], sent: dict[str, Any]) -> None:
        """The input of a row that needs a film and has it under another name."""
        for name, value in films.items():
            if value is not None and not (isinstance(value, str) and words.is_blank(value)):
                try:
                    sent["video_input"] = _inputs(plain(value))
                except values.BadValue as bad:
                    self._problem(name, bad.code, bad.message, bad.hint)
                return

    def _comment(self, sent: Mapping[str, Any]) -> None:
        """A row that somebody switched off by a mark in front of its id, as in a spreadsheet."""
        key = next((key for key in ("id", *REQUIRED) if isinstance(sent.get(key), str)), "")
        if key and (mark := words.comment_mark(sent[key])):
            message = f"The row starts with {mark}, like a comment, but there are none: {shown(sent[key])}."
            self._problem(key, "commented_row", message, "Delete the row, or take the mark away.")

    def _own_text(self, name: str, value: Any) -> str:
        """A value of the user's own as text: anything, but for what no results.csv can hold."""
        text = as_text(value)
        if "\0" in text or "\0" in name:
            self._problem(name, "nul", "The cell holds a NUL character.", values.NUL_HINT)
        return text

    def bad(self, number: int, line: int | None, code: str, message: str, hint: str) -> Entry:
        """A row that is no object at all."""
        problem = Problem(self._manifest.name, number, line, None, None, code, message, hint)
        return Entry(Row(self._manifest.name, number, line, {}), (problem,))

    def _learn(self, key: str, found: Mapping[str, Any], results: bool) -> Column:
        if len(self._columns) >= 2 * WIDEST:
            hint = "Put what differs from row to row under one key, for example own."
            raise Unreadable("too_many_columns", f"The rows have more than {WIDEST:,} different keys.", hint)
        column = (of_results if results else one)(len(self._columns), key, found, self._own)
        if column.kind == "own" and key not in self._own and near(key):
            return column  # not remembered: in another row it may be the only name for what is meant
        if column.kind == "key" and key not in (column.key, "job_id"):
            note = f'The key "{key}" is read as "{column.key}".'
            if note not in self._manifest.notes:
                self._manifest.notes.append(note)
            return column  # not remembered: another row may have the true name beside it
        self._columns[key, results] = column
        return column

    def _nearly(self, column: Column) -> None:
        if self._fixed or column.header in self._own or column.header == "task_id":
            return
        if guess := near(column.header):
            message = f'The key {shown(column.header)} is not known. Did you mean "{guess}"?'
            hint = f'Rename it, put it under own, or keep it with --own "{column.header}".'
            self._problem(column.header, "unknown_column", message, hint)
        elif column.header not in self._said and (option_of(column.header) or is_another_input(column.header)):
            self._said.add(column.header)
            number, line = self._at
            message = f"The key {shown(column.header)} is kept as your own and is not sent to the model."
            hint = "Several addresses stand in one list under image_input or video_input."
            if option := option_of(column.header):
                hint = f'To send it, write it under options: {{"{option}": …}}, or name it "options.{option}".'
            self._manifest.warnings.append(
                Problem(self._manifest.name, number, line, column.header, None, "not_sent", message, hint)
            )

    def _take(self, column: Column, value: Any, sent: dict[str, Any], cells: dict[str, str]) -> None:
        """A known key or an option. Blank is absent."""
        blank = isinstance(value, str) and words.is_blank(value)
        try:
            value = plain(without_fraction(value) if self._whole else value)
            values.refuse_nul(value)
            values.check_json(value, "bad_value")
            if value is None or blank:
                return
            if column.kind == "option":
                self._option(column, value, sent)
            elif column.key in sent:
                message = f"{column.key} is given twice, once as {shown(column.header)}."
                raise values.BadValue("duplicate_column", message, "Keep one of them.")
            elif column.key in ("image_input", "video_input"):
                sent[column.key] = _inputs(value)
            elif column.key == "options":
                options = values.options(value) if isinstance(value, str) else value
                sent["options"] = {**options, **sent.get("options", {})} if isinstance(options, dict) else options
            elif column.key in _TEXTS and isinstance(value, str):
                bare = value if column.key == "prompt" else value.strip()
                sent[column.key] = read_scene(bare, self._manifest) if column.key == "scene" else bare
            elif column.key == "id" and (number := whole(value)) is not None:
                sent["id"] = str(number)
            else:
                sent[column.key] = value
        except values.BadValue as bad:
            self._problem(column.header, bad.code, bad.message, bad.hint)
        if column.key not in ("id", *REQUIRED) or column.kind == "option":
            cells[column.shown_as] = as_text(value)

    def _option(self, column: Column, value: Any, sent: dict[str, Any]) -> None:
        options = sent.setdefault("options", {})
        if not isinstance(options, dict):
            return
        if column.key in options:
            message = f"The option {shown(column.key)} is given twice: in options and in {column.header}."
            raise values.BadValue("option_twice", message, "Keep one of them.")
        if column.as_type == "int" and (number := whole(value)) is not None:
            value = number
        options[column.key] = values.typed(value, column.as_type) if isinstance(value, str) else value

    def _problem(self, column: str, code: str, message: str, hint: str) -> None:
        number, line = self._at
        self._problems.append(Problem(self._manifest.name, number, line, column, None, code, message, hint))


def _as_row(found: Mapping[str, Any]) -> dict[str, Any]:
    """A line of `export --format jsonl` as the row that it was."""
    cells = found.get("cells")
    own = {
        name: text
        for name, text in (cells.items() if isinstance(cells, Mapping) else ())
        if name not in KNOWN and not str(name).startswith("options.")
    }
    kept = {name: found.get(name) for name in ("job_id", "task_id", *TOLD)}
    return {**found["request"], **kept, "own": own}


def _inputs(value: Any) -> Any:
    if isinstance(value, str):
        return values.urls(value)
    return values.listed_urls(value) if isinstance(value, list) else value


def whole(value: Any) -> int | None:
    """A whole number, also where pandas keeps it as 7.0 because another row has a gap; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, float) and value % 1):
        return None
    return int(value) if abs(value) < 1e15 or isinstance(value, int) else None


def plain(value: Any) -> Any:
    """A value in JSON's own types; BadValue where there is none for it."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            raise values.BadValue("bad_value", "An infinite number can't be sent.", "Write a number.")
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise values.BadValue(
        "bad_value", f"{shown(as_text(value))} is {_kind(value)}, which can't be sent.", "Make it text or a number."
    )


def without_fraction(value: Any) -> Any:
    """The value with whole numbers for those that only look like fractions: 10.0 is 10."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: without_fraction(item) for key, item in value.items()}
    return [without_fraction(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class Foreign:
    """A value that JSON has no word for, of a row in memory: what it is, and how it reads."""

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


def _kind(value: Any) -> str:
    if isinstance(value, Foreign):
        return value.kind
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return "a date or time"
    return "binary data" if isinstance(value, bytes) else f"a {type(value).__name__}"


def as_text(value: Any) -> str:
    """Any value as the text of a cell."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Foreign):
        return value.text
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return json.dumps(value, ensure_ascii=False, default=str)
