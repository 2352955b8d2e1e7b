"""CSV and TSV, read with care: physical lines, spreadsheet rows, and nothing shifted or dropped in silence.

The separator is found in the header line, by which one gives the most known column names. Blank lines and
lines of separators only are skipped, with the numbers of the others still right.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from batchgen.job import RESULT_COLUMNS
from batchgen.manifest.cells import Cells, is_blank
from batchgen.manifest.columns import KNOWN, Header, near, understand
from batchgen.manifest.entry import Entry, Manifest, shown
from batchgen.manifest.source import ReadOptions, Unreadable, encoding_trouble, utf8_blocks

DELIMITERS = ",;\t|"
#: No cell is larger; an unclosed quote would otherwise swallow the rest of the file into memory.
LARGEST_CELL = 16 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `number` is the spreadsheet's row (blank lines count), `line` its first physical line."""

    number: int
    line: int
    cells: list[str]


def read_csv(path: Path | str, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """The rows of a CSV or TSV file. Unreadable ends it; the header's problems are in `manifest`."""
    rows = records(lines(path, options.encoding), options.delimiter)
    header_record = next(rows, None)
    if header_record is None:
        raise Unreadable("no_rows", "The file holds blank lines only.", "Write a header line and one row a video.")
    header = understand_header(header_record, manifest, options)
    cells = Cells(manifest, header)
    number = 0
    for record in rows:
        if not is_blank(record.cells):
            number += 1
            yield cells.entry(number, record.line, record.number, record.cells)


def understand_header(record: Record, manifest: Manifest, options: ReadOptions) -> Header:
    """The header's columns; Unreadable when the first line names no known column at all."""
    if not any(known(name) for name in record.cells):
        raise Unreadable(
            "no_header",
            f"The first line names no known column: it reads {shown(' '.join(record.cells))}.",
            "The first line must name the columns, for example: provider,model,scene,prompt. "
            "If they are there, the separator is one that is not known: use commas, semicolons, tabs or |.",
            line=record.line,
        )
    return understand(record.cells, manifest, own=options.own, line=record.line, record=record.number)


def known(name: str) -> bool:
    """Whether a header name is a known column, or nearly one."""
    bare = name.strip().lstrip("\ufeff").lower()
    return bare in KNOWN or bare in RESULT_COLUMNS or near(bare) is not None


def lines(path: Path | str, encoding: str | None) -> Iterator[str]:
    """The physical lines of a file, ends kept (LF, CRLF or CR). Unreadable where it is not in its encoding."""
    rest = ""
    decode = _decoder(path)
    for block in utf8_blocks(path, encoding):
        text = rest + decode(block, False)
        held = text.endswith("\r")  # half a CRLF, perhaps
        found = io.StringIO(text[:-1] if held else text, newline="").readlines()
        rest = found.pop() if found and not found[-1].endswith(("\n", "\r")) else ""
        if held:
            rest += "\r"
        if len(rest) > LARGEST_CELL:
            raise Unreadable("long_line", "A line is longer than 16 million characters.", "Is this a text file?")
        yield from found
    rest += decode(b"", True)
    yield from io.StringIO(rest, newline="")


def _decoder(path: Path | str):  # type: ignore[no-untyped-def]
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("strict")

    def decode(block: bytes, final: bool) -> str:
        try:
            return decoder.decode(block, final)
        except UnicodeDecodeError:
            raise encoding_trouble(path) from None

    return decode


def records(text: Iterable[str], delimiter: str | None = None) -> Iterator[Record]:
    """The records of CSV text, the header first; finds the separator when it is not given."""
    source = iter(text)
    first = next(source, "")
    skipped = 0
    if first[:4].lower() == "sep=" and len(first.rstrip("\r\n")) == 5:  # Excel's own hint
        delimiter = delimiter or first[4]
        first, skipped = next(source, ""), 1
    while first and not first.strip(" \t\r\n;,|"):  # blank lines above the header
        first, skipped = next(source, ""), skipped + 1
    if not first:
        return
    yield from parsed(_with(first, source), delimiter or find_delimiter(first), skipped, skipped)


def parsed(text: Iterable[str], delimiter: str, line: int = 0, number: int = 0) -> Iterator[Record]:
    """Records behind `line` physical lines and `number` spreadsheet rows. Unreadable where quoting breaks."""
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    started = 1
    try:
        for cells in reader:
            number += 1
            yield Record(number, line + started, cells)
            started = reader.line_num + 1
    except csv.Error as error:
        raise _quoting(str(error), line + started, line + reader.line_num) from None


def _with(first: str, source: Iterator[str]) -> Iterator[str]:
    yield first
    yield from source


def _quoting(words: str, started: int, line: int) -> Unreadable:
    if "unexpected end of data" in words or "field larger" in words:
        return Unreadable(
            "unclosed_quote",
            f"A double quote that opens in the row of line {started} is never closed: it swallows the rest.",
            'Close it, or write "" for a quote inside a quoted text.',
            line=started,
        )
    return Unreadable(
        "bad_quote",
        f"In line {line}, something stands right behind the double quote that ends a cell.",
        'A quote inside a quoted text is written twice: "".',
        line=line,
    )


def find_delimiter(header: str) -> str:
    """The separator that gives the most known column names in the header line; a comma when none does."""
    return max(DELIMITERS, key=lambda mark: (_known_names(header, mark), header.count(mark)))


def _known_names(header: str, mark: str) -> int:
    names: Sequence[str] = next(csv.reader([header], delimiter=mark), [])
    return sum(1 for name in names if known(name))
