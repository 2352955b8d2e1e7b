"""Which task to look at next, and when: one schedule for all tasks, one allowance for all looks.

One heap of tasks, not a loop for each. It looks when a task is likely done, then closely; when
more looks are due than the allowance lets through, the likeliest to be done goes first, and nobody starves:
the key of a task does not change while it waits.
"""

import heapq
import math
import random

from .durations import STEPS, Durations, Group, edge
from .looks import Looks

#: What one look is worth, in seconds of waiting for a video.
PRICE = 0.25
#: Seconds between two looks at one task: never less, and never more.
SHORTEST_GAP, LONGEST_GAP = 0.2, 300.0
#: After trouble with a status answer: first wait in seconds, doubled each time, and the longest.
FIRST_TROUBLE, LONGEST_TROUBLE = 1.0, 60.0


class _Task:
    __slots__ = ("accepted_at", "group", "looked", "polls", "troubles", "version")

    def __init__(self, group: Group, accepted_at: float, polls: int) -> None:
        self.group = group
        self.accepted_at = accepted_at
        self.looked = 0.0  # age at the last look that said "not yet"
        self.polls = polls
        self.troubles = 0
        self.version = 0


class PollSchedule:
    """All tasks that have not ended. `accepted_at` and `now` are on the same clock (seconds).

    `due` hands out a task to look at; it stays out until `seen` (not done), `trouble` (no answer),
    `finished` or `forget` says how the look went, however long that takes.
    """

    def __init__(
        self,
        durations: Durations,
        *,
        rng: random.Random,
        price: float = PRICE,
        min_gap: float = SHORTEST_GAP,
    ) -> None:
        self._durations = durations
        self._rng = rng
        self._price = price
        self._min_gap = min_gap
        self._tasks: dict[str, _Task] = {}
        self._waiting: list[tuple[float, int, str, int]] = []  # (look at, tie, task, version)
        self._ready: list[tuple[float, int, str, int]] = []  # (when half of its like are done, …)
        self._ties = 0
        self._asked = -math.inf  # when `due` was asked last
        self._plans: dict[Group, tuple[float, Looks]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task_id: str, group: Group, accepted_at: float, now: float, *, polls: int = 0) -> None:
        """A task was accepted at `accepted_at`, in this run or in an earlier one."""
        task = self._tasks[task_id] = _Task(group, accepted_at, polls)
        self._wait(task_id, task, max(now, accepted_at + self._next_age(task, 0.0)))

    def due(self, now: float) -> str | None:
        """A task to look at now, the likeliest done first; None when there is nothing to look at yet."""
        self._asked = max(self._asked, now)
        while self._waiting and self._waiting[0][0] <= now:
            _, tie, task_id, version = heapq.heappop(self._waiting)
            task = self._tasks.get(task_id)
            if task and task.version == version:
                half = task.accepted_at + self._plan(task.group).half(task.looked)
                heapq.heappush(self._ready, (half, tie, task_id, version))
        while self._ready:
            _, _, task_id, version = heapq.heappop(self._ready)
            task = self._tasks.get(task_id)
            if task and task.version == version:
                task.version += 1
                task.polls += 1
                return task_id
        return None

    def next_at(self) -> float | None:
        """The instant at which `due` has something; None when every task is out or there is none."""
        for heap, instant in ((self._ready, self._asked), (self._waiting, None)):
            while heap:
                _, _, task_id, version = heap[0]
                task = self._tasks.get(task_id)
                if task and task.version == version:
                    return instant if instant is not None else heap[0][0]
                heapq.heappop(heap)
        return None

    def seen(self, task_id: str, now: float, running: bool = True) -> None:
        """The look said "not yet". (A task that was forgotten meanwhile stays so, here and below.)"""
        task = self._tasks.get(task_id)
        if task is None:
            return
        age = max(task.looked, now - task.accepted_at)
        del running  # services say "pending" to the end too often for it to tell anything
        self._durations.alive(task.group, task.looked, age)
        task.looked = age
        task.troubles = 0
        gap = self._next_age(task, age) - age
        self._wait(task_id, task, now + max(self._min_gap, gap * self._rng.uniform(0.97, 1.03)))

    def trouble(self, task_id: str, now: float, retry_after: float | None) -> None:
        """The look said nothing about the task: error, 404, 429, no answer. Full jitter, or as told."""
        task = self._tasks.get(task_id)
        if task is None:
            return
        task.troubles += 1
        most = min(LONGEST_TROUBLE, FIRST_TROUBLE * 2 ** min(task.troubles, 10))
        wait = retry_after if retry_after is not None else self._rng.uniform(most / 4, most)
        self._wait(task_id, task, now + max(self._min_gap, wait))

    def hurry(self, task_id: str, now: float) -> None:
        """Look at this task next, whatever was planned; one that is out is not handed out twice."""
        if (task := self._tasks.get(task_id)) is not None:
            self._wait(task_id, task, now)

    def finished(self, task_id: str, now: float) -> None:
        """The task has ended; its duration is learned: after the look before, by now."""
        task = self._tasks.pop(task_id, None)
        if task is None:
            return
        age = max(task.looked, now - task.accepted_at)
        self._durations.observe(task.group, age, since=task.looked)

    def forget(self, task_id: str) -> None:
        """Look at this task no more, and learn nothing from it."""
        self._tasks.pop(task_id, None)

    def _wait(self, task_id: str, task: _Task, until: float) -> None:
        task.version += 1
        self._ties += 1
        heapq.heappush(self._waiting, (until, self._ties, task_id, task.version))

    def _next_age(self, task: _Task, age: float) -> float:
        following = self._plan(task.group).after(age)
        if following == math.inf:
            following = age + max(self._min_gap, age * 0.15)
        return min(following, age + LONGEST_GAP)

    def _plan(self, group: Group) -> Looks:
        version, hazards = self._durations.known(group)
        kept = self._plans.get(group)
        if kept is None or kept[0] != version:
            kept = self._plans[group] = (version, plan(hazards, self._price))
        return kept[1]


def plan(hazards: list[float], price: float, *, most: int = 900) -> Looks:
    """The best looks for a life table: a grid that is fine where looks will be close, then Looks."""
    widths = [edge(step + 1) - edge(step) for step in range(STEPS)]
    left, lefts = 1.0, []
    for hazard in hazards:
        lefts.append(left)
        left *= math.exp(-hazard)
    wanted = [
        4 * math.sqrt(hazard * width / (2 * price)) if alive > 1e-4 and hazard > 0 else 0.0
        for hazard, width, alive in zip(hazards, widths, lefts, strict=True)
    ]
    scale = min(1.0, (most - STEPS) / max(sum(wanted), 1.0))
    ages, alives = [0.0], [1.0]
    for step, hazard in enumerate(hazards):
        if lefts[step] < 1e-3:
            break
        if 1 - lefts[step] * math.exp(-hazard) < 1e-5:
            continue
        parts = max(1, math.ceil(wanted[step] * scale))
        for part in range(1 if ages[-1] >= edge(step) else 0, parts + 1):
            ages.append(edge(step) + widths[step] * part / parts)
            alives.append(lefts[step] * math.exp(-hazard * part / parts))
    return Looks(ages, alives, price=price)
