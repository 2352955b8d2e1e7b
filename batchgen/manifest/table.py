"""The file under `rows:`: any table, its columns as variables, one set of variables a row."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from batchgen.manifest.cells import is_blank
from batchgen.manifest.csv import Sheet
from batchgen.manifest.feed import Feed
from batchgen.manifest.objects import plain
from batchgen.manifest.source import ReadOptions, Unreadable, on_disk, sniff
from batchgen.manifest.values import strict_json


def read_table(path: Path, options: ReadOptions) -> Iterator[dict[str, Any]]:
    """The rows as variables; a column `product name` is the variable `product_name`.

    From CSV and spreadsheets they are texts, from JSON and Parquet they keep their types.
    """
    kind = sniff(path)
    if kind == "csv":
        sheet = Sheet(path, options)
        yield from _named(record.cells for record in chain([sheet.header], sheet.records()))
    elif kind == "xlsx":
        from batchgen.manifest.xlsx import sheet_cells

        yield from _named(sheet_cells(on_disk(path), options.sheet))
    elif kind == "parquet":
        from batchgen.manifest.parquet import batches

        for _, rows in batches(on_disk(path)):
            yield from ({variable(name): plain(value) for name, value in row.items()} for row in rows)
    elif kind == "yaml":
        raise Unreadable("bad_rows_file", "a YAML file is no table.", "Use CSV, XLSX, JSONL, JSON or Parquet.")
    else:
        yield from _objects(path, options, kind)


def variable(name: str) -> str:
    """The name that templates use for a column: `product name` -> `product_name`."""
    made = re.sub(r"\W+", "_", name.strip().lstrip("\ufeff"), flags=re.ASCII).strip("_")
    return f"_{made}" if made[:1].isdigit() else made


def _named(rows: Iterator[list[str]]) -> Iterator[dict[str, Any]]:
    header: list[str] | None = None
    for cells in rows:
        if is_blank(cells):
            continue
        if header is None:
            header = [variable(name) for name in cells]
            twins = [name for name in header if name and header.count(name) > 1]
            if twins:
                raise Unreadable("duplicate_column", f'two columns are called "{twins[0]}".', "Rename one of them.")
            continue
        full = [*cells, *[""] * (len(header) - len(cells))]
        yield {name: cell for name, cell in zip(header, full, strict=False) if name}
    if header is None:
        raise Unreadable("no_rows", "the file has no rows.", "Write a header line and one row below it.")


def _objects(path: Path, options: ReadOptions, kind: str) -> Iterator[dict[str, Any]]:
    text = Feed(path, options.encoding).lines()
    parts = (strict_json(line, "bad_json") for line in text if line.strip())
    found = parts if kind == "jsonl" else iter(strict_json("".join(text), "bad_json"))
    for row in found:
        if not isinstance(row, dict):
            raise Unreadable("bad_json", "the file must hold objects.", 'A row looks like {"name": "mug"}.')
        yield {variable(name): value for name, value in row.items()}
