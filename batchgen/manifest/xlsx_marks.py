"""What a workbook's XML says and calamine does not: hidden rows, errors, formulas without a value, `000` formats.

Calamine gives an error cell (#N/A) and a formula that was never worked out as blank: for us that would be a
missing input nobody is told of. Only .xlsx and .xlsm are looked into; for others nothing is marked.
"""

import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from batchgen.manifest.entry import cell_name, column_number
from batchgen.manifest.source import Unreadable

#: A workbook that unpacks to more than this, or is packed this much tighter than text, is refused.
LARGEST = 1 << 30
TIGHTEST = 200
#: Columns that a sheet can have, and merged cells that are looked at (a range may be made to hurt).
WIDEST, MOST_MERGED = 16_384, 100_000
#: What zipfile, zlib and expat raise for files that were damaged or made to hurt (found by fuzzing).
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, expat.ExpatError, OSError, EOFError, KeyError, ValueError, NotImplementedError,
    RuntimeError, struct.error, OverflowError,
)  # fmt: skip


@dataclass(slots=True)
class Marks:
    """Rows and columns count from 1. `errors` and `uncached` name cells (`F4`); `padded` gives the digits of a
    cell, `merged` the filled cell at the top of each one that is merged with it from below.
    """

    hidden: set[int] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)
    uncached: set[str] = field(default_factory=set)
    padded: dict[str, int] = field(default_factory=dict)
    hidden_columns: set[int] = field(default_factory=set)
    merged: dict[str, str] = field(default_factory=dict)


def check_size(path: Path) -> None:
    """Unreadable for a zip bomb, told by its own table of contents before anything is unpacked."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = [(info.file_size, info.compress_size) for info in archive.infolist()]
    except _DAMAGED:
        raise Unreadable("bad_xlsx", "The file is damaged.", "Save the spreadsheet again, or as CSV.") from None
    whole, packed = sum(size for size, _ in sizes), sum(size for _, size in sizes) or 1
    if whole > LARGEST or (whole > LARGEST // 10 and whole / packed > TIGHTEST):
        raise Unreadable(
            "too_large",
            f"The spreadsheet unpacks to {whole / 1e6:,.0f} MB.",
            "Delete empty rows and pictures, or save it as CSV.",
        )


def marks(path: Path, sheet: str) -> Marks:
    """The marks of one sheet; none where the file is no .xlsx or its XML is out of the ordinary."""
    found = Marks()
    try:
        with zipfile.ZipFile(path) as archive:
            part = _part_of(archive, sheet)
            if part is None:
                return found
            padding = _padding_styles(archive)
            with archive.open(part) as stream:
                _Scan(found, padding).run(stream)
    except _DAMAGED:
        return found
    return found


def _elements(stream: IO[bytes]) -> list[tuple[str, dict[str, str]]]:
    """All start tags of a small part, without namespaces."""
    tags: list[tuple[str, dict[str, str]]] = []
    parser = _parser()
    parser.StartElementHandler = lambda name, attributes: tags.append((name.rpartition(":")[2], attributes))
    parser.ParseFile(stream)
    return tags


def _parser() -> Any:
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise expat.ExpatError("a workbook declares no entities")

    parser.EntityDeclHandler = refuse
    return parser


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The name of the part that holds a sheet."""
    with archive.open("xl/workbook.xml") as stream:
        sheets = [attributes for name, attributes in _elements(stream) if name == "sheet"]
    wanted = next((each for each in sheets if each.get("name") == sheet), None)
    if wanted is None:
        return None
    key = next((value for name, value in wanted.items() if name.endswith(":id")), "")
    with archive.open("xl/_rels/workbook.xml.rels") as stream:
        for name, attributes in _elements(stream):
            if name == "Relationship" and attributes.get("Id") == key:
                target = attributes.get("Target", "")
                return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return None


def _padding_styles(archive: zipfile.ZipFile) -> dict[str, int]:
    """style index -> digits, for number formats such as 000."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    with archive.open("xl/styles.xml") as stream:
        tags = _elements(stream)
    formats = {a.get("numFmtId", ""): a.get("formatCode", "") for name, a in tags if name == "numFmt"}
    digits = {key: len(code) for key, code in formats.items() if re.fullmatch("0{2,20}", code)}
    start = next((index for index, (name, _) in enumerate(tags) if name == "cellXfs"), len(tags))
    styles: dict[str, int] = {}
    number = 0
    for name, attributes in tags[start + 1 :]:
        if name == "xf":
            if attributes.get("numFmtId", "") in digits:
                styles[str(number)] = digits[attributes["numFmtId"]]
            number += 1
        elif name == "cellStyles":
            break
    return styles


class _Scan:
    """One walk over a sheet's cells."""

    def __init__(self, found: Marks, padding: dict[str, int]) -> None:
        self._found = found
        self._padding = padding
        self._row = 0
        self._cell = ""
        self._kind = ""
        self._formula = False
        self._value = ""
        self._reading = False

    def run(self, stream: IO[bytes]) -> None:
        parser = _parser()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.ParseFile(stream)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if tag == "row":
            self._row = int(attributes.get("r", self._row + 1))
            if attributes.get("hidden") in ("1", "true"):
                self._found.hidden.add(self._row)
        elif tag == "c":
            self._cell = attributes.get("r", "")
            self._kind = attributes.get("t", "n")
            self._formula, self._value = False, ""
            if attributes.get("s", "") in self._padding and attributes.get("t", "n") == "n":
                self._found.padded[self._cell] = self._padding[attributes["s"]]
        elif tag == "f":
            self._formula = True
        elif tag == "v":
            self._reading = True
        elif tag == "col" and attributes.get("hidden") in ("1", "true"):
            first, last = int(attributes.get("min", 1)), int(attributes.get("max", 0))
            self._found.hidden_columns.update(range(first, min(last, WIDEST) + 1))
        elif tag == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def _merge(self, reference: str) -> None:
        """Note the cells below the first line of a merged range."""
        found = re.fullmatch(r"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})", reference)
        if found is None:
            return
        left, top, right, bottom = column_number(found[1]), int(found[2]), column_number(found[3]), int(found[4])
        if (right - left + 1) * (bottom - top) + len(self._found.merged) > MOST_MERGED:
            return
        for row in range(top + 1, bottom + 1):
            for column in range(left, right + 1):
                self._found.merged[cell_name(column, row)] = f"{found[1]}{top}"

    def _characters(self, text: str) -> None:
        if self._reading:
            self._value += text

    def _end(self, name: str) -> None:
        tag = name.rpartition(":")[2]
        if tag == "v":
            self._reading = False
        elif tag == "c" and self._kind == "e":
            self._found.errors[self._cell] = self._value
        elif tag == "c" and self._formula and not self._value and self._kind != "str":
            self._found.uncached.add(self._cell)
