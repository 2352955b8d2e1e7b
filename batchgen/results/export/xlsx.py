"""XLSX: the lines of results.csv as a person wants them: the video first, then the own columns, then ours.

The video is a link to its file, and a picture where PyAV is installed; the head stays and filters; numbers and
times are real. Any other text is written as text (no formula, no link is made of it), guarded like results.csv, so
that the sheet can be fed back as a manifest the same way.
"""

import itertools
import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from batchgen.amount import Unit
from batchgen.files import whole_file
from batchgen.job import RESULT_COLUMNS, Result
from batchgen.results.csv import columns, line, video_path
from batchgen.results.export.pack import Exported
from batchgen.results.export.poster import HEIGHT, can_draw, poster
from batchgen.results.formula import guard
from batchgen.results.summary import Summary

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

#: What Excel can hold: lines of a sheet, its head included, and characters of a cell.
SHEET_LINES = 1_048_576
CELL_CHARACTERS = 32_767

#: The same content gives the same bytes.
_NO_TIME = {"created": datetime(2000, 1, 1)}
_OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
_TIMES = {RESULT_COLUMNS.index(name): name for name in ("submitted_at", "finished_at", "expires_at")}
_NUMBERS = {RESULT_COLUMNS.index(name) for name in ("duration_s",)}
_URL = RESULT_COLUMNS.index("video_url")
#: What Excel follows and opens in reasonable time.
_MOST_LINKS, _LONGEST_LINK, _PICTURES = 60_000, 2_000, 2_000
_WIDTHS = {"job_id": 26, "prompt": 60, "video_url": 30, "video_path": 32, "error": 40, "model": 28}


def write_xlsx(
    target: Path, results: Iterable[Result], summary: Summary, other: Sequence[str], out_dir: Path
) -> Exported:
    """All results; behind a million lines a second sheet begins. Memory does not grow with the lines.

    A text longer than Excel's 32,767 characters is cut with a note, and the cut is named in `left_out`.
    """
    from xlsxwriter import Workbook

    header = [guard(name) for name in columns(other, Unit(summary.unit))]
    order = _order(len(other))
    lines, cuts = 0, 0
    with whole_file(target) as file, closing(Workbook(file, _OPTIONS)) as book:
        book.set_properties(_NO_TIME)
        cells = _Cells(book, target.parent, out_dir)
        sheet, at = _sheet(book, [header[place] for place in order], 1), 0
        for result in results:
            at += 1
            if at == SHEET_LINES:
                sheet.autofilter(0, 0, at - 1, len(order) - 1)
                sheet, at = _sheet(book, [header[place] for place in order], lines // (SHEET_LINES - 1) + 1), 1
            values = line(result, other)
            cells.video(sheet, at, result)
            for column, place in enumerate(order):
                if column:
                    cuts += cells.write(sheet, at, column, place, values[place], result)
            lines += 1
        sheet.autofilter(0, 0, at, len(order) - 1)
        _about(book, summary)
    note = f"{cuts} texts are longer than the {CELL_CHARACTERS:,} characters of an Excel cell and were cut."
    return Exported(target, lines, left_out=(note,) if cuts else (), left_out_total=cuts)


def _order(others: int) -> list[int]:
    """The places of the cells in a line of results.csv, as they stand in the sheet."""
    ours = [place for place, name in enumerate(RESULT_COLUMNS) if name not in ("video_path", "job_id")]
    first = [RESULT_COLUMNS.index("video_path"), RESULT_COLUMNS.index("job_id")]
    return [*first, *range(len(RESULT_COLUMNS), len(RESULT_COLUMNS) + others), *ours]


def write_text_sheet(file: BinaryIO, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """One sheet of text cells with a bold head that stays; returns the number of rows.

    Every cell is text, so that no program turns 16:9 into a time or 001 into 1. Raises ValueError for what the
    format can't hold.
    """
    from xlsxwriter import Workbook

    count = 0
    with closing(Workbook(file, _OPTIONS)) as book:
        book.set_properties(_NO_TIME)
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        for place, name in enumerate(header):
            sheet.set_column(place, place, 60 if name in ("prompt", "problem") else max(12, min(30, len(name) + 4)))
        for at, cells in enumerate(itertools.chain([header], rows)):
            if at == SHEET_LINES:
                raise ValueError(f"a sheet holds {SHEET_LINES:,} lines at most")
            for place, cell in enumerate(cells):
                if len(cell) > CELL_CHARACTERS:
                    raise ValueError(f"a cell holds {CELL_CHARACTERS:,} characters at most")
                if cell:
                    sheet.write_string(at, place, _storable(cell), text if at else bold)
            count = at
    return count


def _storable(text: str) -> str:
    """Half a surrogate pair (JSON can hold one) is written as its escape: XML has no such character."""
    return text.encode("utf-8", "backslashreplace").decode()


def _sheet(book: "Workbook", header: Sequence[str], number: int) -> "Worksheet":
    sheet = book.add_worksheet("results" if number == 1 else f"results {number}")
    bold = book.add_format({"bold": True})
    for place, name in enumerate(header):
        sheet.set_column(place, place, _WIDTHS.get(name, 18 if name.endswith("_at") else 14))
    for place, name in enumerate(header):
        sheet.write_string(0, place, name[:CELL_CHARACTERS], bold)
    sheet.freeze_panes(1, 1)
    return sheet


class _Cells:
    """Writes the cells of one workbook; counts its links and pictures, of which a sheet can't hold any number."""

    def __init__(self, book: "Workbook", folder: Path, out_dir: Path) -> None:
        self._moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._folder = folder
        self._out_dir = out_dir
        self._links = 0
        self._pictures = _PICTURES if can_draw() else 0

    def video(self, sheet: "Worksheet", at: int, result: Result) -> None:
        """The first video: its path as a link to the file, under its picture."""
        path = video_path(result)
        if not path:
            return
        file = self._out_dir / path
        if "://" in path or not self._link(sheet, at, 0, "external:" + self._way_to(file), guard(path)):
            sheet.write_string(at, 0, _storable(guard(path)))
        if self._pictures and "://" not in path and (picture := poster(file)):
            self._pictures -= 1
            sheet.set_row_pixels(at, HEIGHT + 4)
            options = {"image_data": BytesIO(picture), "x_offset": 2, "y_offset": 2, "object_position": 1}
            sheet.insert_image(at, 0, "poster.jpg", options)

    def _way_to(self, file: Path) -> str:
        try:
            return os.path.relpath(file, self._folder).replace(os.sep, "/")
        except ValueError:  # another drive
            return str(file)

    def _link(self, sheet: "Worksheet", at: int, column: int, address: str, words: str) -> bool:
        if self._links >= _MOST_LINKS or len(address) > _LONGEST_LINK:
            return False
        self._links += 1
        return bool(sheet.write_url(at, column, _storable(address), string=_storable(words)) == 0)

    def write(
        self, sheet: "Worksheet", at: int, column: int, place: int, value: str | int | float, result: Result
    ) -> int:
        """Write one cell; 1 if its text had to be cut."""
        if value == "":
            return 0
        if place in _TIMES:
            seconds = getattr(result, _TIMES[place])
            when = datetime.fromtimestamp(int(seconds), UTC).replace(tzinfo=None)
            sheet.write_datetime(at, column, when, self._moment)
        elif isinstance(value, int | float):
            sheet.write_number(at, column, value)
        elif place in _NUMBERS:
            sheet.write_number(at, column, float(value))
        elif (
            place == _URL
            and value.startswith(("https://", "http://"))
            and self._link(sheet, at, column, value, value)
        ):
            pass
        elif len(value) > CELL_CHARACTERS:
            note = f"… (cut: {len(value):,} characters)"
            sheet.write_string(at, column, value[: CELL_CHARACTERS - len(note)] + note)
            return 1
        else:
            sheet.write_string(at, column, _storable(value))
        return 0


def _about(book: "Workbook", summary: Summary) -> None:
    """A second sheet: where the numbers come from."""
    sheet = book.add_worksheet("about")
    sheet.set_column(0, 1, 28)
    amounts = summary.credits
    rows: list[tuple[str, str | int | float]] = [
        ("batch", summary.out),
        ("service", summary.service),
        ("batchgen", summary.version),
        ("price table", summary.prices),
        ("times", "UTC"),
        *((f"jobs {state}", count) for state, count in summary.states.items()),
        (f"{summary.unit} estimated", amounts.estimated),
        (f"{summary.unit} charged", amounts.charged),
        (f"{summary.unit} refunded", amounts.refunded),
        (f"{summary.unit} in doubt", amounts.in_doubt),
    ]
    for at, (name, value) in enumerate(rows):
        sheet.write_string(at, 0, name)
        if isinstance(value, int | float):
            sheet.write_number(at, 1, value)
        else:
            sheet.write_string(at, 1, guard(value))
