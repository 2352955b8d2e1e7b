"""Tables whose columns have types, in record batches: Parquet, and tables in memory that were kept as arrow."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from batchgen.manifest.columns import understand
from batchgen.manifest.entry import Entry, Manifest, shown
from batchgen.manifest.objects import Objects
from batchgen.manifest.source import Place, ReadOptions, Rows, Unreadable, on_disk

#: Rows of one batch.
BATCH = 16_384


def read_parquet(path: Place, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """The rows of a table. Rows without any value are skipped."""
    batches = record_batches(path)
    names = next(batches).names
    header = understand(names, manifest, own=options.own, line=None)
    columns = dict(zip(unlike(names), header.columns, strict=True))
    objects = Objects(manifest, options.own, header=columns, whole=True)
    number = 0
    for batch in batches:
        for row in rows_of(batch):
            if is_row(row):
                number += 1
                yield objects.entry(number, None, row)


def is_row(row: dict[str, Any]) -> bool:
    """Whether it holds anything."""
    return any(value is not None and value != "" for value in row.values())


def record_batches(path: Place) -> Iterator[Any]:
    """The schema, then the rows in record batches. Unreadable where the file is damaged, also on the way."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if isinstance(path, Rows):
            with pa.memory_map(str(path.file)) as opened, pa.ipc.open_stream(opened) as stream:
                yield stream.schema
                yield from stream
        else:  # opened here: a name that is no UTF-8 would not reach arrow
            with on_disk(path).open("rb") as opened, pq.ParquetFile(opened) as file:
                yield file.schema_arrow
                yield from file.iter_batches(batch_size=BATCH)
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


def rows_of(batch: Any) -> list[dict[str, Any]]:
    """The rows of a batch as Python values, by the names that `unlike` gives."""
    names = unlike(batch.schema.names)
    rows: list[dict[str, Any]] = batch.rename_columns(names).to_pylist()
    for name, field in zip(names, batch.schema, strict=True):
        if (convert := _native(field.type)) is not None:
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
