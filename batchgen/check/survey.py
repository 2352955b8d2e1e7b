"""From manifests to validated jobs: `survey` decides about all rows at once, `jobs` gives them one by one.

Both give the same verdicts. `survey` is the quick pass that keeps no rows; `jobs` makes every job in full, in
the manifests' order, for the ledger.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from batchgen.check.bulk import bulk_kind, in_bulk
from batchgen.check.bulk.gate import Bulk, Terms
from batchgen.check.bulk.hashing import content_hash, text_hash
from batchgen.check.findings import Duplicates, Findings, Survey
from batchgen.check.identity import Identities, JobIds, Name, Register, Sieve, Suspects, mark_of, mark_of_invalid
from batchgen.check.prices import PriceTable
from batchgen.check.verdict import Verdict, judge
from batchgen.job import InvalidRow, Job, Owner, Problem, Row
from batchgen.manifest import (
    Entry,
    Found,
    Manifest,
    Place,
    ReadOptions,
    Unreadable,
    find_manifests,
    open_manifest,
    pipes,
)
from batchgen.manifest.source import on_disk

__all__ = ["Duplicates", "ReadOptions", "Survey", "find_manifests", "jobs", "survey", "verdicts"]

Knows = Callable[[Row], Owner | bool]
Paths = Sequence[Place]


def survey(
    paths: Paths,
    options: ReadOptions,
    prices: PriceTable,
    *,
    by: str | None = None,
    knows: Knows | None = None,
) -> Survey:
    """Read, validate and price everything. Bad files and bad rows are in the answer, never an exception."""
    folders = paths.warnings if isinstance(paths, Found) else ()
    options = _of_service(options, prices)
    reading = _Reading(tuple(dict.fromkeys(paths)), options, prices, knows, by, folders)
    with ThreadPoolExecutor(1, "batchgen-digest") as aside:
        digest = _Digest(aside, options, prices)
        sieve, first = Sieve(), Findings(by, prices.unit)
        _count(reading, Suspects(), Identities(), first, sieve, digest)
        suspects = sieve.suspects()
        if not suspects:
            return first.survey(digest.result(), digest.files, Identities())
        identities = _look_closely(reading, suspects)
        final = Findings(by, prices.unit)
        _count(reading, suspects, identities, final, None, None)
        return final.survey(digest.result(), digest.files, identities)


def still_the_same(found: Survey, options: ReadOptions, prices: PriceTable) -> bool:
    """Whether every file says now what it said when it was surveyed."""
    with ThreadPoolExecutor(1, "batchgen-digest") as aside:
        digest = _Digest(aside, options, prices)
        for path in found.files:
            digest.add(path)
        return digest.result() == found.digest


def jobs(
    paths: Paths,
    options: ReadOptions,
    prices: PriceTable,
    *,
    knows: Knows | None = None,
    surveyed: Survey | None = None,
) -> Iterator[Job | InvalidRow]:
    """Every row in the manifests' order, with its job id. `surveyed` saves finding repeated rows again.

    A row that another manifest has, mended, under the same id is left out.
    """
    if surveyed is None:
        surveyed = survey(paths, options, prices, knows=knows)
    for verdict in verdicts(paths, options, prices, knows, surveyed):
        yield verdict.job()


def verdicts(
    paths: Paths,
    options: ReadOptions,
    prices: PriceTable,
    knows: Knows | None,
    surveyed: Survey,
    names: JobIds | None = None,
) -> Iterator[Verdict]:
    """Every row that counts, judged and named; `names` has the names of the rows before."""
    options = _of_service(options, prices)
    reading = _Reading(paths, options, prices, knows)
    names = names or JobIds(surveyed.identities)
    for path in dict.fromkeys(paths):
        manifest = open_manifest(path, options)
        for entry in manifest.entries:
            if reading.takes(entry) and (named := settle(reading.judge(entry, manifest), names)):
                yield named


def _of_service(options: ReadOptions, prices: PriceTable) -> ReadOptions:
    """With a service behind the gateway, a manifest needs no provider: the service's name is meant."""
    return options if prices.catalogue.is_gateway else replace(options, optional=("provider",))


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read, and how."""

    paths: Paths
    options: ReadOptions
    prices: PriceTable
    knows: Knows | None
    by: str | None = None
    #: Warnings of the folders that the paths came from.
    folders: tuple[Problem, ...] = ()

    def takes(self, entry: Entry) -> bool:
        """Whether `--select` takes a row."""
        return self._fits(entry, self.options.select)

    def _fits(self, entry: Entry, conditions: tuple[tuple[str, str], ...]) -> bool:
        row = self.prices.catalogue.folded(entry.row) if conditions else entry.row
        return all(row.matches(column, glob) for column, glob in conditions)

    def judge(self, entry: Entry, manifest: Manifest) -> Verdict:
        wanted = self._fits(entry, self.options.wanted)
        return judge(entry, manifest, self.prices, self.knows, wanted=wanted)

    def open(self, path: Place, suspects: Suspects) -> tuple[Manifest, Iterator[Bulk | Entry]]:
        """A manifest and its rows, the sure ones of a CSV file as sums."""
        manifest = open_manifest(path, self.options)
        careful = self.options.select or not self.prices.catalogue.is_gateway
        if careful or not (kind := bulk_kind(path)):
            return manifest, manifest.entries
        return manifest, in_bulk(kind, path, manifest, Terms(self.options, self.prices, self.by, suspects))


def _count(
    reading: _Reading,
    suspects: Suspects,
    identities: Identities,
    findings: Findings,
    sieve: Sieve | None,
    digest: "_Digest | None",
) -> None:
    """One pass over everything: count and list, and gather hashes where a sieve is given."""
    names = JobIds(identities)
    findings.add_folders(reading.folders)
    for path in reading.paths:
        if digest is not None:
            digest.add(_place(path))
        manifest, found = reading.open(path, suspects)
        empty = True
        for each in found:
            if isinstance(each, Bulk):
                empty = empty and not each.rows
                findings.add_bulk(each)
                if sieve is not None:
                    sieve.many(each.ids, each.contents, each.made)
                continue
            empty = False
            if reading.takes(each):
                verdict = reading.judge(each, manifest)
                if sieve is not None:
                    _sift(verdict, sieve)
                if (named := settle(verdict, names)) is not None:
                    findings.add(named)
        findings.add_manifest(manifest, empty=empty)
        if digest is not None:
            for name in manifest.sources:
                digest.add(Path(path).parent / name)
    findings.add_nothing_selected(str(reading.paths[0]) if reading.paths else "", reading.options)


def settle(verdict: Verdict, names: JobIds) -> Verdict | None:
    """The verdict with its job id, or with the problem that the id is taken; None for a row that was mended."""
    row, request = verdict.row, verdict.request
    own = _own_id(verdict)
    mark = "" if own else mark_of(request) if request is not None else mark_of_invalid(row.values)
    place = (row.manifest, row.number, row.line)
    name = names.name(own, mark, place, valid=request is not None, meant=bool(row.repeat_of))
    if name.replaced and any(problem.code == "paid_elsewhere" for problem in verdict.problems):
        return verdict.named(Name(name.job_id))  # what was paid for is never mended by a row that was not
    return None if name.replaced else verdict.named(name)


def _own_id(verdict: Verdict) -> str:
    own = verdict.row.values.get("id")
    return own if isinstance(own, str) else ""


def _sift(verdict: Verdict, sieve: Sieve) -> None:
    if own := _own_id(verdict):
        sieve.explicit(own)
    elif verdict.request is not None:
        sieve.nameless(content_hash(verdict.request))
    else:
        sieve.nameless(text_hash(mark_of_invalid(verdict.row.values)))


def _look_closely(reading: _Reading, suspects: Suspects) -> Identities:
    """The exact ids and fingerprints of the rows that may be the same: a pass that looks at no others."""
    register = Register(suspects)
    for path in reading.paths:
        manifest, found = reading.open(path, suspects)
        for each in found:
            if isinstance(each, Entry) and reading.takes(each):
                verdict = reading.judge(each, manifest)
                row, request = verdict.row, verdict.request
                if own := _own_id(verdict):
                    place = (row.manifest, row.number, row.line)
                    register.explicit(own, place, request is not None, agrees=verdict.agrees)
                elif request is None:
                    register.nameless(mark_of_invalid(row.values))
                elif suspects.has_content(content_hash(request)):
                    register.nameless(mark_of(request))
    return register.identities()


@dataclass(slots=True)
class _Digest:
    """One hash for everything that decides which jobs there are and what they cost; files are hashed aside."""

    aside: ThreadPoolExecutor
    options: ReadOptions
    prices: PriceTable
    _files: list[tuple[Path, "Future[bytes]"]] = field(default_factory=list)

    def add(self, path: Path) -> None:
        self._files.append((path, self.aside.submit(_file_digest, path)))

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for path, _ in self._files)

    def result(self) -> str:
        given = self.options
        chosen = [given.select, given.wanted]
        matter = [given.encoding, given.sheet, given.own, given.delimiter, chosen, self.prices.version]
        together = hashlib.sha256(json.dumps(matter).encode())
        for _, content in self._files:
            together.update(content.result())
        return together.hexdigest()


def _place(path: Place) -> Path:
    """Where the bytes of a manifest are; its own name where there are none to be had."""
    try:
        return on_disk(path)
    except Unreadable:
        return Path(path)


def _file_digest(path: Path) -> bytes:
    if pipes.kind_of(path):  # it may have no end, and is never read as a file
        return b"unreadable"
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b"unreadable"
