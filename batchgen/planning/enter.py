"""Decided rows are entered in the ledger, in pieces: each is one transaction that moves a cursor on.

Until the last piece the rows of the run before are the current ones, and new jobs wait without being chosen. A run
that is killed meanwhile goes on at the cursor when it has the same rows; one with others begins again, and finds
what was entered as jobs that it knows.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from batchgen.check.line import Line
from batchgen.job import Earlier, Known, State
from batchgen.ledger import Person, purchases, rows
from batchgen.ledger.sqlite.store import meta_value, set_meta_value
from batchgen.ledger.tables import decision as decision_table
from batchgen.ledger.tables import job as job_table
from batchgen.ledger.tables import manifest as manifest_table
from batchgen.planning.decide import RAISES, Decision
from batchgen.planning.spool import Spool


class Decided(NamedTuple):
    """A row and what is done with it (None: it is invalid); what the ledger has of its job."""

    line: Line
    decision: Decision | None
    known: Known | None = None
    back: Earlier | None = None


@dataclass(frozen=True, slots=True)
class Taking:
    """How far it is. Kept as `meta.taking_in`.

    `hidden_from` and `new_jobs_from` are the first position and job number of rows and jobs that are not current
    yet, `first` the position of this run's first row, `at` how many of its rows are entered. `empty`: there was no
    job before. `manifest` is the one that was entered last, `manifest_no` its number. `mark` says which rows they
    are, None when nobody can go on.
    """

    hidden_from: int
    new_jobs_from: int
    first: int
    empty: bool
    mark: Any = None
    at: int = 0
    invalid: int = 0
    manifest: str = ""
    manifest_no: int = 0


def taking(connection: sa.Connection) -> Taking:
    """How far a taking in that has begun is."""
    return Taking(**meta_value(connection, "taking_in"))


def begin(connection: sa.Connection, mark: Any = None) -> None:
    """Begin to take rows in, or go on with those of a run that was killed."""
    before = meta_value(connection, "taking_in")
    if before and mark is not None and before["mark"] == mark:
        return
    job_no, position, manifest_no = rows.next_numbers(connection)
    now = Taking(position, job_no, position, job_no == 1, mark, manifest_no=manifest_no - 1)
    if before:
        now = replace(now, hidden_from=before["hidden_from"], new_jobs_from=before["new_jobs_from"])
    if now.empty:
        rows.put_off_index(connection)
    else:
        rows.make_index(connection)
    chosen = (job_table.c.selected == 1) | (job_table.c.changed == 1)
    connection.execute(sa.update(job_table).where(chosen).values(selected=0, changed=0))
    set_meta_value(connection, "taken_in", None)
    set_meta_value(connection, "taking_in", asdict(now))


def write(
    connection: sa.Connection,
    now: Taking,
    decided: Sequence[Decided],
    renamed: Sequence[int | None],
    by: Person,
) -> None:
    """Enter the next rows, each with what was decided and the job that it takes over, and move the cursor on."""
    job_no = rows.next_numbers(connection)[0]
    manifests = list(_manifests(connection, now, decided))
    jobs: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    changes = _Changes(by)
    position = now.first + now.at
    for one, old, manifest_no in zip(decided, renamed, manifests, strict=True):
        line, number = one.line, None
        if old is not None:
            number = old
            changes.renames.append({"no": old, "new_id": line.job_id, "to": position, "wanted": line.selected})
        elif one.known is not None:
            number = one.known.job_no
            changes.of(one, position)
        elif one.decision is not None:
            number, job_no = job_no, job_no + 1
            jobs.append((
                number, line.job_id, line.fingerprint, line.request, line.provider, line.model, line.scene,
                line.price, State.NOT_SUBMITTED.value, position, line.selected,
            ))  # fmt: skip
        differs = int(one.decision is Decision.CHANGED)
        lines.append((
            position, manifest_no, line.number, line.line, number, line.job_id, differs, line.cells, line.problems,
        ))  # fmt: skip
        position += 1
    rows.insert_jobs(connection, jobs)
    rows.insert_rows(connection, lines)
    changes.write(connection)
    last = decided[-1].line.manifest
    invalid = now.invalid + sum(one.decision is None for one in decided)
    after = replace(now, at=now.at + len(decided), invalid=invalid, manifest=last, manifest_no=manifests[-1])
    set_meta_value(connection, "taking_in", asdict(after))


def write_new(connection: sa.Connection, now: Taking, spool: Spool, most: int) -> bool:
    """Enter the next rows into a ledger that had no jobs; whether there were any."""
    name, last = spool.stretch(now.at, most)
    if last == now.at:
        return False
    number = now.manifest_no
    if now.at == 0 or name != now.manifest:
        number += 1
        connection.execute(sa.insert(manifest_table), {"manifest_no": number, "name": name})
    first_job = rows.next_numbers(connection)[0]
    jobs = spool.jobs(now.at, last, first_job, now.first)
    lines = spool.rows(now.at, last, first_job, now.first, number)
    rows.insert_jobs(connection, jobs)
    rows.insert_rows(connection, lines)
    invalid = now.invalid + len(lines) - len(jobs)
    set_meta_value(
        connection, "taking_in", asdict(replace(now, at=last, invalid=invalid, manifest=name, manifest_no=number))
    )
    return True


def finish(connection: sa.Connection) -> None:
    """All rows are entered: they are the current ones now."""
    rows.make_index(connection)
    now = taking(connection)
    set_meta_value(connection, "first_position", now.first)
    set_meta_value(connection, "invalid_rows", now.invalid)
    set_meta_value(connection, "taking_in", None)
    rows.forget_old_rows(connection, now.first, twice=now.hidden_from < now.first)


def _manifests(connection: sa.Connection, now: Taking, decided: Sequence[Decided]) -> Iterator[int]:
    """The number of each row's manifest; a new one is entered."""
    name, number = now.manifest, now.manifest_no
    fresh = now.at == 0
    for one in decided:
        if fresh or one.line.manifest != name:
            name, number, fresh = one.line.manifest, number + 1, False
            connection.execute(sa.insert(manifest_table), {"manifest_no": number, "name": name})
        yield number


class _Changes:
    """What becomes of jobs that the ledger knows."""

    def __init__(self, by: Person) -> None:
        self._by = by
        self._moves: list[dict[str, Any]] = []
        self._leaves: list[dict[str, Any]] = []
        self._replaces: list[dict[str, Any]] = []
        self._decisions: list[dict[str, Any]] = []
        self.renames: list[dict[str, Any]] = []

    def of(self, one: Decided, position: int) -> None:
        """A job whose id the row has."""
        line, decision, known, back = one
        if known is None:
            return
        differs = int(decision is Decision.CHANGED)
        self._moves.append({"no": known.job_no, "to": position, "wanted": line.selected, "differs": differs})
        raised = decision in RAISES and line.selected == 1
        same = (known.fingerprint, known.price) == (line.fingerprint, line.price)
        replaced = decision is Decision.WAITING and not same  # a mended price list counts at once
        if not (raised or replaced or back):
            return
        if known.state is not State.NOT_SUBMITTED:
            self._leaves.append(purchases.left(known))
        now = back or Earlier(State.NOT_SUBMITTED)
        self._replaces.append(
            {
                "no": known.job_no, "new_fingerprint": line.fingerprint, "new_request": line.request,
                "new_provider": line.provider, "new_model": line.model, "new_scene": line.scene,
                "new_price": line.price, "new_purchase": known.purchase_no + int(raised),
                "new_state": now.state.value, "new_code": now.error_code, "new_error": now.error,
            }
        )  # fmt: skip
        if raised:
            detail = {"purchase_no": known.purchase_no + 1, "was": known.state.value}
            self._decide(f"buy again: {decision}", line.job_id, detail)
        elif back:
            self._decide(
                "back to what was bought", line.job_id, {"state": back.state.value, "was": known.state.value}
            )

    def _decide(self, what: str, job_id: str, detail: dict[str, Any]) -> None:
        by, text = self._by, json.dumps(detail)
        self._decisions.append({"at": by.at, "who": by.name, "what": what, "job_id": job_id, "detail": text})

    def write(self, connection: sa.Connection) -> None:
        rows.insert_many(connection, decision_table, self._decisions)
        for statement, values in (
            (rows.MOVE, self._moves), (purchases.LEAVE, self._leaves), (rows.REPLACE, self._replaces),
            (rows.RENAME, self.renames),
        ):  # fmt: skip
            if values:
                statement.execute(connection, values)
