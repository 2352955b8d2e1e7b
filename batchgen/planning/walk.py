"""Rows meet the ledger: what a run would do with each (`preview`), and the same written down (`take_in`).

Both walk the rows once and decide alike. A row whose id is new but whose content was paid for under an id
that no row has any more is only known at the end of the walk: it takes that task over (*renamed*).
"""

from collections.abc import Callable, Iterable, Iterator

import sqlalchemy as sa

from batchgen.job import Earlier, InvalidRow, Job, Known, Row, State
from batchgen.ledger import Person, rows
from batchgen.ledger.sqlite.store import meta_value
from batchgen.planning.decide import RAISES, Decision, Plan, Selection, decide, may_go_back
from batchgen.planning.enter import CHUNK, Candidate, Entries, Lookup


def preview(
    connection: sa.Connection | None,
    items: Iterable[Job | InvalidRow],
    selection: Selection,
    *,
    resubmit_changed: bool = False,
) -> Plan:
    """The plan, with nothing written. Without a ledger (None) every row is new."""
    return _Intake(Lookup(connection), selection, resubmit_changed).walk(items)


def take_in(
    connection: sa.Connection,
    items: Iterable[Job | InvalidRow],
    selection: Selection,
    by: Person,
    *,
    resubmit_changed: bool = False,
) -> Plan:
    """The same plan, written into the ledger within the caller's transaction."""
    return _Intake(Entries(connection, by), selection, resubmit_changed).walk(items)


def unchanged(connection: sa.Connection, invalid: int) -> Plan:
    """The plan for rows that are taken in already, just as their jobs are: from sums, not row by row."""
    plan = Plan(invalid=invalid, rows=invalid)
    first = meta_value(connection, "first_position")
    for state, selected, again, scene, price, jobs in rows.current_rows(connection, first):
        plan.rows += jobs
        if not selected:
            plan.unselected += jobs
            continue
        plan.add(decide("same", Known(0, "", "same", state, 1, 0)), scene, price, jobs)
        if again and state is State.NOT_SUBMITTED:
            plan.again.add(price * jobs, jobs)
    return plan


def knows(connection: sa.Connection | None) -> Callable[[Row], bool]:
    """Whether this OUT knows what a row says was bought: its task, or without one its job.

    Where there is no ledger yet, nothing was bought.
    """

    def known(row: Row) -> bool:
        if connection is None:
            return False
        if row.task_id:
            return rows.knows_task(connection, row.task_id)
        job_id = row.values.get("id")
        return isinstance(job_id, str) and bool(rows.known_jobs(connection, [job_id]))

    return known


def next_position(connection: sa.Connection) -> int:
    """Where the rows that are taken in next begin."""
    return rows.next_numbers(connection)[1]


class _Intake:
    """One walk over the rows."""

    def __init__(self, reader: Lookup, selection: Selection, resubmit_changed: bool) -> None:
        self.reader = reader
        self.selection = selection
        self.resubmit_changed = resubmit_changed
        self.plan = Plan()
        self.candidates: list[Candidate] = []
        self.present: set[int] = set()
        self.old: dict[str, list[Known]] = {}  # jobs bought earlier, by the content of a candidate

    def walk(self, items: Iterable[Job | InvalidRow]) -> Plan:
        for chunk in _chunks(items, CHUNK):
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
        self.candidates.append(Candidate(position, one.job_id, scene, one.price, selected, one.fingerprint))

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
            if decision is Decision.WAITING and found is not None and found.purchase_no > 1:
                self.plan.again.add(one.price)
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
