"""Under a cap as many jobs as fit are bought, in manifest order, also when many POSTs are got ready at once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from till import Till, accepted, job, outcome

from batchgen.errors import Stop
from batchgen.job import Outcome, OutcomeKind, State
from batchgen.ledger.clock import Clock
from batchgen.running.context import RunContext, RunOptions
from batchgen.running.dispatch import Dispatcher
from batchgen.running.outcomes import Lessons
from batchgen.running.pacing import Away, Failures, Lanes, MaxFailures, Rate, SubmitPacer
from batchgen.running.settings import Config
from batchgen.running.state import Board
from batchgen.running.submit import Submitter
from batchgen.service.dialects import Call, service_of

NAMES = [f"j{n}" for n in range(1, 7)]


class Service:
    """Answers as told; the connection of a job stands only after the jobs that come `before` it have been heard."""

    def __init__(self, answers: dict[str, list[OutcomeKind]], before: dict[str, str]) -> None:
        self.answers, self.before = answers, before
        self.heard = {name: asyncio.Event() for name in NAMES}
        self.sent: list[str] = []

    def create(self, request: dict[str, Any]) -> Call:
        return service_of("gateway").dialect.create(request)

    async def submit(self, call: Call, key: str, before_send: Callable[[], Awaitable[None]]) -> Outcome:
        name = next(one for one in NAMES if f'of {one}"'.encode() in call.body)
        if other := self.before.get(name):
            await self.heard[other].wait()
        try:
            await before_send()
        finally:
            self.heard[name].set()
        self.sent.append(name)
        await asyncio.sleep(0)
        some = self.answers.get(name, [])
        kind = some.pop(0) if some else OutcomeKind.ACCEPTED
        return accepted(f"task-of-{name}") if kind is OutcomeKind.ACCEPTED else outcome(kind)

    async def probe(self) -> bool:
        return True


def submitted(till: Till, service: Service) -> Board:
    """The board after all that fits was submitted."""
    board, rng, clock = Board(), random.Random(1), Clock()
    now, wall = clock.now(), clock.wall()
    context = RunContext(till.ledger, service, board, Config(post_timeout=9.0), RunOptions(), clock)
    at_once = {"rate": Rate(1000, 1.0), "burst": 50, "max_in_flight": 50}
    context = RunContext(till.ledger, service, board, Config(post_timeout=9.0), RunOptions(), clock)

    async def run() -> None:
        pacer = Lanes(lambda _saved: SubmitPacer(**at_once, saved=None, now=now, wall=wall, begun=[], rng=rng))
        away = Away(rng=rng)
        lessons = Lessons(context, pacer, away, Failures(MaxFailures()), lambda _task: None)
        submitter = Submitter(context, pacer, lessons)
        await asyncio.wait_for(Dispatcher(context, pacer, away, submitter).run(), 20)

    asyncio.run(run())
    return board


@pytest.mark.parametrize(
    ("answers", "before", "bought"),
    [
        pytest.param({}, {}, ["j1", "j2", "j3"], id="at once"),
        pytest.param({}, {"j1": "j3", "j2": "j3"}, ["j1", "j2", "j3"], id="the first connect last"),
        pytest.param({"j2": [OutcomeKind.REJECTED]}, {"j1": "j3"}, ["j1", "j3", "j4"], id="a refusal makes room"),
        pytest.param({"j1": [OutcomeKind.THROTTLED]}, {}, ["j1", "j2", "j3"], id="one is taken late"),
        pytest.param({"j1": [OutcomeKind.NOT_SENT]}, {}, ["j1", "j2", "j3"], id="one is sent again"),
        pytest.param({"j3": [OutcomeKind.IN_DOUBT]}, {}, ["j1", "j2"], id="a doubt takes its room"),
    ],
)
def test_as_many_as_fit_are_bought_in_manifest_order(
    tmp_path: Path, answers: dict[str, list[OutcomeKind]], before: dict[str, str], bought: list[str]
) -> None:
    with Till(tmp_path) as till:
        till.take_in(*NAMES)
        till.cap(18)
        board = submitted(till, Service(answers, before))
        assert [one.job_id for one in till.results() if one.state is State.SUBMITTED] == bought
        assert (list(board.stops), till.credits().counted) == ([Stop.CAP], 18)
        assert till.violations() == []


def test_a_dear_job_that_does_not_fit_is_not_passed_by_a_cheap_one(tmp_path: Path) -> None:
    with Till(tmp_path) as till:
        till.take_in(job("j1"), job("j2", price=20), job("j3", price=1))
        till.cap(18)
        board = submitted(till, Service({}, {}))
        assert [one.job_id for one in till.results() if one.state is State.SUBMITTED] == ["j1"]
        assert list(board.stops) == [Stop.CAP]
