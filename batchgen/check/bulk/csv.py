"""A CSV file for the survey: chunks through the gate, and only what it is not sure of through the careful path.

Bulks and entries come in an order in which entries keep theirs. Where a chunk can't be told (quotes in odd
places) the careful reader takes a stretch of the file, then chunks are tried again.
"""

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from batchgen.check.bulk.columns import Texts
from batchgen.check.bulk.decide import Bulk, Gate, Terms
from batchgen.manifest import Entry, Manifest, Unreadable
from batchgen.manifest.cells import Cells
from batchgen.manifest.csv import Sheet, records, understand_header
from batchgen.manifest.feed import Chunk, Feed

#: Chunks that are decided at the same time, and lines that the careful reader takes at a stretch.
WORKERS, STRETCH = 2, 20_000


def quick_csv(path: Path | str, manifest: Manifest, terms: Terms) -> Iterator[Bulk | Entry]:
    """What `read_csv` gives, with the sure rows as sums. Whole-file trouble ends it, as a problem of `manifest`."""
    try:
        sheet = Sheet(path, terms.options, titled=True)
        header = understand_header(sheet.header, manifest, terms.options)
        cells = Cells(manifest, header, quotes=True)
        gate = None
        if not manifest.problems:
            gate = Gate(header, terms)
        yield from _Quick(path, sheet, cells, gate if gate is not None and gate.usable else None).read()
    except Unreadable as trouble:
        manifest.problems.append(trouble.problem(manifest.name))


class _Quick:
    def __init__(self, path: Path | str, sheet: Sheet, cells: Cells, gate: Gate | None) -> None:
        self._path = path
        self._sheet, self._cells, self._gate = sheet, cells, gate
        self._rows = 0
        self._names = [str(index) for index in range(cells.width)]
        self._with_ids = gate is not None and "id" in gate.key

    def read(self) -> Iterator[Bulk | Entry]:
        """Alternate between chunks and stretches until the file ends."""
        feed = self._sheet.feed
        with ThreadPoolExecutor(WORKERS, "batchgen-gate") as pool:
            while not feed.ended:
                if self._gate is not None:
                    yield from self._chunks(self._gate, pool)
                yield from self._stretch(feed, STRETCH if self._gate is not None else None)

    def _chunks(self, gate: Gate, pool: ThreadPoolExecutor) -> Iterator[Bulk | Entry]:
        """As many chunks as follow each other, decided side by side, given in order."""
        waiting: deque[tuple[Chunk, Future[Bulk | None]]] = deque()
        try:
            while (chunk := self._sheet.feed.chunk(self._sheet.delimiter)) is not None:
                waiting.append((chunk, pool.submit(self._decide, gate, chunk)))
                if len(waiting) > WORKERS:
                    yield from self._settled(*waiting.popleft())
            while waiting:
                yield from self._settled(*waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()

    def _decide(self, gate: Gate, chunk: Chunk) -> Bulk | None:
        """Columns, then verdicts; runs in a thread of its own."""
        if self._with_ids:
            if (found := self._try(gate, chunk, with_ids=True)) is not None:
                return found
            self._with_ids = False  # some rows have no id: all their columns count
        return self._try(gate, chunk, with_ids=False)

    def _try(self, gate: Gate, chunk: Chunk, *, with_ids: bool) -> Bulk | None:
        try:
            table = self._table(gate, chunk.data)
        except pa.ArrowException:
            return None
        if not table.num_rows:
            return Bulk(0, np.empty(0, dtype=np.int64), Counter())
        columns = {int(name): Texts.of(table[name]) for name in table.column_names}
        return gate.decide(columns, chunk.data, with_ids=with_ids)

    def _table(self, gate: Gate, data: bytes) -> pa.Table:
        """The needed columns; arrow refuses ragged rows, and bad UTF-8 in any column."""
        plain = data.isascii()
        wanted = {column.index for column in gate.needed()}
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

    def _settled(self, chunk: Chunk, decided: "Future[Bulk | None]") -> Iterator[Bulk | Entry]:
        bulk, feed = decided.result(), self._sheet.feed
        if bulk is None:
            yield from self._stretch(Feed.over(chunk, feed.number, self._path), None)
        elif len(bulk.unsure):
            yield from self._unsure(chunk, bulk)
        else:
            self._rows += bulk.rows
        if bulk is not None:
            yield bulk
        whole = bulk is not None and bulk.rows == chunk.ends  # each line is a row
        feed.number += chunk.ends if whole else chunk.records()

    def _unsure(self, chunk: Chunk, bulk: Bulk) -> Iterator[Entry]:
        """The rows of a chunk that need care, with their true numbers and lines."""
        wanted = iter(bulk.unsure.tolist())
        next_one = next(wanted)
        index = -1  # as arrow counts: empty lines are none
        for record in records(Feed.over(chunk, self._sheet.feed.number, self._path), self._sheet.delimiter):
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

    def _stretch(self, feed: Feed, most: int | None) -> Iterator[Entry]:
        """Rows read with care: to the end of the feed, or `most` lines and then to the end of a record."""
        until = None if most is None else feed.line + most
        for record in records(feed, self._sheet.delimiter):
            if not self._cells.is_no_row(record.line, record.number, record.cells):
                self._rows += 1
                yield self._cells.entry(self._rows, record.line, record.number, record.cells)
            if until is not None and feed.line >= until:
                return
