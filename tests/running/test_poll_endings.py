"""A task ends, and its deadline passes: in whatever order the two come, each task has one ending, the right one."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from virtual_time import virtual_loop

from batchgen.errors import LedgerWriteError
from batchgen.job import Look, State, TaskStatus, Trouble
from batchgen.ledger import Clock
from batchgen.ledger.tasks import OpenTask, Seen
from batchgen.results.next_step import next_step
from batchgen.running.context import RunContext, RunOptions
from batchgen.running.pacing import Durations, PollPacer, PollSchedule, Rate
from batchgen.running.poll import LAST_POLL_WITHIN, Poller
from batchgen.running.settings import Config
from batchgen.running.state import Board

DEADLINE = 10.0


@dataclass
class Task:
    """`ends_at`: its true end, in seconds from the start; `answer`, `commit`: how long an answer about it and a
    commit of it take; `wrong`: what goes wrong with its polls (a trouble, `raises`, or nothing).
    """

    ends_at: float
    answer: float
    commit: float
    wrong: str = ""


@dataclass
class World:
    """A service and a ledger on a virtual clock; they keep what truly happened."""

    tasks: list[Task]
    rate: float = 1000.0
    polls: dict[str, list[float]] = field(default_factory=dict)
    endings: list[tuple[str, State | None, str]] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def run(self) -> Board:
        with virtual_loop() as loop:
            self.loop = loop
            board = Board(emit=lambda name, _fields: self.events.append(name))
            clock = Clock(now=loop.time, wall=lambda: 1000.0 + loop.time())
            settings = Config(deadline=DEADLINE)
            poller = Poller(
                RunContext(self, self, board, settings, RunOptions(), clock),  # type: ignore[arg-type]
                PollPacer(rate=Rate(int(self.rate), 1), now=0.0),
                PollSchedule(Durations(), rng=random.Random(1)),
                ended=lambda task, status: self.endings.append((task.task_id, status.state, status.error)),
            )
            for n in range(len(self.tasks)):
                poller.add(OpenTask(n, str(n), n, f"job-{n}", "m", "s", 1000.0, State.SUBMITTED, 0, 6))
            poller.finish()
            loop.run_until_complete(poller.run())
        return board

    async def task(self, task_id: str, _model: str) -> Look:
        import asyncio

        task, began = self.tasks[int(task_id)], self.loop.time()
        self.polls.setdefault(task_id, []).append(began)
        await asyncio.sleep(task.answer)
        if task.wrong == "raises":
            raise KeyError(task_id)
        if task.wrong:
            return Look(trouble=Trouble(task.wrong), message=f"trouble with {task_id}")
        if began >= task.ends_at:
            return Look(TaskStatus(State.SUCCEEDED, "success", video_urls=("https://f/v.mp4",)))
        return Look(TaskStatus(State.RUNNING, "running"))

    async def see(self, seen: Seen) -> bool:
        import asyncio

        await asyncio.sleep(self.tasks[int(seen.task.task_id)].commit)
        before = self.seen.get(seen.task.task_id)
        if before is not None and before.state is State.SUCCEEDED:
            return False
        self.seen[seen.task.task_id] = seen
        return True


near = st.one_of(st.floats(0, 30), st.sampled_from([DEADLINE - 0.1, DEADLINE, DEADLINE + 0.1, DEADLINE + 1.0]))
tasks = st.builds(
    Task, near, st.sampled_from([0.0, 0.1, 1.0, 9.9, 30.0]), st.sampled_from([0.0, 0.01, 1.0, 5.0]),
    st.sampled_from(["", "", "", "raises", "error", "not_found", "throttled", "away"]),
)  # fmt: skip


@given(st.lists(tasks, min_size=1, max_size=5))
@example([Task(9.9, 0.0, 5.0), Task(11.0, 0.0, 5.0)])
@example([Task(5.0, 9.9, 5.0)])
@settings(deadline=None, max_examples=60)
def test_each_task_has_one_ending_and_nobody_s_trouble_is_another_s(made: list[Task]) -> None:
    world = World(made)
    board = world.run()
    assert board.stops == {}
    assert sorted(int(task) for task, _, _ in world.endings) == list(range(len(made)))
    for task_id, state, error in world.endings:
        task, last_poll = made[int(task_id)], world.polls[task_id][-1]
        assert world.seen[task_id].state is state
        if state is State.SUCCEEDED:
            assert last_poll >= task.ends_at
            continue
        assert state is State.OVERDUE
        assert last_poll >= DEADLINE, "it was not polled at its deadline"
        assert task.wrong or last_poll < task.ends_at, "it had ended, and was called overdue"
        if task.wrong and task.wrong != "raises":
            assert f"trouble with {task_id}" in error


def test_an_error_of_one_task_s_poll_is_said_and_stops_nothing() -> None:
    world = World([Task(1.0, 0.1, 0.0, "raises"), Task(5.0, 0.1, 0.0)])
    board = world.run()
    assert board.stops == {}
    assert world.seen["1"].state is State.SUCCEEDED
    assert world.seen["0"].state is State.OVERDUE
    assert "KeyError('0')" in world.seen["0"].error


def test_a_ledger_that_refuses_stops_the_run() -> None:
    world = World([Task(1.0, 0.1, 0.0), Task(50.0, 0.1, 0.0)])

    async def refuse(_seen: Seen) -> bool:
        raise LedgerWriteError("The disk is full.", code="disk")

    world.see = refuse  # type: ignore[method-assign]
    assert [str(stop) for stop in world.run().stops] == ["disk"]


def test_when_nobody_may_ask_a_task_is_overdue_all_the_same() -> None:
    """A service that throttles for ever holds no run longer than a minute after its deadline."""
    world = World([Task(5.0, 0.0, 0.0, "throttled") for _ in range(400)], rate=1.0)
    board = world.run()
    assert board.stops == {}
    assert len(world.endings) == 400
    assert all(state is State.OVERDUE for _, state, _ in world.endings)
    assert world.loop.time() < DEADLINE + LAST_POLL_WITHIN + 10


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("error", "poll_error"),
        ("away", "poll_away"),
        ("throttled", "poll_throttled"),
        ("refused", "poll_refused"),
        ("not_found", "task_not_found"),
        ("raises", "poll_error"),
        ("", "overdue"),
    ],
)
def test_the_last_trouble_of_its_polls_is_why_a_task_is_overdue(wrong: str, code: str) -> None:
    world = World([Task(50.0, 0.0, 0.0, wrong)])
    world.run()
    assert world.seen["0"].error_code == code
    assert world.seen["0"].trouble == {"": "", "raises": "an error in batchgen: KeyError('0')"}.get(
        wrong, "trouble with 0"
    )
    assert world.seen["0"].trouble in world.seen["0"].error
    assert next_step(State.OVERDUE, code), "there is something to do about it"
    assert (next_step(State.OVERDUE, code) == next_step(State.OVERDUE)) is (code == "overdue")


def test_a_trouble_that_went_away_is_no_reason() -> None:
    world = World([Task(50.0, 0.0, 0.0, "error")])
    real = world.task

    async def better_in_the_end(task_id: str, model: str) -> Look:
        if world.loop.time() > 5.0:
            world.tasks[0].wrong = ""
        return await real(task_id, model)

    world.task = better_in_the_end  # type: ignore[method-assign]
    world.run()
    assert (world.seen["0"].error_code, world.seen["0"].trouble) == ("overdue", "")
