"""CSV and TSV, read with care: physical lines, spreadsheet rows, and nothing shifted or dropped in silence.

The separator is found in the header line, by which one gives the most known column names. Blank lines and
lines of separators only are skipped, with the numbers of the others still right.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from batchgen.manifest.cells import Cells
from batchgen.manifest.columns import Header, understand
from batchgen.manifest.entry import Entry, Manifest, shown
from batchgen.manifest.feed import LARGEST_CELL, Feed
from batchgen.manifest.names import known
from batchgen.manifest.source import Place, ReadOptions, Unreadable

DELIMITERS = ",;\t|"
csv.field_size_limit(LARGEST_CELL)
#: Titles and notes may stand above the header, in at most this many lines.
ABOVE = 20


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `number` is the spreadsheet's row (blank lines count), `line` its first physical line."""

    number: int
    line: int
    cells: list[str]


class Sheet:
    """A CSV file from its header on: the separator is found, the rows follow."""

    def __init__(self, path: Place, options: ReadOptions, *, titled: bool = False) -> None:
        """`titled`: lines that name no column may stand above the header."""
        self.feed = Feed(path, options.encoding)
        opening = self.feed.lines()
        first = next(opening, "")
        delimiter = options.delimiter
        if first[:4].lower() == "sep=" and len(first.rstrip("\r\n")) == 5:  # Excel's own hint
            delimiter = delimiter or first[4]
            self.feed.number += 1
            first = next(opening, "")
        while first and not first.strip(" \t\r\n;,|"):  # blank lines above the header
            self.feed.number += 1
            first = next(opening, "")
        if not first:
            hint = "Write a header line and one row a video."
            raise Unreadable("no_rows", "The file holds blank lines only.", hint)
        if titled and not _names(first, options):
            for _ in range(_titles(path, options, self.feed.line)):
                self.feed.number += 1
                first = next(opening, "")
        self.delimiter = delimiter or find_delimiter(first)
        self.feed.give_back()
        self.header = next(self.records())

    def records(self) -> Iterator[Record]:
        """The records from the cursor on."""
        return records(self.feed, self.delimiter)


def read_csv(path: Place, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """The rows of a CSV or TSV file. Unreadable ends it; the header's problems are in `manifest`."""
    sheet = Sheet(path, options, titled=True)
    cells = Cells(manifest, understand_header(sheet.header, manifest, options), quotes=True)
    number = 0
    for record in sheet.records():
        if not cells.is_no_row(record.line, record.number, record.cells):
            number += 1
            yield cells.entry(number, record.line, record.number, record.cells)


def _titles(path: Place, options: ReadOptions, line: int) -> int:
    """How many lines from physical line `line` on are titles: none where no header is found soon below them."""
    for number, text in enumerate(islice(Feed(path, options.encoding).lines(), line - 1, line + ABOVE)):
        if _names(text, options) > 1:
            return number
        if '"' in text:  # a quoted text may go on below
            break
    return 0


def _names(line: str, options: ReadOptions) -> int:
    """How many known columns a line names, with the separator that gives the most."""
    return max(_known_names(line, mark) for mark in options.delimiter or DELIMITERS)


def understand_header(record: Record, manifest: Manifest, options: ReadOptions) -> Header:
    """The header's columns; Unreadable when the first line names no known column at all."""
    if not any(known(name) for name in record.cells):
        if any("\0" in name for name in record.cells):
            raise Unreadable(
                "encoding",
                "The file is not plain text; it looks like UTF-16 without a byte order mark.",
                "Add --encoding utf-16-le, or save it as UTF-8.",
                line=record.line,
            )
        raise Unreadable(
            "no_header",
            f"The first line names no known column: it reads {shown(' '.join(record.cells))}.",
            "The first line must name the columns, for example: provider,model,scene,prompt. "
            "If they are there, the separator is one that is not known: use commas, semicolons, tabs or |.",
            line=record.line,
        )
    return understand(record.cells, manifest, own=options.own, line=record.line, record=record.number)


def records(feed: Feed, delimiter: str) -> Iterator[Record]:
    """The records of a feed, read with care; they are taken one by one. Unreadable where quoting breaks."""
    reader = csv.reader(feed.lines(), delimiter=delimiter, strict=True)
    while True:
        line = feed.line + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _quoting(str(error), line, feed.line) from None
        if cells is None:
            return
        feed.number += 1
        yield Record(feed.number, line, cells)


def _quoting(words: str, started: int, line: int) -> Unreadable:
    if "unexpected end of data" in words or "field larger" in words:
        return Unreadable(
            "unclosed_quote",
            "A double quote that opens in this row is never closed: it swallows the rest.",
            'Close it, or write "" for a quote inside a quoted text.',
            line=started,
        )
    return Unreadable(
        "bad_quote",
        "Something stands right behind the double quote that ends a cell.",
        'A quote inside a quoted text is written twice: "".',
        line=line,
    )


def find_delimiter(header: str) -> str:
    """The separator that gives the most known column names in the header line; a comma when none does."""
    outside = re.sub(r'"(?:[^"]|"")*"', "", header)  # a separator inside of quotes is none
    return max(DELIMITERS, key=lambda mark: (_known_names(header, mark), outside.count(mark)))


def _known_names(header: str, mark: str) -> int:
    names: Sequence[str] = next(csv.reader([header], delimiter=mark), [])
    return sum(1 for name in names if known(name))
