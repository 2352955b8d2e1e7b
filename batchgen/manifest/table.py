"""The file under `rows:`: any table, its columns as variables, one set of variables a row."""

import re
from collections.abc import Iterator
from pathlib import Path

from batchgen.manifest.cells import is_blank
from batchgen.manifest.csv import lines, records
from batchgen.manifest.source import ReadOptions, Unreadable, sniff


def read_table(path: Path, options: ReadOptions) -> Iterator[dict[str, str]]:
    """The rows as variables, all of them texts; a column `product name` is the variable `product_name`."""
    sniff(path)
    rows = records(lines(path, options.encoding), options.delimiter)
    header = next(rows, None)
    if header is None:
        raise Unreadable("no_rows", "the file has no rows.", "Write a header line and one row a product.")
    names = [re.sub(r"\W+", "_", name.strip().lstrip("\ufeff")).strip("_") for name in header.cells]
    for record in rows:
        if not is_blank(record.cells):
            cells = [*record.cells, *[""] * (len(names) - len(record.cells))]
            yield {name: cell for name, cell in zip(names, cells, strict=False) if name}
