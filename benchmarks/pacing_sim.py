"""The pacer against simulated services, on a virtual clock: how much of a limit it uses, and how many 429s.

    python benchmarks/pacing_sim.py            every service and latency, pacer and peers
    python benchmarks/pacing_sim.py --quick    the pacer only, fewer latencies

Peers: 16 workers that each retry with full jitter (what most scripts do), and botocore's adaptive mode (a CUBIC
rate with a token bucket). Goodput is what was created, first to last, as a share of what the limit allows.
"""

import argparse
import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from batchgen.running.pacing import Rate, SubmitPacer

MOST_OPEN = 256


@dataclass
class Verdict:
    """What a service says to one POST."""

    accepted: bool
    kind: str = ""
    retry_after: float | None = None


class Service(Protocol):
    limit: float

    def post(self, now: float) -> Verdict: ...


def told(wait: float, form: str) -> float | None:
    """A Retry-After as services write it."""
    return {"ceil": float(max(1, math.ceil(wait))), "exact": wait, "none": None}[form]


class SlidingWindow:
    """At most n in any w seconds."""

    def __init__(self, n: int, w: float, form: str = "ceil", kind: str = "rate") -> None:
        self.n, self.w, self.form, self.kind = n, w, form, kind
        self.limit = n / w
        self.taken: deque[float] = deque()

    def post(self, now: float) -> Verdict:
        while self.taken and self.taken[0] <= now - self.w:
            self.taken.popleft()
        if len(self.taken) < self.n:
            self.taken.append(now)
            return Verdict(True)
        return Verdict(False, self.kind, told(self.taken[0] + self.w - now, self.form))


class FixedWindow:
    """At most n in each window; windows begin at multiples of w."""

    def __init__(self, n: int, w: float, form: str = "ceil", kind: str = "rate") -> None:
        self.n, self.w, self.form, self.kind = n, w, form, kind
        self.limit = n / w
        self.window, self.used = -1, 0

    def post(self, now: float) -> Verdict:
        window = int((now + self.w / 3) / self.w)
        if window != self.window:
            self.window, self.used = window, 0
        if self.used < self.n:
            self.used += 1
            return Verdict(True)
        return Verdict(False, self.kind, told((window + 1) * self.w - self.w / 3 - now, self.form))


class TokenBucket:
    """`rate` tokens a second, at most `burst` of them."""

    def __init__(self, rate: float, burst: float, form: str = "ceil", kind: str = "rate") -> None:
        self.limit, self.burst, self.form, self.kind = rate, burst, form, kind
        self.tokens, self.at = burst, 0.0

    def post(self, now: float) -> Verdict:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.limit)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return Verdict(True)
        return Verdict(False, self.kind, told((1 - self.tokens) / self.limit, self.form))


class Unlimited:
    limit = math.inf

    def post(self, now: float) -> Verdict:
        return Verdict(True)


@dataclass
class Active:
    """At most n tasks at once; `ends` is filled by the simulation."""

    n: int
    kind: str = "concurrency"
    seconds: float = 10.0
    form: str = "none"
    active: int = 0

    @property
    def limit(self) -> float:
        return self.n / self.seconds

    def post(self, now: float) -> Verdict:
        if self.active < self.n:
            self.active += 1
            return Verdict(True)
        return Verdict(False, self.kind, told(1.0, self.form))


class Client(Protocol):
    def wait(self, now: float) -> float | None: ...
    def begin(self, now: float) -> int: ...
    def answer(self, now: float, verdict: Verdict, ticket: int) -> None: ...
    def ended(self, now: float) -> None: ...


class Paced:
    """batchgen's pacer."""

    def __init__(self, rate: Rate | None = None, seed: int = 0) -> None:
        self.pacer = SubmitPacer(rate=rate, max_in_flight=None, now=0.0, wall=1.8e9, rng=random.Random(seed))

    def wait(self, now: float) -> float | None:
        return self.pacer.wait(now)

    def begin(self, now: float) -> int:
        return self.pacer.begin(now)

    def answer(self, now: float, verdict: Verdict, ticket: int) -> None:
        if verdict.accepted:
            self.pacer.accepted(now, {}, ticket)
        else:
            self.pacer.throttled(now, verdict.kind, verdict.retry_after, {}, ticket)

    def ended(self, now: float) -> None:
        self.pacer.ended(now)


class Workers:
    """Sixteen workers, each for itself: POST, and after a 429 wait as told or with full jitter up to 60 s."""

    def __init__(self, workers: int = 16, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.idle = [0.0] * workers
        self.tries: list[int] = []

    def wait(self, now: float) -> float | None:
        return max(0.0, min(self.idle) - now) if self.idle else None

    def begin(self, now: float) -> int:
        self.idle.remove(min(self.idle))
        return 0

    def answer(self, now: float, verdict: Verdict, ticket: int) -> None:
        if verdict.accepted:
            self.tries = self.tries[:-1]
            self.idle.append(now)
        else:
            self.tries.append(1)
            most = min(60.0, 0.5 * 2 ** min(len(self.tries) / 4, 8))
            told = verdict.retry_after
            self.idle.append(now + (told if told is not None else self.rng.uniform(0, most)))

    def ended(self, now: float) -> None:
        pass


class Botocore:
    """botocore's adaptive mode: CUBIC (beta 0.7, scale 0.4) over a token bucket, 16 workers, full jitter."""

    def __init__(self, workers: int = 16, seed: int = 0) -> None:
        self.workers = Workers(workers, seed)
        self.rate, self.enabled = 0.5, False
        self.measured, self.bucket_at, self.count = 0.0, 0.0, 0
        self.last_max, self.last_throttle, self.window = 0.0, 0.0, 0.0
        self.tokens, self.at = 0.0, 0.0

    def wait(self, now: float) -> float | None:
        wait = self.workers.wait(now)
        if wait is None or not self.enabled:
            return wait
        self._fill(now)
        return max(wait, 0.0 if self.tokens >= 1 else (1 - self.tokens) / self.rate)

    def begin(self, now: float) -> int:
        self.tokens -= self.enabled
        return self.workers.begin(now)

    def answer(self, now: float, verdict: Verdict, ticket: int) -> None:
        self.workers.answer(now, verdict, ticket)
        bucket = math.floor(now * 2) / 2
        self.count += 1
        if bucket > self.bucket_at:
            self.measured = 0.8 * self.count / (bucket - self.bucket_at) + 0.2 * self.measured
            self.count, self.bucket_at = 0, bucket
        if not verdict.accepted:
            base = min(self.measured, self.rate) if self.enabled else self.measured
            self.last_max, self.last_throttle, self.enabled = base, now, True
            self.window = (self.last_max * 0.3 / 0.4) ** (1 / 3)
            rate = base * 0.7
        else:
            passed = now - self.last_throttle - self.window
            rate = 0.4 * passed**3 + self.last_max
        self._fill(now)
        self.rate = max(0.5, min(rate, 2 * self.measured))

    def _fill(self, now: float) -> None:
        self.tokens = min(max(self.rate, 1.0), self.tokens + (now - self.at) * self.rate)
        self.at = now

    def ended(self, now: float) -> None:
        pass


@dataclass
class Score:
    created: list[float] = field(default_factory=list)
    posts: int = 0
    throttled: int = 0
    early: int = 0

    def goodput(self, limit: float) -> float:
        elapsed = self.created[-1] - self.created[0]
        return (len(self.created) - 1) / elapsed / limit if elapsed else math.inf


def simulate(client: Client, service: Service, jobs: int, latency: Callable[[], tuple[float, float]]) -> Score:
    """Until every job is created.

    `latency` gives (round trip, work): the service decides half a round trip after the begin; a throttled
    answer comes half a round trip later, an accepted one after the work as well.
    """
    now, tie = 0.0, 0
    score = Score()
    events: list[tuple[float, int, str, Any]] = []
    waiting, opened, gate = jobs, 0, -math.inf

    def push(at: float, what: str, payload: Any) -> None:
        nonlocal tie
        tie += 1
        heapq.heappush(events, (at, tie, what, payload))

    while waiting or opened:
        wait = client.wait(now) if waiting and opened < MOST_OPEN else None
        if wait is not None and wait <= 0:
            ticket = client.begin(now)
            score.early += now < gate - 1e-9
            waiting, opened = waiting - 1, opened + 1
            score.posts += 1
            trip, work = latency()
            push(now + trip / 2, "arrives", (ticket, trip, work))
            continue
        at = now + wait if wait is not None else math.inf
        if events and events[0][0] <= at:
            now, _, what, payload = heapq.heappop(events)
        elif at < math.inf:
            now = at + 0.0005
            continue
        else:
            raise RuntimeError("nothing can happen any more: the client waits for nothing")
        if what == "arrives":
            ticket, trip, work = payload
            verdict = service.post(now)
            push(now + trip / 2 + (work if verdict.accepted else 0.0), "answer", (ticket, verdict))
            if verdict.accepted:
                score.created.append(now)
                if isinstance(service, Active):
                    push(now + service.seconds, "over", None)
        elif what == "over":
            service.active -= 1  # type: ignore[attr-defined]
            push(now + 1.0, "ended", None)
        elif what == "ended":
            client.ended(now)
        else:
            ticket, verdict = payload
            opened -= 1
            client.answer(now, verdict, ticket)
            if not verdict.accepted:
                score.throttled += 1
                waiting += 1
                if verdict.retry_after is not None:
                    gate = max(gate, now + verdict.retry_after)
    return score


SERVICES: dict[str, tuple[Callable[[], Service], int]] = {
    "window 40/2s": (lambda: SlidingWindow(40, 2), 800),
    "window 40/2s exact": (lambda: SlidingWindow(40, 2, "exact"), 800),
    "window 50/1s": (lambda: SlidingWindow(50, 1), 2000),
    "window 20/10s silent": (lambda: SlidingWindow(20, 10, "none"), 600),
    "window 60/60s": (lambda: SlidingWindow(60, 60), 600),
    "fixed 60/60s": (lambda: FixedWindow(60, 60), 600),
    "fixed 100/10s": (lambda: FixedWindow(100, 10), 800),
    "bucket 1/s b1": (lambda: TokenBucket(1, 1), 600),
    "bucket 5/s b5": (lambda: TokenBucket(5, 5), 600),
    "bucket 5/s b50": (lambda: TokenBucket(5, 50), 600),
    "bucket 20/s b20": (lambda: TokenBucket(20, 20), 800),
    "bucket 50/s b1": (lambda: TokenBucket(50, 1), 2000),
    "bucket 50/s b50": (lambda: TokenBucket(50, 50), 2000),
    "bucket 10/s b10 silent": (lambda: TokenBucket(10, 10, "none"), 600),
    "active 3": (lambda: Active(3), 60),
    "active 3 unlabelled": (lambda: Active(3, kind=""), 60),
    "active 30": (lambda: Active(30), 300),
}


def latencies(name: str, seed: int) -> Callable[[], tuple[float, float]]:
    """A quarter of the time is the way there and back, the rest is the service's work; both vary."""
    rng = random.Random(seed)
    middle = {"5 ms": 0.005, "50 ms": 0.05, "200 ms": 0.2, "1 s": 1.0, "2 s": 2.0}[name]
    return lambda: (0.25 * middle * rng.lognormvariate(0, 0.2), 0.75 * middle * rng.lognormvariate(0, 0.3))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    peers: dict[str, Callable[[int], Client]] = {"batchgen": lambda seed: Paced(seed=seed)}
    if not options.quick:
        peers["16 workers"] = lambda seed: Workers(seed=seed)
        peers["botocore"] = lambda seed: Botocore(seed=seed)
    names = ("5 ms", "50 ms", "200 ms", "1 s", "2 s")
    print(f"{'service':24} {'client':11}" + "".join(f"{name:>16}" for name in names))
    print(f"{'':36}" + "goodput 429/POST" * len(names))
    for service, (build, jobs) in SERVICES.items():
        if options.only not in service:
            continue
        for peer, client in peers.items():
            cells = ""
            for name in names:
                goodput, throttled, early = 0.0, 0.0, 0
                for seed in range(options.seeds):
                    score = simulate(client(seed), build(), jobs, latencies(name, seed))
                    goodput += score.goodput(build().limit) / options.seeds
                    throttled += score.throttled / score.posts / options.seeds
                    early += score.early
                cells += f"{goodput:9.1%} {throttled:5.1%}{'!' if early else ' '}"
            print(f"{service:24} {peer:11}{cells}")
    client = Paced()
    for name in names:
        score = simulate(Paced(), Unlimited(), 8000, latencies(name, 0))
        thousand = next((t for i, t in enumerate(score.created[1000:]) if t - score.created[i] <= 1.0), None)
        print(
            f"no limit, {name:7}: 8,000 created in {score.created[-1]:.1f} s; 1,000 a second reached at {thousand}"
        )


if __name__ == "__main__":
    main()
