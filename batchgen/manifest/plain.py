"""A small table that a person made, as texts: read with a manifest's care, but without a manifest's columns."""

from collections.abc import Iterator
from pathlib import Path

from batchgen.manifest.cells import is_blank
from batchgen.manifest.csv import Sheet
from batchgen.manifest.source import ReadOptions, Unreadable, on_disk, sniff


def plain_table(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(row as a spreadsheet counts, cells by header) for each row of a CSV or spreadsheet that is not blank.

    Headers are folded (`Job ID` -> `job_id`); missing cells are blank. Raises Unreadable.
    """
    kind = sniff(path)
    if kind == "csv":
        sheet = Sheet(path, ReadOptions())
        header, first = sheet.header.cells, sheet.header.number
        rows: Iterator[tuple[int, list[str]]] = ((record.number, record.cells) for record in sheet.records())
    elif kind == "xlsx":
        from batchgen.manifest.xlsx import sheet_texts

        lines = sheet_texts(on_disk(path))
        first, header = next(((number, cells) for number, cells in lines if not is_blank(cells)), (0, []))
        rows = lines
    else:
        raise Unreadable("bad_file", "It is no CSV and no spreadsheet.", "Save it as CSV or .xlsx.")
    names = [_folded(name) for name in header]
    twin = next((name for name in names if name and names.count(name) > 1), "")
    if twin:
        raise Unreadable("duplicate_column", f'Two columns are called "{twin}".', "Rename one of them.", line=first)
    for number, cells in rows:
        if not is_blank(cells):
            full = [*cells, *[""] * (len(names) - len(cells))]
            yield number, {name: cell for name, cell in zip(names, full, strict=False) if name}


def _folded(name: str) -> str:
    return "_".join(name.strip().lstrip("\ufeff").lower().replace("-", " ").replace("_", " ").split())
