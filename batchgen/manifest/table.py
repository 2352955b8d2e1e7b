"""The file under `rows:`: any table, read with the care of a manifest, its columns as variables of a template.

Its problems and warnings name the table's own lines and cells. Only the columns that a text uses can be wrong:
the others are the user's own.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from batchgen.job import Problem, Row
from batchgen.manifest import values, words
from batchgen.manifest.cells import Cells
from batchgen.manifest.columns import WIDEST, Column, Header
from batchgen.manifest.csv import Sheet
from batchgen.manifest.entry import Entry, Manifest, cell_name, shown
from batchgen.manifest.json_text import read_objects
from batchgen.manifest.names import OPTION_TYPES
from batchgen.manifest.objects import plain
from batchgen.manifest.source import ReadOptions, Unreadable, on_disk, refuse_pipes, sniff

_TOTALS = frozenset(
    {"total", "totals", "grand total", "subtotal", "sub total", "sub-total", "sum", "summe", "gesamt",
     "gesamtsumme",
     "zwischensumme", "somme", "total général", "suma", "totale", "somma", "soma", "итого", "всего", "合计", "合計"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: the variables that are not blank, and `entry`, which knows its line, its cells and its problems.

    `lonely`: hardly anything stands in the row; where that leaves holes in the texts, it was never meant as one.
    """

    variables: Mapping[str, Any]
    entry: Entry
    lonely: Problem | None = None


@dataclass(slots=True)
class Table:
    """A table that is open: all of its variables, those that two columns have, and its rows as they are read.

    `manifest` collects what is to say of the table as a whole.
    """

    manifest: Manifest
    names: tuple[str, ...]
    rows: Iterator[TableRow]
    twins: Mapping[str, Problem] = field(default_factory=dict)


def open_table(path: Path, options: ReadOptions, used: Collection[str]) -> Table:
    """The table at `path`, of whose columns `used` are sent. Unreadable where it is none."""
    refuse_pipes(path)
    kind = sniff(path)
    manifest = Manifest(str(path), iter(()))
    if kind == "csv":
        sheet = Sheet(path, options)
        header, twins = _header(sheet.header.cells, manifest, sheet.header.line, sheet.header.number, used)
        return Table(manifest, _names(header), _csv_rows(sheet, header, manifest), twins)
    if kind == "xlsx":
        from batchgen.manifest.xlsx import TableSheet

        spreadsheet = TableSheet.of_table(on_disk(path), options.sheet)
        header, twins = _header(spreadsheet.names, manifest, None, spreadsheet.top + 1, used)
        entries = spreadsheet.entries(manifest, header)
        return Table(manifest, _names(header), (_row(entry, header) for entry in entries), twins)
    if kind == "yaml":
        raise Unreadable("bad_rows_file", "a YAML file is no table.", "Use CSV, XLSX, JSONL, JSON or Parquet.")
    return _of_objects(path, options, kind, manifest, used)


def variable(name: str) -> str:
    """The name that templates use for a column: `product name` -> `product_name`, in any script."""
    composed = unicodedata.normalize("NFC", name).strip().lstrip("\ufeff")
    made = re.sub("_+", "_", "".join(mark if f"a{mark}".isidentifier() else "_" for mark in composed)).strip("_")
    return f"_{made}" if made and not made.isidentifier() else made


def _header(
    names: list[str], manifest: Manifest, line: int | None, record: int, used: Collection[str]
) -> tuple[Header, dict[str, Problem]]:
    """The columns, `seed:int` as the variable `seed`; a name that stands there again gets a number behind."""
    if len(names) > WIDEST and any(name.strip() for name in names[WIDEST:]):
        raise Unreadable("too_many_columns", f"The header has {len(names):,} columns.", "Is it a table?", line=line)
    columns: list[Column] = []
    twins: dict[str, Problem] = {}
    first: dict[str, Column] = {}
    for index, name in enumerate(names):
        bare, colon, kind = name.strip().rpartition(":")
        typed = bool(colon and bare) and kind.strip().lower() in OPTION_TYPES
        key = variable(bare if typed else name)
        if key in first:
            both = f"{cell_name(first[key].index, record)} and {cell_name(index, record)}"
            place = (manifest.name, None, line, name, cell_name(index, record))
            message = f"The columns {both} are both {shown(key)}."
            twins[key] = Problem(*place, "duplicate_column", message, "Rename or delete one of them.")
            key = next(f"{key}_{number}" for number in range(2, WIDEST + 2) if f"{key}_{number}" not in first)
        as_type = kind.strip().lower() if typed else "text"
        column = Column(index, name.strip(), "variable" if key in used else "own" if key else "blank", key, as_type)
        columns.append(column)
        if key:
            first.setdefault(key, column)
    return Header(tuple(columns)), twins


def _names(header: Header) -> tuple[str, ...]:
    return tuple(column.key for column in header.columns if column.key)


def _csv_rows(sheet: Sheet, header: Header, manifest: Manifest) -> Iterator[TableRow]:
    cells = Cells(manifest, header, quotes=True)
    number = 0
    for record in sheet.records():
        if not cells.is_no_row(record.line, record.number, record.cells):
            number += 1
            yield _row(cells.entry(number, record.line, record.number, record.cells), header)


def _row(entry: Entry, header: Header) -> TableRow:
    """The variables of a row of texts: blank ones are absent, broken ones a problem where they are used."""
    row, problems = entry.row, list(entry.problems)
    if any(problem.code in ("stray_row", "commented_row") for problem in problems):
        return TableRow({}, entry)
    found: dict[str, Any] = {}
    for column in header.columns:
        text = row.cells.get(column.key, "")
        if not column.key or words.is_blank(text):
            continue
        try:
            found[column.key] = values.typed(text, column.as_type)
        except values.BadValue as bad:
            if column.kind == "variable":
                problems.append(problem_at(row, column.key, bad.code, bad.message, bad.hint))
        if column.kind == "variable" and words.is_error(text):
            hint = "Mend the formula that it comes from."
            problems.append(
                problem_at(row, column.key, "error_cell", f"The cell holds the error {text.strip()}.", hint)
            )
    total, lonely = _stray(row, header)
    if not problems and total:
        problems.append(total)
    return TableRow(found, replace(entry, problems=tuple(problems)), lonely)


def problem_at(row: Row, name: str, code: str, message: str, hint: str) -> Problem:
    """A problem at the cell of a variable."""
    column, cell = row.places.get(name, (name, None))
    return Problem(row.manifest, row.number, row.line, column, cell, code, message, hint)


def _stray(row: Row, header: Header) -> tuple[Problem | None, Problem | None]:
    """A total by its word; and a row that may be a heading or a note, because one text stands alone in it."""
    filled = {name: text.strip() for name, text in row.cells.items() if not words.is_blank(text)}
    if not filled or len(filled) == len(header.columns):
        return None, None
    name, first = next(iter(filled.items()))
    message = f"The row holds only {shown(first)}: the other texts are blank."
    hint = "Is it a total, a heading or a note? Then delete it."
    stray = problem_at(row, name, "stray_row", message, hint)
    if first.rstrip(":").strip().casefold() in _TOTALS:
        return stray, None
    texts = [text for text in filled.values() if re.search(r"[^\W\d_]", text) and "://" not in text]
    used = [column.key for column in header.columns if column.kind == "variable"]
    alone = len(used) > 2 and len(texts) == 1 and sum(name in filled for name in used) <= 1
    return None, stray if alone else None


def _of_objects(path: Path, options: ReadOptions, kind: str, manifest: Manifest, used: Collection[str]) -> Table:
    """Rows that are objects already keep their types. A key that only some rows have is blank in the others."""
    names: dict[str, str] = {}
    for _, found in _objects(path, options, kind):
        for key in found:
            names.setdefault(key, variable(key))
            if len(names) > WIDEST:
                raise Unreadable("too_many_columns", f"The rows have more than {WIDEST:,} different keys.", "")
    rows = (
        _object_row(found, names, Row(manifest.name, number, line, {}), used)
        for number, (line, found) in enumerate(_objects(path, options, kind), 1)
    )
    return Table(manifest, tuple(dict.fromkeys(name for name in names.values() if name)), rows)


def _object_row(found: Mapping[str, Any], names: Mapping[str, str], row: Row, used: Collection[str]) -> TableRow:
    variables: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in found.items():
        name = names[key]
        try:
            known = plain(value)
            if name in used:
                values.refuse_nul(known)
        except values.BadValue as bad:
            if name in used:
                problems.append(problem_at(row, key, bad.code, bad.message, bad.hint))
            continue
        if known is None or (isinstance(known, str) and words.is_blank(known)):
            continue
        variables[name] = known
        if name in used and isinstance(known, str) and words.is_error(known):
            hint = "Mend the formula that it comes from."
            message = f"The value is the error {known.strip()}."
            problems.append(problem_at(row, key, "error_cell", message, hint))
    return TableRow(variables, Entry(row, tuple(problems)))


def _objects(path: Path, options: ReadOptions, kind: str) -> Iterator[tuple[int | None, Mapping[str, Any]]]:
    """The objects of a JSONL, JSON or Parquet file, each with its line where it has one."""
    if kind == "parquet":
        from batchgen.manifest.parquet import record_batches, rows_of

        batches = record_batches(path)
        next(batches)
        yield from ((None, row) for batch in batches for row in rows_of(batch))
        return
    yield from read_objects(path, options, kind)
