"""Rows meet the ledger: what a run would do with each (`preview`), and the same written down (`take_in`).

Both walk the rows once and decide alike. A row whose id is new but whose content was paid for under an id
that no row has any more is only known at the end of the walk: it takes that task over (*renamed*).
"""

import getpass
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from batchgen.job import Earlier, InvalidRow, Job, Known, State
from batchgen.ledger import earlier, rows
from batchgen.ledger.store import meta_value
from batchgen.ledger.tables import candidate as candidate_table
from batchgen.ledger.tables import decision as decision_table
from batchgen.ledger.tables import job as job_table
from batchgen.ledger.tables import manifest as manifest_table
from batchgen.ledger.tables import row as row_table
from batchgen.plan import RAISES, Decision, Plan, Selection, decide, may_go_back

_CHUNK = 2000


def preview(
    connection: sa.Connection | None,
    items: Iterable[Job | InvalidRow],
    selection: Selection,
    *,
    resubmit_changed: bool = False,
) -> Plan:
    """The plan, with nothing written. Without a ledger (None) every row is new."""
    return _Intake(_Reader(connection), selection, resubmit_changed).walk(items)


def take_in(
    connection: sa.Connection,
    items: Iterable[Job | InvalidRow],
    selection: Selection,
    *,
    resubmit_changed: bool = False,
) -> Plan:
    """The same plan, written into the ledger within the caller's transaction."""
    return _Intake(_Keeper(connection), selection, resubmit_changed).walk(items)


def unchanged(connection: sa.Connection, invalid: int) -> Plan:
    """The plan for rows that are taken in already, just as their jobs are: from sums, not row by row."""
    plan = Plan(invalid=invalid, rows=invalid)
    first = meta_value(connection, "first_position")
    for state, selected, scene, jobs, credits in rows.current_rows(connection, first):  # noqa: A001
        plan.rows += jobs
        if not selected:
            plan.unselected += jobs
            continue
        plan.add(decide("same", Known(0, "", "same", state, 1, 0)), scene, credits, jobs)
    return plan


def next_position(connection: sa.Connection) -> int:
    """Where the rows that are taken in next begin."""
    return rows.next_numbers(connection)[1]


@dataclass(slots=True)
class _Candidate:
    """A new id whose content was bought before: a rename, if one of the old ids has no row."""

    position: int
    job_id: str
    scene: str
    price: int
    selected: bool
    fingerprint: str


class _Reader:
    """Asks the ledger, writes nothing."""

    def __init__(self, connection: sa.Connection | None) -> None:
        self.connection = connection

    def known(self, job_ids: list[str]) -> dict[str, Known]:
        return rows.known_jobs(self.connection, job_ids) if self.connection is not None else {}

    def bought_with(self, fingerprints: list[str]) -> dict[str, list[Known]]:
        if self.connection is None or not fingerprints:
            return {}
        return rows.bought_with(self.connection, fingerprints)

    def bought_earlier(self, job_nos: list[int]) -> dict[tuple[int, str], Earlier]:
        if self.connection is None or not job_nos:
            return {}
        return earlier.bought_earlier(self.connection, job_nos)

    def keep(
        self,
        one: Job | InvalidRow,
        decision: Decision | None = None,
        known: Known | None = None,
        selected: bool = False,
        back: Earlier | None = None,
    ) -> int:
        del one, decision, known, selected, back  # a keeper writes them down
        return 0

    def flush(self) -> None: ...

    def settle(self, candidate: _Candidate, old: Known | None) -> None: ...

    def finish(self) -> None: ...


class _Keeper(_Reader):
    """Writes each decision down, in chunks."""

    connection: sa.Connection

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self.job_no, self.position, self.manifest_no = rows.next_numbers(connection)
        self.first_position = self.position
        self.manifest_no -= 1
        self.manifest = ""
        self.jobs: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.moves: list[dict[str, Any]] = []
        self.leaves: list[dict[str, Any]] = []
        self.replaces: list[dict[str, Any]] = []
        self.decisions: list[dict[str, Any]] = []
        self.candidates: list[dict[str, Any]] = []
        self.renames: list[dict[str, Any]] = []
        self.owners: list[dict[str, Any]] = []
        candidate_table.create(connection)
        connection.execute(sa.update(job_table).where(job_table.c.selected == 1).values(selected=0))

    def keep(
        self,
        one: Job | InvalidRow,
        decision: Decision | None = None,
        known: Known | None = None,
        selected: bool = False,
        back: Earlier | None = None,
    ) -> int:
        position, self.position = self.position, self.position + 1
        if one.manifest != self.manifest or self.manifest_no < 1:
            self.manifest, self.manifest_no = one.manifest, self.manifest_no + 1
            values = {"manifest_no": self.manifest_no, "name": one.manifest}
            self.connection.execute(sa.insert(manifest_table), values)
        job_no: int | None = None
        if isinstance(one, Job) and decision is not Decision.RENAMED:
            job_no = known.job_no if known else self._new(one, position, selected)
            if known:
                self.moves.append({"no": known.job_no, "to": position, "wanted": int(selected)})
                self._again(one, decision, known, selected, back)
        elif isinstance(one, Job):
            line = rows.job_values(0, one, position, selected=selected)
            self.candidates.append({"position": position, "line": rows.json_text(line)})
        changed = decision is Decision.CHANGED
        self.rows.append(rows.row_values(position, self.manifest_no, one, job_no, changed=changed))
        return position

    def _new(self, one: Job, position: int, selected: bool) -> int:
        number, self.job_no = self.job_no, self.job_no + 1
        self.jobs.append(rows.job_values(number, one, position, selected=selected))
        return number

    def _again(
        self, one: Job, decision: Decision | None, known: Known, selected: bool, back: Earlier | None
    ) -> None:
        raised = decision in RAISES and selected
        same = (known.fingerprint, known.price) == (one.fingerprint, one.price)
        replaced = decision is Decision.WAITING and not same  # a mended price list counts at once
        if not (raised or replaced or back):
            return
        if known.state is not State.NOT_SUBMITTED:
            self.leaves.append(earlier.left(known))
        now = back or Earlier(State.NOT_SUBMITTED)
        self.replaces.append(
            {
                "no": known.job_no,
                "new_fingerprint": one.fingerprint,
                **{f"new_{name}": value for name, value in rows.request_values(one).items()},
                "new_purchase": known.purchase_no + int(raised),
                "new_state": now.state.value,
                "new_code": now.error_code,
                "new_error": now.error,
            }
        )
        if raised:
            detail = json.dumps({"purchase_no": known.purchase_no + 1, "was": known.state.value})
            self.decisions.append(_decision(f"buy again: {decision}", one.job_id, detail))
        elif back:
            detail = json.dumps({"state": back.state.value, "was": known.state.value})
            self.decisions.append(_decision("back to what was bought", one.job_id, detail))

    def flush(self) -> None:
        rows.insert_many(self.connection, job_table, self.jobs)
        rows.insert_many(self.connection, row_table, self.rows)
        rows.insert_many(self.connection, decision_table, self.decisions)
        rows.insert_many(self.connection, candidate_table, self.candidates)
        changes = (
            (rows.MOVE, self.moves), (earlier.LEAVE, self.leaves), (rows.REPLACE, self.replaces),
            (rows.RENAME, self.renames), (rows.RENAME_ROW, self.owners),
        )  # fmt: skip
        for statement, values in changes:
            if values:
                statement.execute(self.connection, values)
        for each in (self.jobs, self.rows, self.decisions, self.candidates, *(values for _, values in changes)):
            each.clear()

    def settle(self, candidate: _Candidate, old: Known | None) -> None:
        at = candidate.position
        if old is not None:
            number, wanted = old.job_no, int(candidate.selected)
            self.renames.append({"no": number, "new_id": candidate.job_id, "to": at, "wanted": wanted})
        else:
            number, self.job_no = self.job_no, self.job_no + 1
            self.jobs.append({**rows.candidate_line(self.connection, at), "job_no": number})
        self.owners.append({"at": at, "no": number})
        if len(self.owners) >= _CHUNK:
            self.flush()

    def finish(self) -> None:
        self.flush()
        candidate_table.drop(self.connection)
        rows.forget_old_rows(self.connection, self.first_position)


class _Intake:
    """One walk over the rows."""

    def __init__(self, reader: _Reader, selection: Selection, resubmit_changed: bool) -> None:
        self.reader = reader
        self.selection = selection
        self.resubmit_changed = resubmit_changed
        self.plan = Plan()
        self.candidates: list[_Candidate] = []
        self.present: set[int] = set()
        self.old: dict[str, list[Known]] = {}  # jobs bought earlier, by the content of a candidate

    def walk(self, items: Iterable[Job | InvalidRow]) -> Plan:
        for chunk in _chunks(items, _CHUNK):
            self._chunk(chunk)
            self.reader.flush()
        self._renames()
        self.reader.finish()
        return self.plan

    def _chunk(self, chunk: list[Job | InvalidRow]) -> None:
        jobs = [one for one in chunk if isinstance(one, Job)]
        known = self.reader.known([one.job_id for one in jobs])
        new = {one.fingerprint for one in jobs if one.job_id not in known} - self.old.keys()
        bought = self.reader.bought_with(sorted(new))
        self.old.update((content, some[::-1]) for content, some in bought.items())
        back = self.reader.bought_earlier(
            [its.job_no for one in jobs if (its := known.get(one.job_id)) and may_go_back(one.fingerprint, its)]
        )
        for one in chunk:
            self.plan.rows += 1
            if isinstance(one, InvalidRow):
                self.plan.invalid += 1
                self.reader.keep(one)
                continue
            found = known.get(one.job_id)
            if found is None and one.fingerprint in self.old:
                self._perhaps_renamed(one)
            else:
                self._job(one, found, back.get((found.job_no, one.fingerprint)) if found else None)

    def _perhaps_renamed(self, one: Job) -> None:
        scene, selected = str(one.request["scene"]), self.selection.matches(one)
        position = self.reader.keep(one, Decision.RENAMED, None, selected)
        self.candidates.append(_Candidate(position, one.job_id, scene, one.price, selected, one.fingerprint))

    def _job(self, one: Job, found: Known | None, back: Earlier | None) -> None:
        selected = self.selection.matches(one)
        decision = decide(one.fingerprint, found, resubmit_changed=self.resubmit_changed, back=back)
        self.reader.keep(one, decision, found, selected, back)
        if found is not None:
            self.present.add(found.job_no)
            same = back is not None or found.fingerprint == one.fingerprint
            now_same = same or decision is Decision.WAITING or (decision in RAISES and selected)
            self.plan.differing += not now_same
        if selected:
            self.plan.count(decision, one)
        else:
            self.plan.unselected += 1

    def _renames(self) -> None:
        for one in self.candidates:
            old = self._left_behind(one.fingerprint)
            self.reader.settle(one, old)
            if old is not None:
                self.plan.renamed.append((old.job_id, one.job_id))
            if one.selected:
                self.plan.add(Decision.NEW if old is None else Decision.RENAMED, one.scene, one.price)
            else:
                self.plan.unselected += 1

    def _left_behind(self, fingerprint: str) -> Known | None:
        """The next job with this content whose id no row has any more."""
        some = self.old[fingerprint]
        while some:
            one = some.pop()
            if one.job_no not in self.present:
                return one
        return None


def _chunks(items: Iterable[Job | InvalidRow], size: int) -> Iterator[list[Job | InvalidRow]]:
    chunk: list[Job | InvalidRow] = []
    for one in items:
        chunk.append(one)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _decision(what: str, job_id: str, detail: str) -> dict[str, Any]:
    return {"at": time.time(), "who": person(), "what": what, "job_id": job_id, "detail": detail}


def person() -> str:
    """Who decides: the name of the account, for the ledger's record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
