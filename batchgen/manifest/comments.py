"""Where YAML takes the rest of a text for a comment: ` #` with no blank behind it, in a text without quotes."""

import re
from collections.abc import Iterator
from pathlib import Path

from batchgen.manifest.feed import Feed
from batchgen.manifest.source import ReadOptions

#: A line that may hold such a text; in bytes, to look for in a whole block.
MAY_CUT = re.compile(rb"\S[ \t]+#[^\s]")
_LINE = re.compile(r"\S[ \t]+#\S")
_REST = re.compile(r"[ \t]+(#\S[^\r\n]*)")


class Comments:
    """The lines of a file that may hold one, asked for in the order of the file."""

    def __init__(self, path: Path | str, options: ReadOptions) -> None:
        lines = enumerate(Feed(path, options.encoding).lines())
        self._lines: Iterator[tuple[int, str]] = ((number, line) for number, line in lines if _LINE.search(line))
        self._next: tuple[int, str] | None = None
        self._ended = False

    def behind(self, line: int, column: int) -> str:
        """The comment right behind a place (both from 0), from its # on; "" where there is none."""
        while not self._ended and (self._next is None or self._next[0] < line):
            self._next = next(self._lines, None)
            self._ended = self._next is None
        if self._next is None or self._next[0] != line:
            return ""
        found = _REST.match(self._next[1], column)
        return found[1].rstrip() if found else ""
