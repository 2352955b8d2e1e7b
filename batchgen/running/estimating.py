"""What manifests cost, and how much of it is paid for in a ledger. Loads no ledger where none is named."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batchgen.amount import Unit
from batchgen.check.lines import lines
from batchgen.check.survey import ReadOptions, Survey, find_manifests, survey
from batchgen.errors import CapError, UsageError
from batchgen.manifest.source import Rows
from batchgen.planning.decide import Cap, Selection
from batchgen.running.place import out_from_environment
from batchgen.running.settings import Config


def estimated(
    names: Sequence[str | Rows], options: ReadOptions, config: Config, by: str | None, out: Path | None
) -> tuple[Survey, tuple[int, int], tuple[int, int]]:
    """(what the manifests hold, what OUT has paid for of it, what is left to pay): (jobs, amount) each."""
    prices, paths = config.table(), find_manifests(names)
    with _ledger_of(out) as connection:
        if connection is None:
            found = survey(paths, options, prices, by=by)
            _check_by(found)
            return found, (0, 0), (found.valid, found.credits)
        from batchgen.planning import walk

        knows = walk.knows(connection)
        found = survey(paths, options, prices, by=by, knows=knows)
        _check_by(found)
        items = lines(paths, options, prices, found, knows=knows)
        plan = walk.preview(connection, items, Selection())
    paid, submit = plan.already_paid, plan.to_submit
    return found, (paid.jobs, paid.credits), (submit.jobs, submit.credits)


def check_room(amount: int, cap: Cap, unit: Unit) -> None:
    """Raise CapError where more is to be paid than the cap that was said."""
    if not cap.said or cap.credits is None or amount <= cap.credits:
        return
    raise CapError(
        f"{unit.count(amount)} to pay {'is' if unit.exact(amount) == 1 else 'are'} more than the cap of "
        f"{unit.text(cap.credits)}.",
        code="over_cap",
    )


def _check_by(found: Survey) -> None:
    """Raise where --by names a column that no manifest has: a table of blanks would hide the typing error."""
    known = {column for columns in (*found.columns.values(), *found.orders.values()) for column in columns}
    if found.by and not any(found.by) and found.by_column not in known:
        raise UsageError(
            f"--by names the column {found.by_column!r}, which no manifest has.",
            code="no_such_column",
            hint="The columns are: " + ", ".join(sorted(known)) + ".",
        )


@contextmanager
def _ledger_of(out: Path | None) -> Iterator[Any]:
    """A moment of OUT's ledger; None where no OUT is named, or the environment's has no ledger yet."""
    named_out = out or out_from_environment()
    if named_out is None:
        yield None
        return
    from batchgen.ledger import reading
    from batchgen.ledger.sqlite.store import ledger_path

    if out is None and not ledger_path(named_out).exists():
        yield None
        return
    with reading(named_out) as connection:
        yield connection
