"""From manifests to validated jobs: `survey` decides about all rows at once, `jobs` gives them one by one.

Both give the same verdicts. `survey` is the quick pass that keeps no rows; `jobs` makes every job in full, in
the manifests' order, for the ledger.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchgen.identity import (
    Identities,
    JobIds,
    Register,
    Sieve,
    Suspects,
    content_hash,
    mark_of,
    mark_of_invalid,
)
from batchgen.job import InvalidRow, Job, Problem
from batchgen.judge import Verdict, judge
from batchgen.manifest import Entry, Manifest, ReadOptions, find_manifests, open_manifest
from batchgen.manifest.source import on_disk
from batchgen.pricing import PriceTable
from batchgen.tally import Group, Tally

__all__ = ["Duplicates", "ReadOptions", "Survey", "find_manifests", "jobs", "survey"]

#: Lists of problems and warnings stop here; their totals don't.
LISTED = 1000

Known = Callable[[str], bool]
Paths = Sequence[Path | str]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows without ids that are the same as an earlier one: how many, and the credits that they cost."""

    rows: int = 0
    credits: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """What the manifests hold. `by_*` map a name to (jobs, price or None where it varies, credits).

    `problems` are the first 1,000 in file order (`problems_total` counts all), `warnings` likewise.
    `file_problems` counts the problems of whole files (row None): with one, the file can't be trusted.
    `digest` is a sha256 over the content of every file that was read, the options that matter and the price
    table. `columns` has, for each manifest, the columns that results.csv shows again, in order.
    `orders` likewise, with id, provider, model and scene where the table has them.
    `problem_codes` and `warning_codes` count all of them by code. `by` sums by the column `by_column`.
    """

    rows: int
    valid: int
    invalid: int
    problems: tuple[Problem, ...]
    problems_total: int
    warnings: tuple[Problem, ...]
    warnings_total: int
    file_problems: int
    by_scene: Mapping[str, Group]
    by_provider: Mapping[str, Group]
    by_model: Mapping[str, Group]
    by: Mapping[str, Group] | None
    credits: int
    duplicates: Duplicates
    notes: tuple[str, ...]
    digest: str
    columns: Mapping[str, tuple[str, ...]]
    problem_codes: Mapping[str, int] = field(default_factory=dict)
    warning_codes: Mapping[str, int] = field(default_factory=dict)
    by_column: str | None = None
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    identities: Identities = field(default_factory=Identities, repr=False, compare=False)


def survey(
    paths: Paths,
    options: ReadOptions,
    prices: PriceTable,
    *,
    by: str | None = None,
    known_task_ids: Known | None = None,
) -> Survey:
    """Read, validate and price everything. Bad files and bad rows are in the answer, never an exception."""
    first = _Pass(paths, options, prices, by, known_task_ids)
    sieve = first.sieve = Sieve()
    first.run()
    suspects = sieve.suspects()
    if not suspects:
        return first.survey(Identities())
    identities = _look_closely(paths, options, prices, known_task_ids, suspects)
    final = _Pass(paths, options, prices, by, known_task_ids, identities, suspects)
    final.run()
    return final.survey(identities)


def jobs(
    paths: Paths,
    options: ReadOptions,
    prices: PriceTable,
    *,
    known_task_ids: Known | None = None,
    surveyed: Survey | None = None,
) -> Iterator[Job | InvalidRow]:
    """Every row in the manifests' order, with its job id. `surveyed` saves finding repeated rows again.

    A row that another manifest has, mended, under the same id is left out.
    """
    if surveyed is None:
        surveyed = survey(paths, options, prices, known_task_ids=known_task_ids)
    for verdict in verdicts(paths, options, prices, known_task_ids, surveyed):
        yield verdict.job()


def verdicts(
    paths: Paths, options: ReadOptions, prices: PriceTable, known_task_ids: Known | None, surveyed: Survey
) -> Iterator[Verdict]:
    """Every row that counts, judged and named."""
    names = JobIds(surveyed.identities)
    for path in paths:
        for verdict in _verdicts(open_manifest(path, options), options, prices, known_task_ids):
            named = settle(verdict, names)
            if named is not None:
                yield named


def settle(verdict: Verdict, names: JobIds) -> Verdict | None:
    """The verdict with its job id, or with the problem that the id is taken; None for a row that was mended."""
    row = verdict.row
    own = row.values.get("id")
    own_id = own if isinstance(own, str) else ""
    valid = verdict.request is not None
    mark = "" if own_id else mark_of(verdict.request) if verdict.request else mark_of_invalid(row.values)
    place = (row.manifest, row.number, row.line)
    name = names.name(own_id, mark, place, valid=valid, meant=bool(row.repeat_of))
    if name.replaced:
        return None
    return verdict.named(name)


def _verdicts(
    manifest: Manifest, options: ReadOptions, prices: PriceTable, known: Known | None
) -> Iterator[Verdict]:
    """The rows of one manifest that `--select` takes, each judged."""
    for entry in manifest.entries:
        if _selected(entry, options):
            yield judge(entry, manifest, prices, known)


def _selected(entry: Entry, options: ReadOptions) -> bool:
    return all(entry.row.matches(column, glob) for column, glob in options.select)


def _look_closely(
    paths: Paths, options: ReadOptions, prices: PriceTable, known: Known | None, suspects: Suspects
) -> Identities:
    """The exact ids and fingerprints of the rows that may be the same."""
    register = Register(suspects)
    for path in paths:
        for verdict in _verdicts(open_manifest(path, options), options, prices, known):
            row = verdict.row
            own = row.values.get("id")
            if isinstance(own, str) and own:
                register.explicit(own, (row.manifest, row.number, row.line), verdict.request is not None)
            elif verdict.request is None:
                register.nameless(mark_of_invalid(row.values))
            elif content_hash(verdict.request) in suspects.contents:
                register.nameless(mark_of(verdict.request))
    return register.identities()


class _Pass:
    """One pass over all manifests that counts, prices and lists."""

    def __init__(
        self,
        paths: Paths,
        options: ReadOptions,
        prices: PriceTable,
        by: str | None,
        known: Known | None,
        identities: Identities | None = None,
        suspects: Suspects | None = None,
    ) -> None:
        self._paths, self._options, self._prices, self._known = paths, options, prices, known
        self._names = JobIds(identities or Identities())
        self._suspects = suspects or Suspects()
        self.sieve: Sieve | None = None
        self._tally = Tally(by)
        self._problems = Listed()
        self._warnings = Listed()
        self._file_problems = self._invalid = 0
        self._same = self._same_credits = 0
        self._notes: list[str] = []
        self._columns: dict[str, tuple[str, ...]] = {}
        self._orders: dict[str, tuple[str, ...]] = {}
        self._read: list[Path] = []

    def run(self) -> None:
        for path in self._paths:
            manifest = open_manifest(path, self._options)
            rows = 0
            for rows, entry in enumerate(manifest.entries, 1):  # noqa: B007 (the count is used below)
                if _selected(entry, self._options):
                    self._take(judge(entry, manifest, self._prices, self._known))
            self._finish(path, manifest, rows)
        if self._options.select and not self._tally.jobs + self._invalid + self._file_problems:
            self._problems.add([_nothing_selected(self._paths, self._options)])
            self._file_problems += 1

    def _take(self, verdict: Verdict) -> None:
        """Count one row that was looked at in full."""
        if self.sieve is not None:
            self._sift(verdict, self.sieve)
        settled = settle(verdict, self._names)
        if settled is None:
            return
        self._problems.add(settled.problems)
        self._warnings.add(settled.warnings)
        if settled.request is None:
            self._invalid += 1
            return
        self._tally.add(settled.request, settled.row, settled.price)
        if settled.same_as is not None:
            self._same += 1
            self._same_credits += settled.price

    def _sift(self, verdict: Verdict, sieve: Sieve) -> None:
        own = verdict.row.values.get("id")
        if isinstance(own, str) and own:
            sieve.explicit(own)
        elif verdict.request is not None:
            sieve.nameless(content_hash(verdict.request))
        else:
            sieve.nameless(hash(mark_of_invalid(verdict.row.values)))

    def _finish(self, path: Path | str, manifest: Manifest, rows: int) -> None:
        """What is to say of the file as a whole; its problems stand before those of its rows."""
        if not rows and not manifest.problems:
            manifest.problems.append(_no_rows(manifest))
        self._problems.add_before_rows(manifest.problems)
        self._file_problems += len(manifest.problems)
        self._warnings.add_before_rows(manifest.warnings)
        self._notes.extend(note for note in manifest.notes if note not in self._notes)
        self._columns[manifest.name] = tuple(manifest.columns)
        self._orders[manifest.name] = tuple(manifest.order or manifest.columns)
        self._read.append(on_disk(path))
        self._read.extend(on_disk(path).parent / name for name in manifest.sources)

    def survey(self, identities: Identities) -> Survey:
        tally = self._tally
        return Survey(
            rows=tally.jobs + self._invalid,
            valid=tally.jobs,
            invalid=self._invalid,
            problems=tuple(self._problems.first),
            problems_total=self._problems.codes.total(),
            warnings=tuple(self._warnings.first),
            warnings_total=self._warnings.codes.total(),
            file_problems=self._file_problems,
            by_scene=tally.groups("scene"),
            by_provider=tally.groups("provider"),
            by_model=tally.groups("model"),
            by=tally.groups("by") if tally.by else None,
            credits=tally.credits,
            duplicates=Duplicates(self._same, self._same_credits),
            notes=tuple(self._notes),
            digest=_digest(self._read, self._options, self._prices),
            columns=self._columns,
            problem_codes=dict(self._problems.codes),
            warning_codes=dict(self._warnings.codes),
            by_column=tally.by,
            orders=self._orders,
            identities=identities,
        )


class Listed:
    """The first 1,000 problems in file order, and a count of all by code."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.codes: Counter[str] = Counter()
        self._start = 0

    def add(self, found: Sequence[Problem]) -> None:
        """The next row's."""
        for problem in found:
            self.codes[problem.code] += 1
            if len(self.first) < LISTED:
                self.first.append(problem)

    def add_before_rows(self, found: Sequence[Problem]) -> None:
        """A manifest's own, once all of its rows were added: they stand before those of its rows."""
        self.codes.update(problem.code for problem in found)
        self.first[self._start : self._start] = found
        del self.first[LISTED:]
        self._start = len(self.first)


def _no_rows(manifest: Manifest) -> Problem:
    hint = "Write one row for each video under the header." if manifest.columns else "Add a job."
    return Problem(manifest.name, None, None, None, None, "no_rows", "The manifest holds no rows.", hint)


def _nothing_selected(paths: Paths, options: ReadOptions) -> Problem:
    wanted = " and ".join(f"{column}={glob}" for column, glob in options.select)
    hint = "Check the column's name; * stands for any text, and upper and lower case differ."
    name = str(paths[0]) if paths else ""
    return Problem(name, None, None, None, None, "nothing_selected", f"No row fits --select {wanted}.", hint)


def _digest(read: Sequence[Path], options: ReadOptions, prices: PriceTable) -> str:
    """One hash for everything that decides which jobs there are and what they cost."""
    matter = [options.encoding, options.sheet, options.own, options.delimiter, options.select, prices.version]
    together = hashlib.sha256(json.dumps(matter).encode())
    for path in read:
        try:
            with path.open("rb") as file:
                together.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:
            together.update(b"unreadable")
    return together.hexdigest()
