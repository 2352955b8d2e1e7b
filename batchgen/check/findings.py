"""What a pass over the manifests found: counted while it goes on, a `Survey` when it has ended."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchgen.amount import CREDITS, Unit
from batchgen.check import lacking
from batchgen.check.bulk.gate import Bulk
from batchgen.check.identity import Identities
from batchgen.check.tally import Group, Tally
from batchgen.check.verdict import Verdict
from batchgen.job import REQUEST_KEYS, Problem, Row
from batchgen.manifest import Manifest, ReadOptions

#: Lists of problems and warnings stop here; their totals don't.
LISTED = 1000

_ORDER = {key: index for index, key in enumerate(REQUEST_KEYS)}


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows without ids that are the same as an earlier one: how many, and the credits that they cost."""

    rows: int = 0
    credits: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """What the manifests hold; amounts are in the smallest part of `unit`.

    `by_*` map a name to (jobs, price or None where it varies, credits).

    `problems` are the first 1,000 in file order (`problems_total` counts all), `warnings` likewise;
    `problem_codes` and `warning_codes` count all of them by code. `file_problems` counts the problems of whole
    files (row None): with one, that file can't be trusted. `by` sums by the column `by_column`, `by_price` counts
    the jobs of each (scene, price).
    `digest` is a sha256 over the content of every file that was read (`files`), the options that matter and the
    price table. `columns` has, for each manifest, the columns that results.csv shows again, in order; `orders`
    likewise, with id, provider, model and scene where the table has them.
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
    files: tuple[Path, ...]
    columns: Mapping[str, tuple[str, ...]]
    problem_codes: Mapping[str, int] = field(default_factory=dict)
    warning_codes: Mapping[str, int] = field(default_factory=dict)
    by_column: str | None = None
    by_price: Mapping[tuple[str, int], int] = field(default_factory=dict)
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    identities: Identities = field(default_factory=Identities, repr=False, compare=False)
    unit: Unit = CREDITS


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


class Findings:
    """Counts, prices and lists what one pass finds; memory does not grow with the rows."""

    def __init__(self, by: str | None, unit: Unit = CREDITS) -> None:
        self._unit = unit
        self._tally = Tally(by)
        self._problems, self._warnings = Listed(), Listed()
        self._file_problems = self._invalid = 0
        self._same = self._same_credits = 0
        self._notes: dict[str, None] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        self._orders: dict[str, tuple[str, ...]] = {}
        self._lacking: dict[str, tuple[int, Row]] = {}

    def add_bulk(self, bulk: Bulk) -> None:
        """Rows that were decided by the column."""
        self._tally.add_many(bulk.counts)

    def add(self, verdict: Verdict) -> None:
        """A row that was looked at in full, and named."""
        self._problems.add(verdict.problems)
        self._warnings.add(verdict.warnings)
        if verdict.request is None:
            self._invalid += 1
            for key in verdict.lacking:
                rows, first = self._lacking.get(key, (0, verdict.row))
                self._lacking[key] = (rows + 1, first)
            return
        self._tally.add(verdict.request, verdict.row, verdict.price)
        if verdict.same_as is not None:
            self._same += 1
            self._same_credits += verdict.price

    def add_manifest(self, manifest: Manifest, *, empty: bool) -> None:
        """What is to say of a file as a whole, once all of its rows were added."""
        if empty and not manifest.problems:
            manifest.problems.append(_no_rows(manifest))
        explained = [lacking.explained(problem, self._lacking) for problem in manifest.problems]
        columns_lacking = lacking.problems(manifest, self._lacking)
        self._lacking = {}
        self._problems.add_before_rows([*explained, *columns_lacking])
        self._file_problems += len(manifest.problems)
        self._warnings.add_before_rows(manifest.warnings)
        self._notes.update(dict.fromkeys(manifest.notes))
        columns = tuple(manifest.columns)
        if not manifest.order:  # no header gives an order: what is sent stands first
            columns = tuple(sorted(columns, key=lambda name: _ORDER.get(name, len(_ORDER))))
        self._columns[manifest.name] = columns
        self._orders[manifest.name] = tuple(manifest.order) or columns

    def add_folders(self, warnings: Sequence[Problem]) -> None:
        """What is to say of the folders that were named, before anything of theirs is added."""
        self._warnings.add_before_rows(warnings)

    def add_nothing_selected(self, name: str, options: ReadOptions) -> None:
        """`--select` is a problem of the run when it takes no row of any manifest."""
        if options.select and not (self._tally.jobs or self._invalid or self._file_problems):
            self._problems.add([nothing_selected(name, options.select)])
            self._file_problems += 1

    def survey(self, digest: str, files: tuple[Path, ...], identities: Identities) -> Survey:
        """The answer."""
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
            digest=digest,
            files=files,
            columns=self._columns,
            problem_codes=dict(self._problems.codes),
            warning_codes=dict(self._warnings.codes),
            by_column=tally.by,
            by_price=tally.by_price(),
            orders=self._orders,
            identities=identities,
            unit=self._unit,
        )


def _no_rows(manifest: Manifest) -> Problem:
    hint = "Write one row for each video under the header." if manifest.order else "Add a job."
    return Problem(manifest.name, None, None, None, None, "no_rows", "The manifest holds no rows.", hint)


def nothing_selected(name: str, conditions: Sequence[tuple[str, str]]) -> Problem:
    """No row of a manifest fits `--select`."""
    wanted = " and ".join(f"{column}={glob}" for column, glob in conditions)
    hint = "Check the column's name; * stands for any text, and upper and lower case differ."
    return Problem(name, None, None, None, None, "nothing_selected", f"No row fits --select {wanted}.", hint)
