"""The bytes of a CSV file with a cursor: line by line for the careful reader, in whole chunks for the quick one.

A chunk ends where a record ends. That is told by counting quotes, which is right only while every quote opens
or closes a cell or is doubled inside one; where a chunk has any other quote, there is no chunk, and the careful
reader goes on from the cursor. Both readers share the cursor, so they can take turns.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from batchgen.manifest.source import Place, Unreadable, encoding_trouble, utf8_blocks

#: Bytes of one chunk: large enough for whole-column work, small enough to stay in a few caches.
CHUNK = 4 << 20
#: No cell and no line is larger; an unclosed quote would otherwise pull the whole file into memory.
LARGEST_CELL = 16 << 20

_QUOTE, _LF, _CR = 34, 10, 13


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole records, quoted by the book, behind `line` physical lines; they are `ends` lines long."""

    data: bytes
    line: int
    ends: int

    def records(self) -> int:
        """How many spreadsheet rows the lines are: those that end inside of quotes count for none."""
        if b'"' not in self.data:
            return self.ends
        feeds, quotes = _positions(self.data, _LF), _positions(self.data, _QUOTE)
        return self.ends - int((np.searchsorted(quotes, feeds) % 2).sum())


class Feed:
    """One pass over a file. `line` counts the lines taken so far, `number` the records of the careful reader."""

    def __init__(self, path: Place, encoding: str | None) -> None:
        self._path = path
        self._size = CHUNK
        self._blocks = utf8_blocks(path, encoding, CHUNK)
        self._rest = b""
        self._ended = False
        self._trouble: Unreadable | None = None
        self._raws: list[bytes] = []
        self._at = 0
        self.line = 0
        self.number = 0

    @classmethod
    def over(cls, chunk: "Chunk", number: int, path: Place) -> "Feed":
        """A feed over one chunk, behind `number` spreadsheet rows, for the careful reader."""
        feed = cls.__new__(cls)
        feed._path, feed._size, feed._blocks = path, CHUNK, iter(())
        feed._rest, feed._ended, feed._raws, feed._at = chunk.data, True, [], 0
        feed._trouble = None
        feed.line, feed.number = chunk.line, number
        return feed

    def give_back(self) -> None:
        """Undo the taking of the last line."""
        self._at -= 1
        self.line -= 1

    def lines(self) -> Iterator[str]:
        """Physical lines with their ends (LF, CRLF or CR), each one taken when it is asked for."""
        while True:
            while self._at < len(self._raws):
                raw = self._raws[self._at]
                self._at += 1
                self.line += 1
                try:
                    yield raw.decode("utf-8")
                except UnicodeDecodeError:
                    raise encoding_trouble(self._path) from None
            self._raws, self._at = [], 0
            cut = self._whole_lines()
            if cut:
                part, self._rest = self._rest[:cut], self._rest[cut:]
                self._raws = part.splitlines(keepends=True)
            elif self._ended:
                if self._trouble is not None:
                    raise self._trouble
                return
            else:
                self._more()

    def _whole_lines(self) -> int:
        """The end of the last line that is surely complete; all of it at the end of the file."""
        if self._ended:
            return len(self._rest)
        cut = max(self._rest.rfind(b"\n"), self._rest.rfind(b"\r", 0, len(self._rest) - 1)) + 1
        if not cut and len(self._rest) > LARGEST_CELL:
            raise Unreadable("long_line", "A line is longer than 16 million characters.", "Is this a text file?")
        return cut

    def _more(self) -> None:
        try:
            block = next(self._blocks, b"")
        except Unreadable as trouble:  # it is told when everything before it was taken
            self._trouble, block = trouble, b""
            self._rest = self._rest[: max(self._rest.rfind(b"\n"), self._rest.rfind(b"\r")) + 1]
        self._rest += block
        self._ended = not block

    def chunk(self, delimiter: str | None) -> Chunk | None:
        """The next chunk of records; None at the end, or where only the careful reader can go on.

        Without a delimiter each line is a record, whatever quotes it has.
        """
        self._rest = b"".join(self._raws[self._at :]) + self._rest
        self._raws, self._at = [], 0
        while len(self._rest) < self._size and not self._ended:
            self._more()
        data = self._rest
        quotes = _positions(data, _QUOTE) if delimiter is not None and b'"' in data else None
        cut = len(data) if self._ended else _last_end(data, quotes)
        if not cut:
            return None
        if quotes is not None and delimiter is not None:
            quotes = quotes[: int(np.searchsorted(quotes, cut))]
            if not _by_the_book(data, quotes, cut, ord(delimiter)):
                return None
        taken = data[:cut]
        ends = _line_ends(taken)
        if ends is None or b"\0" in taken or taken.startswith(b"\xef\xbb\xbf"):
            return None
        found = Chunk(taken, self.line, ends)
        self._rest = data[cut:]
        self.line += ends
        return found

    @property
    def ended(self) -> bool:
        """Whether everything was taken."""
        return self._ended and not self._rest and self._at >= len(self._raws) and self._trouble is None


def _positions(data: bytes, byte: int) -> np.ndarray:
    return np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == byte)


def _last_end(data: bytes, quotes: np.ndarray | None) -> int:
    """Behind the last line feed that is outside of quotes; 0 without one."""
    at = data.rfind(b"\n")
    while quotes is not None and at >= 0 and (before := int(np.searchsorted(quotes, at))) % 2:
        at = data.rfind(b"\n", 0, int(quotes[before - 1]))
    return at + 1


def _by_the_book(data: bytes, quotes: np.ndarray, cut: int, delimiter: int) -> bool:
    """Whether every quote opens a cell, closes one, or is one half of a doubled quote."""
    if len(quotes) % 2:
        return False
    text = np.frombuffer(data, dtype=np.uint8)
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening > 0, text[np.maximum(opening - 1, 0)], _LF)
    after = np.where(closing + 1 < cut, text[np.minimum(closing + 1, len(data) - 1)], _LF)
    twin = np.zeros(len(opening), dtype=bool)
    twin[1:] = opening[1:] == closing[:-1] + 1
    starts = (before == delimiter) | (before == _LF) | (before == _CR) | twin
    twin_after = np.zeros(len(closing), dtype=bool)
    twin_after[:-1] = twin[1:]
    ends = (after == delimiter) | (after == _LF) | (after == _CR) | twin_after
    return bool(starts.all() and ends.all())


def _line_ends(data: bytes) -> int | None:
    """How many lines there are; None where a CR stands without an LF."""
    ends = data.count(b"\n")
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None
    return ends + (not data.endswith(b"\n"))
