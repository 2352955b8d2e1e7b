"""Before money is spent: read and check the manifests, work out the plan, and write it into the ledger."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchgen import __version__
from batchgen.amount import CREDITS, Unit
from batchgen.check.catalogue import GATEWAY
from batchgen.check.findings import nothing_selected
from batchgen.check.lines import lines
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, Survey, still_the_same, survey
from batchgen.errors import CapError, ManifestError, UsageError
from batchgen.ledger import CapReached, Ledger, Person, failpoint, reading, views
from batchgen.ledger.account import set_cap
from batchgen.ledger.decisions import note
from batchgen.ledger.sqlite.beside import LedgersBeside
from batchgen.ledger.sqlite.history import check_not_behind, ledger_missing, tasks_told
from batchgen.ledger.sqlite.store import check_service, ledger_path, meta_value, set_meta_value, unit_of
from batchgen.manifest import Place
from batchgen.planning import enter, walk
from batchgen.planning.decide import Cap, Decision, Plan, Selection
from batchgen.planning.elsewhere import Elsewhere, another_folder, remember_folders
from batchgen.planning.spool import FILE as SPOOL
from batchgen.planning.spool import Spool

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
        with closing(LedgersBeside(out if asks else None)) as beside:
            if connection is not None and known:
                plan = walk.unchanged(connection, found.invalid)
            elif connection is None and not options.selection.conditions and not beside:
                plan = _all_new(found)
            else:
                items = lines(paths, options.read, prices, found, knows=knows)
                again = options.resubmit_changed
                plan = walk.preview(connection, items, options.selection, resubmit_changed=again, buys=beside.want)
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
    )


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
    return not options.resubmit_changed and meta_value(connection, "taken_in") == _mark(found, options)


def _mark(found: Survey, options: PlanOptions) -> list[Any]:
    return [found.digest, [list(one) for one in options.selection.conditions]]


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


def take_in(
    ledger: Ledger,
    paths: Sequence[Place],
    preview: Preview,
    prices: PriceTable,
    cap: Cap,
    options: PlanOptions,
) -> None:
    """Write rows and jobs into the ledger, in pieces, and the cap first.

    A run that was killed meanwhile goes on where it was, when it has the same rows and prices.
    """
    by, found = ledger.person(), preview.survey
    failpoint.reached("take_in.before")
    if preview.taken_in and ledger.read(lambda connection: is_taken_in(connection, found, options)):
        _check_plan(preview.plan, ledger.read(lambda connection: walk.unchanged(connection, found.invalid)))
        ledger.write(lambda connection: _store_cap(connection, cap, by))
        (ledger.out / SPOOL).unlink(missing_ok=True)  # of a run that was killed at the end of taking in
    else:
        spool = Spool(ledger.out / SPOOL)
        try:
            plan = _spooled(ledger, spool, paths, preview, prices, options)
            _enter(ledger, spool, plan, preview, prices, cap, options)
        finally:
            spool.remove()
    failpoint.reached("take_in.after")


def _spooled(
    ledger: Ledger,
    spool: Spool,
    paths: Sequence[Place],
    preview: Preview,
    prices: PriceTable,
    options: PlanOptions,
) -> Plan:
    """Bring the rows into the spool, and plan with them; the plan is the one that was shown."""
    found, mark = preview.survey, _spool_mark(preview.survey, options)

    def fill(connection: Any) -> None:
        items = lines(paths, options.read, prices, found, knows=walk.knows(connection))
        spool.fill(walk.as_lines(items, options.selection), mark)

    _check_manifests(found, prices, options)
    if not spool.holds(mark):
        ledger.read(fill)
        _check_manifests(found, prices, options)  # again: it is read while somebody may write it
    failpoint.reached("take_in.filled")

    def plan(connection: Any) -> walk.Walk:
        now = walk.Walk(connection, resubmit_changed=options.resubmit_changed)
        _check_plan(preview.plan, now.through(spool))
        return now

    now = ledger.read(plan)
    spool.rename(now.renamed)
    return now.plan


def _enter(
    ledger: Ledger, spool: Spool, plan: Plan, preview: Preview, prices: PriceTable, cap: Cap, options: PlanOptions
) -> None:
    """Write down what is in the spool, each piece durably."""
    by, found, again = ledger.person(), preview.survey, options.resubmit_changed

    def begin(connection: Any) -> None:
        _store_cap(connection, cap, by)
        remember_folders(connection, ledger.out, found.files)
        enter.begin(connection, _spool_mark(found, options))

    def finish(connection: Any) -> None:
        enter.finish(connection)
        columns = list(dict.fromkeys(name for some in found.columns.values() for name in some))
        set_meta_value(connection, "columns", columns)
        set_meta_value(connection, "price_version", prices.version)
        # A row that was edited while its job runs or is in doubt is compared anew by each run.
        set_meta_value(connection, "taken_in", None if plan.differing else _mark(found, options))

    ledger.write(begin)
    failpoint.reached("take_in.begun")
    with ledger.in_bulk():
        while ledger.write(lambda connection: walk.piece(connection, spool, by, resubmit_changed=again)):
            failpoint.reached("take_in.piece")
    ledger.write(finish)


def _store_cap(connection: Any, cap: Cap, by: Person) -> None:
    if cap.said:
        change_cap(connection, cap.credits, by)


def _spool_mark(found: Survey, options: PlanOptions) -> list[Any]:
    """What decides which rows are in the spool, and what becomes of each."""
    return [__version__, options.resubmit_changed, *_mark(found, options)]


def _check_manifests(found: Survey, prices: PriceTable, options: PlanOptions) -> None:
    """Raise where a file is no longer what the plan was made from: another text would be bought unseen."""
    if not still_the_same(found, options.read, prices):
        raise ManifestError(
            "The manifest changed while it was read; nothing was submitted.",
            code="manifest_changed",
            hint="Save it, close the program that writes it, and run again.",
        )


def _check_plan(shown: Plan, now: Plan) -> None:
    """Raise where more or less would be bought than was shown: somebody resolved, bought or collected meanwhile."""
    if now.to_submit != shown.to_submit or now.rows != shown.rows:
        raise ManifestError(
            "What is to be submitted changed after the plan was made; nothing was submitted.",
            code="plan_changed",
            hint="The jobs of this folder changed meanwhile. Run again, and look at the new plan.",
        )


def change_cap(connection: Any, cap: int | None, by: Person) -> None:
    """Store the cap of an OUT. Raises CapError when more is spent already."""
    before = views.credits(connection)
    if before.cap == cap:
        return
    try:
        set_cap(connection, cap)
    except CapReached:
        unit = unit_of(connection)
        raise CapError(
            f"{unit.text(before.counted)} {unit.word} are spent or reserved already, more than the cap of "
            f"{unit.text(cap or 0)}.",
            code="cap_below_spent",
            hint="Nothing was submitted. Name a higher cap, or none; `batchgen collect` gets what is paid for.",
        ) from None
    note(connection, by, "cap", was=before.cap, now=cap)
