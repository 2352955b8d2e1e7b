"""A steady service with limits, and the real stations on it: how fast do they go, and do they keep the limits?"""

import asyncio
import json
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from virtual_disk import SERVICE, Disk, GroupWriter
from virtual_time import VirtualLoop, virtual_loop
from virtual_world import Stations

from batchgen.job import Answer, Job, Look, Outcome, fingerprint
from batchgen.ledger import Clock, Ledger, Person
from batchgen.planning import walk
from batchgen.planning.decide import Selection
from batchgen.running.context import RunContext, RunOptions
from batchgen.running.settings import Config
from batchgen.running.state import Board
from batchgen.service import reply
from batchgen.service.dialects import Call, service_of

START = 1_700_000_000.0


@dataclass
class Steady:
    """At most `most` POSTs in any `window` seconds, and `at_once` tasks; a task takes `seconds`."""

    rng: random.Random
    window: float = 1.0
    most: int | None = None
    at_once: int | None = None
    seconds: tuple[float, float] = (5.0, 15.0)
    answers_in: tuple[float, float] = (0.06, 0.14)
    says_when: bool = True
    left: list[float] = field(default_factory=list)  # when each POST left
    created: list[float] = field(default_factory=list)  # when each task was made
    throttled: int = 0
    looks: int = 0
    most_running: int = 0
    ends: dict[str, float] = field(default_factory=dict)
    _recent: deque[float] = field(default_factory=deque)

    def create(self, request: dict[str, Any]) -> Call:
        return service_of("gateway").dialect.create(request)

    async def submit(self, call: Call, key: str, before_send: Any) -> Outcome:
        loop = asyncio.get_running_loop()
        await before_send()
        self.left.append(loop.time())
        takes = self.rng.uniform(*self.answers_in)
        await asyncio.sleep(takes / 2)
        answer = self._answer(loop.time())
        await asyncio.sleep(takes / 2)
        return reply.outcome(answer)

    def _answer(self, now: float) -> Answer:
        recent = self._recent
        while recent and recent[0] <= now - self.window:
            recent.popleft()
        if self.most is not None and len(recent) >= self.most:
            self.throttled += 1
            wait = f"{recent[0] + self.window - now:.3f}"
            return _json(429, {"error": {"message": "rate limit"}}, {"retry-after": wait} if self.says_when else {})
        if self.at_once is not None and sum(end > now for end in self.ends.values()) >= self.at_once:
            self.throttled += 1
            return _json(429, {"error": {"message": "too many active tasks"}})
        recent.append(now)
        task_id = f"t{len(self.created)}"
        self.created.append(now)
        self.ends[task_id] = now + self.rng.uniform(*self.seconds)
        if self.at_once is not None:
            self.most_running = max(self.most_running, sum(end > now for end in self.ends.values()))
        return _json(200, _body(task_id, "pending"))

    async def probe(self) -> bool:
        return True

    async def task(self, task_id: str, model: str = "") -> Look:
        await asyncio.sleep(self.rng.uniform(*self.answers_in))
        self.looks += 1
        ended = self.ends[task_id] <= asyncio.get_running_loop().time()
        return reply.look(_json(200, _body(task_id, "succeeded" if ended else "processing")), task_id)

    def used(self) -> float:
        """Tasks made a second, from the first to the last."""
        return (len(self.created) - 1) / (self.created[-1] - self.created[0])

    def fullest(self, window: float) -> int:
        """The most POSTs that left within any `window` seconds."""
        return max(
            sum(1 for each in self.left[i : i + 500] if each < one + window - 1e-9)
            for i, one in enumerate(self.left)
        )


def run(disk: Disk, service: Steady, jobs: int, config: Config, seed: int = 1) -> VirtualLoop:
    """Submit so many jobs and collect them, from an empty OUT. Returns the loop (its time is how long it took)."""
    disk.reset()
    with virtual_loop() as loop:
        loop.gives_up_at = 30 * 86400.0

        def wall() -> float:
            return START + loop.time()

        clock = Clock(loop.time, wall)
        ledger = Ledger.open(disk.folder, SERVICE, inline=True, clock=clock)
        by = Person("somebody", START)
        ledger.write(lambda connection: walk.take_in(connection, map(_job, range(jobs)), Selection(), by))
        rng = random.Random(seed)
        ledger._writer = GroupWriter(disk, ledger.store, loop, lambda: rng.uniform(0.0005, 0.003))  # type: ignore[assignment]
        board = Board()
        run = RunContext(ledger, service, board, config, RunOptions(download=False), clock)  # type: ignore[arg-type]
        stations = Stations(run, rng)
        loop.run_until_complete(stations.run())
        ledger.close()
    assert not board.stops, board.stops
    assert len(service.created) == jobs
    return loop


def _job(number: int) -> Job:
    request = {"provider": "kie", "model": "m1", "scene": "text-to-video", "prompt": f"take {number}"}
    return Job(f"job-{number}", request, 6, "shots.csv", number + 1, None, {}, fingerprint(request))


def _body(task_id: str, word: str) -> dict[str, Any]:
    urls = [f"https://files.test/{task_id}.mp4"] if word == "succeeded" else []
    data = {"id": task_id, "mediaType": "video", "status": word, "videoUrls": urls}
    return {"id": task_id, "object": "video.generation.task", "status": word, "data": data}


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"content-type": "application/json", **(headers or {})}, json.dumps(body).encode())
