"""A YAML manifest for the survey: entries that a program wrote alike, decided by whole columns.

The jobs must be a plain list to which nothing but one-line texts and numbers belongs. An entry counts only
where each of its lines is certain to be what it looks like (a plain or quoted text that ends on its line, no
anchors, no tags); from the first doubtful one on the YAML parser takes a stretch, then the pattern is tried
again. After an anchor the parser keeps the rest.
"""

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from batchgen import sure
from batchgen.gate import Bulk, Gate
from batchgen.identity import Suspects
from batchgen.manifest import Entry, Manifest, ReadOptions, Unreadable
from batchgen.manifest.columns import Column, Header
from batchgen.manifest.expand import Expander
from batchgen.manifest.layout import Layout, learn
from batchgen.manifest.source import utf8_blocks
from batchgen.manifest.yaml import TEXT_KEYS, Walk, job_mapping, look_ahead, read_yaml
from batchgen.manifest.yaml_events import Keyed, Written, events
from batchgen.pricing import PriceTable
from batchgen.sure import Flags, Texts

#: Bytes of one chunk, and entries that the parser takes at a stretch.
CHUNK, STRETCH = 1 << 20, 500
#: When the pattern has decided fewer rows than the parser after this many, the parser keeps the rest.
PATIENCE = 5000

_JOBS = re.compile(rb"^jobs:[ ]*\n(?:[ ]*(?:#[^\n]*)?\n)*([ ]*)(?=- )", re.MULTILINE)
_BARE = re.compile(rb"(?:[ ]*(?:#[^\n]*)?\n)*(?=- )")


def quick_yaml(
    path: Path | str,
    manifest: Manifest,
    options: ReadOptions,
    prices: PriceTable,
    by: str | None,
    suspects: Suspects,
) -> Iterator[Bulk | Entry]:
    """What `read_yaml` gives, with the sure rows as sums. Whole-file trouble ends it, as a problem."""
    try:
        quick = _Quick(path, manifest, options, prices, by, suspects)
        late = look_ahead(path, options)
        if not late and quick.start():
            yield from quick.read()
        else:
            yield from read_yaml(path, manifest, options, late=late)
    except Unreadable as trouble:
        manifest.problems.append(trouble.problem(manifest.name))


class _Quick:
    def __init__(
        self,
        path: Path | str,
        manifest: Manifest,
        options: ReadOptions,
        prices: PriceTable,
        by: str | None,
        suspects: Suspects,
    ) -> None:
        self._path, self._manifest, self._options = path, manifest, options
        self._prices, self._by, self._suspects = prices, by, suspects
        self._blocks = utf8_blocks(path, options.encoding, CHUNK)
        self._rest = b""
        self._line = 1
        self._ended = False
        self._head: Walk | None = None
        self._gates: dict[tuple[Any, ...], Gate] = {}
        self._decided = self._parsed = 0

    def start(self) -> bool:
        """Read up to the first entry; False where this manifest is not for the pattern."""
        self._rest = next(self._blocks, b"")
        if (self._by or "").startswith("options") or b"\r" in self._rest or not self._rest:
            return False
        found = _JOBS.search(self._rest) or _BARE.match(self._rest)
        if found is None:
            return False
        self._indent = found[1] if found.re is _JOBS else b""
        self._listed = found.re is _BARE
        end = found.end() - len(self._indent)
        head = b"" if self._listed else self._rest[: found.start()]
        if re.search(rb"[&*!%\t]|^---|^\.\.\.", head, re.MULTILINE) or _odd_breaks(self._rest[:end]):
            return False
        scratch = Manifest("", iter(()))
        walk = Walk(self._path, scratch, self._options, events(head + b"\njobs: []\n"))
        try:
            list(walk.jobs(None))
        except Unreadable:
            return False
        self._defaults = walk.defaults or Keyed(None)
        if scratch.problems or not _plain_defaults(self._defaults):
            return False
        self._seen = walk.seen - {"jobs"}
        self._expander = Expander(self._path, self._manifest, self._options, self._defaults)
        self._line += self._rest.count(b"\n", 0, end)
        self._rest = self._rest[end:]
        return not self._manifest.problems

    def read(self) -> Iterator[Bulk | Entry]:
        """Alternate between the pattern and the parser until the file ends."""
        while True:
            yield from self._chunks()
            if self._ended and not self._rest:
                return
            patient = self._parsed < PATIENCE or self._decided > self._parsed
            if (yield from self._stretch(STRETCH if patient else None)):
                return

    def _chunks(self) -> Iterator[Bulk | Entry]:
        """As many chunks as fit one layout after the other."""
        while True:
            while len(self._rest) < CHUNK and not self._ended:
                block = next(self._blocks, b"")
                self._rest += block
                self._ended = not block
            end = len(self._rest) if self._ended else self._rest.rfind(b"\n" + self._indent + b"- ") + 1
            text = self._rest[:end]
            layout = learn(text[: 1 << 16], self._indent) if text and b"\r" not in text else None
            part = _Part.of(text, layout) if layout is not None else None
            bulk = self._decide(part) if part is not None and part.count else None
            if part is None or bulk is None:
                return
            yield from self._settled(part, bulk)
            self._decided += part.count
            self._line += self._rest.count(b"\n", 0, part.end)
            self._rest = self._rest[part.end :]
            if part.end < len(text) or not self._rest:
                return

    def _decide(self, part: "_Part") -> Bulk | None:
        columns = part.columns(self._defaults)
        if columns is None:
            return None
        header = Header(tuple(columns.header))
        key = tuple((c.kind, c.key, c.as_type, c.header) for c in header.columns)
        if key not in self._gates:
            self._gates[key] = Gate(header, self._prices, self._by, self._suspects)
        gate = self._gates[key]
        if not {"provider", "model", "scene"} <= gate.key.keys() or not gate.usable:
            return None
        bulk = gate.decide(dict(enumerate(columns.texts)), part.text, with_ids=False, doubtful=columns.doubtful)
        if bulk is not None:
            certain = np.ones(part.count, dtype=np.bool_)
            certain[bulk.unsure] = False
            for name in part.shown(columns, certain, self._defaults):
                self._manifest.columns.setdefault(name)
        return bulk

    def _settled(self, part: "_Part", bulk: Bulk) -> Iterator[Bulk | Entry]:
        """The rows that need care, by the parser, each from its own lines."""
        first = self._expander.number
        if len(bulk.unsure):
            starts = part.starts()
            line, at = self._line, 0
            for index in bulk.unsure.tolist():
                line += part.text.count(b"\n", at, starts[index])
                at = starts[index]
                self._expander.number = first + index
                yield from self._one(part.text[at : starts[index + 1]], line)
        self._expander.number = first + part.count
        yield bulk

    def _one(self, text: bytes, line: int) -> Iterator[Entry]:
        builder = events(text, line)
        for _ in range(3):  # stream, document, list
            builder.next()
        yield from self._expander.expand(job_mapping(builder, builder.next()))

    def _stretch(self, most: int | None) -> Generator[Entry, None, bool]:
        """Entries by the parser, up to `most` or to the end; gives True at the end of the file."""
        tape = _Tape(self._rest, self._blocks, keep=most is not None)
        prefix = b"" if self._listed else b"jobs:\n"
        builder = events(_Joined(prefix, tape), self._line - bool(prefix))
        taken = 0

        def stop(_line: int) -> bool:
            nonlocal taken
            taken += 1
            return most is not None and taken > most and not builder.anchors and not tape.strange

        walk = Walk(self._path, self._manifest, self._options, builder, self._expander, stop, seen=set(self._seen))
        before = self._expander.number
        yield from walk.jobs(None)
        self._parsed += self._expander.number - before
        if walk.stopped_at is None:
            return True
        self._rest, self._ended = tape.from_line(walk.stopped_at - self._line), tape.ended
        self._line = walk.stopped_at
        return False


@dataclass(slots=True)
class _Columns:
    """The columns of a part, as the gate wants them, and rows that only the parser can read."""

    doubtful: Flags
    templated: Flags
    header: list[Column] = field(default_factory=list)
    texts: list[Texts] = field(default_factory=list)

    def add(self, kind: str, key: str, texts: Texts, as_type: str = "text", header: str = "") -> None:
        self.header.append(Column(len(self.header), header or key, kind, key, as_type))
        self.texts.append(texts)


@dataclass(slots=True)
class _Part:
    """Entries at the start of a chunk whose every line is certain: `count` of them, up to `end`."""

    text: bytes
    layout: Layout
    found: list[tuple[bytes, ...]]
    end: int

    @property
    def count(self) -> int:
        return len(self.found)

    @classmethod
    def of(cls, text: bytes, layout: Layout) -> "_Part | None":
        """The certain entries; None where the text is not UTF-8."""
        found = layout.pattern.findall(text)
        end = len(text)
        if found and (tail := found[-1][-1]):
            found.pop()
            end -= len(tail)
            if found and not tail.startswith(layout.indent + b"- "):  # the last entry goes on
                found.pop()
                end = text.rfind(b"\n" + layout.indent + b"-", 0, end) + 1
        part = cls(text, layout, found, end)
        try:
            certain = part._certain()
        except pa.ArrowInvalid:
            return None
        if certain < len(found):
            part.end = part.starts()[certain]
            del found[certain:]
        return part

    def _certain(self) -> int:
        """How many entries there are before the first doubtful line."""
        first = len(self.found)
        for index in range(len(self.layout.paths)):
            texts = self.raw(index)
            good = (texts.sizes == 0) | sure.plain_scalars(texts)
            if not good.all():
                first = min(first, int(np.argmin(good)))
        return first

    def raw(self, index: int) -> Texts:
        """The raw texts of one key."""
        return self._texts([entry[index] for entry in self.found])

    def _texts(self, found: list[bytes]) -> Texts:
        return Texts.of(pa.chunked_array([pa.array(found, self._kind)]))

    @property
    def _kind(self) -> Any:
        return pa.binary() if self.text.isascii() else pa.string()

    def starts(self) -> list[int]:
        """Where each entry starts, and where the last one ends."""
        places = [m.start() for m in re.finditer(rb"^" + self.layout.indent + rb"- ", self.text[: self.end], re.M)]
        return [*places, self.end]

    def columns(self, defaults: Keyed) -> _Columns | None:
        """The columns with the defaults filled in; None where a default can't be said in one cell."""
        found = _Columns(np.zeros(self.count, dtype=np.bool_), np.zeros(self.count, dtype=np.bool_))
        own, options = defaults.get("own") or {}, defaults.get("options") or {}
        for index, path in enumerate(self.layout.paths):
            raw = [entry[index] for entry in self.found]
            if b": null\n" in self.text and path[0] != "options":
                found.doubtful |= np.array([text == b"null" for text in raw], dtype=np.bool_)
            if b"{{" in self.text:
                found.templated |= np.array([b"{{" in text for text in raw], dtype=np.bool_)
            if path[0] == "options":
                default = _raw(options[path[1]]) if path[1] in options else b""
                if default is None:
                    return None
                filled = [text or default for text in raw] if default else raw
                found.add("option", path[1], self._texts(filled), "yaml", f"options.{path[1]}")
            else:
                default = _said((own if path[0] == "own" else defaults).get(path[-1])).encode("utf-8")
                texts = self._texts([_unquoted(text) if text else default for text in raw])
                found.add("own" if path[0] == "own" else "key", path[-1], texts)
        self._constants(defaults, found)
        found.doubtful |= found.templated
        return found

    def _constants(self, defaults: Keyed, found: _Columns) -> None:
        """Columns of which only the defaults speak."""
        have = set(self.layout.paths)
        for key, value in defaults.items():
            if key == "options":
                for name in [name for name in value or {} if ("options", name) not in have]:
                    text = json.dumps(value[name], ensure_ascii=False)
                    found.add("option", name, self._same(text), "json", f"options.{name}:json")
            elif key == "own":
                for name in [name for name in value or {} if ("own", name) not in have]:
                    found.add("own", name, self._same(_said(value[name])))
            elif (key,) not in have and value is not None:
                found.add("key", key, self._same(value))

    def _same(self, text: str) -> Texts:
        kind = pa.binary() if text.isascii() else pa.string()
        return Texts.of(pa.chunked_array([pa.repeat(pa.scalar(text.encode("utf-8"), kind), self.count)]))

    def shown(self, columns: _Columns, certain: Flags, defaults: Keyed) -> list[str]:
        """The columns that results.csv shows again, in the order in which the rows have them."""
        names = {key: 0 for key in ("options", "own") if defaults.get(key) is not None}
        firsts: list[tuple[int, int, str]] = []
        for index, (column, texts) in enumerate(zip(columns.header, columns.texts, strict=True)):
            written = column.kind == "own" and index < len(self.layout.paths)
            there = (self.raw(index).sizes > 0) & ~columns.templated if written else (texts.sizes > 0) & certain
            shows = "options" if column.kind == "option" else column.key
            if there.any() and shows not in TEXT_KEYS - {"prompt", "image_input", "video_input"}:
                firsts.append((int(np.argmax(there)), index, shows))
        known = [*(defaults.get("own") or {}), *(["options"] if "options" in names else [])]
        return [*known, *(name for _, _, name in sorted(firsts))]


def _plain_defaults(defaults: Keyed) -> bool:
    """Whether the defaults are texts and simple options, so that columns can hold them."""
    for key, value in defaults.items():
        if key in ("options", "own"):
            if not isinstance(value, dict | None) or "{{" in json.dumps(value):
                return False
        elif key == "id" or key not in TEXT_KEYS or not isinstance(value, str | None) or "{{" in (value or ""):
            return False
    return not defaults.troubles


def _said(value: Any) -> str:
    """An own default, or a text, as its cell."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _raw(value: Any) -> bytes | None:
    """A default as a scalar that reads back as itself; None for what takes more than that."""
    if isinstance(value, str):
        return f'"{value}"'.encode() if value.isprintable() and not set(value) & {'"', "\\"} else None
    if isinstance(value, Written):
        return value.text.encode()
    return json.dumps(value).encode() if isinstance(value, bool | int | None) else None


def _unquoted(text: bytes) -> bytes:
    return text[1:-1] if text[:1] in (b'"', b"'") else text


def _odd_breaks(text: bytes) -> bool:
    """Whether there is a line break that YAML counts and we don't: CR, NEL, LS, PS."""
    return any(mark in text for mark in (b"\r", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9"))


class _Tape:
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
            self.strange = self.strange or _odd_breaks(block)
        return block

    def from_line(self, number: int) -> bytes:
        """Everything that was taken from line `number` (0 is the first) on."""
        text, at = b"".join(self._kept), 0
        for _ in range(number):
            at = text.index(b"\n", at) + 1
        return text[at:]


class _Joined:
    """A stream for the parser: a prefix, then a tape."""

    def __init__(self, prefix: bytes, tape: _Tape) -> None:
        self._rest, self._tape = prefix, tape

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = self._tape.read()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
