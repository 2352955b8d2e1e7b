"""Who is who: job ids from ids and fingerprints, the same in every pass over the manifests.

A row is its `id`; without one, the fingerprint of its request, with -2, -3 for rows that are the same. What
can only be known ahead (is an id used again further down, and validly?) is gathered first: cheap hashes of
all rows tell which ones may be the same at all (8 bytes a row), and only those are looked at exactly.
"""

import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from batchgen.check.bulk.hashing import text_hash
from batchgen.job import fingerprint

Hashes = npt.NDArray[np.int64]
Place = tuple[str, int, int | None]  # manifest, row, line

_MADE = re.compile(r"[0-9a-f]{16}(?:-[0-9]+)?", re.ASCII)


@dataclass(slots=True)
class Sight:
    """What was seen of one id: how often, the first valid row that has it, and every file with a valid one."""

    times: int = 0
    winner: Place | None = None
    agrees: bool = False


@dataclass(frozen=True, slots=True)
class Identities:
    """What must be known ahead to name rows one by one.

    `ids`: ids that stand on more than one row, and ids that look like fingerprints where there are rows
    without ids too. `fingerprints`: those that more than one row without an id has.
    """

    ids: Mapping[str, Sight] = field(default_factory=dict)
    fingerprints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Suspects:
    """Hashes of ids and of contents that stand on more than one row, sorted.

    `made`: some ids look like fingerprints and some rows have no id, so that the two may meet.
    """

    ids: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    contents: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    made: bool = False

    def __bool__(self) -> bool:
        return bool(len(self.ids) or len(self.contents) or self.made)

    def has_id(self, job_id: str) -> bool:
        """Whether this id may stand on another row too."""
        return _has(self.ids, text_hash(job_id)) or (self.made and is_made(job_id))

    def has_content(self, content: int) -> bool:
        """Whether another row may ask for the same."""
        return self.made or _has(self.contents, content)


class Sieve:
    """Gathers a hash of every row (8 bytes) and tells which rows may be the same as another."""

    def __init__(self) -> None:
        self._ids: list[Any] = [array("q")]
        self._contents: list[Any] = [array("q")]
        self._made = False

    def explicit(self, job_id: str) -> None:
        """A row with an id of its own."""
        self._ids[0].append(text_hash(job_id))
        self._made = self._made or is_made(job_id)

    def nameless(self, content: int) -> None:
        """A row without one, by the hash of what it asks for."""
        self._contents[0].append(content)

    def many(self, ids: Hashes | None, contents: Hashes | None, made: bool) -> None:
        """The same for whole columns."""
        if ids is not None:
            self._ids.append(ids)
        if contents is not None:
            self._contents.append(contents)
        self._made = self._made or made

    def suspects(self) -> Suspects:
        """Empty for manifests in which every row is its own."""
        nameless = any(len(part) for part in self._contents)
        return Suspects(_twice(self._ids), _twice(self._contents), self._made and nameless)


def is_made(job_id: str) -> bool:
    """Whether an id looks like one that a row without an id would get."""
    return _MADE.fullmatch(job_id) is not None


def _has(hashes: Hashes, wanted: int) -> bool:
    at = int(np.searchsorted(hashes, wanted))
    return at < len(hashes) and int(hashes[at]) == wanted


def _twice(parts: list[Any]) -> Hashes:
    """The hashes that are there more than once, sorted."""
    hashes = [np.frombuffer(p, dtype=np.int64) if isinstance(p, array) else p for p in parts if len(p)]
    together = np.concatenate(hashes) if hashes else np.empty(0, dtype=np.int64)
    together.sort()
    return np.unique(together[1:][together[1:] == together[:-1]])


class Register:
    """The exact look at the suspects: which ids and fingerprints really stand on more than one row."""

    def __init__(self, suspects: Suspects) -> None:
        self._suspects = suspects
        self._ids: dict[str, Sight] = {}
        self._fingerprints: dict[str, int] = {}

    def explicit(self, job_id: str, place: Place, valid: bool, *, agrees: bool = True) -> None:
        """A row with this id; one that `agrees` has it by its own words, not only by a task id that it copied."""
        if self._suspects.has_id(job_id):
            sight = self._ids.setdefault(job_id, Sight())
            sight.times += 1
            if valid and (sight.winner is None or (agrees and not sight.agrees)):
                sight.winner, sight.agrees = place, agrees

    def nameless(self, mark: str) -> None:
        self._fingerprints[mark] = self._fingerprints.get(mark, 0) + 1

    def identities(self) -> Identities:
        made = self._suspects.made
        ids = {name: s for name, s in self._ids.items() if s.times > 1 or (made and is_made(name))}
        return Identities(ids, frozenset(mark for mark, times in self._fingerprints.items() if times > 1))


@dataclass(frozen=True, slots=True)
class Name:
    """A row's job id. `clash` is the row that has the id already; `same_as` the earlier row that is the same.

    `replaced`: the row is invalid and another manifest has it, mended, under the same id.
    """

    job_id: str
    clash: Place | None = None
    same_as: Place | None = None
    replaced: bool = False


class JobIds:
    """Names the rows of a run in manifest order."""

    def __init__(self, identities: Identities) -> None:
        self._known = identities
        self._counts: dict[str, tuple[int, Place]] = {}

    @property
    def is_plain(self) -> bool:
        """Whether no row can have the id or the content of another: each has its own, or its fingerprint."""
        return not self._known.ids and not self._known.fingerprints

    def name(self, own_id: str, mark: str, place: Place, *, valid: bool, meant: bool = False) -> Name:
        """The name of the next row: its id, or `mark` (its fingerprint) made unique. `meant`: by `repeat`."""
        if own_id:
            return self._settled(own_id, place, valid)
        if mark not in self._known.fingerprints:
            return self._settled(mark, place, valid) if mark in self._known.ids else Name(mark)
        count, first = self._counts.get(mark, (0, place))
        self._counts[mark] = (count + 1, first)
        job_id = f"{mark}-{count + 1}" if count else mark
        found = self._settled(job_id, place, valid) if job_id in self._known.ids else Name(job_id)
        same = first if count and valid and not meant else None
        return Name(found.job_id, found.clash, same, found.replaced)

    def _settled(self, job_id: str, place: Place, valid: bool) -> Name:
        sight = self._known.ids.get(job_id)
        if sight is None or sight.winner is None or sight.winner == place:
            return Name(job_id)
        if not valid and sight.winner[0] != place[0]:
            return Name(job_id, replaced=True)
        return Name(job_id, clash=sight.winner)


def same_id(written: Any, job_id: str) -> bool:
    """Whether an id is the one of a job, also after a spreadsheet took its zeros: 001 came back as 1, or 1.0."""
    if not isinstance(written, str):
        return False
    return written == job_id or _number(written) == _number(job_id) is not None


def _number(text: str) -> str | None:
    found = re.fullmatch(r"0*([0-9]+)(?:[.,]0+)?", text.strip())
    return found[1] if found else None


def mark_of(request: Mapping[str, Any]) -> str:
    """The fingerprint that names a valid row without an id."""
    return fingerprint(request)


def mark_of_invalid(values: Mapping[str, Any]) -> str:
    """What names an invalid row without an id, so that it can be told again: a hash of what it says."""
    try:
        return fingerprint({"invalid": values})
    except (ValueError, TypeError):
        return fingerprint({"invalid": repr(values)})
