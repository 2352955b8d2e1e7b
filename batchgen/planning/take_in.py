"""What was planned, written into the ledger: rows in pieces, with a cursor, so that a kill is gone on from."""

from collections.abc import Sequence
from typing import Any

from batchgen import __version__
from batchgen.check.prices import PriceTable
from batchgen.check.survey import Survey, still_the_same
from batchgen.errors import CapError, ManifestError
from batchgen.ledger import CapReached, Ledger, Person, failpoint, views
from batchgen.ledger.account import set_cap
from batchgen.ledger.decisions import note
from batchgen.ledger.sqlite.store import set_meta_value, unit_of
from batchgen.manifest import Place
from batchgen.planning import enter, walk
from batchgen.planning.decide import Cap, Plan
from batchgen.planning.elsewhere import remember_folders
from batchgen.planning.preview import PlanOptions, Preview, is_taken_in, items_of, mark_of
from batchgen.planning.spool import FILE as SPOOL
from batchgen.planning.spool import Spool


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

    def lines(connection: Any) -> None:
        items = items_of(connection, paths, prices, options, found)
        spool.fill(walk.as_lines(items, options.selection), mark)

    _check_manifests(found, prices, options)
    if not spool.holds(mark):
        ledger.read(lines)
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
        set_meta_value(connection, "taken_in", None if plan.differing else mark_of(found, options))

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
    return [__version__, options.resubmit_changed, *mark_of(found, options)]


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
