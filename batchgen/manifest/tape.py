"""What a parser takes from a stream, kept for a while, so that others can go on from any line of it."""

from collections.abc import Iterator


def odd_breaks(text: bytes) -> bool:
    """Whether there is a line break that YAML counts and we don't: CR, NEL, LS, PS."""
    return any(mark in text for mark in (b"\r", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9"))


class Tape:
    """The blocks that a parser takes, kept to go back to a line; `strange` where lines can't be counted."""

    def __init__(self, rest: bytes, blocks: Iterator[bytes], *, keep: bool) -> None:
        self._pending, self._blocks, self._keep = rest, blocks, keep
        self._kept: list[bytes] = []
        self.ended = self.strange = False

    def read(self) -> bytes:
        block, self._pending = self._pending or next(self._blocks, b""), b""
        self.ended = not block
        if self._keep and block:
            self._kept.append(block)
            self.strange = self.strange or odd_breaks(block)
        return block

    def from_line(self, number: int) -> bytes:
        """Everything that was taken from line `number` (0 is the first) on."""
        text, at = b"".join(self._kept), 0
        for _ in range(number):
            at = text.index(b"\n", at) + 1
        return text[at:]


class Joined:
    """A stream for the parser: a prefix, then a tape."""

    def __init__(self, prefix: bytes, tape: Tape) -> None:
        self._rest, self._tape = prefix, tape

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = self._tape.read()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
