"""Status answers may take a minute: that holds up nobody else, and so many at once that it hurts nobody."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from batchgen.job import Look, State, TaskStatus
from batchgen.ledger import Clock
from batchgen.ledger.tasks import OpenTask, Seen
from batchgen.running.context import RunContext, RunOptions
from batchgen.running.pacing import Durations, PollPacer, PollSchedule, Rate
from batchgen.running.poll import MOST_OPEN, Poller
from batchgen.running.settings import Config
from batchgen.running.state import Board

DONE = Look(TaskStatus(State.SUCCEEDED, video_urls=("https://f/v.mp4",)))


class Service:
    """Answers at once, but for tasks named `slow…`: those when `let_go` is set. Counts what is open."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.open = self.most_open = 0

    async def task(self, task_id: str, _model: str) -> Look:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        if task_id.startswith("slow"):
            await self.let_go.wait()
        self.open -= 1
        return DONE


class Books:
    """A ledger that takes everything."""

    async def see(self, _seen: Seen) -> bool:
        return True


async def polled(names: list[str], meanwhile: Callable[[Service, list[str]], Awaitable[None]]) -> list[str]:
    """Look at these tasks, all likely done, until they have ended; `meanwhile` runs beside it."""
    ended: list[str] = []
    service, clock = Service(), Clock()
    run = RunContext(Books(), service, Board(), Config(deadline=3600), RunOptions(), clock)  # type: ignore[arg-type]
    pacer = PollPacer(rate=Rate(10_000, 1), now=clock.now())
    schedule = PollSchedule(Durations(), rng=random.Random(1))
    poller = Poller(run, pacer, schedule, ended=lambda task, _: ended.append(task.job_id))
    for number, name in enumerate(names):
        accepted = time.time() - 1000
        poller.add(OpenTask(number, name, number, name, "m", "s", accepted, State.RUNNING, 0, 6))
    poller.finish()
    running = asyncio.create_task(poller.run())
    await meanwhile(service, ended)
    service.let_go.set()
    await running
    return ended


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - a count: nobody signals it
            await asyncio.sleep(0.005)


def test_slow_answers_do_not_hold_up_the_others() -> None:
    """A hundred looks that hang for as long as they like: every other task is seen to its end meanwhile."""
    slow, quick = [f"slow-{n}" for n in range(100)], [f"quick-{n}" for n in range(300)]

    async def meanwhile(service: Service, ended: list[str]) -> None:
        await until(lambda: len(ended) == len(quick) and service.open == len(slow))
        assert sorted(ended) == sorted(quick)

    ended = asyncio.run(polled([*slow, *quick], meanwhile))
    assert sorted(ended) == sorted([*slow, *quick])


def test_only_so_many_looks_are_open_at_once() -> None:
    """However slow the service is: the connections that it holds are bounded, and every task still ends."""
    slow = [f"slow-{n}" for n in range(3 * MOST_OPEN)]

    async def meanwhile(service: Service, ended: list[str]) -> None:
        await until(lambda: service.open == MOST_OPEN)
        for _turn in range(50):
            await asyncio.sleep(0)
        assert (service.most_open, ended) == (MOST_OPEN, [])

    assert len(asyncio.run(polled(slow, meanwhile))) == len(slow)
