"""Lines of a table whose rows are all good, as the careful pass would make them, in a tenth of its time.

Rows that have the same cells but for prompt, addresses, id and columns of one's own differ in these words alone. So
the careful pass makes the first of them, and the others are its text with their own words put in.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring as _quoted
from operator import itemgetter
from typing import Any

from batchgen.check.identity import JobIds
from batchgen.check.line import Line, json_text
from batchgen.check.prices import PriceTable
from batchgen.check.verdict import judge
from batchgen.job import canonical_json, fingerprint_of
from batchgen.manifest import Manifest, values, words
from batchgen.manifest.cells import Cells
from batchgen.manifest.columns import Column, Header
from batchgen.results.formula import unguard

#: json's own way to quote a text, in C where there is one.
quoted: Callable[[str], str] = getattr(json.encoder, "c_encode_basestring", None) or _quoted
#: With more different rows than this they are made anew.
MOST = 5000
_INPUTS = ("image_input", "video_input")
#: Stand for words that differ from row to row.
_HOLES = {key: f"\ue000{key}\ue001" for key in ("prompt", *_INPUTS)}
_OWN = "\ue000own\ue001"
#: Characters that are seen: a text that begins with one is not blank.
_SEEN = frozenset(map(chr, range(0x21, 0x7F)))
#: One plain address.
_ONE = re.compile(r"https?://[A-Za-z0-9_~%/.@?=&+-]*[A-Za-z0-9_/-]")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What rows have that differ in words alone, with a %s for each word.

    `asked` are the words of the request in its own order, `in_order` in that of the canonical spelling.
    """

    request: str
    asked: tuple[str, ...]
    canonical: str
    in_order: tuple[str, ...]
    cells: str
    names: tuple[str, str, str]
    price: int


class Assembly:
    """Makes lines of the records of one table. Made once for its header."""

    def __init__(self, header: Header, manifest: Manifest, prices: PriceTable) -> None:
        self._name, self._prices, self._results = manifest.name, prices, header.results
        self._scratch = Manifest(manifest.name, iter(()))
        self._cells = Cells(self._scratch, header)
        columns = header.columns
        self.width = len(columns)
        #: Whether words are all that differs: a column that stands in for another makes rows of one pattern differ.
        self.usable = not any(column.is_film for column in columns)
        self._id = next((c.index for c in columns if c.kind == "key" and c.key == "id"), None)
        self._words = {c.key: c.index for c in columns if c.kind == "key" and c.key in _HOLES}
        self._fixed = [c.index for c in columns if c.kind in ("key", "option") and not _differs(c)]
        #: Of each name that results.csv shows again, the column that differs from row to row.
        self._shown = {c.shown_as: c.index for c in columns if _differs(c) and c.key != "id"}
        self._own = tuple(self._shown.values())
        self._key = itemgetter(*self._fixed)
        self._patterns: dict[tuple[object, ...], _Pattern] = {}

    def line(self, record: Sequence[str], number: int, line: int, names: JobIds | None) -> Line:
        """The line of a record that has the table's width; `names` where ids may be those of other rows."""
        if self._results:
            record = [unguard(cell) if cell.startswith("'") else cell for cell in record]
        key, dense, spaced = self._key(record), {}, {}
        for name, index in self._words.items():
            text = record[index]
            if text and (text[0] in _SEEN or not words.is_blank(text)):
                word = quoted(text)
                if name == "prompt":
                    dense[name] = spaced[name] = word
                elif _ONE.fullmatch(text):
                    dense[name] = spaced[name] = f"[{word}]"
                else:
                    dense[name], spaced[name] = _listed(text)
        pattern = self._patterns.get((key, *dense)) or self._pattern((key, *dense), record)
        canonical = pattern.canonical % tuple([dense[name] for name in pattern.in_order])
        content = fingerprint_of(canonical.encode("utf-8", "surrogatepass"))
        own = record[self._id].strip() if self._id is not None else ""
        if own and words.is_blank(own):
            own = ""
        if names is None:
            own = own or content
        else:
            own = names.name(own, content, (self._name, number, line), valid=True).job_id
        return Line(
            self._name, number, line, own,
            pattern.cells % tuple([quoted(record[index]) for index in self._own]), None, 1, content,
            pattern.request % tuple([spaced[name] for name in pattern.asked]), *pattern.names, pattern.price,
        )  # fmt: skip

    def _pattern(self, key: tuple[object, ...], record: Sequence[str]) -> _Pattern:
        verdict = judge(self._cells.entry(1, None, 1, record), self._scratch, self._prices, None)
        if verdict.request is None:
            raise RuntimeError(f"a row that was good is not: {verdict.problems}")
        sample: dict[str, Any] = {name: _HOLES.get(name, value) for name, value in verdict.request.items()}
        shown = {name: _OWN if name in self._shown else text for name, text in verdict.row.cells.items()}
        found = _Pattern(
            _with_holes(json_text(sample), _HOLES.values()),
            tuple(name for name in sample if name in _HOLES),
            _with_holes(canonical_json(sample).decode("utf-8", "surrogatepass"), _HOLES.values()),
            tuple(name for name in sorted(sample) if name in _HOLES),
            _with_holes(
                json_text({name: _OWN if name in self._shown else text for name, text in shown.items()}), [_OWN]
            ),
            (sample["provider"], sample["model"], sample["scene"]),
            verdict.price,
        )
        if len(self._patterns) > MOST:
            self._patterns.clear()
        self._patterns[key] = found
        return found


def _differs(column: Column) -> bool:
    return column.kind == "own" or (column.kind == "key" and column.key in ("id", *_HOLES))


def _with_holes(text: str, holes: Any) -> str:
    text = text.replace("%", "%%")
    for hole in holes:
        text = text.replace(quoted(hole), "%s")
    return text


def _listed(text: str) -> tuple[str, str]:
    """The addresses of a cell as a JSON list, without blanks and with them."""
    found = [quoted(address) for address in values.urls(text)]
    return f"[{','.join(found)}]", f"[{', '.join(found)}]"
