"""Typed tables for the bulk pass: Parquet, rows in memory, and what JSON lines become.

Values keep their types here: lists of addresses, an object or a map under `options` (each of its names is a
column then), numbers, yes and no. What is anything else is left to the careful reader.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchgen.check import made
from batchgen.check.bulk.columns import Flags, Part, Texts, Typed, integers, there
from batchgen.check.bulk.decide import decide
from batchgen.check.bulk.gate import Bulk, Gate, Terms, Trial, quiet
from batchgen.check.verdict import Verdict
from batchgen.manifest import Entry, Manifest, Place
from batchgen.manifest.columns import Column, Header, understand
from batchgen.manifest.objects import Objects
from batchgen.manifest.parquet import is_row, record_batches, rows_of, unlike

#: A map under `options` with more different names than this in one part is left to the careful reader.
NAMES = 64


class ArrowSource:
    """Record batches of one schema: a Parquet file, or rows that a program handed over."""

    def __init__(self, path: Place, manifest: Manifest, terms: Terms) -> None:
        self._batches = record_batches(path)
        schema = next(self._batches)
        self._header = understand(schema.names, manifest, own=terms.options.own, line=None)
        columns = dict(zip(unlike(schema.names), self._header.columns, strict=True))
        self._objects = Objects(manifest, terms.options.own, header=columns, whole=True)
        self._rows = 0
        self._gates: Gates | None = None
        if not manifest.problems and not (self._header.results and "request" in schema.names):
            self._gates = Gates(
                terms, manifest, lambda scratch: Objects(scratch, terms.options.own, header=columns, whole=True)
            )

    def parts(self) -> Iterator[pa.RecordBatch]:
        return self._batches

    def decide(self, part: pa.RecordBatch) -> Bulk | None:
        return self._gates.decide(part, self._header) if self._gates is not None else None

    def careful(self, part: pa.RecordBatch, bulk: Bulk | None) -> Iterator[Entry]:
        start, blank = self._rows, 0
        wanted = range(part.num_rows) if bulk is None else bulk.unsure.tolist()
        if bulk is not None and wanted:
            part = part.take(integers(bulk.unsure))
        rows = rows_of(part) if wanted else []
        for index, row in zip(wanted, rows, strict=True):
            if is_row(row):
                yield self._objects.entry(start + index + 1 - blank, None, row)
            else:
                blank += 1
        self._rows = start + (part.num_rows if bulk is None else bulk.rows) - blank

    def stretch(self) -> Iterator[Entry]:
        return iter(())


class Gates:
    """The gates of a manifest whose tables have different columns from part to part."""

    def __init__(self, terms: Terms, manifest: Manifest, objects: Callable[[Manifest], Objects]) -> None:
        self._terms, self._notes, self._objects = terms, manifest.notes, objects
        self._gates: dict[tuple[Column, ...], Gate] = {}

    def decide(self, batch: pa.RecordBatch, header: Header, doubtful: Flags | None = None) -> Bulk | None:
        """The verdicts on one batch with this header."""
        shape = _Shape(batch, header)
        if doubtful is not None:
            shape.doubtful |= doubtful
        columns = tuple(shape.columns)
        gate = self._gates.get(columns)
        if gate is None:
            if len(self._gates) > 1000:
                self._gates.clear()
            shown = Header(columns, header.results)
            gate = self._gates[columns] = Gate(shown, self._terms, self._trial(shape), self._notes)
        return decide(gate, Part(batch.num_rows, shape.found, shape.doubtful)) if gate.usable else None

    def _trial(self, shape: "_Shape") -> Trial:
        """The careful pass on an object with these columns."""
        scratch = Manifest("", iter(()))
        objects = self._objects(scratch)
        headers = {column.index: column.header for column in shape.columns}
        inside = dict(shape.inside)

        def trial(sample: Mapping[int, Any]) -> tuple[Verdict, tuple[str, ...]] | None:
            found: dict[str, Any] = {}
            for index, value in sample.items():
                if index in inside:
                    outer, name = inside[index]
                    found.setdefault(outer, {})[name] = value
                else:
                    found[headers[index]] = value
            return quiet(lambda: objects.entry(1, None, found), scratch, self._terms.prices)

        own = [column.header for column in shape.columns if column.kind == "own"]
        objects.entry(
            1, None, dict.fromkeys(own, "x")
        )  # what is said once of a name is said in the row that has it first
        for each in (scratch.problems, scratch.warnings, scratch.notes):
            each.clear()
        return trial


class _Shape:
    """One batch as the gate sees it."""

    def __init__(self, batch: pa.RecordBatch, header: Header) -> None:
        self._batch, self._rows = batch, batch.num_rows
        self.columns: list[Column] = []
        self.found: dict[int, Texts | Typed] = {}
        self.doubtful: Flags = np.zeros(self._rows, dtype=np.bool_)
        #: Columns that are names inside an object: index -> (the object's column, the name).
        self.inside: dict[int, tuple[str, str]] = {}
        self._had: set[tuple[str, str]] = set()
        for column in header.columns:
            self._column(column, _plain(batch.column(column.index)))

    def _column(self, column: Column, array: pa.Array) -> None:
        if column.kind in ("ignored", "blank"):
            return
        if column.kind in ("key", "option") and not self._first(column):
            self.doubtful |= there(array)
            return
        if column.kind == "key" and column.key == "options" and not pa.types.is_string(array.type):
            self._options(column, array)
            return
        self.columns.append(column)
        if column.kind == "own":
            self._own(column, array)
        elif column.kind == "option":
            self._option(column, array)
        elif column.kind == "key" and column.key in ("image_input", "video_input") and _is_list(array):
            self.found[column.index] = self._addresses(array)
        elif column.kind == "key" and column.key == "id":
            self.found[column.index] = self._ids(array)
        else:
            self.found[column.index] = self._texts(array)

    def _first(self, column: Column) -> bool:
        """Whether no other column is the same key or option: who has two of them is left to care."""
        name = (column.kind, column.key)
        new = name not in self._had
        self._had.add(name)
        return new

    def _texts(self, array: pa.Array) -> Texts:
        if pa.types.is_string(array.type):
            return Texts.of(array)
        self.doubtful |= there(array)
        return Texts.empty(self._rows)

    def _ids(self, array: pa.Array) -> Texts:
        if pa.types.is_float64(array.type):
            numbers = Typed(array).numbers
            whole = (np.floor(numbers) == numbers) & (np.abs(numbers) < 1e15)
            self.doubtful |= there(array) & ~whole
            array = integers(np.where(whole, numbers, 0).astype(np.int64), whole)
        if pa.types.is_integer(array.type):
            return Texts.of(array.cast(pa.string()))
        return self._texts(array)

    def _own(self, column: Column, array: pa.Array) -> None:
        if pa.types.is_string(array.type):
            self.found[column.index] = Texts.of(array)
        elif _is_typed(array) or pa.types.is_null(array.type):
            self.found[column.index] = Typed(array if _is_typed(array) else array.cast(pa.int64()))
        if column.key == "own" and (pa.types.is_map(array.type) or _may_tell(array.type)):
            self.doubtful |= there(array)
        if any(Texts.of(leaf).holds("\0") for leaf in leaves_of(array) if pa.types.is_string(leaf.type)):
            self.doubtful |= there(array)

    def _option(self, column: Column, array: pa.Array) -> None:
        if _is_typed(array):
            self.found[column.index] = Typed(array)
        else:
            self.found[column.index] = self._texts(array)

    def _addresses(self, array: pa.Array) -> Texts:
        """Lists of addresses, each on a line of its own in one text."""
        filled = there(array)
        try:
            lists = array.cast(pa.list_(pa.string()))
        except pa.ArrowException:
            self.doubtful |= filled
            return Texts.empty(self._rows)
        joined = pc.binary_join(lists, _line_end())
        texts = Texts.of(joined)
        self.doubtful |= filled & ~(there(joined) & texts.filled)
        if Texts.of(lists.flatten()).holds("\n"):
            self.doubtful |= filled
        return texts

    def _options(self, column: Column, array: pa.Array) -> None:
        """An object: each of its names is a column. A blank text in it is sent, unlike a blank cell."""
        children: Iterable[tuple[str, pa.Array]]
        if pa.types.is_struct(array.type):
            children = zip([field.name for field in array.type], array.flatten(), strict=True)
        elif pa.types.is_map(array.type):
            children = self._of_map(array)
        else:
            self.doubtful |= there(array)
            return
        for name, child in children:
            inner = Column(len(self._batch.schema) + len(self.inside), f"{column.header}.{name}", "option", name)
            plain = _plain(child)
            if not name or not self._first(inner):
                self.doubtful |= there(plain)
                continue
            self.inside[inner.index] = (column.header, name)
            self.columns.append(inner)
            self._option(inner, plain)
            self.doubtful |= there(plain) & ~self.found[inner.index].filled

    def _of_map(self, array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
        """The columns of a map's names."""
        offsets = np.frombuffer(array.offsets.buffers()[1], dtype=np.int32)
        offsets = offsets[array.offsets.offset : array.offsets.offset + self._rows + 1]
        keys, items = _plain(array.keys), array.items
        names = Texts.of(keys).choices(NAMES) if pa.types.is_string(keys.type) else None
        if names is None:
            self.doubtful |= there(array)
            return
        places = np.arange(int(offsets[0]), int(offsets[-1]))
        rows = np.repeat(np.arange(self._rows), np.diff(offsets))
        for number, name in enumerate(names[1]):
            mine = names[0][places] == number
            at = np.full(self._rows, -1, dtype=np.int64)
            at[rows[mine]] = places[mine]
            twice = np.bincount(rows[mine], minlength=self._rows) > 1
            self.doubtful |= twice
            yield name, items.take(integers(at, at >= 0))


def _line_end() -> pa.Scalar:
    offsets = pa.py_buffer(np.array([0, 1], dtype=np.int32))
    return pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\n")])[0]


def _plain(array: pa.Array) -> pa.Array:
    """Text in its one form."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    return array


def _may_tell(kind: pa.DataType) -> bool:
    """Whether an object has a name that may say that the row is made already."""
    return pa.types.is_struct(kind) and any(made.kind_of(field.name) for field in kind)


def _is_typed(array: pa.Array) -> bool:
    kind = array.type
    return bool(pa.types.is_integer(kind) or pa.types.is_float64(kind) or pa.types.is_boolean(kind))


def _is_list(array: pa.Array) -> bool:
    kind = array.type
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def leaves_of(array: pa.Array) -> Iterator[pa.Array]:
    """The arrays that a nested one is made of."""
    array = _plain(array)
    if pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from leaves_of(child)
    elif pa.types.is_map(array.type):
        yield from leaves_of(array.keys)
        yield from leaves_of(array.items)
    elif _is_list(array):
        yield from leaves_of(array.flatten())
    else:
        yield array
