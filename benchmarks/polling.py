"""The schedule of looks against fixed intervals and against the best that is possible.

    python benchmarks/polling.py

For each distribution of task durations: 50 tasks to learn from, then 2,000 that count, twenty in flight at a
time. A look costs PRICE seconds of waiting; "cost" is looks x PRICE + mean lateness, per task. The limit is the
schedule that dynamic programming finds when the distribution is known. "Same lateness" is the fixed interval
that is as late on average as the schedule is: how many looks it needs, and the schedule's share of that.
"""

import argparse
import heapq
import math
import random
import statistics
from collections import deque
from collections.abc import Callable

from batchgen.running.pacing import Durations, PollSchedule
from batchgen.running.pacing.looks import Looks
from batchgen.running.pacing.schedule import PRICE

Draw = Callable[[random.Random], float]

DURATIONS: dict[str, Draw] = {
    "uniform 83-253 s": lambda rng: rng.uniform(83, 253),
    "as measured 83-253 s": lambda rng: 80 + rng.lognormvariate(math.log(25), 0.75),
    "lognormal 105 s": lambda rng: rng.lognormvariate(math.log(105), 0.3),
    "bimodal 60/200 s": lambda rng: max(1.0, rng.gauss(60, 6) if rng.random() < 0.5 else rng.gauss(200, 15)),
    "sandbox 2-4 s": lambda rng: rng.uniform(2, 4),
    "narrow 100+-2 s": lambda rng: rng.gauss(100, 2),
    "exponential 60 s": lambda rng: 10 + rng.expovariate(1 / 60),
}
GROUP = ("model", "text-to-video")


def run(draw: Draw, tasks: int, *, in_flight: int = 20, seed: int = 1) -> list[tuple[int, float]]:
    """(looks, lateness) of each task in the order in which they end."""
    rng = random.Random(seed)
    schedule = PollSchedule(Durations(), rng=rng)
    now, started = 0.0, 0
    ends: dict[str, float] = {}
    looks: dict[str, int] = {}
    done: list[tuple[int, float]] = []

    starts = [rng.uniform(0.0, 60.0) for _ in range(min(in_flight, tasks))]  # one more when one has ended
    heapq.heapify(starts)
    while len(done) < tasks:
        at = schedule.next_at()
        if starts and started < tasks and (at is None or starts[0] <= max(at, now)):
            now = max(now, heapq.heappop(starts))
            task = str(started)
            ends[task], looks[task] = now + draw(rng), 0
            schedule.add(task, GROUP, now, now)
            started += 1
            continue
        assert at is not None
        now = max(now, at)
        due = schedule.due(now)
        if due is None:
            continue
        looks[due] += 1
        if ends[due] <= now:
            schedule.finished(due, now)
            done.append((looks[due], now - ends[due]))
            heapq.heappush(starts, now)
        else:
            schedule.seen(due, now)
    return done


def fixed(draw: Draw, interval: float, tasks: int, seed: int = 1) -> list[tuple[int, float]]:
    """(looks, lateness) with one look each `interval` seconds."""
    rng = random.Random(seed)
    done = []
    for _ in range(tasks):
        duration = draw(rng)
        looks = math.ceil(duration / interval)
        done.append((looks, looks * interval - duration))
    return done


def scarce(tasks: int, rate: float, *, circle: bool) -> tuple[float, float, float]:
    """(looks per task, median and 95th percentile of lateness) for tasks accepted within 5 s.

    `circle`: the peer, which looks at all tasks in turn, at the full rate, from the first second on.
    """
    rng = random.Random(1)
    schedule = PollSchedule(Durations(), rng=rng)
    draw = DURATIONS["as measured 83-253 s"]
    waiting: deque[str] = deque()
    ends, late, now, looks = {}, [], 5.0, 0
    for i in range(tasks):
        accepted = rng.uniform(0, 5)
        ends[str(i)] = accepted + draw(rng)
        schedule.add(str(i), GROUP, accepted, now)
        waiting.append(str(i))
    while len(late) < tasks:
        task = waiting.popleft() if circle else schedule.due(now)
        if task is None:
            now = max(now + 1 / rate, schedule.next_at() or now)
            continue
        now, looks = now + 1 / rate, looks + 1
        if ends[task] <= now:
            schedule.finished(task, now)
            late.append(now - ends[task])
        elif circle:
            waiting.append(task)
        else:
            schedule.seen(task, now)
    return looks / tasks, statistics.median(late), statistics.quantiles(late, n=20)[18]


def limit(draw: Draw, price: float = PRICE) -> float:
    """The least cost per task that any schedule can have which knows the distribution (from 40,000 draws)."""
    rng = random.Random(7)
    draws = sorted(draw(rng) for _ in range(40_000))
    low, high = draws[0] * 0.98, draws[-1] * 1.001
    ages = [0.0] + [low + (high - low) * i / 1500 for i in range(1501)]
    alive, at = [], 0
    for age in ages:
        while at < len(draws) and draws[at] <= age:
            at += 1
        alive.append(1 - at / len(draws))
    return Looks(ages, alive, price=price).cost


def row(name: str, done: list[tuple[int, float]], best: float) -> str:
    looks = statistics.fmean(count for count, _ in done)
    late = [lateness for _, lateness in done]
    cost = looks * PRICE + statistics.fmean(late)
    p95 = statistics.quantiles(late, n=20)[18]
    return (
        f"  {name:22}{looks:8.2f}{statistics.median(late):10.2f}{p95:8.2f}{statistics.fmean(late):8.2f}"
        f"{cost:9.2f}{cost / best:9.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(f"price of a look: {PRICE} s of waiting")
    print(f"  {'':22}{'looks':>8}{'late p50':>10}{'p95':>8}{'mean':>8}{'cost':>9}{'/limit':>9}")
    for name, draw in DURATIONS.items():
        best = limit(draw)
        print(f"{name}: limit {best:.2f}")
        learned, first = [], []
        for seed in range(options.seeds):
            done = run(draw, 50 + options.tasks, seed=seed)
            first += done[:50]
            learned += done[50:]
        early = [one for seed in range(40) for one in run(draw, 150, seed=100 + seed)[50:150]]
        print(row("tasks 1 to 50", first, best))
        print(row("tasks 51 to 150", early, best))
        print(row("all after 50", learned, best))
        for interval in (1.0, 6.0):
            print(row(f"fixed {interval:g} s", fixed(draw, interval, 4000), best))
        late = statistics.fmean(lateness for _, lateness in learned)
        same = fixed(draw, 2 * late, 4000)
        ours = statistics.fmean(count for count, _ in learned)
        theirs = statistics.fmean(count for count, _ in same)
        print(row(f"same lateness ({2 * late:.1f} s)", same, best) + f"   looks: {ours / theirs:.0%} of it")
    print("a short allowance: tasks as measured, all accepted within 5 s; looks per task, late p50, late p95")
    for tasks, rate in ((10_000, 20.0), (10_000, 100.0), (2000, 20.0)):
        for name, circle in (("schedule", False), ("in a circle", True)):
            cells = "".join(f"{value:9.1f}" for value in scarce(tasks, rate, circle=circle))
            print(f"  {tasks:>6,} tasks, {rate:.0f}/s  {name:12}{cells}")


if __name__ == "__main__":
    main()
