"""Rows meet the ledger: what a run would do with each (`preview`), and the same written down (`take_in`).

The rows are walked once, and nothing is written. A row whose id is new but whose content was paid for under an id
that no row has any more is only known at the end of the walk: it takes that task over (*renamed*). `enter` then
writes down, piece by piece, what was decided.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import sqlalchemy as sa

from batchgen.check.line import Line
from batchgen.job import Earlier, InvalidRow, Job, Known, Owner, Row, State
from batchgen.ledger import Person, purchases, rows
from batchgen.ledger.sqlite.store import meta_value
from batchgen.planning import enter
from batchgen.planning.decide import RAISES, SUBMITS, Decision, Plan, Selection, decide, may_go_back
from batchgen.planning.enter import Decided
from batchgen.planning.spool import Spool

#: Rows that are looked up at once, and rows that are written at once where nothing is to be looked up.
CHUNK, PIECE = 2000, 5000


def preview(
    connection: sa.Connection | None,
    items: Iterable[Job | InvalidRow | Line],
    selection: Selection,
    *,
    resubmit_changed: bool = False,
    buys: Callable[[str], None] | None = None,
) -> Plan:
    """The plan, with nothing written. Without a ledger (None) every row is new.

    `buys` is told the fingerprint of each job that is to be submitted.
    """
    return Walk(connection, resubmit_changed=resubmit_changed, buys=buys).through(as_lines(items, selection))


def take_in(
    connection: sa.Connection,
    items: Iterable[Job | InvalidRow | Line],
    selection: Selection,
    by: Person,
    *,
    resubmit_changed: bool = False,
) -> Plan:
    """The same plan, written into the ledger within the caller's transaction."""
    spool = Spool()
    spool.fill(as_lines(items, selection))
    walk = Walk(connection, resubmit_changed=resubmit_changed)
    plan = walk.through(spool)
    spool.rename(walk.renamed)
    enter.begin(connection)
    while piece(connection, spool, by, resubmit_changed=resubmit_changed):
        pass
    enter.finish(connection)
    spool.close()
    return plan


def piece(connection: sa.Connection, spool: Spool, by: Person, *, resubmit_changed: bool) -> bool:
    """Write the next rows of the spool down; whether there were any. The plan over all of them is known."""
    taking = enter.taking(connection)
    if taking.empty:
        return enter.write_new(connection, taking, spool, PIECE)
    page = spool.page(taking.at, CHUNK)
    if not page:
        return False
    found = decided(connection, [line for line, _ in page], resubmit_changed=resubmit_changed)
    enter.write(connection, taking, found, [job_no for _, job_no in page], by)
    return True


def decided(connection: sa.Connection, lines: list[Line], *, resubmit_changed: bool) -> list[Decided]:
    """What is done with each of these rows, but for those that are renamed; an invalid one has no decision."""
    jobs = [line for line in lines if line.problems is None]
    known = rows.known_jobs(connection, [line.job_id for line in jobs])
    numbers = [
        its.job_no for line in jobs if (its := known.get(line.job_id)) and may_go_back(line.fingerprint, its)
    ]
    earlier = purchases.bought_earlier(connection, numbers) if numbers else {}
    return [_decided(line, known.get(line.job_id), earlier, resubmit_changed) for line in lines]


def _decided(
    line: Line, known: Known | None, earlier: dict[tuple[int, str], Earlier], resubmit_changed: bool
) -> Decided:
    if line.problems is not None:
        return Decided(line, None)
    content = line.fingerprint
    back = earlier.get((known.job_no, content)) if known and may_go_back(content, known) else None
    return Decided(line, decide(content, known, resubmit_changed=resubmit_changed, back=back), known, back)


def as_lines(items: Iterable[Job | InvalidRow | Line], selection: Selection) -> Iterator[Line]:
    """Jobs and invalid rows as they are kept."""
    for item in items:
        if isinstance(item, Line):
            chosen = item.problems is None and (not selection.conditions or selection.matches(item.job()))
            yield item if chosen == item.selected else item._replace(selected=int(chosen))
        else:
            yield Line.of(item, selected=isinstance(item, Job) and selection.matches(item))


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


def knows(connection: sa.Connection | None) -> Callable[[Row], Owner | bool]:
    """Whether this OUT knows what a row says was bought: its task, or without one its job.

    Where there is no ledger yet, nothing was bought.
    """

    def known(row: Row) -> Owner | bool:
        if connection is None:
            return False
        if row.task_id:
            return rows.owner_of_task(connection, row.task_id) or False
        job_id = row.values.get("id")
        return isinstance(job_id, str) and bool(rows.known_jobs(connection, [job_id]))

    return known


def next_position(connection: sa.Connection) -> int:
    """Where the rows that are taken in next begin."""
    return rows.next_numbers(connection)[1]


class Walk:
    """One walk over the rows. `renamed` has, after it, the position and the job of each row that takes one over."""

    def __init__(
        self,
        connection: sa.Connection | None,
        *,
        resubmit_changed: bool,
        buys: Callable[[str], None] | None = None,
    ) -> None:
        self._buys = buys
        self._connection = connection if connection is not None and rows.any_job(connection) else None
        self._resubmit_changed = resubmit_changed
        self.plan = Plan()
        self._candidates: list[tuple[int, Line]] = []
        self._present: set[int] = set()
        self._old: dict[str, list[Known]] = {}  # jobs bought earlier, by the content of a candidate
        self.renamed: list[tuple[int, int]] = []

    def through(self, lines: Iterable[Line]) -> Plan:
        if self._connection is None and isinstance(lines, Spool):
            self._all_new(lines)
            return self.plan
        left = iter(lines)
        while chunk := list(islice(left, CHUNK)):
            if self._connection is None:  # where no job is known there is nothing to ask
                found = [_decided(line, None, {}, self._resubmit_changed) for line in chunk]
            else:
                found = decided(self._connection, chunk, resubmit_changed=self._resubmit_changed)
                new = {one.line.fingerprint for one in found if one.decision is Decision.NEW} - self._old.keys()
                if new:
                    bought = rows.bought_with(self._connection, sorted(new))
                    self._old.update((content, some[::-1]) for content, some in bought.items())
            for one in found:
                self._count(one)
                self.plan.rows += 1
            del chunk, found
        self._renames()
        return self.plan

    def _all_new(self, spool: Spool) -> None:
        """Where no job is known, sums are enough."""
        for invalid, selected, scene, price, many in spool.sums():
            self.plan.rows += many
            if invalid:
                self.plan.invalid += many
            elif selected:
                self.plan.add(Decision.NEW, scene, price, many)
            else:
                self.plan.unselected += many

    def _count(self, one: Decided) -> None:
        line, decision, known, back = one
        if decision is None:
            self.plan.invalid += 1
            return
        if known is None and line.fingerprint in self._old:
            place = self.plan.rows
            self._candidates.append((place, line._replace(request="", cells="")))  # all rows may be renamed
            return
        if known is not None:
            self._present.add(known.job_no)
            same = back is not None or known.fingerprint == line.fingerprint
            now_same = same or decision is Decision.WAITING or (decision in RAISES and line.selected)
            self.plan.differing += not now_same
        if not line.selected:
            self.plan.unselected += 1
            return
        self.plan.add(decision, line.scene, line.price, model=line.model)
        if self._buys is not None and decision in SUBMITS:
            self._buys(line.fingerprint)
        if decision is Decision.WAITING and known is not None and known.purchase_no > 1:
            self.plan.again.add(line.price)

    def _renames(self) -> None:
        for position, line in self._candidates:
            old = self._left_behind(line.fingerprint)
            if old is not None:
                self.renamed.append((position, old.job_no))
                self.plan.renamed.append((old.job_id, line.job_id))
            if not line.selected:
                self.plan.unselected += 1
                continue
            decision = Decision.NEW if old is None else Decision.RENAMED
            self.plan.add(decision, line.scene, line.price, model=line.model)
            if self._buys is not None and old is None:
                self._buys(line.fingerprint)

    def _left_behind(self, fingerprint: str) -> Known | None:
        """The next job with this content whose id no row has any more."""
        some = self._old[fingerprint]
        while some:
            one = some.pop()
            if one.job_no not in self._present:
                return one
        return None
