"""CSV for the bulk pass: chunks of whole records, read by arrow; lines and row numbers by the careful reader.

Where a chunk can't be told (quotes in odd places) the careful reader takes a stretch of the file, then chunks
are tried again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from batchgen.check.bulk.columns import Part, Texts
from batchgen.check.bulk.decide import decide
from batchgen.check.bulk.gate import Bulk, Gate, Terms, Trial, quiet
from batchgen.check.bulk.walk import STRETCH
from batchgen.check.verdict import Verdict
from batchgen.manifest import Entry, Manifest, Place
from batchgen.manifest.cells import Cells
from batchgen.manifest.columns import Header
from batchgen.manifest.csv import Sheet, records, understand_header
from batchgen.manifest.feed import Chunk, Feed


class CsvSource:
    """A CSV or TSV file. Unreadable where its header can't be understood."""

    def __init__(self, path: Place, manifest: Manifest, terms: Terms) -> None:
        self._path = path
        self._sheet = Sheet(path, terms.options, titled=True)
        header = understand_header(self._sheet.header, manifest, terms.options)
        self._cells = Cells(manifest, header, quotes=True)
        self._names = [str(index) for index in range(self._cells.width)]
        self._rows = 0
        self._gate: Gate | None = None
        if not manifest.problems:
            gate = Gate(header, terms, _trial(header, terms), manifest.notes)
            self._gate = gate if gate.usable else None

    def parts(self) -> Iterator[Chunk | None]:
        feed = self._sheet.feed
        while not feed.ended:
            chunk = feed.chunk(self._sheet.delimiter) if self._gate is not None else None
            yield chunk

    def decide(self, part: Chunk) -> Bulk | None:
        """Columns, then verdicts. Arrow refuses ragged rows, and bad UTF-8 in any column."""
        gate = self._gate
        if gate is None:
            return None
        try:
            table = self._table(gate, part.data)
        except pa.ArrowException:
            return None
        columns = {int(name): Texts.of(table[name].combine_chunks()) for name in table.column_names}
        return decide(gate, Part(table.num_rows, {**columns}, np.zeros(table.num_rows, dtype=np.bool_)))

    def _table(self, gate: Gate, data: bytes) -> pa.Table:
        plain = data.isascii()
        wanted = {column.index for column in gate.needed}
        return arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(
                use_threads=False, column_names=self._names, block_size=len(data) + 1
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=self._sheet.delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(self._names, pa.binary() if plain else pa.string()),
                strings_can_be_null=False,
                include_columns=[name for name in self._names if int(name) in wanted or not plain],
            ),
        )

    def careful(self, part: Chunk, bulk: Bulk | None) -> Iterator[Entry]:
        feed = self._sheet.feed
        if bulk is None:
            yield from self._entries(Feed.over(part, feed.number, self._path), None)
        elif len(bulk.unsure):
            yield from self._unsure(part, bulk)
        else:
            self._rows += bulk.rows
        whole = bulk is not None and bulk.rows == part.ends  # each line is a row
        feed.number += part.ends if whole else part.records()

    def _unsure(self, part: Chunk, bulk: Bulk) -> Iterator[Entry]:
        """The rows of a chunk that need care, with their true numbers and lines."""
        wanted = iter(bulk.unsure.tolist())
        next_one = next(wanted)
        index = -1  # as arrow counts: empty lines are none
        for record in records(Feed.over(part, self._sheet.feed.number, self._path), self._sheet.delimiter):
            if not record.cells:
                continue
            index += 1
            if index == next_one:
                next_one = next(wanted, -1)
                if self._cells.is_no_row(record.line, record.number, record.cells):
                    continue
                self._rows += 1
                yield self._cells.entry(self._rows, record.line, record.number, record.cells)
            else:
                self._rows += 1

    def stretch(self) -> Iterator[Entry]:
        yield from self._entries(self._sheet.feed, STRETCH if self._gate is not None else None)

    def _entries(self, feed: Feed, most: int | None) -> Iterator[Entry]:
        """Rows read with care: to the end of the feed, or `most` lines and then to the end of a record."""
        until = None if most is None else feed.line + most
        for record in records(feed, self._sheet.delimiter):
            if not self._cells.is_no_row(record.line, record.number, record.cells):
                self._rows += 1
                yield self._cells.entry(self._rows, record.line, record.number, record.cells)
            if until is not None and feed.line >= until:
                return


def _trial(header: Header, terms: Terms) -> Trial:
    """The careful pass on a record of this table."""
    scratch = Manifest("", iter(()))
    cells = Cells(scratch, header, quotes=True)

    def trial(sample: Mapping[int, Any]) -> tuple[Verdict, tuple[str, ...]] | None:
        record = [sample.get(index, "") for index in range(cells.width)]
        return quiet(lambda: cells.entry(1, None, 1, record), scratch, terms.prices)

    return trial
