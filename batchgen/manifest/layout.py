"""How a program wrote the jobs of a YAML list: the keys of an entry and their order, as one pattern.

Manifests with many jobs come from programs, which write every entry alike: one line a key, some keys missing
now and then. Such a layout is learned from the first entries and then finds entries at the speed of a
pattern; whatever does not fit it is left to the YAML parser.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

#: As many entries are looked at to learn a layout.
SAMPLE = 100
KEYS = ("id", "provider", "model", "scene", "prompt", "image_input", "video_input")
GROUPS = ("options", "own")

_LINE = re.compile(rb"( *)(- )?([A-Za-z_][A-Za-z0-9_.\-]*):(?: ([^\n]+))?\n?")

Path = tuple[str, ...]  # ("prompt",) or ("options", "duration")


@dataclass(slots=True)
class Layout:
    """The order of an entry's keys, and the pattern that finds whole entries of it.

    `pattern.findall` gives a tuple for each entry (the raw text of each key, empty where it is missing), and
    last perhaps one whose final text is all that did not fit.
    """

    indent: bytes
    paths: list[Path]
    pattern: re.Pattern[bytes]


@dataclass(slots=True)
class _Learner:
    indent: bytes
    inner: bytes | None = None
    order: list[Path] = field(default_factory=list)

    def take(self, entry: list[Path]) -> bool:
        """Fit one more entry into the order; False where it contradicts it."""
        order, at = list(self.order), 0
        for path in entry:
            if path in order:
                if order.index(path) < at:
                    return False
                at = order.index(path) + 1
            else:
                order.insert(at, path)
                at += 1
        groups = [name for name, _ in itertools.groupby(path[0] for path in order)]
        if len(groups) != len(set(groups)):  # something stands between the keys of a group
            return False
        self.order = order
        return True


def learn(text: bytes, indent: bytes) -> Layout | None:
    """The layout of the entries that `text` starts with; None where the first one is out of the ordinary."""
    learner = _Learner(indent)
    for entry in _entries(text, learner):
        if entry is None or not learner.take(entry):
            break
    return Layout(indent, learner.order, _pattern(learner)) if learner.order else None


def _entries(text: bytes, learner: _Learner) -> Iterator[list[Path] | None]:
    """The keys of each of the first entries, None for one that no layout can say."""
    keys = learner.indent + b"  "
    entry: list[Path] = []
    group = ""
    found = 0
    at = 0
    while at < len(text) and found < SAMPLE:
        end = text.find(b"\n", at) + 1 or len(text)
        line = _LINE.fullmatch(text, at, end)
        at = end
        if line is None:
            yield None
            return
        spaces, dash, name, value = line[1], line[2], line[3].decode("ascii"), line[4]
        if dash:
            if spaces != learner.indent:
                yield None
                return
            if entry:
                yield entry
                found += 1
            entry, group = [], ""
        if dash or spaces == keys:
            if (value is None) != (name in GROUPS) or name not in (*KEYS, *GROUPS):
                yield None
                return
            group = name if value is None else ""
            if value is not None:
                entry.append((name,))
            continue
        if not group or value is None or not spaces.startswith(keys) or (learner.inner or spaces) != spaces:
            yield None
            return
        learner.inner = spaces
        entry.append((group, name))


def _pattern(learner: _Learner) -> re.Pattern[bytes]:
    """One entry: each key at most once, in order, each on a line of its own; at least one of them."""
    indent, inner = learner.indent, learner.inner or b""
    start = rb"(?:(?<=-) |(?<=\n)" + indent + rb"  )"
    parts = [indent + rb"-(?= [A-Za-z_])"]
    done: set[str] = set()
    for path in learner.order:
        if len(path) == 1:
            parts.append(rb"(?:" + start + re.escape(path[0].encode()) + rb": ([^\n]+)\n)?")
        elif path[0] not in done:
            done.add(path[0])
            lines = [
                rb"(?:" + inner + re.escape(name[1].encode()) + rb": ([^\n]+)\n)?"
                for name in learner.order
                if len(name) == 2 and name[0] == path[0]
            ]
            head = start + path[0].encode() + rb":\n(?=" + inner + rb"[^ ])"
            parts.append(rb"(?:" + head + b"".join(lines) + b")?")
    return re.compile(b"".join(parts) + rb"|([\s\S]+)")
