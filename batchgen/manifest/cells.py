"""One record of a table -> Entry: known cells become values, the others travel along as they are."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from batchgen.job import Problem, Row, unsettled
from batchgen.manifest import values, words
from batchgen.manifest.columns import REQUIRED, TOLD, Column, Header
from batchgen.manifest.entry import Entry, Manifest, cell_name, read_scene, shown
from batchgen.results.formula import unguard

#: What a column of one's own may start with: #1, #ff8800.
_COLOUR_OR_NUMBER = re.compile("#(?:[0-9]+|[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")

_BLANK_QUOTE = re.compile(r'[ \t]+"(?:[^"]|"")*"\s*')
_NUMBER = re.compile(
    r"[\s(]*[-+]?\s*[^\w\s]{0,3}\s*[0-9](?:[0-9.,'\u2019\u00a0\u202f ]*[0-9])?[\s)]*"
    r"(?:%|[^\w\s]|[A-Za-z]{3})?[\s)]*"
    r"|\s*(?i:true|false|wahr|falsch|vrai|faux|verdadero|falso|vero)\s*"
)
#: What pandas writes into a first column without a name: the number of the row.
_COUNT = re.compile(r"\s*[0-9]{1,18}(?:\.0)?\s*")

At = tuple[int, int | None, int]  # row, line, spreadsheet row


class Places(Mapping[str, tuple[str, str | None]]):
    """key -> (column header, cell name), worked out only when a message needs it."""

    __slots__ = ("_header", "_record")

    def __init__(self, header: Header, record: int) -> None:
        self._header = header
        self._record = record

    def __getitem__(self, key: str) -> tuple[str, str | None]:
        for column in self._header.columns:
            if (column.kind == "key" and column.key == key) or (
                column.kind == "option" and f"options.{column.key}" == key
            ):
                return column.header, cell_name(column.index, self._record)
        if own := next((c for c in self._header.columns if c.kind in ("own", "variable") and c.key == key), None):
            return own.header, cell_name(own.index, self._record)
        if key == "video_input" and (film := next((c for c in self._header.columns if c.is_film), None)):
            return film.header, cell_name(film.index, self._record)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        for column in self._header.columns:
            if column.kind == "key":
                yield column.key
            elif column.kind == "option":
                yield f"options.{column.key}"

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Cells:
    """Turns the records of one table into entries. Records hold text; "" is a blank cell."""

    def __init__(self, manifest: Manifest, header: Header, *, quotes: bool = False) -> None:
        """`quotes`: the records come from a file in which quotes go around cells."""
        self._quotes = quotes
        self._name = manifest.name
        self._manifest = manifest
        self._header = header
        self.width = len(header.columns)
        columns = header.columns
        inputs = ("image_input", "video_input")
        self._keys = [c for c in columns if c.kind == "key" and c.key not in (*inputs, "options")]
        self._inputs = [c for c in columns if c.kind == "key" and c.key in inputs]
        self._options = [c for c in columns if c.kind == "key" and c.key == "options"]
        self._options += [c for c in columns if c.kind == "option"]
        self._own = [c.index for c in columns if c.kind == "own"]
        self._others = [c.index for c in columns if c.kind not in ("own", "ignored")]
        self._first = next((c.index for c in columns if c.kind == "key" and c.key in REQUIRED), self.width)
        self._skipped: int | None = None
        self._films = [c for c in columns if c.is_film]
        self._ratios = frozenset(c.index for c in columns if c.is_ratio and c.kind == "option")
        self._blank = [c for c in columns if c.kind == "blank"]
        self._cells = [
            (c.shown_as, c.index)
            for c in columns
            if c.kind in ("option", "own", "variable") or (c.kind == "key" and c.key not in ("id", *REQUIRED))
        ]
        self._task = next((c.index for c in columns if c.header == "task_id" and c.kind != "ignored"), None)

        places = {c.header: c.index for c in columns if c.kind == "told"}
        self._told = [places.get(name) for name in TOLD]

    def is_no_row(self, line: int | None, record: int, cells: Sequence[str]) -> bool:
        """Whether a record is skipped: nothing stands in it, or only what a formula that was filled down leaves.

        The latter are counted in one warning.
        """
        first = cells[self._first] if self._first < len(cells) else ""
        if "!" <= first[:1] <= "~":  # a column that is filled in every row
            return False
        if is_blank(cells):
            return True
        if not self._own or any(not words.is_blank(cells[at]) for at in self._others if at < len(cells)):
            return False
        filled = [at for at in self._own if at < len(cells) and not words.is_blank(cells[at])]
        if len(cells) > self.width or not filled or not all(_is_number(cells[at]) for at in filled):
            return False
        self._skip(line, record, filled[0])
        return True

    def _skip(self, line: int | None, record: int, index: int) -> None:
        """One more row that holds only numbers."""
        warnings = self._manifest.warnings
        if self._skipped is None:
            self._skipped, self._skips = len(warnings), 0
            hint = "They come from a formula that was filled down. Nothing is made of them."
            column = self._header.columns[index].header
            place = (self._name, None, line, column, cell_name(index, record))
            warnings.append(Problem(*place, "skipped_rows", "", hint))
        self._skips += 1
        rows = "1 row holds" if self._skips == 1 else f"{self._skips:,} rows hold"
        message = f"{rows} only numbers in your own columns and {'is' if self._skips == 1 else 'are'} skipped."
        warnings[self._skipped] = replace(warnings[self._skipped], message=message)

    def entry(self, number: int, line: int | None, record: int, cells: Sequence[str]) -> Entry:
        """`number` counts data rows, `line` is the physical line, `record` the spreadsheet's row."""
        problems: list[Problem] = []
        warnings: list[Problem] = []
        unnamed = self._unnamed(cells) if self._blank or len(cells) > self.width else ()
        if len(cells) != self.width:
            cells = self._fitted(cells, number, line, record, problems, warnings)
        if self._header.guarded:
            cells = [unguard(cell) for cell in cells]
        found: dict[str, Any] = {}
        for column in self._keys:
            text = cells[column.index]
            if not words.is_blank(text):
                found[column.key] = text if column.key == "prompt" else text.strip()
        if "scene" in found:
            found["scene"] = read_scene(found["scene"], self._manifest)
        for column in (*self._inputs, *self._options):
            text = cells[column.index]
            if not words.is_blank(text):
                self._read(column, text, found, problems, (number, line, record))
        if self._films and found.get("scene") == "video-to-video" and "video_input" not in found:
            self._film(cells, found, problems, (number, line, record))
        self._oddities(cells, problems, (number, line, record))
        self._no_job(cells, problems, (number, line, record))
        row = Row(
            manifest=self._name,
            number=number,
            line=line,
            values=found,
            cells={name: cells[index] for name, index in self._cells},
            places=Places(self._header, record),
            task_id=cells[self._task].strip() if self._task is not None else "",
            unnamed=unnamed,
            unsettled=unsettled(*("" if at is None else cells[at].strip() for at in self._told)),
        )
        return Entry(row, tuple(problems), tuple(warnings))

    def _read(self, column: Column, text: str, found: dict[str, Any], problems: list[Problem], at: At) -> None:
        """Put the value of a cell that is more than text into `found`, or say what is wrong with it."""
        try:
            if column.kind == "option":
                options = found.setdefault("options", {})
                if column.key in options:
                    raise values.BadValue(
                        "option_twice",
                        f"The option {shown(column.key)} is given twice: in options and in {column.header}.",
                        "Keep one of them.",
                    )
                options[column.key] = values.typed(text, column.as_type)
                if column.index in self._ratios:
                    values.refuse_time(text)
            elif column.key == "options":
                found["options"] = values.options(text)
            else:
                found[column.key] = values.urls(text)
        except values.BadValue as bad:
            problems.append(self._problem(at, column.index, bad.code, bad.message, bad.hint))

    def _film(self, cells: Sequence[str], found: dict[str, Any], problems: list[Problem], at: At) -> None:
        """The input of a row that needs a film and has it in a column of another name."""
        for column in self._films:
            if not words.is_blank(cells[column.index]):
                self._read(replace(column, kind="key", key="video_input"), cells[column.index], found, problems, at)
                note = f'The column "{column.header}" is read as "video_input" where a row has no other.'
                if note not in self._manifest.notes:
                    self._manifest.notes.append(note)
                return

    def _oddities(self, cells: Sequence[str], problems: list[Problem], at: At) -> None:
        """Text under no header, and NUL characters, are said rather than dropped."""
        for column in self._blank:
            if cells[column.index].strip() and not (column.index == 0 and _COUNT.fullmatch(cells[0])):
                message = f"{shown(cells[column.index])} stands in a column without a name."
                hint = "Give the column a name in the first line, or clear the cell."
                problems.append(self._problem(at, column.index, "missing_header", message, hint))
        for column in self._header.columns if self._quotes else ():
            text = cells[column.index]
            if (
                text[:1].isspace()
                and _BLANK_QUOTE.fullmatch(text)
                and column.kind not in ("own", "ignored", "told")
            ):
                message, hint = "There is a blank before the double quote: remove it.", "It would be sent as it is."
                problems.append(self._problem(at, column.index, "bad_quote", message, hint))
        if "\0" in "".join(cells):
            index = next(index for index, cell in enumerate(cells) if "\0" in cell)
            problems.append(self._problem(at, index, "nul", "The cell holds a NUL character.", values.NUL_HINT))

    def _no_job(self, cells: Sequence[str], problems: list[Problem], at: At) -> None:
        """A row that is none: the header once more, or one that somebody switched off as in a program."""
        named = [c for c in self._keys if c.key in REQUIRED]
        named = named or [c for c in self._header.columns if c.kind == "variable"]
        if named and all(cells[c.index].strip() == c.header for c in named):
            message, hint = "The header stands here again.", "Delete the line: two files were put together."
            problems.append(self._problem(at, named[0].index, "stray_row", message, hint))
            return
        index = next((index for index, cell in enumerate(cells) if not words.is_blank(cell)), -1)
        if index < 0 or not (mark := words.comment_mark(cells[index])):
            return
        column, text = self._header.columns[index], cells[index].strip()
        if column.kind in ("own", "variable") and _COLOUR_OR_NUMBER.fullmatch(text):
            return
        if column.key == "prompt" and re.match("#[0-9]", text):
            return
        message = f"The row starts with {mark}, like a comment, but a table has none: {shown(text)}."
        problems.append(
            self._problem(at, index, "commented_row", message, "Delete the line, or take the mark away.")
        )

    def _unnamed(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The texts under no header, and behind the last one."""
        beside = [cells[column.index] for column in self._blank if column.index < len(cells)]
        if self._blank and self._blank[0].index == 0 and _COUNT.fullmatch(cells[0]):
            del beside[0]
        return tuple(text for text in (*beside, *cells[self.width :]) if text.strip())

    def _fitted(
        self,
        cells: Sequence[str],
        number: int,
        line: int | None,
        record: int,
        problems: list[Problem],
        warnings: list[Problem],
    ) -> Sequence[str]:
        """A record that has too few or too many cells, brought to the header's width."""
        at = (number, line, record)
        if len(cells) < self.width:
            last = self._header.columns[-1]
            short = self._header.columns[len(cells)]
            if any(column.kind != "blank" for column in self._header.columns[len(cells) :]):
                message = f"The row has {len(cells)} cells, the header {self.width}: the others count as blank."
                hint = f"Check that the cells from {short.header or last.header} on are really meant to be blank."
                warnings.append(self._problem(at, len(cells), "short_row", message, hint))
            return [*cells, *[""] * (self.width - len(cells))]
        extra = next((i for i in range(self.width, len(cells)) if cells[i].strip()), None)
        if extra is not None:
            message = (
                f"The row has {len(cells)} cells, the header has {self.width}: {shown(cells[extra])} is too many."
            )
            hint = _quoting_hint(cells)
            problems.append(self._problem(at, extra, "long_row", message, hint))
        return cells[: self.width]

    def _problem(self, at: At, index: int, code: str, message: str, hint: str) -> Problem:
        number, line, record = at
        header = self._header.columns[index].header if index < self.width else None
        return Problem(self._name, number, line, header, cell_name(index, record), code, message, hint)


def _quoting_hint(cells: Sequence[str]) -> str:
    """Why a row has too many cells: its text has no quotes, or some that a CSV file does not know."""
    if any(cell[:1].isspace() and cell.lstrip()[:1] == '"' for cell in cells):
        return "There is a blank before the double quote: remove it."
    if any(cell.strip()[:1] in ("“", "„", "«", "”", "‘") for cell in cells):
        return 'The quotes around the text are curly (“ ”): a CSV file needs straight ones (").'
    return "A text with a separator in it needs double quotes around it."


def _is_number(text: str) -> bool:
    """What a formula gives where there is nothing to work out: 0, $0.00, FALSE, #N/A."""
    return (len(text) <= 40 and _NUMBER.fullmatch(text) is not None) or words.is_error(text)


def is_blank(cells: Sequence[str]) -> bool:
    """A record without any text is no row: it is skipped, and its line still counts."""
    for cell in cells:  # noqa: SIM110 (mostly over at the first cell: every row passes here)
        if cell and not cell.isspace():
            return False
    return True
