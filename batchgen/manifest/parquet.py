"""Parquet, in batches: columns as in a table, values with their own types (lists, structs, numbers)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

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
            columns = dict(zip(unlike(names), header.columns, strict=True))
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
            schema = file.schema_arrow
            names = list(schema.names)
            keys, native = unlike(names), [_native(field.type) for field in schema]
            yield names, []
            for batch in file.iter_batches(batch_size=BATCH):
                yield names, _rows(batch.rename_columns(keys), native)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(
            "bad_parquet", "The file can't be read as Parquet.", f"The reader says: {shown(error)}. Write it again."
        ) from None


def unlike(names: list[str]) -> list[str]:
    """The names, those that stand there again with their place behind: a row is a dictionary."""
    seen: dict[str, None] = {}
    for index, name in enumerate(names):
        seen[name if name not in seen else f"{name}\0{index}"] = None
    return list(seen)


def _rows(batch: Any, native: list[Callable[[Any], Any] | None]) -> list[dict[str, Any]]:
    """The rows of a batch as Python values."""
    rows: list[dict[str, Any]] = batch.to_pylist()
    for name, convert in zip(batch.schema.names, native, strict=True):
        if convert is not None:
            for row in rows:
                row[name] = convert(row[name])
    return rows


def _native(kind: Any) -> Callable[[Any], Any] | None:
    """What makes the plain value of a type that pyarrow gives in another shape: a map is an object, 0.7 is 0.7.

    A float32 comes as the nearest double (0.699999988079071), which is not what was written.
    """
    import pyarrow.types as pt

    if pt.is_float32(kind) or pt.is_float16(kind):
        return _short_float if pt.is_float32(kind) else _shorter_float
    if pt.is_map(kind):
        key, value = _native(kind.key_type), _native(kind.item_type)
        return lambda pairs: _mapping(pairs, key, value)
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        inner = _native(kind.value_type)
        return None if inner is None else lambda items: None if items is None else [inner(item) for item in items]
    if pt.is_struct(kind):
        fields = [(field.name, convert) for field in kind if (convert := _native(field.type)) is not None]
        return (lambda found: _struct(found, fields)) if fields else None
    return None


def _short_float(value: Any) -> Any:
    return None if value is None else float(str(np.float32(value)))


def _shorter_float(value: Any) -> Any:
    return None if value is None else float(str(np.float16(value)))


def _mapping(pairs: Any, key: Callable[[Any], Any] | None, value: Callable[[Any], Any] | None) -> Any:
    if pairs is None:
        return None
    return {key(name) if key else name: value(item) if value else item for name, item in pairs}


def _struct(found: Any, fields: list[tuple[str, Callable[[Any], Any]]]) -> Any:
    return None if found is None else {**found, **{name: convert(found[name]) for name, convert in fields}}
