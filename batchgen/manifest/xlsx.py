"""Spreadsheets (XLSX, XLS, XLSB, ODS) through calamine: what Excel made of the cells is undone or refused.

Excel turns a typed 16:9 into a time of day, 1-2 into a date, 001 into 1 and long numbers into rounded ones.
Where what was typed can be told for sure it is taken back, with a warning; elsewhere the cell is a problem. Columns
of the user's own are never refused.
"""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

from batchgen.files import spelled
from batchgen.job import Problem
from batchgen.manifest.cells import Cells
from batchgen.manifest.columns import Column, Header, understand
from batchgen.manifest.csv import ABOVE
from batchgen.manifest.entry import Entry, Manifest, cell_name, shown
from batchgen.manifest.names import known
from batchgen.manifest.source import ReadOptions, Unreadable, on_disk
from batchgen.manifest.xlsx_marks import Marks, check_size, marks

#: Columns of which a cell that a spreadsheet changed is a problem.
_SENT = ("key", "option", "variable")


def read_xlsx(path: Path | str, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """The rows of a sheet. Unreadable where there is no workbook, sheet or header."""
    book = _open(on_disk(path))
    name, table = _choose(book, options.sheet, manifest)
    top = _header_line(table)
    if top is None:
        raise _no_header(name, table)
    names = [str(value).strip() for value in table[top]]
    header = understand(names, manifest, own=options.own, line=None, record=top + 1)
    found = marks(on_disk(path), name)
    manifest.warnings.extend(_hidden_columns(manifest.name, header, found, top + 1))
    sheet = _Sheet(manifest, header, found)
    yield from sheet.entries(table, top)


def _no_header(name: str, table: Sequence[Sequence[Any]]) -> Unreadable:
    """What the sheet holds in place of a header line."""
    first = next((row for row in table if any(value != "" for value in row)), None)
    if first is None:
        hint = "Write a header line and one row a video, or choose another sheet with --sheet."
        return Unreadable("no_rows", f'The sheet "{name}" is empty.', hint)
    if sum(known(str(row[0])) for row in table if row) > 1:
        hint = "Turn it around: copy it, then paste it with Paste special, Transpose."
        return Unreadable("no_header", f'In the sheet "{name}" the columns are written as lines.', hint)
    return Unreadable(
        "no_header",
        f'The sheet "{name}" names no known column. Its first line reads {shown(" ".join(map(str, first)))}.',
        "One line must name the columns: provider, model, scene and so on. Is it another sheet (--sheet)?",
    )


@dataclass(frozen=True, slots=True)
class TableSheet:
    """A sheet whose first line with anything in it is the header: a table of variables."""

    path: Path
    name: str
    table: list[list[Any]]
    top: int

    @classmethod
    def of_table(cls, path: Path, wanted: str | None) -> "TableSheet":
        """The sheet of that name, else the first that can be seen. Unreadable where nothing is in it."""
        book = _open(path)
        visible = [str(sheet.name) for sheet in book.sheets_metadata if str(sheet.visible).endswith(".Visible")]
        name = wanted if wanted and wanted in book.sheet_names else next(iter(visible), str(book.sheet_names[0]))
        table = _rows(book, name)
        top = next((index for index, row in enumerate(table) if any(value != "" for value in row)), None)
        if top is None:
            raise Unreadable(
                "no_rows", f'The sheet "{name}" is empty.', "Write a header line and one row below it."
            )
        return cls(path, name, table, top)

    @property
    def names(self) -> list[str]:
        return [_plain(value) for value in self.table[self.top]]

    def entries(self, manifest: Manifest, header: Header) -> Iterator[Entry]:
        """Its rows."""
        yield from _Sheet(manifest, header, marks(self.path, self.name)).entries(self.table, self.top)


def _hidden_columns(manifest: str, header: Header, found: Marks, record: int) -> Iterator[Problem]:
    """A column that nobody sees but that is sent is worth a word."""
    for column in header.columns:
        if column.index + 1 in found.hidden_columns and column.kind in _SENT:
            message = f"The column {shown(column.header)} is hidden, and counts all the same."
            hint = "Delete it, or show it to see what would be sent."
            cell = cell_name(column.index, record)
            yield Problem(manifest, None, None, column.header, cell, "hidden_column", message, hint)


def _open(path: Path) -> Any:
    import python_calamine

    check_size(path)
    try:
        if spelled(path) != str(path):  # calamine takes a name as text
            return python_calamine.CalamineWorkbook.from_filelike(BytesIO(path.read_bytes()))
        return python_calamine.CalamineWorkbook.from_path(str(path))
    except python_calamine.PasswordError:
        raise Unreadable("password", "The spreadsheet is locked with a password.", "Save it without one.") from None
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        hint = "Open it in the program that made it, and save it again as .xlsx or as CSV."
        raise Unreadable(
            "bad_xlsx", "The file can't be read as a spreadsheet.", f"The reader says: {shown(error)}. {hint}"
        ) from None
    except BaseException as error:  # a panic in calamine is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise Unreadable("bad_xlsx", "The file can't be read as a spreadsheet.", "Save it as CSV.") from None


def _choose(book: Any, wanted: str | None, manifest: Manifest) -> tuple[str, list[list[Any]]]:
    """The sheet that was asked for, else the first one whose header names known columns."""
    names = [str(name) for name in book.sheet_names]
    if wanted is not None:
        if wanted not in names:
            raise Unreadable(
                "no_such_sheet", f'There is no sheet "{wanted}".', f"There are: {', '.join(map(shown, names))}."
            )
        return wanted, _rows(book, wanted)
    visible = {str(sheet.name) for sheet in book.sheets_metadata if str(sheet.visible).endswith(".Visible")}
    shown_first = [name for name in names if name in visible]
    fitting = []
    for name in shown_first:
        table = _rows(book, name)
        if _header_line(table) is not None:
            fitting.append((name, table))
            if len(fitting) > 1:
                break
    if not fitting:
        if not shown_first:
            raise Unreadable("no_rows", "The workbook has no sheet that can be seen.", "Name one with --sheet.")
        return shown_first[0], _rows(book, shown_first[0])
    if len(fitting) > 1:
        message = f'The sheet "{fitting[0][0]}" is read; "{fitting[1][0]}" has rows too and is not.'
        hint = "Choose with --sheet NAME."
        manifest.warnings.append(Problem(manifest.name, None, None, None, None, "other_sheet", message, hint))
    elif len(shown_first) > 1:
        manifest.notes.append(f'Of {len(shown_first)} sheets, "{fitting[0][0]}" is read.')
    return fitting[0]


def _rows(book: Any, name: str) -> list[list[Any]]:
    import python_calamine

    try:
        table: list[list[Any]] = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise Unreadable(
            "bad_xlsx", f'The sheet "{name}" can\'t be read.', f"The reader says: {shown(error)}. Save it as CSV."
        ) from None
    return table


def sheet_texts(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The first sheet's lines as plain texts, numbered as people see them."""
    book = _open(path)
    for number, row in enumerate(_rows(book, book.sheet_names[0]), start=1):
        yield number, [_plain(value) for value in row]


def _header_line(table: Sequence[Sequence[Any]]) -> int | None:
    """The line that names the columns: the first of the topmost that names two known ones, or all of one."""
    for index, row in enumerate(table[:ABOVE]):
        names = [str(value) for value in row if value != ""]
        if sum(map(known, names)) >= min(2, len(names) or 2):
            return index
    return None


@dataclass(frozen=True, slots=True)
class _Sheet:
    manifest: Manifest
    header: Header
    marks: Marks

    def entries(self, table: Sequence[Sequence[Any]], top: int) -> Iterator[Entry]:
        cells = Cells(self.manifest, self.header)
        number = 0
        for record, values in enumerate(table[top + 1 :], top + 2):
            if not any(value != "" for value in values) and not self._is_marked(record):
                continue
            number += 1
            problems: list[Problem] = []
            warnings: list[Problem] = []
            texts = [
                self._text(column, value, number, record, problems, warnings)
                for column, value in zip(self.header.columns, values, strict=False)
            ]
            if not problems and cells.is_no_row(None, record, texts):
                number -= 1
                continue
            self._merged(texts, number, record, problems)
            if record in self.marks.hidden:
                message = f"Row {record} of the sheet is hidden, and counts all the same."
                hint = "Delete it, or show it to see what would be paid for."
                warnings.append(Problem(self.manifest.name, number, None, None, None, "hidden_row", message, hint))
            entry = cells.entry(number, None, record, texts)
            if problems or warnings:
                entry = replace(entry, problems=(*problems, *entry.problems), warnings=(*warnings, *entry.warnings))
            yield entry

    def _merged(self, texts: Sequence[str], number: int, record: int, problems: list[Problem]) -> None:
        """A cell that looks filled because it is merged with one further up holds nothing."""
        for column in self.header.columns[: len(texts)]:
            name = cell_name(column.index, record)
            above = self.marks.merged.get(name)
            if above and not texts[column.index] and column.kind in _SENT:
                message = f"The cell is merged with {above}: only {above} holds what both show."
                hint = "Unmerge the cells, and write the text into each of them."
                problems.append(
                    Problem(self.manifest.name, number, None, column.header, name, "merged_cell", message, hint)
                )

    def _is_marked(self, record: int) -> bool:
        return any(
            cell_name(column.index, record) in self.marks.errors
            or cell_name(column.index, record) in self.marks.uncached
            for column in self.header.columns
        )

    def _text(
        self, column: Column, value: Any, number: int, record: int, problems: list[Problem], warnings: list[Problem]
    ) -> str:
        """A cell as text; what can't be told is a problem in a column that is sent, and plain in an own one."""
        if type(value) is str and value:
            return self._duration(column, value)
        name = cell_name(column.index, record)
        sent = column.kind in _SENT

        def say(target: list[Problem], code: str, message: str, hint: str) -> None:
            target.append(Problem(self.manifest.name, number, None, column.header, name, code, message, hint))

        if value == "" and type(value) is str:
            if sent and name in self.marks.errors:
                say(
                    problems,
                    "error_cell",
                    f"The cell holds the error {self.marks.errors[name]}.",
                    "Mend its formula.",
                )
            elif sent and name in self.marks.uncached:
                message = "The cell holds a formula whose result was not saved."
                say(problems, "no_value", message, "Open the file in a spreadsheet program and save it again.")
            return ""
        if isinstance(value, datetime.time | datetime.timedelta) and column.is_ratio:
            text = ratio(value)
            if text is not None:
                message = f'The spreadsheet made a time of day of this cell; it is read as "{text}".'
                say(warnings, "ratio", message, "To be sure, format the column as Text and type it again.")
                return text
        if sent and isinstance(value, datetime.date | datetime.time | datetime.timedelta):
            what = "a date" if isinstance(value, datetime.date) else "a time of day"
            message = f"The spreadsheet made {what} of this cell: {shown(_plain(value))}."
            say(problems, "date_cell", message, "Format the column as Text and type it again as it was meant.")
            return ""
        if sent and isinstance(value, float) and abs(value) >= 1e15:
            message = f"The spreadsheet rounded this long number: {shown(_plain(value))}."
            say(problems, "rounded_number", message, "Format the column as Text and type it again.")
            return ""
        if isinstance(value, float) and name in self.marks.padded and value >= 0:
            return _plain(value).zfill(self.marks.padded[name])
        return _plain(value)

    def _duration(self, column: Column, text: str) -> str:
        """ODS gives a time beyond 24 hours as PT32H09M00S."""
        found = re.fullmatch(r"PT(\d+)H(\d\d)M00S", text) if column.is_ratio else None
        return f"{int(found[1])}:{int(found[2])}" if found else text


def ratio(value: datetime.time | datetime.timedelta) -> str | None:
    """The 16:9 that a spreadsheet took for sixteen hours and nine minutes; None where seconds are in it."""
    if isinstance(value, datetime.time):
        minutes, seconds = value.hour * 60 + value.minute, value.second
    else:
        minutes, seconds = divmod(round(value.total_seconds()), 60)
    return None if seconds or minutes < 0 else f"{minutes // 60}:{minutes % 60}"


def _plain(value: Any) -> str:
    """A cell as a person sees it, as far as that can be told."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else format(Decimal(repr(value)), "f")
    if isinstance(value, datetime.datetime) and (value.hour, value.minute, value.second) == (0, 0, 0):
        return value.date().isoformat()
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)
