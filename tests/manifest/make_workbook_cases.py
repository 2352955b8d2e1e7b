"""Workbooks as people keep them: `python tests/manifest/make_workbook_cases.py` (openpyxl, then LibreOffice)."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
from make_office_cases import HERE, convert, expect

HEADER = ["id", "provider", "model", "scene", "prompt", "image_input"]
MUG = ["mug", "kie", "kling-2.6/text-to-video", "text-to-video", "A mug on a table"]
TURN = ["turn", "kie", "kling-2.6/image-to-video", "image-to-video", "It turns", "https://example.com/mug.png"]


def annotated(sheet: Any) -> None:
    """Remarks, stars, colons and hard blanks in the header; a column of options that nobody sees."""
    header = ["ID\u00a0", "Provider *", "Model (required)", "scene:", "“Prompt” (500 at most)", "image\u00a0input"]
    for line in ([*header, "options.duration", "Duration (s)"], [*MUG, None, "10", 10], [*TURN, "5", 5]):
        sheet.append(line)
    sheet.column_dimensions["G"].hidden = True


def second_sheet(sheet: Any) -> None:
    """Nothing on the first sheet; numbers, emoji, ticks and a long text on the second."""
    videos = sheet.parent.create_sheet("Videos")
    for line in (
        ["approved", *HEADER],
        [True, 1.0, *MUG[1:]],
        [False, 2.5, *MUG[1:4], 2026.0],
        [True, "1.0", *MUG[1:4], "First\nsecond\n\n" + "and so on " * 90],
        [True, "👩‍👩‍👧 🎬", *TURN[1:]],
    ):
        videos.append(line)


def merged(sheet: Any) -> None:
    """Provider and model written once, over three rows; a heading over the whole width."""
    for line in (
        HEADER, MUG, ["cup", "", "", "text-to-video", "A cup"], ["jug", "", "", "text-to-video", "A jug"], [], MUG,
    ):  # fmt: skip
        sheet.append(line)
    for cells in ("B2:B4", "C2:C4", "A5:F5"):
        sheet.merge_cells(cells)
    sheet["A5"], sheet["A6"] = "More of them", "last"


def notes(sheet: Any) -> None:
    """Headings, a header again, ticks filled down too far, a total and a note."""
    for line in (
        [*HEADER, "options.sound:bool", "cost"],
        ["Spring"],
        [*MUG, None, True, 6],
        ["Summer"],
        [*HEADER, "sound", "cost"],
        [*TURN, True, 8],
        [None, None, None, None, None, None, False],
        [None, None, None, None, None, None, None, "=H3+H6"],
        ["Please by Friday!"],
    ):
        sheet.append(line)


def transposed(sheet: Any) -> None:
    """The columns written as lines."""
    for line in zip(HEADER, [*MUG, None], TURN, strict=True):
        sheet.append(line)


def empty(sheet: Any) -> None:
    """Two sheets with nothing on them."""
    sheet.parent.create_sheet("More")


CASES: dict[str, Callable[[Any], None]] = {
    "valid/sheet-annotated.xlsx": annotated,
    "valid/sheet-second.xlsx": second_sheet,
    "invalid/sheet-merged.xlsx": merged,
    "invalid/sheet-notes.xlsx": notes,
    "invalid/sheet-transposed.xlsx": transposed,
    "invalid/sheet-empty.xlsx": empty,
}


def main() -> None:
    for name, fill in CASES.items():
        book = openpyxl.Workbook()
        fill(book.active)
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "made.xlsx"
            book.save(made)
            convert(made, "xlsx:Calc MS Excel 2007 XML", HERE / name)
        expect(HERE / name, (fill.__doc__ or "").strip())


if __name__ == "__main__":
    main()
