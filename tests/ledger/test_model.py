"""The ledger against a dictionary: whatever happens in whatever order, both say the same, and no promise breaks."""

import contextlib
import io
import shutil
import sqlite3
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from till import SERVICE, Till, accepted, job, outcome

from batchgen.errors import LedgerWriteError, UsageError
from batchgen.job import (
    ENDED_WITHOUT_VIDEO,
    GIVEN_UP,
    PAID_ENDS,
    PAID_LOST,
    TERMINAL,
    WAITING,
    WHOLE_CHARGE,
    Outcome,
    OutcomeKind,
    State,
)
from batchgen.ledger import Attempt, CapReached, Person, amend, decisions
from batchgen.planning.decide import Selection

NAMES = "abcd"
WHO = Person("somebody", time.time())
#: In memory where the system has that: thousands of small ledgers are made and synced here.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
BUSY = {*WAITING, State.SUBMITTING, State.IN_DOUBT}
RELEASING = [OutcomeKind.REJECTED, OutcomeKind.THROTTLED, OutcomeKind.NOT_SENT, OutcomeKind.REFUSED]


@dataclass
class Bought:
    """A task, or what was paid for one that was lost."""

    charged: int
    wording: int
    task_id: str = ""
    refunded: int = 0
    state: State = State.SUBMITTED
    code: str = ""


@dataclass
class Line:
    """What the model knows of a job."""

    wording: int
    price: int
    state: State = State.NOT_SUBMITTED
    code: str = ""  # of those that say that something was paid for
    selected: bool = True
    purchase: int = 1
    attempts: int = 0
    open: Attempt | None = None
    doubt: int = 0  # the price of the attempt in doubt
    spilled: tuple[str, int] | None = None
    spilled_as: int = 0
    bought: list[Bought] = field(default_factory=list)
    live_in: set[int] = field(default_factory=set)  # purchases with something paid or in doubt

    def bought_with(self, wording: int) -> Bought | None:
        """What the job bought with this wording, the last of it."""
        return next((one for one in reversed(self.bought) if one.wording == wording), None)

    def waits_for(self) -> Bought:
        """The one task of the job that has not ended."""
        (one,) = [each for each in self.bought if each.task_id and each.state in WAITING]
        return one

    def buys_an_edit(self, *, again: bool) -> bool:
        """Whether another wording is bought: after an end without a video, or on demand where money is gone."""
        ended = self.state in ENDED_WITHOUT_VIDEO
        return (ended and self.code not in PAID_ENDS) or (again and (ended or self.state is State.SUCCEEDED))


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.out = Path(tempfile.mkdtemp(prefix="ledger-model-", dir=MEMORY))
        self.till = Till(self.out)
        self._hurry()
        self.jobs: dict[str, Line] = {}
        self.cap: int | None = None
        self.rows: list[tuple[str, int]] = []
        self.decisions = 0
        self.tasks = 0

    def teardown(self) -> None:
        self.till.ledger.close()
        shutil.rmtree(self.out)

    def _hurry(self) -> None:
        """Nothing here pulls the plug: the file need not be on the disk."""
        with self.till.ledger.store.engine.connect() as connection:
            connection.connection.dbapi_connection.execute("PRAGMA synchronous=OFF")  # type: ignore[union-attr]

    # -- the model's sums ------------------------------------------------------------------------------------

    def counted(self) -> int:
        paid = sum(one.charged - one.refunded for line in self.jobs.values() for one in line.bought)
        held = sum(line.doubt + (line.open.price if line.open else 0) for line in self.jobs.values())
        return paid + held

    def named(self, *states: State) -> list[str]:
        return [name for name, line in self.jobs.items() if line.state in states]

    def pick(self, data: st.DataObject, names: list[str]) -> tuple[str, Line]:
        name = data.draw(st.sampled_from(sorted(names)))
        return name, self.jobs[name]

    # -- what can happen -------------------------------------------------------------------------------------

    @rule(
        rows=st.lists(
            st.tuples(st.sampled_from(NAMES), st.integers(0, 2), st.integers(0, 9)),
            max_size=4,
            unique_by=lambda r: r[0],
        ),
        select=st.sampled_from(["*", "[ab]"]),
        again=st.booleans(),
    )
    def take_in(self, rows: list[tuple[str, int, int]], select: str, again: bool) -> None:
        items = [job(name, f"{name} {wording}", price=price) for name, wording, price in rows]
        plan = self.till.take_in(*items, select=Selection((("id", select),)), again=again)
        for line in self.jobs.values():
            line.selected = False
        to_submit = 0
        for name, wording, price in rows:
            wanted = select == "*" or name in "ab"
            line = self.jobs.get(name)
            if line is None:
                line = self.jobs[name] = Line(wording, price)
            elif wording != line.wording and line.state not in BUSY and (old := line.bought_with(wording)):
                line.wording, line.price, line.state, line.code = wording, price, old.state, old.code
                self.decisions += 1
            elif line.state is State.NOT_SUBMITTED:
                line.wording, line.price = wording, price
            elif wanted and wording != line.wording and line.buys_an_edit(again=again):
                line.wording, line.price, line.purchase = wording, price, line.purchase + 1
                line.state, line.code = State.NOT_SUBMITTED, ""
                self.decisions += 1
            line.selected = wanted
            to_submit += line.price if wanted and line.state is State.NOT_SUBMITTED else 0
        self.rows = [(name, wording) for name, wording, _ in rows]
        assert plan.to_submit.credits == to_submit

    @precondition(lambda self: self.named(State.NOT_SUBMITTED))
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        waiting = [name for name in self.named(State.NOT_SUBMITTED) if self.jobs[name].selected]
        assert sorted(self.till.names()) == sorted(waiting)
        if not waiting:
            return
        name, line = self.pick(data, waiting)
        fits = self.cap is None or self.counted() + line.price <= self.cap
        try:
            attempt = self.till.begin(name)
        except CapReached:
            assert not fits
            return
        assert fits
        assert (attempt.purchase_no, attempt.price) == (line.purchase, line.price)
        assert line.purchase not in line.live_in, "one payment a purchase"
        line.open, line.state, line.attempts = attempt, State.SUBMITTING, line.attempts + 1

    @precondition(lambda self: self.named(State.SUBMITTING))
    @rule(data=st.data(), kind=st.sampled_from(RELEASING))
    def released(self, data: st.DataObject, kind: OutcomeKind) -> None:
        _, line = self.pick(data, self.named(State.SUBMITTING))
        if line.spilled or line.open is None:
            return
        self.till.end(line.open, outcome(kind))
        line.open = None
        line.state = State.REJECTED if kind is OutcomeKind.REJECTED else State.NOT_SUBMITTED

    @precondition(lambda self: self.named(State.SUBMITTING))
    @rule(data=st.data(), stated=st.none() | st.integers(0, 20), again=st.booleans(), full=st.booleans())
    def accepted(self, data: st.DataObject, stated: int | None, again: bool, full: bool) -> None:
        """Accepted, perhaps with a task id that is known already, perhaps while the disk is full."""
        _, line = self.pick(data, self.named(State.SUBMITTING))
        if line.spilled or line.open is None:
            return
        known = [one.task_id for each in self.jobs.values() for one in each.bought if one.task_id]
        known += [each.spilled[0] for each in self.jobs.values() if each.spilled]
        self.tasks += 1
        task_id = data.draw(st.sampled_from(known)) if again and known else f"t{self.tasks}"
        charged = line.open.price if stated is None else stated
        if full:
            self._end_on_a_full_disk(line.open, accepted(task_id, stated))
            line.spilled, line.spilled_as = (task_id, charged), self.tasks
            return
        said = self.till.end(line.open, accepted(task_id, stated))
        in_ledger = task_id in {one.task_id for each in self.jobs.values() for one in each.bought}
        assert (said.kind is OutcomeKind.IN_DOUBT) == in_ledger
        self._accept(line, task_id, charged)

    def _end_on_a_full_disk(self, attempt: Attempt, said: Outcome) -> None:
        def refuse(connection: sa.Connection) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        engine = self.till.ledger.store.engine
        sa.event.listen(engine, "commit", refuse)
        try:
            with contextlib.redirect_stderr(io.StringIO()), pytest.raises(LedgerWriteError):
                self.till.end(attempt, said)
        finally:
            sa.event.remove(engine, "commit", refuse)

    def _accept(self, line: Line, task_id: str, charged: int) -> None:
        assert line.open is not None
        line.live_in.add(line.open.purchase_no)
        if task_id in {one.task_id for each in self.jobs.values() for one in each.bought}:
            line.doubt, line.state = line.open.price, State.IN_DOUBT
        else:
            line.bought.append(Bought(charged, line.wording, task_id))
            line.state = State.SUBMITTED
        line.open = line.spilled = None

    @precondition(lambda self: any(self.jobs[name].selected for name in self.named(State.NOT_SUBMITTED)))
    @rule(data=st.data(), end=st.sampled_from(sorted(TERMINAL)))
    def bought(self, data: st.DataObject, end: State) -> None:
        """All the way at once, so that there is much to come back to."""
        waiting = [name for name in self.named(State.NOT_SUBMITTED) if self.jobs[name].selected]
        name, line = self.pick(data, waiting)
        if self.cap is not None and self.counted() + line.price > self.cap:
            return
        self.tasks += 1
        self.till.see(self.till.buy(name, f"t{self.tasks}"), end)
        line.bought.append(Bought(line.price, line.wording, f"t{self.tasks}", state=end))
        line.live_in.add(line.purchase)
        line.state, line.attempts = end, line.attempts + 1

    @precondition(lambda self: self.named(State.SUBMITTING))
    @rule(data=st.data())
    def doubtful(self, data: st.DataObject) -> None:
        _, line = self.pick(data, self.named(State.SUBMITTING))
        if line.spilled or line.open is None:
            return
        self.till.end(line.open, outcome(OutcomeKind.IN_DOUBT))
        self._doubt(line)

    def _doubt(self, line: Line) -> None:
        assert line.open is not None
        line.doubt, line.state = line.open.price, State.IN_DOUBT
        line.live_in.add(line.open.purchase_no)
        line.open = None

    @rule()
    def crash(self) -> None:
        self.till.crash()
        self._hurry()
        lost = 0
        opened = [line for line in self.jobs.values() if line.open]
        for line in sorted(opened, key=lambda each: each.spilled_as):  # in the order of the spill's lines
            if line.spilled:
                self._accept(line, *line.spilled)
            else:
                self._doubt(line)
                lost += 1
        assert self.till.ledger.recovered == lost

    @precondition(lambda self: self.named(*WAITING))
    @rule(
        data=st.data(),
        state=st.sampled_from([*sorted(TERMINAL), State.QUEUED, State.RUNNING, State.OVERDUE]),
        refunded=st.sampled_from([None, 0, 2, 6, WHOLE_CHARGE]),
        stated=st.none() | st.integers(0, 20),
    )
    def see(self, data: st.DataObject, state: State, refunded: int | None, stated: int | None) -> None:
        name, line = self.pick(data, self.named(*WAITING))
        task = self.till.task(name)
        ends = state in TERMINAL
        stated = stated if ends else None
        assert self.till.see(task, state, refunded=refunded, charged_credits=stated)
        last = line.waits_for()
        assert task.task_id == last.task_id
        last.charged = last.charged if stated is None else stated
        last.refunded = min(last.charged, refunded or 0) if ends else 0
        line.state = last.state = state
        if ends:
            assert not self.till.see(task, State.RUNNING), "terminal states absorb"

    # -- what a person does ------------------------------------------------------------------------------------

    @precondition(lambda self: self.named(State.IN_DOUBT))
    @rule(data=st.data(), how=st.sampled_from(["adopt", "adopt a known one", "not_charged", "paid_lost"]))
    def resolve(self, data: st.DataObject, how: str) -> None:
        name, line = self.pick(data, self.named(State.IN_DOUBT))
        doubt = self.till.doubt(name)
        known = [one.task_id for each in self.jobs.values() for one in each.bought if one.task_id]
        if how == "adopt a known one":
            if known:
                taken = data.draw(st.sampled_from(known))
                with pytest.raises(UsageError):
                    self.till.ledger.write(lambda c: decisions.adopt(c, doubt, taken, SERVICE, WHO))
            return
        self.decisions += 1
        price, line.doubt = line.doubt, 0
        if how == "adopt":
            self.tasks += 1
            self.till.ledger.write(lambda c: decisions.adopt(c, doubt, f"t{self.tasks}", SERVICE, WHO))
            line.bought.append(Bought(price, line.wording, f"t{self.tasks}"))
            line.state = State.SUBMITTED
        elif how == "not_charged":
            self.till.ledger.write(lambda c: decisions.not_charged(c, doubt, WHO))
            line.live_in.discard(line.purchase)
            line.state = State.NOT_SUBMITTED
        else:
            self.till.ledger.write(lambda c: decisions.paid_lost(c, doubt, WHO))
            line.bought.append(Bought(price, line.wording, state=State.FAILED, code=PAID_LOST))
            line.state, line.code = State.FAILED, PAID_LOST

    @precondition(lambda self: self.named(*WAITING))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        name, line = self.pick(data, self.named(*WAITING))
        self.till.ledger.write(lambda c: decisions.give_up(c, name, WHO))
        line.state, line.code = State.EXPIRED, GIVEN_UP
        ended = line.waits_for()
        ended.state, ended.code = State.EXPIRED, GIVEN_UP
        self.decisions += 1

    @precondition(lambda self: any(line.code for line in self.jobs.values()))
    @rule(data=st.data())
    def name_task(self, data: st.DataObject) -> None:
        """What was lost is found, what was given up is waited for again."""
        name, line = self.pick(data, [name for name, line in self.jobs.items() if line.code])
        paid = line.bought_with(line.wording)
        assert paid is not None
        assert paid.code == line.code
        self.tasks += not paid.task_id
        paid.task_id = paid.task_id or f"t{self.tasks}"
        self.till.ledger.write(lambda c: amend.name_task(c, name, paid.task_id, SERVICE, WHO))
        line.state = paid.state = State.SUBMITTED
        line.code = paid.code = ""
        self.decisions += 1

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sets(st.sampled_from(sorted(self.jobs))))
        found = self.till.ledger.read(lambda c: decisions.ended_jobs(c, job_ids=chosen)) if chosen else []
        may = {name for name in chosen if self.jobs[name].state in {*ENDED_WITHOUT_VIDEO, State.SUCCEEDED}}
        assert {one.job_id for one in found} == may
        dearer = [replace(one, price=one.price + 1) for one in found]  # the price table was mended meanwhile
        self.till.ledger.write(lambda c: decisions.buy_again(c, dearer, WHO))
        for name, line in self.jobs.items():
            line.selected = name in may
            if name in may:
                line.state, line.code, line.purchase = State.NOT_SUBMITTED, "", line.purchase + 1
                line.price += 1
                self.decisions += 1

    @rule(cap=st.none() | st.integers(0, 60))
    def set_cap(self, cap: int | None) -> None:
        try:
            self.till.cap(cap)
        except CapReached:
            assert cap is not None
            assert self.counted() > cap
            return
        assert cap is None or self.counted() <= cap
        self.cap = cap

    # -- what always holds -------------------------------------------------------------------------------------

    @invariant()
    def keeps_every_promise(self) -> None:
        assert self.till.violations() == []

    @invariant()
    def says_what_the_model_says(self) -> None:
        account = self.till.credits()
        bought = [one for line in self.jobs.values() for one in line.bought]
        assert account.charged == sum(one.charged for one in bought)
        assert account.refunded == sum(one.refunded for one in bought)
        assert account.reserved == sum(line.open.price for line in self.jobs.values() if line.open)
        assert account.in_doubt == sum(line.doubt for line in self.jobs.values())
        assert account.cap == self.cap
        states: dict[State, int] = {}
        for line in self.jobs.values():
            states[line.state] = states.get(line.state, 0) + 1
        assert self.till.states() == states
        numbers = self.till.ledger.read(
            lambda c: c.exec_driver_sql("SELECT job_id, purchase_no, attempts, selected FROM job").all()
        )
        assert {name: tuple(rest) for name, *rest in numbers} == {
            name: (line.purchase, line.attempts, int(line.selected)) for name, line in self.jobs.items()
        }
        assert self.till.ledger.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM decision").scalar()) == (
            self.decisions
        )

    @invariant()
    def results_are_a_function_of_it(self) -> None:
        shown = self.till.results()
        names = [one.job_id for one in shown]
        assert names[: len(self.rows)] == [name for name, _ in self.rows]
        assert sorted(names) == sorted(self.jobs)
        for one in shown:
            line = self.jobs[one.job_id]
            assert one.charged_credits == (sum(each.charged for each in line.bought) if line.bought else None)
            assert one.attempts == line.attempts
            assert (one.error_code if one.error_code in PAID_ENDS else "") == line.code
            tasks = [each for each in line.bought if each.task_id]
            of_wording = [each for each in tasks if each.wording == line.wording]
            assert one.task_id == (of_wording or tasks or [Bought(0, 0)])[-1].task_id


LedgerMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # a minimal example takes minutes: take `shrink` in to look for one
)
TestLedgerAgainstADictionary = LedgerMachine.TestCase
