"""Where the service honours Idempotency-Key, a doubt is asked again, and only an acceptance settles it."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from virtual_disk import SERVICE, Disk
from virtual_pace import START, _job
from virtual_time import virtual_loop
from virtual_world import Stations, imagined

from batchgen.job import Look, Outcome, OutcomeKind, Trouble
from batchgen.ledger import Clock, Ledger, Person
from batchgen.planning import walk
from batchgen.planning.decide import Selection
from batchgen.running.context import RunContext, RunOptions
from batchgen.running.settings import Config
from batchgen.running.state import Board
from batchgen.service.dialects import Call, service_of


@pytest.fixture
def disk() -> Iterator[Disk]:
    one = Disk()
    with imagined(one):
        yield one
    one.remove()


class Scripted:
    """Answers POSTs with these outcomes, one after the other; the last one goes on."""

    def __init__(self, *outcomes: OutcomeKind) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[tuple[bytes, str]] = []

    def create(self, request: dict[str, Any]) -> Call:
        return service_of("gateway").dialect.create(request)

    async def submit(self, call: Call, key: str, before_send: Any) -> Outcome:
        await before_send()
        self.sent.append((call.body, key))
        await asyncio.sleep(0.1)
        kind = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        return Outcome(kind, "a_code", task_id="t1" if kind is OutcomeKind.ACCEPTED else "")

    async def probe(self) -> bool:
        return True

    async def task(self, task_id: str, model: str = "") -> Look:
        return Look(trouble=Trouble.ERROR)


def submit(disk: Disk, api: Scripted, *, idempotent: bool) -> str:
    """Submit one job; the outcome that its last attempt has in the ledger."""
    with virtual_loop() as loop:
        clock = Clock(loop.time, lambda: START + loop.time())
        ledger = Ledger.open(disk.folder, SERVICE, inline=True, clock=clock)
        ledger.write(lambda c: walk.take_in(c, [_job(1)], Selection(), Person("somebody", START)))
        settings, options = Config(idempotent=idempotent), RunOptions(download=False, wait=False)
        stations = Stations(RunContext(ledger, api, Board(), settings, options, clock), random.Random(1))  # type: ignore[arg-type]
        loop.run_until_complete(stations.run())
        ledger.close()
    return str(disk.rows("SELECT outcome FROM attempt ORDER BY attempt_id DESC LIMIT 1")[0][0])


def test_a_doubt_that_is_asked_again_and_accepted_is_accepted(disk: Disk) -> None:
    api = Scripted(OutcomeKind.IN_DOUBT, OutcomeKind.THROTTLED, OutcomeKind.ACCEPTED)
    assert submit(disk, api, idempotent=True) == "accepted"
    assert len(api.sent) == 3
    assert len(set(api.sent)) == 1, "the same bytes under the same key"


@pytest.mark.parametrize("second", [kind for kind in OutcomeKind if kind is not OutcomeKind.ACCEPTED])
def test_no_other_answer_settles_a_doubt(disk: Disk, second: OutcomeKind) -> None:
    """A refusal may overtake the first sending on its way: that one is still paid for when it arrives."""
    assert submit(disk, Scripted(OutcomeKind.IN_DOUBT, second), idempotent=True) == "in_doubt"


def test_nobody_is_trusted_with_it_by_default(disk: Disk) -> None:
    api = Scripted(OutcomeKind.IN_DOUBT, OutcomeKind.ACCEPTED)
    assert submit(disk, api, idempotent=False) == "in_doubt"
    assert len(api.sent) == 1
