"""The simulation sees what it is there for: each rule of money that is broken on purpose is caught by some seed."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
import virtual_disk
import virtual_service
from virtual_disk import Disk
from virtual_world import imagined, simulate

import batchgen.ledger as ledger_module
from batchgen.errors import Stop
from batchgen.job import WHOLE_CHARGE, Answer, Look, Outcome, OutcomeKind, State, TaskStatus, Trouble
from batchgen.ledger import Ledger, attempts, decisions, rows, tasks
from batchgen.ledger.sqlite.prepared import Prepared
from batchgen.ledger.tables import account, attempt, job
from batchgen.planning import decide, walk
from batchgen.running import poll
from batchgen.running.dispatch import Dispatcher
from batchgen.running.state import Board
from batchgen.running.submit import Submitter
from batchgen.service import reply

WITHIN = 300
Patch = tuple[Any, str, Any]
MUTANTS: dict[str, Callable[[Disk], list[Patch]]] = {}


def mutant(make: Callable[[Disk], list[Patch]]) -> Callable[[Disk], list[Patch]]:
    MUTANTS[make.__name__] = make
    return make


# -- the attempt ---------------------------------------------------------------------------------------------------


@mutant
def sends_without_writing_an_attempt_down(disk: Disk) -> list[Patch]:
    async def begin(self: Ledger, attempt: Any) -> None:
        return

    return [(Ledger, "begin", begin)]


@mutant
def sends_before_the_attempt_is_durable(disk: Disk) -> list[Patch]:
    """As a ledger without fsync would."""
    kept = []

    async def begin(self: Ledger, attempt: Any) -> None:
        kept.append(asyncio.ensure_future(self._writer.write(attempts.begin, attempt)))

    return [(Ledger, "begin", begin)]


@mutant
def polls_before_the_task_id_is_durable(disk: Disk) -> list[Patch]:
    async def end(self: Ledger, attempt: Any, outcome: Outcome, at: float) -> Outcome:
        ended = attempts.EndedAttempt(attempt, outcome, at, self.service)
        writing = asyncio.ensure_future(self._writer.write(attempts.end, ended))
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return outcome

    return [(Ledger, "end", end)]


@mutant
def forbids_nothing_in_the_store(disk: Disk) -> list[Patch]:
    """A page of jobs is read twice, and neither the job's state nor the unique index stops the second POST."""
    template = disk._template
    disk.reset()
    disk.connection.execute("DROP INDEX attempt_live")
    without_index = disk.connection.serialize()
    submitting = Prepared(
        sa.update(job)
        .where(job.c.job_no == sa.bindparam("no"))
        .values(state=State.SUBMITTING.value, attempts=job.c.attempts + 1)
    )
    real = Dispatcher._next

    def twice(self: Dispatcher) -> Any:
        one = real(self)
        if one is not None and one not in self._again and not getattr(self, "_done_twice", False):
            self._done_twice = True  # type: ignore[attr-defined]
            self._again.append(one)
        return one

    assert without_index != template
    return [(disk, "_template", without_index), (attempts, "_SUBMITTING", submitting), (Dispatcher, "_next", twice)]


@mutant
def sends_again_what_a_crash_left_open(disk: Disk) -> list[Patch]:
    def recover(connection: sa.Connection, at: float) -> int:
        for number, job_no, price in connection.execute(
            sa.select(attempt.c.attempt_id, attempt.c.job_no, attempt.c.price).where(attempt.c.outcome.is_(None))
        ).all():
            connection.execute(
                sa.update(attempt).where(attempt.c.attempt_id == number).values(outcome="not_sent", ended_at=at)
            )
            connection.execute(sa.update(job).where(job.c.job_no == job_no).values(state="not_submitted"))
            attempts.settle(connection, reserved=-price)
        return 0

    return [(attempts, "recover", recover)]


# -- the outcome ---------------------------------------------------------------------------------------------------


def judged(change: Callable[[Outcome], Outcome]) -> list[Patch]:
    """The table of outcomes, with one line changed."""
    real = reply.outcome

    def outcome(answer: Answer) -> Outcome:
        return change(real(answer))

    class Reply:
        look = staticmethod(reply.look)

    Reply.outcome = staticmethod(outcome)  # type: ignore[attr-defined]
    return [(virtual_service, "reply", Reply)]


def settled(change: Callable[[Outcome], Outcome]) -> list[Patch]:
    """What is made of an outcome, with one case changed."""
    real = Submitter._settle

    async def settle(self: Submitter, job: Any, attempt: Any, outcome: Outcome, *rest: Any) -> Any:
        return await real(self, job, attempt, change(outcome), *rest)

    return [(Submitter, "_settle", settle)]


@mutant
def retries_a_502(disk: Disk) -> list[Patch]:
    return judged(lambda one: replace(one, kind=OutcomeKind.NOT_SENT) if one.code == "http_502" else one)


@mutant
def retries_a_read_timeout(disk: Disk) -> list[Patch]:
    return settled(lambda one: replace(one, kind=OutcomeKind.NOT_SENT) if one.code == "read_timeout" else one)


@mutant
def releases_on_a_reset(disk: Disk) -> list[Patch]:
    return settled(lambda one: replace(one, kind=OutcomeKind.REJECTED) if one.code == "reset" else one)


@mutant
def takes_a_2xx_without_an_id_for_a_refusal(disk: Disk) -> list[Patch]:
    return judged(lambda one: replace(one, kind=OutcomeKind.REJECTED) if one.code == "no_id" else one)


@mutant
def takes_a_cut_answer_for_not_sent(disk: Disk) -> list[Patch]:
    cut = ("not_json", "empty")
    return judged(lambda one: replace(one, kind=OutcomeKind.THROTTLED) if one.code in cut else one)


@mutant
def takes_any_503_for_throttling(disk: Disk) -> list[Patch]:
    """Against the books of a service whose gateway says 500 after it has charged."""
    return judged(lambda one: replace(one, kind=OutcomeKind.THROTTLED) if one.status in (500, 503) else one)


@mutant
def forgets_that_a_doubt_may_have_been_paid(disk: Disk) -> list[Patch]:
    real = attempts.settle

    def settle(connection: sa.Connection, **changes: int) -> None:
        real(connection, **{name: amount for name, amount in changes.items() if name != "in_doubt"})

    return [(attempts, "settle", settle)]


@mutant
def posts_after_a_fatal_answer(disk: Disk) -> list[Patch]:
    return [(Board, "submitting", property(lambda self: not set(self.stops) - {Stop.REFUSED}))]


@mutant
def stops_only_when_the_refusal_is_written_down(disk: Disk) -> list[Patch]:
    """A few milliseconds late: enough for another POST."""
    real_stop = Board.stop

    def stop(self: Board, why: Stop, message: str) -> None:
        if why is Stop.REFUSED:
            asyncio.get_running_loop().call_later(0.05, real_stop, self, why, message)
        else:
            real_stop(self, why, message)

    return [(Board, "stop", stop)]


# -- the cap -------------------------------------------------------------------------------------------------------


@mutant
def passes_the_cap_by_one_price(disk: Disk) -> list[Patch]:
    counted = account.c.charged - account.c.refunded + account.c.reserved + account.c.in_doubt
    room = account.c.cap.is_(None) | (counted <= account.c.cap)
    reserve = sa.update(account).where(room).values(reserved=account.c.reserved + sa.bindparam("price"))
    return [(attempts, "_RESERVE", reserve), (Dispatcher, "_claim", lambda self, job: True)]


@mutant
def passes_the_cap_and_nothing_checks_it(disk: Disk) -> list[Patch]:
    def unchecked() -> Any:
        connection = open_()
        connection.execute("PRAGMA ignore_check_constraints = ON")
        return connection

    open_ = virtual_disk._open
    return [*passes_the_cap_by_one_price(disk), (virtual_disk, "_open", unchecked)]


@mutant
def takes_every_failure_for_refunded(disk: Disk) -> list[Patch]:
    real = tasks.Seen.of

    def of(task: Any, status: TaskStatus, state: State, at: float, looks: int) -> Any:
        status = replace(status, refunded=WHOLE_CHARGE) if state is State.FAILED else status
        return real(task, status, state, at, looks)

    return [(tasks.Seen, "of", of)]


@mutant
def ignores_the_price_that_an_answer_states(disk: Disk) -> list[Patch]:
    real = tasks.Seen.of

    def of(task: Any, status: TaskStatus, state: State, at: float, looks: int) -> Any:
        return real(task, replace(status, charged_credits=None), state, at, looks)

    return [(tasks.Seen, "of", of)]


# -- tasks ---------------------------------------------------------------------------------------------------------


@mutant
def submits_again_what_failed(disk: Disk) -> list[Patch]:
    real = tasks._see

    def see(connection: sa.Connection, one: Any) -> bool:
        done = real(connection, one)
        if one.state is State.FAILED:
            connection.execute(sa.update(job).where(job.c.job_no == one.task.job_no).values(state="not_submitted"))
        return done

    return [(tasks, "_see", see)]


@mutant
def takes_an_unknown_task_for_a_failed_one(disk: Disk) -> list[Patch]:
    real = poll.Poller._trouble

    async def trouble(self: Any, watched: Any, look: Look, now: float) -> None:
        if look.trouble is Trouble.NOT_FOUND:
            await self._saw(watched, TaskStatus(State.FAILED), now)
        else:
            await real(self, watched, look, now)

    return [(poll.Poller, "_trouble", trouble)]


@mutant
def loses_the_last_overdue_task(disk: Disk) -> list[Patch]:
    """A task that nobody marks can't be given up: its job never ends."""

    async def overdue(self: Any, watched: Any, code: str, words: str) -> None:
        self._forget(watched.task)
        self._ended(watched.task, TaskStatus(State.OVERDUE))

    return [(poll.Poller, "_overdue", overdue)]


# -- what a person decides -----------------------------------------------------------------------------------------


@mutant
def adopts_a_task_twice(disk: Disk) -> list[Patch]:
    real = decisions.adopt

    def adopt(connection: sa.Connection, doubt: Any, task_id: str, service: str, who: str) -> None:
        real(connection, doubt, task_id, service + "/", who)

    return [(decisions, "adopt", adopt)]


@mutant
def believes_not_charged_too_early(disk: Disk) -> list[Patch]:
    real = decisions.not_charged

    def not_charged(connection: sa.Connection, doubt: Any, who: str) -> None:
        real(connection, replace(doubt, not_after=0.0), who)

    return [(decisions, "not_charged", not_charged)]


@mutant
def buys_an_edited_row_again_while_it_runs(disk: Disk) -> list[Patch]:
    real = decide.decide

    def decided(*args: Any, **options: Any) -> decide.Decision:
        decision = real(*args, **options)
        return decide.Decision.EDITED if decision is decide.Decision.CHANGED else decision

    return [(walk, "decide", decided)]


@mutant
def submits_a_doubt_again_when_its_row_is_edited(disk: Disk) -> list[Patch]:
    real = decide.decide

    def decided(*args: Any, **options: Any) -> decide.Decision:
        decision = real(*args, **options)
        return decide.Decision.EDITED if decision is decide.Decision.IN_DOUBT else decision

    values = dict(rows.REPLACE._statement._values)
    unguarded = Prepared(sa.update(job).where(job.c.job_no == sa.bindparam("no")).values(values))
    return [(walk, "decide", decided), (rows, "REPLACE", unguarded)]


@mutant
def buys_again_what_a_row_comes_back_to(disk: Disk) -> list[Patch]:
    return [(walk, "may_go_back", lambda fingerprint, known: False)]


@mutant
def buys_an_edited_row_whose_money_was_lost(disk: Disk) -> list[Patch]:
    return [(decide, "PAID_ENDS", frozenset())]


# -- the spill -----------------------------------------------------------------------------------------------------


@mutant
def never_imports_the_spill(disk: Disk) -> list[Patch]:
    return [(ledger_module, "import_spill", lambda connection, out, service: 0)]


@mutant
def never_writes_the_spill(disk: Disk) -> list[Patch]:
    return [(Ledger, "_spill_over", lambda self, ended: None)]


@contextlib.contextmanager
def applied(patches: list[Patch]) -> Iterator[None]:
    kept = [(where, name, where.__dict__[name]) for where, name, _ in patches]
    for where, name, value in patches:
        setattr(where, name, value)
    try:
        yield
    finally:
        for where, name, value in kept:
            setattr(where, name, value)


def caught(make: Callable[[Disk], list[Patch]]) -> str:
    """What the first seed said in which a promise is broken, or the program breaks down; "" when all look well."""
    disk = Disk()
    try:
        with imagined(disk), applied(make(disk)):
            for seed in range(WITHIN):
                try:
                    if found := simulate(seed, disk).violations:
                        return f"seed {seed}: {found[0]}"
                except Exception as error:
                    return f"seed {seed}: {error!r}"
        return ""
    finally:
        disk.remove()


@pytest.mark.filterwarnings("ignore")  # a program that is broken on purpose leaves coroutines lying about
@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_caught(name: str) -> None:
    said = caught(MUTANTS[name])
    print(f"{name}: {said}")
    assert said, f"{WITHIN} seeds, and nothing was seen"
    assert "AttributeError" not in said, "the mutant itself is broken"
    assert "TypeError" not in said, "the mutant itself is broken"
