"""A YAML manifest for the survey: entries that a program wrote alike, decided by whole columns.

The jobs must be a plain list to which nothing but one-line texts and numbers belongs. An entry counts only
where each of its lines is certain to be what it looks like (a plain or quoted text that ends on its line, no
anchors, no tags); from the first doubtful one on the YAML parser takes a stretch, then the pattern is tried
again. After an anchor the parser keeps the rest.
"""

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from batchgen.check.bulk.decide import Bulk, Gate, Terms
from batchgen.check.bulk.yaml_part import Part, plain_defaults
from batchgen.manifest import Entry, Manifest, Unreadable
from batchgen.manifest.columns import Header
from batchgen.manifest.expand import Expander
from batchgen.manifest.layout import learn
from batchgen.manifest.source import utf8_blocks
from batchgen.manifest.tape import Joined, Tape, odd_breaks
from batchgen.manifest.yaml import Walk, job_mapping, look_ahead, read_yaml
from batchgen.manifest.yaml_events import Keyed, events

#: Bytes of one chunk, and entries that the parser takes at a stretch.
CHUNK, STRETCH = 1 << 20, 500
#: When the pattern has decided fewer rows than the parser after this many, the parser keeps the rest.
PATIENCE = 5000

_JOBS = re.compile(rb"^jobs:[ ]*\n(?:[ ]*(?:#[^\n]*)?\n)*([ ]*)(?=- )", re.MULTILINE)
_BARE = re.compile(rb"(?:[ ]*(?:#[^\n]*)?\n)*(?=- )")


def quick_yaml(path: Path | str, manifest: Manifest, terms: Terms) -> Iterator[Bulk | Entry]:
    """What `read_yaml` gives, with the sure rows as sums. Whole-file trouble ends it, as a problem."""
    try:
        quick = _Quick(path, manifest, terms)
        late = look_ahead(path, terms.options)
        if not late and quick.start():
            yield from quick.read()
        else:
            yield from read_yaml(path, manifest, terms.options, late=late)
    except Unreadable as trouble:
        manifest.problems.append(trouble.problem(manifest.name))


class _Quick:
    def __init__(self, path: Path | str, manifest: Manifest, terms: Terms) -> None:
        self._path, self._manifest, self._terms = path, manifest, terms
        self._blocks = utf8_blocks(path, terms.options.encoding, CHUNK)
        self._rest = b""
        self._line = 1
        self._ended = False
        self._head: Walk | None = None
        self._gates: dict[tuple[Any, ...], Gate] = {}
        self._decided = self._parsed = 0

    def start(self) -> bool:
        """Read up to the first entry; False where this manifest is not for the pattern."""
        self._rest = next(self._blocks, b"")
        if (self._terms.by or "").startswith("options") or b"\r" in self._rest or not self._rest:
            return False
        found = _JOBS.search(self._rest) or _BARE.match(self._rest)
        if found is None:
            return False
        self._indent = found[1] if found.re is _JOBS else b""
        self._listed = found.re is _BARE
        end = found.end() - len(self._indent)
        head = b"" if self._listed else self._rest[: found.start()]
        if re.search(rb"[&*!%\t]|^---|^\.\.\.", head, re.MULTILINE) or odd_breaks(self._rest[:end]):
            return False
        scratch = Manifest("", iter(()))
        walk = Walk(self._path, scratch, self._terms.options, events(head + b"\njobs: []\n"))
        try:
            list(walk.jobs(None))
        except Unreadable:
            return False
        self._defaults = walk.defaults or Keyed(None)
        if scratch.problems or not plain_defaults(self._defaults):
            return False
        self._seen = walk.seen - {"jobs"}
        self._expander = Expander(self._path, self._manifest, self._terms.options, self._defaults)
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
            part = Part.of(text, layout) if layout is not None else None
            bulk = self._decide(part) if part is not None and part.count else None
            if part is None or bulk is None:
                return
            yield from self._settled(part, bulk)
            self._decided += part.count
            self._line += self._rest.count(b"\n", 0, part.end)
            self._rest = self._rest[part.end :]
            if part.end < len(text) or not self._rest:
                return

    def _decide(self, part: "Part") -> Bulk | None:
        columns = part.columns(self._defaults)
        if columns is None:
            return None
        header = Header(tuple(columns.header))
        key = tuple((c.kind, c.key, c.as_type, c.header) for c in header.columns)
        if key not in self._gates:
            self._gates[key] = Gate(header, self._terms)
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

    def _settled(self, part: "Part", bulk: Bulk) -> Iterator[Bulk | Entry]:
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
        tape = Tape(self._rest, self._blocks, keep=most is not None)
        prefix = b"" if self._listed else b"jobs:\n"
        builder = events(cast("IO[bytes]", Joined(prefix, tape)), self._line - bool(prefix))
        taken = 0

        def stop(_line: int) -> bool:
            nonlocal taken
            taken += 1
            return most is not None and taken > most and not builder.anchors and not tape.strange

        walk = Walk(
            self._path, self._manifest, self._terms.options, builder, self._expander, stop, seen=set(self._seen)
        )
        before = self._expander.number
        yield from walk.jobs(None)
        self._parsed += self._expander.number - before
        if walk.stopped_at is None:
            return True
        self._rest, self._ended = tape.from_line(walk.stopped_at - self._line), tape.ended
        self._line = walk.stopped_at
        return False
