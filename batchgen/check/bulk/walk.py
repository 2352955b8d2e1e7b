"""One way through a manifest for every format: parts through the gate, and what it is not sure of with care.

Bulks and entries come in an order in which entries keep theirs.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from batchgen.check.bulk.gate import Bulk
from batchgen.manifest import Entry, Unreadable

P = TypeVar("P")
#: Parts that are decided at the same time, and lines that the careful reader takes at a stretch.
WORKERS, STRETCH = 2, 20_000


class Source(Protocol[P]):
    """A manifest that can be had in parts."""

    def parts(self) -> Iterator[P | None]:
        """The parts in order; None where only the careful reader can go on."""

    def decide(self, part: P) -> Bulk | None:
        """What columns say of a part, None for nothing; called in other threads."""

    def careful(self, part: P, bulk: Bulk | None) -> Iterator[Entry]:
        """The rows of a part of which the bulk is unsure, or all; called once for each part, in order."""

    def stretch(self) -> Iterator[Entry]:
        """The rows from the cursor on for a while."""


def walk(source: Source[P]) -> Iterator[Bulk | Entry]:
    """Everything that a manifest holds, the sure rows as sums."""
    waiting: deque[tuple[P, Future[Bulk | None]]] = deque()
    with ThreadPoolExecutor(WORKERS, "batchgen-gate") as pool:
        try:
            for part in _to_the_trouble(source.parts()):
                if part is None or isinstance(part, Unreadable):
                    most = 0
                else:
                    most = WORKERS
                    waiting.append((part, pool.submit(source.decide, part)))
                while len(waiting) > most:
                    yield from _settled(source, *waiting.popleft())
                if part is None:
                    yield from source.stretch()
                elif isinstance(part, Unreadable):
                    raise part
            while waiting:
                yield from _settled(source, *waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()


def _to_the_trouble(parts: Iterator[P | None]) -> Iterator[P | Unreadable | None]:
    """The parts, and last what is wrong: it is told when everything before it was."""
    try:
        yield from parts
    except Unreadable as trouble:
        yield trouble


def _settled(source: Source[P], part: P, decided: "Future[Bulk | None]") -> Iterator[Bulk | Entry]:
    bulk = decided.result()
    yield from source.careful(part, bulk)
    if bulk is not None:
        yield bulk
