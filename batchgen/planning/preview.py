"""Before money is spent: read and check the manifests, work out the plan, and write it into the ledger."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchgen.amount import CREDITS, Unit
from batchgen.check.catalogue import GATEWAY
from batchgen.check.findings import nothing_selected
from batchgen.check.line import Line
from batchgen.check.lines import lines
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, Survey, survey
from batchgen.errors import CapError, ManifestError, UsageError
from batchgen.job import InvalidRow, Problem
from batchgen.ledger import reading, views
from batchgen.ledger.sqlite.beside import LedgersBeside
from batchgen.ledger.sqlite.history import check_not_behind, ledger_missing, tasks_told
from batchgen.ledger.sqlite.store import check_service, ledger_path, meta_value
from batchgen.manifest import Place
from batchgen.planning import walk
from batchgen.planning.decide import Cap, Decision, Plan, Selection
from batchgen.planning.elsewhere import Elsewhere, another_folder

SANDBOX_SERVICE = "sandbox"


def bought_at(name: str) -> tuple[str, bool]:
    """The service of a ledger by the name that it keeps, and whether it is a sandbox's.

    >>> bought_at("sandbox fal"), bought_at("https://sseedance.com")
    (('fal', True), ('gateway', False))
    """
    first, _, rest = name.partition(" ")
    if first == SANDBOX_SERVICE:
        return rest or GATEWAY, True
    return (GATEWAY if "://" in first else first), False


class ManifestProblems(ManifestError):
    """Rows have problems; `survey` has all of them."""

    def __init__(self, found: Survey) -> None:
        has = "has" if found.invalid == 1 else "have"
        what = f"{found.invalid:,} of {found.rows:,} rows {has} problems" if found.invalid else "there are no rows"
        hint = "Correct them, or run the good rows with --only-valid."
        if found.file_problems:
            what, hint = "a manifest can't be used as it is", "Correct what is said above, and run it again."
        super().__init__(f"Nothing was submitted: {what}.", code="problems", hint=hint)
        self.survey, self.problems = found, found.problems


class OverCap(CapError):
    """The plan does not fit under the cap."""

    def __init__(self, message: str, plan: Plan, *, hint: str, unit: Unit = CREDITS) -> None:
        super().__init__(message, code="over_cap", hint=hint)
        self.plan = plan
        self.unit = unit


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Which rows are wanted, and how much may be bought."""

    out: Path | None = None
    only_valid: bool = False
    limit: int | None = None
    selection: Selection = field(default_factory=Selection)
    read: ReadOptions = field(default_factory=ReadOptions)
    fill_cap: bool = False
    resubmit_changed: bool = False
    #: Whether the plan is to be told by model, too: then every row is walked.
    by_model: bool = False
    #: Whether the inputs of what is to be bought will be looked at.
    check_inputs: bool = False
    #: Rows (manifest, number) that turned out not to be usable after they were read, and why.
    broken: Mapping[tuple[str, int], tuple[Problem, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown before money is spent."""

    out: Path
    survey: Survey
    plan: Plan
    cap: int | None
    room: int | None
    taken_in: bool = False
    limit: int | None = None
    #: The cap that the ledger has; None where it has none, or there is no ledger.
    stored_cap: int | None = None
    #: What else decides where the money goes: the service's address, and settings that a folder's file made.
    about: tuple[str, ...] = ()
    #: What was bought beside OUT, and whose OUT it is.
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    #: The fingerprints of what is to be submitted, the first 100,000; None: of all good rows.
    wanted: frozenset[str] | None = None
    #: Warnings besides the survey's: of a look at the inputs.
    inputs: tuple[Problem, ...] = ()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What may be meant otherwise: of the rows, and of their inputs."""
        return (*self.survey.warnings, *self.inputs)

    @property
    def warnings_total(self) -> int:
        return self.survey.warnings_total + len(self.inputs)

    @property
    def unit(self) -> Unit:
        """What the amounts are counted in."""
        return self.survey.unit

    @property
    def fits(self) -> bool:
        return self.room is None or self.needed <= max(0, self.room)

    @property
    def needed(self) -> int:
        """The credits that this run may spend: with --limit those of its dearest jobs, so many of them."""
        return self.plan.at_most(self.limit)


def look_ahead(
    paths: Sequence[Place], out: Path, service: str, prices: PriceTable, cap: Cap, options: PlanOptions
) -> Preview:
    """Read and check everything, and work out the plan; opens no connection and writes nothing."""
    told = tasks_told(out)
    with _reading(out) as connection:
        if connection is not None:
            check_service(connection, out, service)
            check_not_behind(connection, out, service, told)
        knows = walk.knows(connection)
        found = survey(paths, options.read, prices, knows=knows)
        if found.rows == 0 or found.file_problems or (found.invalid and not options.only_valid):
            raise ManifestProblems(found)
        _check_columns(options.selection, found)
        known = connection is not None and is_taken_in(connection, found, options)
        another = "" if connection is None else another_folder(connection, out, paths)
        asks = not bought_at(service)[1] and (connection is None or bool(another))
        wanted: set[str] | None = None
        with closing(LedgersBeside(out if asks else None)) as beside:
            quick = not options.by_model and not options.broken
            if connection is not None and known and quick and not (options.check_inputs and has_inputs(found)):
                plan = walk.unchanged(connection, found.invalid)
            elif connection is None and not options.selection.conditions and not beside and quick:
                plan = _all_new(found)
            else:
                wanted = set()
                plan = _walked(connection, paths, prices, options, found, _Wanted(wanted, beside))
            elsewhere = Elsewhere(beside.ask(), another, service)
        if plan.unselected and plan.unselected + plan.invalid == plan.rows:
            raise _nothing_selected(options.selection)
        credits = None if connection is None else views.credits(connection)  # noqa: A001
        about = (*_other_machine(connection), *elsewhere.sentences(out))
    stored = credits.cap if credits else None
    now = cap.credits if cap.said else stored
    counted = credits.counted if credits else 0
    return Preview(
        out,
        found,
        plan,
        now,
        None if now is None else now - counted,
        known,
        options.limit,
        stored,
        about,
        elsewhere,
        None if wanted is None else frozenset(wanted),
    )


def has_inputs(found: Survey) -> bool:
    """Whether any row has a picture or a film as its input."""
    return bool(found.by_scene.keys() - {"text-to-video"})


def _walked(
    connection: Any,
    paths: Sequence[Place],
    prices: PriceTable,
    options: PlanOptions,
    found: Survey,
    buys: Callable[[str], None],
) -> Plan:
    """The plan, row by row."""
    items = items_of(connection, paths, prices, options, found)
    return walk.preview(connection, items, options.selection, resubmit_changed=options.resubmit_changed, buys=buys)


def items_of(
    connection: Any, paths: Sequence[Place], prices: PriceTable, options: PlanOptions, found: Survey
) -> Iterator[Line]:
    """Every row; what turned out not to be usable (`broken`) is an invalid one."""
    items = lines(paths, options.read, prices, found, knows=walk.knows(connection))
    return (_unless_broken(item, options.broken) for item in items) if options.broken else items


def _unless_broken(line: Line, broken: Mapping[tuple[str, int], tuple[Problem, ...]]) -> Line:
    if line.problems is not None or not (why := broken.get((line.manifest, line.number))):
        return line
    row = InvalidRow(
        line.manifest, line.number, line.line, line.job_id, json.loads(line.cells), why,
        {"provider": line.provider, "model": line.model, "scene": line.scene},
    )  # fmt: skip
    return Line.of(row)


class _Wanted:
    """Told each fingerprint that is to be submitted: the ledgers beside OUT are asked about it."""

    MOST = 100_000

    def __init__(self, wanted: set[str], beside: LedgersBeside) -> None:
        self._wanted, self._beside = wanted, beside

    def __call__(self, fingerprint: str) -> None:
        self._beside.want(fingerprint)
        if len(self._wanted) < self.MOST:
            self._wanted.add(fingerprint)


def _other_machine(connection: Any) -> tuple[str, ...]:
    """A warning where the ledger was last used on another machine: two of them on one folder share no lock."""
    host = (meta_value(connection, "owner") or {}).get("host", "") if connection is not None else ""
    if not host or host == socket.gethostname():
        return ()
    return (
        f"warning: {host} worked on this ledger last, and this is {socket.gethostname()}: never let two machines "
        "work in one folder",
    )


def cap_notes(preview: Preview, origin: str) -> Iterator[str]:
    """Where the cap is another than before; `origin` is where its setting comes from.

    Raises UsageError where a folder's file raises it: the folder may be somebody else's.
    """
    before, now = preview.stored_cap, preview.cap
    if before is None or origin.startswith("--max-") or (now is not None and now <= before):
        return
    unit = preview.unit
    what = "takes away" if now is None else f"raises to {unit.text(now)}"
    sentence = f"max_{unit.name} ({origin}) {what} the cap of {unit.count(before)} that {preview.out} has."
    if origin.startswith("BATCHGEN_"):
        yield f"Note: {sentence}"
    else:
        raise UsageError(
            sentence,
            code="not_from_a_folder",
            hint=f"A file in a folder may not raise a cap. Say it by {unit.cap_flag}, if you mean it.",
        )


def _all_new(found: Survey) -> Plan:
    """The plan where there is no ledger yet: every good row is submitted."""
    plan = Plan(rows=found.rows, invalid=found.invalid)
    for (scene, price), count in found.by_price.items():
        plan.add(Decision.NEW, scene, price, count)
    return plan


def is_taken_in(connection: Any, found: Survey, options: PlanOptions) -> bool:
    """Whether the ledger has just these rows already, as their jobs and chosen in the same way: then none need be
    read again.
    """
    return not options.resubmit_changed and meta_value(connection, "taken_in") == mark_of(found, options)


def mark_of(found: Survey, options: PlanOptions) -> list[Any]:
    mark = [found.digest, [list(one) for one in options.selection.conditions]]
    return [*mark, sorted(map(list, options.broken))] if options.broken else mark


@contextmanager
def _reading(out: Path) -> Iterator[Any]:
    """A moment of the ledger of `out`; None where there is none yet. Raises LedgerError where one is gone."""
    if ledger_path(out).exists():
        with reading(out) as connection:
            yield connection
        return
    if lost := ledger_missing(out):
        raise lost
    yield None


def _check_columns(selection: Selection, found: Survey) -> None:
    known = {column for columns in found.columns.values() for column in columns}
    if missing := selection.missing_columns(known):
        raise UsageError(
            f"--select names the column {missing[0]!r}, which no manifest has.",
            code="no_such_column",
            hint="The columns are: " + ", ".join(sorted({"id", "provider", "model", "scene", *known})) + ".",
        )


def _nothing_selected(selection: Selection) -> ManifestError:
    said = nothing_selected("", selection.conditions)
    return ManifestError(f"Nothing was submitted. {said.message}", code=said.code, hint=said.hint)


def over_cap(preview: Preview) -> OverCap:
    wanted, room = preview.needed, max(0, preview.room or 0)
    what = "The plan" if preview.limit is None else f"A run of {preview.limit:,} jobs"
    unit = preview.unit
    hint = f"Raise {unit.cap_flag}, choose rows with --select, or add --fill-cap to submit as many as fit."
    if preview.cap != preview.stored_cap:
        hint += " The cap was not stored: name it in the next run too."
    return OverCap(
        f"{what} needs {unit.count(wanted)}, but the cap leaves {unit.text(room)}. Nothing was submitted.",
        preview.plan,
        hint=hint,
        unit=unit,
    )
