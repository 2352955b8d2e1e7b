"""Readers: one a format, all of them give entries (a Row with its problems) in the manifest's order.

A manifest that can't be read any further ends with a problem of the whole file; nothing here raises for what
a file holds.
"""

from collections.abc import Callable, Iterator
from typing import Any

from batchgen.files import spelled
from batchgen.manifest.entry import Entry, Manifest
from batchgen.manifest.find import Found, find_manifests
from batchgen.manifest.source import Place, ReadOptions, Rows, Unreadable, sniff

__all__ = [
    "Entry",
    "Found",
    "Manifest",
    "Place",
    "ReadOptions",
    "Rows",
    "Unreadable",
    "find_manifests",
    "open_manifest",
    "sniff",
]

Reader = Callable[[Any, Manifest, ReadOptions], Iterator[Entry]]


def open_manifest(path: Place, options: ReadOptions) -> Manifest:
    """A manifest whose `entries` are read as they are asked for."""
    manifest = Manifest(spelled(path), iter(()), optional=options.optional)
    manifest.entries = _entries(path, manifest, options)
    return manifest


def _entries(path: Place, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    try:
        yield from _reader(sniff(path))(path, manifest, options)
    except Unreadable as trouble:
        manifest.problems.append(trouble.problem(manifest.name))


def _reader(kind: str) -> Reader:
    """The reader of a format; its libraries are loaded only when a manifest asks for them."""
    reader: Reader
    if kind == "csv":
        from batchgen.manifest.csv import read_csv as reader
    elif kind == "yaml":
        from batchgen.manifest.yaml import read_yaml as reader
    elif kind == "xlsx":
        from batchgen.manifest.xlsx import read_xlsx as reader
    elif kind == "jsonl":
        from batchgen.manifest.jsonl import read_jsonl as reader
    elif kind == "json":
        from batchgen.manifest.jsonl import read_json as reader
    elif kind == "rows":
        from batchgen.manifest.rows import read_rows as reader
    else:
        from batchgen.manifest.parquet import read_parquet as reader
    return reader
