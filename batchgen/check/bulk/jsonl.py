"""JSON lines for the bulk pass: chunks of whole lines, read by arrow into columns of their own types.

Arrow is kinder than the careful reader (it takes NaN, very long numbers and deep nesting, and several objects
on a line), so that lines on which the two could differ are found first.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.json as arrow_json

from batchgen.check.bulk.arrow import Gates, leaves_of
from batchgen.check.bulk.columns import Flags, Numbers, Texts, floats, there
from batchgen.check.bulk.gate import Bulk, Terms
from batchgen.check.bulk.walk import STRETCH
from batchgen.manifest import Entry, Manifest, Place, Rows
from batchgen.manifest.columns import REQUIRED, Column, Header, one
from batchgen.manifest.feed import Chunk, Feed
from batchgen.manifest.json_text import refuse_other_json
from batchgen.manifest.jsonl import line_entry
from batchgen.manifest.names import near
from batchgen.manifest.objects import Objects
from batchgen.manifest.rows import row_entry

_NUL = b"\\u0000"
#: A number as large as this may have more digits than the careful reader takes, an object as deep more levels.
LARGE, DEEP = 1e299, 32
#: Objects with more different keys in one part are left to the careful reader.
WIDE = 1000


class JsonlSource:
    """A file of JSON objects, one a line; or rows in memory that were kept as one."""

    def __init__(self, path: Place, manifest: Manifest, terms: Terms) -> None:
        self._manifest, self._own = manifest, terms.options.own
        self._in_memory = isinstance(path, Rows)
        self._feed = Feed(path, None if self._in_memory else terms.options.encoding)
        self._path = path
        self._objects = Objects(manifest, self._own, whole=self._in_memory)
        self._gates = Gates(terms, manifest, lambda scratch: Objects(scratch, self._own, whole=self._in_memory))
        self._by = terms.by
        self._rows = 0
        self._texts: dict[str, pa.Field] = {}

    def parts(self) -> Iterator[Chunk | None]:
        while not self._feed.ended:
            yield self._feed.chunk(None)

    def decide(self, part: Chunk) -> Bulk | None:
        lines = _lines(part.data)
        batch = self._batch(part.data) if lines is not None else None
        if lines is None or batch is None or batch.num_rows != len(lines[0]) or "job_id" in batch.schema.names:
            return None
        doubtful = np.zeros(batch.num_rows, dtype=np.bool_)
        at = part.data.find(_NUL)
        while at >= 0:
            doubtful[int(np.searchsorted(lines[0], at, side="right")) - 1] = True
            at = part.data.find(_NUL, at + 1)
        columns, batch = self._columns(batch)
        for column in columns:
            self._doubt(column, batch, doubtful)
        return self._gates.decide(batch, Header(tuple(columns)), doubtful)

    def _batch(self, data: bytes) -> pa.RecordBatch | None:
        """The chunk as columns; None where arrow can't, or would take what the careful reader does not."""
        try:
            if not data.isascii():
                data.decode("utf-8")
            table = self._read(data)
            if times := [field for field in table.schema if _has_time(field.type)]:
                self._texts.update((field.name, field.with_type(_without_times(field.type))) for field in times)
                table = self._read(data)
        except (pa.ArrowException, UnicodeDecodeError):
            return None
        if not 0 < table.num_columns <= WIDE or max(_depth(field.type) for field in table.schema) >= DEEP:
            return None
        batch = table.combine_chunks().to_batches()[0]
        leaves = [leaf for name in batch.schema.names for leaf in leaves_of(batch.column(name))]
        numbers = [floats(leaf)[there(leaf)] for leaf in leaves if pa.types.is_float64(leaf.type)]
        return batch if all((np.abs(each) < LARGE).all() for each in numbers) else None

    def _read(self, data: bytes) -> pa.Table:
        explicit = pa.schema(list(self._texts.values())) if self._texts else None
        return arrow_json.read_json(
            pa.BufferReader(data),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=arrow_json.ParseOptions(explicit_schema=explicit),
        )

    def _columns(self, batch: pa.RecordBatch) -> tuple[list[Column], pa.RecordBatch]:
        names = batch.schema.names
        together = frozenset(names)
        columns = [one(index, name, together, self._own) for index, name in enumerate(names)]
        by = self._by
        if by is not None and by not in names and not any(c.key in ("options", "own") for c in columns):
            columns.append(Column(len(names), by, "own", by))
            batch = batch.append_column(by, pa.nulls(batch.num_rows, pa.string()))
        return columns, batch

    def _doubt(self, column: Column, batch: pa.RecordBatch, doubtful: Flags) -> None:
        """Rows that the careful reader must see for what a name means, or because they show a new column."""
        array = batch.column(column.index)
        filled = there(array)
        if column.kind == "own" and column.key == "own":
            children = [field.name for field in array.type] if pa.types.is_struct(array.type) else []
            for name, child in zip(children, array.flatten() if children else [], strict=True):
                if name not in self._manifest.columns:
                    _first_of(there(child), doubtful, otherwise=filled)
            if not children:
                doubtful |= filled
        elif column.kind == "own" and column.header not in self._own and near(column.header):
            doubtful |= filled
        elif column.kind == "key" and column.key != column.header:
            note = f'The key "{column.header}" is read as "{column.key}".'
            if note not in self._manifest.notes and not filled.any():
                doubtful[:] = True
        if column.key not in ("id", *REQUIRED) and column.shown_as not in self._manifest.columns:
            shows = filled
            if column.kind != "own" and pa.types.is_string(array.type):  # a blank text shows nothing
                first = Texts.of(array).first
                shows = (first > ord(" ")) & (first <= ord("~"))
            last = int(np.argmax(shows)) + 1 if shows.any() else len(shows)
            doubtful[:last] |= filled[:last]

    def careful(self, part: Chunk, bulk: Bulk | None) -> Iterator[Entry]:
        if bulk is None:
            yield from self._entries(Feed.over(part, 0, self._path), None)
            return
        if len(bulk.unsure) and (lines := _lines(part.data)) is not None:
            starts, numbers = lines
            for row in bulk.unsure.tolist():
                start = int(starts[row])
                end = part.data.find(b"\n", start)
                text = part.data[start : end if end >= 0 else len(part.data)].decode("utf-8")
                line = part.line + int(numbers[row]) + 1
                yield self._entry(self._rows + row + 1, line, text)
        self._rows += bulk.rows

    def _entry(self, number: int, line: int, text: str) -> Entry:
        if self._in_memory:
            return row_entry(self._objects, number, line, text)
        if number == 1:
            refuse_other_json(text, line)
        return line_entry(self._objects, number, line, text)

    def stretch(self) -> Iterator[Entry]:
        return self._entries(self._feed, STRETCH)

    def _entries(self, feed: Feed, most: int | None) -> Iterator[Entry]:
        until = None if most is None else feed.line + most
        for text in feed.lines():
            if text and not text.isspace():
                self._rows += 1
                yield self._entry(self._rows, feed.line, text)
            if until is not None and feed.line >= until:
                return


def _lines(data: bytes) -> tuple[Numbers, Numbers] | None:
    """Where each line that is not blank starts, and its number from 0; None where one is surely no single object.

    With as many objects as lines, each from a brace to a brace, every line is one object: behind a closing brace
    no JSON goes on with an opening one, and no text of JSON goes over a line's end.
    """
    text = np.frombuffer(data, dtype=np.uint8)
    feeds = np.flatnonzero(text == ord("\n"))
    starts, ends = np.concatenate(([0], feeds + 1)), np.concatenate((feeds, [len(data)]))
    if starts[-1] == len(data):
        starts, ends = starts[:-1], ends[:-1]
    ends = ends - ((ends > starts) & (text[ends - 1] == ord("\r")))
    full = ends > starts
    odd = full & ~((text[np.where(full, starts, 0)] == ord("{")) & (text[ends - 1] == ord("}")))
    for line in np.flatnonzero(odd).tolist():
        bare = data[starts[line] : ends[line]].strip()
        if bare and not (bare.startswith(b"{") and bare.endswith(b"}")):
            return None
        full[line] = bool(bare)
    return starts[full], np.flatnonzero(full)


def _first_of(filled: Flags, doubtful: Flags, otherwise: Flags | None = None) -> None:
    """The first filled row is doubtful; where there is none, those of `otherwise`."""
    if filled.any():
        doubtful[int(np.argmax(filled))] = True
    elif otherwise is not None:
        doubtful |= otherwise


def _depth(kind: pa.DataType) -> int:
    return 1 + max((_depth(kind.field(index).type) for index in range(kind.num_fields)), default=0)


def _has_time(kind: pa.DataType) -> bool:
    """Whether arrow took some text for a time."""
    return pa.types.is_timestamp(kind) or any(_has_time(kind.field(i).type) for i in range(kind.num_fields))


def _without_times(kind: pa.DataType) -> pa.DataType:
    """The same type with text for times; of an object only the names that need it."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_without_times(field.type)) for field in kind if _has_time(field.type)])
    if pa.types.is_list(kind):
        return pa.list_(_without_times(kind.value_type))
    return pa.string()
