"""Rows in memory: mappings, or a table of any library that speaks arrow; read once, and kept in a file.

From there they are read like any manifest, as often as is needed: who they are, and what is wrong with them, is
what it would be for a file of the same rows. Nothing of them is kept longer than the object that `manifests` gives.
"""

import base64
import datetime
import decimal
import json
import math
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any, TypeGuard

from batchgen.manifest import values
from batchgen.manifest.entry import Entry, Manifest
from batchgen.manifest.feed import Feed
from batchgen.manifest.objects import Foreign, Objects
from batchgen.manifest.parquet import BATCH
from batchgen.manifest.source import Place, ReadOptions, Rows

_NOTHING = object()
_WANTED = "rows are mappings of column names to values, or a table (DataFrame, arrow table)"


def manifests(given: object) -> list[str | Rows]:
    """What a program handed over as manifests: names of files, or rows, which are read here and now.

    TypeError for anything else, before anything else: never is a value taken for a file of that name.
    """
    if isinstance(given, str | os.PathLike):
        return [_name(given)]
    if isinstance(given, Rows):
        return [given]
    if hasattr(given, "__arrow_c_stream__"):
        return [_of_table(given)]
    if isinstance(given, Mapping | bytes | bytearray) or hasattr(given, "read") or not isinstance(given, Iterable):
        hint = ": put it into a list" if isinstance(given, Mapping) else ""
        raise TypeError(f"{_kind(given)} is no manifest{hint}; {_WANTED}, and files go by their names.")
    parts = iter(given)
    first = next(parts, _NOTHING)
    if first is _NOTHING:
        return [] if isinstance(given, list | tuple) else [_of_mappings(iter(()))]
    together = chain([first], parts)
    if isinstance(first, str | os.PathLike):
        return [_name(each) for each in together]
    return [_of_mappings(together)]


def _name(given: object) -> str:
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"Names of files and {_kind(given)} stand in one list: give either names or rows.")
    return os.fsdecode(given)


def _kind(given: object) -> str:
    return "None" if given is None else f"A value of type {type(given).__name__}"


def _file() -> IO[bytes]:
    return tempfile.NamedTemporaryFile(prefix="batchgen-rows-", delete=False)


def _kept(name: str, kind: str) -> Rows:
    rows = Rows(Path(name), kind)
    weakref.finalize(rows, Path(name).unlink, missing_ok=True)
    return rows


def _of_table(table: Any) -> Rows:
    """A table as an arrow file, batch by batch. Where its types can't be told, row by row."""
    import pyarrow as pa

    with _file() as file:
        try:
            reader = pa.RecordBatchReader.from_stream(table)
            columns = _columns(reader.schema)
            schema = pa.schema([reader.schema.field(index) for index in columns])
            with pa.ipc.new_stream(file, schema) as target:
                for batch in reader:
                    kept = pa.RecordBatch.from_arrays([batch.column(index) for index in columns], schema=schema)
                    for start in range(0, kept.num_rows, BATCH):
                        target.write_batch(kept.slice(start, BATCH))
            return _kept(file.name, "arrow")
        except (pa.ArrowException, ValueError, TypeError) as error:
            Path(file.name).unlink(missing_ok=True)
            if not hasattr(table, "iloc") or not hasattr(table, "columns"):
                raise TypeError(f"{_kind(table)} can't be read as a table: {error}") from None
    if not table.columns.is_unique:
        raise TypeError("Two columns of the DataFrame have one name: rename one of them.")
    chunks = (table.iloc[start : start + BATCH] for start in range(0, len(table), BATCH))
    return _of_mappings(row for chunk in chunks for row in chunk.to_dict("records"))


def _columns(schema: Any) -> list[int]:
    """The columns of a stream but for pandas' index, which is none."""
    about = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    index = {name for name in about.get("index_columns", ()) if isinstance(name, str)}
    return [place for place, name in enumerate(schema.names) if name not in index]


def _of_mappings(rows: Iterable[object]) -> Rows:
    """Mappings as JSON lines."""
    with _file() as file:
        try:
            for number, row in enumerate(rows, 1):
                if not _is_row(row):
                    raise TypeError(f"Row {number} is {_kind(row).lower()}; {_WANTED}.")
                file.write(json.dumps({name: _value(row[name]) for name in row}).encode("ascii") + b"\n")
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
        return _kept(file.name, "rows")


def _is_row(row: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(row, Mapping) and all(isinstance(name, str) for name in row)


def _value(value: Any) -> Any:
    """A value as JSON has it: what stands for nothing is null, what JSON has no word for says what it is."""
    kind = type(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if kind.__name__ in ("NAType", "NaTType"):  # pandas' own words for nothing
        return None
    if isinstance(value, Mapping):
        return {str(name): _value(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    if isinstance(value, decimal.Decimal):
        return None if value.is_nan() else int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.date | datetime.time):
        return {"": ["a date or time", value.isoformat()]}
    if isinstance(value, bytes):
        return {"": ["binary data", base64.b64encode(value).decode("ascii")]}
    if kind.__name__ in ("float16", "float32"):
        return _value(float(str(value)))  # 0.7 is meant, not 0.699999988
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return _value(value.tolist())
    return {"": [f"a {kind.__name__}", str(value)]}


def read_rows(path: Place, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """The rows that were kept as JSON lines."""
    objects = Objects(manifest, options.own, whole=True)
    for number, text in enumerate(Feed(path, None).lines(), 1):
        yield row_entry(objects, number, number, text)


def row_entry(objects: Objects, number: int, _line: int, text: str) -> Entry:
    """One kept row; the lines of the file are nobody's."""
    found = json.loads(text, object_hook=_foreign)
    try:
        values.check_json(found, "bad_value")
    except values.BadValue as bad:
        return objects.bad(number, None, bad.code, bad.message, bad.hint)
    return objects.entry(number, None, found)


def _foreign(found: dict[str, Any]) -> Any:
    return Foreign(*found[""]) if found.keys() == {""} and _says_what(found[""]) else found


def _says_what(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(each, str) for each in value)
