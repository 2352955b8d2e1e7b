"""Only speed: the rows of tables that programs write (CSV, JSON lines, Parquet, in memory), by whole columns.

The libraries that this takes are loaded only for a manifest that is large enough to be worth it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from batchgen.manifest import Entry, Manifest, Place, Unreadable, sniff
from batchgen.manifest.source import size_of

if TYPE_CHECKING:
    from batchgen.check.bulk.gate import Bulk, Terms
    from batchgen.check.bulk.walk import Source

#: Smaller manifests are read with care before numpy is loaded.
SMALL = 64 << 10


def bulk_kind(path: Place) -> str:
    """The format for which there is a bulk pass over this manifest; "" where there is none."""
    try:
        kind = sniff(path)
    except Unreadable:
        return ""
    if kind in ("csv", "jsonl", "rows"):
        return kind if size_of(path) >= SMALL else ""
    return kind if kind in ("parquet", "arrow") else ""


def in_bulk(kind: str, path: Place, manifest: Manifest, terms: "Terms") -> "Iterator[Bulk | Entry]":
    """What the careful reader gives, with the sure rows as sums. Whole-file trouble ends it, as a problem."""
    from batchgen.check.bulk.walk import walk

    try:
        yield from walk(_source(kind, path, manifest, terms))
    except Unreadable as trouble:
        manifest.problems.append(trouble.problem(manifest.name))


def _source(kind: str, path: Place, manifest: Manifest, terms: "Terms") -> "Source[Any]":
    if kind == "csv":
        from batchgen.check.bulk.csv import CsvSource

        return CsvSource(path, manifest, terms)
    if kind in ("jsonl", "rows"):
        from batchgen.check.bulk.jsonl import JsonlSource

        return JsonlSource(path, manifest, terms)
    from batchgen.check.bulk.arrow import ArrowSource

    return ArrowSource(path, manifest, terms)
