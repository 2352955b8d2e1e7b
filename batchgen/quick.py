"""A CSV file for the survey: chunks through the gate, and only what it is not sure of through the careful path.

Bulks and entries come in an order in which entries keep theirs. Where a chunk can't be told (quotes in odd
places) the careful reader takes a stretch of the file, then chunks are tried again.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from batchgen.gate import Bulk, Gate
from batchgen.identity import Suspects
from batchgen.manifest import Entry, Manifest, ReadOptions, Unreadable
from batchgen.manifest.cells import Cells, is_blank
from batchgen.manifest.csv import Sheet, records, understand_header
from batchgen.manifest.feed import Chunk, Feed
from batchgen.pricing import PriceTable

#: Chunks that are decided at the same time, and lines that the careful reader takes at a stretch.
WORKERS, STRETCH = 2, 20_000


def quick_csv(
    path: Path | str,
    manifest: Manifest,
    options: ReadOptions,
    prices: PriceTable,
    by: str | None,
    suspects: Suspects,
) -> Iterator[Bulk | Entry]:
    """What `read_csv` gives, with the sure rows as sums. Whole-file trouble ends it, as a problem of `manifest`."""
    try:
        sheet = Sheet(path, options)
        header = understand_header(sheet.header, manifest, options)
        cells = Cells(manifest, header)
        gate = None
        if not manifest.problems:
            gate = Gate(header, sheet.delimiter, prices, by, suspects)
        yield from _Quick(path, sheet, cells, gate if gate is not None and gate.usable else None).read()
    except Unreadable as trouble:
        manifest.problems.append(trouble.problem(manifest.name))


class _Quick:
    def __init__(self, path: Path | str, sheet: Sheet, cells: Cells, gate: Gate | None) -> None:
        self._path = path
        self._sheet, self._cells, self._gate = sheet, cells, gate
        self._rows = 0

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
                waiting.append((chunk, pool.submit(gate.decide, chunk)))
                if len(waiting) > WORKERS:
                    yield from self._settled(*waiting.popleft())
            while waiting:
                yield from self._settled(*waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()

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
                if is_blank(record.cells):
                    continue
                self._rows += 1
                yield self._cells.entry(self._rows, record.line, record.number, record.cells)
            else:
                self._rows += 1

    def _stretch(self, feed: Feed, most: int | None) -> Iterator[Entry]:
        """Rows read with care: to the end of the feed, or `most` lines and then to the end of a record."""
        until = None if most is None else feed.line + most
        for record in records(feed, self._sheet.delimiter):
            if not is_blank(record.cells):
                self._rows += 1
                yield self._cells.entry(self._rows, record.line, record.number, record.cells)
            if until is not None and feed.line >= until:
                return
