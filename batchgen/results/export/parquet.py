"""Parquet: the columns of results.csv with types, and the request as JSON text."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from batchgen.amount import CREDITS, Unit
from batchgen.files import whole_file
from batchgen.job import RESULT_COLUMNS, Result
from batchgen.results.csv import video_path
from batchgen.results.export.pack import Exported
from batchgen.results.export.record import made_by
from batchgen.results.formula import own_header
from batchgen.results.summary import Summary

#: Lines in a row group: what is held in memory at a time.
GROUP = 20_000

_AMOUNTS = {"estimated_credits", "charged_credits", "refunded_credits"}
_NUMBERS = {
    *("row", "estimated_credits", "charged_credits", "refunded_credits", "attempts"),
    *("width", "height"),
}
_OF_FILM = {"width", "height", "duration_s", "has_audio"}
_TIMES = {"submitted_at", "finished_at", "expires_at"}
_LISTS = {"video_urls", "video_paths", "video_sha256"}
_MORE = ("video_paths", "video_sha256", "request")


def parquet_schema(other: Sequence[str], summary: Summary) -> pa.Schema:
    """The columns of results.csv, `video_paths`, `video_sha256`, `request`, then the manifest's others."""

    def kind(name: str) -> pa.DataType:
        if name in _NUMBERS:
            return pa.float64() if name in _AMOUNTS and summary.unit == "usd" else pa.int64()
        if name in _TIMES:
            return pa.timestamp("ms", tz="UTC")
        if name in ("duration_s", "has_audio"):
            return pa.float64() if name == "duration_s" else pa.bool_()
        return pa.list_(pa.string()) if name in _LISTS else pa.string()

    unit = Unit(summary.unit)
    fields = [pa.field(unit.column(name), kind(name)) for name in (*RESULT_COLUMNS, *_MORE)]
    fields += [pa.field(name, pa.string()) for name in own_names(other)]
    return pa.schema(fields, metadata={"batchgen": json.dumps(made_by(summary))})


def own_names(other: Sequence[str]) -> list[str]:
    """Headers for the other columns that are not taken: an own `request` is `own.request` here."""
    return [f"own.{name}" if name in _MORE else own_header(name) for name in other]


def write_parquet(target: Path, results: Iterable[Result], summary: Summary, other: Sequence[str]) -> Exported:
    """All results, GROUP lines in memory at a time."""
    schema = parquet_schema(other, summary)
    lines = 0
    with whole_file(target) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in grouped(results):
            writer.write_table(pa.table(parquet_columns(group, other, Unit(summary.unit)), schema=schema))
            lines += len(group)
    return Exported(target, lines)


def grouped(results: Iterable[Result]) -> Iterator[list[Result]]:
    stream = iter(results)
    while group := list(islice(stream, GROUP)):
        yield group


def parquet_columns(results: Sequence[Result], other: Sequence[str], unit: Unit = CREDITS) -> dict[str, list[Any]]:
    """The values by column; an empty text is null, because Parquet knows the difference and people ask for it."""

    def value(result: Result, name: str) -> Any:
        match name:
            case "state":
                return result.state.value
            case "video_url":
                return text(result.video_urls[0]) if result.video_urls else None
            case "video_path":
                return video_path(result) or None
            case "request":
                return json.dumps(dict(result.request)) if result.request else None
            case "video_urls" | "video_paths":
                return [text(item) for item in getattr(result, name)]
            case "video_sha256":
                return [text(item) for item in result.sha256]
            case "sha256":
                return text(result.sha256[0]) if result.sha256 else None
            case "submitted_at" | "finished_at" | "expires_at":
                seconds = getattr(result, name)
                return int(seconds * 1000) if seconds is not None and 0 <= seconds < 253402300800 else None
        found = getattr(result.film if name in _OF_FILM else result, name)
        return text(found) if isinstance(found, str) else found

    names = (*RESULT_COLUMNS, *_MORE)
    columns = {unit.column(name): [value(result, name) for result in results] for name in names}
    for name, header in zip(other, own_names(other), strict=True):
        columns[header] = [text(result.cells.get(name, "")) for result in results]
    return columns


def text(value: str) -> str | None:
    """A text that Parquet can hold: null for an empty one, half a surrogate pair as an escape."""
    return value.encode("utf-8", "backslashreplace").decode() or None
