"""Parquet, in batches: columns as in a table, values with their own types (lists, structs, numbers)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchgen.manifest.columns import understand
from batchgen.manifest.entry import Entry, Manifest, shown
from batchgen.manifest.objects import Objects
from batchgen.manifest.source import ReadOptions, Unreadable, on_disk

BATCH = 10_000


def read_parquet(path: Path | str, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """The rows of a Parquet file. Rows without any value are skipped."""
    number = 0
    for names, rows in batches(on_disk(path)):
        if number == 0 and not manifest.order:
            header = understand(names, manifest, own=options.own, line=None)
            columns = {column.header: column for column in header.columns}
            objects = Objects(manifest, options.own, header=columns)
        for row in rows:
            if any(value is not None and value != "" for value in row.values()):
                number += 1
                yield objects.entry(number, None, row)


def batches(path: Path) -> Iterator[tuple[list[str], list[dict[str, Any]]]]:
    """The column names and the rows of each batch, at least one batch. Unreadable where the file is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            names = list(file.schema_arrow.names)
            yield names, []
            for batch in file.iter_batches(batch_size=BATCH):
                yield names, batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(
            "bad_parquet", "The file can't be read as Parquet.", f"The reader says: {shown(error)}. Write it again."
        ) from None
