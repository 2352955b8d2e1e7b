"""An untold rate, found out from what the service accepts and throttles.

Rises with every accepted POST until the first throttled one (slow start), then holds just below what got
through, and tries a little more now and then.
"""

import math
import random
from collections import deque

FIRST_RATE = 2.0
FASTEST = 100_000.0
SLOWEST = 1 / 120
#: What each accepted POST adds to the rate (per second) until the first throttled one.
RISE = 2.0
#: Without word from the service: seconds to wait after a throttled POST, doubled while nothing gets through.
FIRST_WAIT, LONGEST_WAIT = 1.0, 120.0


class RateFinder:
    """Found rate in POSTs a second. `ceiling` is the told rate, or infinite."""

    def __init__(
        self, *, now: float, ceiling: float = math.inf, rate: float | None = None, rng: random.Random
    ) -> None:
        self._rng = rng
        self._ceiling = ceiling
        self._finding = rate is None
        self.rate = min(ceiling, rate or (FIRST_RATE if ceiling == math.inf else ceiling))
        self._next = -math.inf
        self._event_at = -math.inf
        self._in_a_row = 0
        self._cycle_from = now
        self._cycle: deque[float] = deque(maxlen=4096)
        self._clean_since = now
        self._failed_rate = math.inf
        self._step = 0.02

    @property
    def finding(self) -> bool:
        return self._finding

    def ready_at(self) -> float:
        return self._next

    def begin(self, now: float) -> None:
        slot = 1 / self.rate
        self._next = (self._next if now - self._next <= min(0.05, slot) else now) + slot

    def accepted(self, began: float, now: float) -> None:
        self._cycle.append(began)
        if began > self._event_at:
            self._in_a_row = 0
        if self._finding:
            self.rate = min(self._ceiling, FASTEST, self.rate + RISE)
        elif now - self._clean_since > max(1.0, 8 / self.rate):
            self._clean_since = now
            self.rate = min(self._ceiling, self.rate * (1 + self._step))
            self._step = min(0.5, self._step * (2 if self.rate < 0.95 * self._failed_rate else 1))

    def throttled(self, began: float, now: float, retry_after: float | None) -> float:
        """A POST was throttled: the instant until which nobody may begin one."""
        if began <= self._event_at:
            return now + (retry_after or 0.0)
        self._in_a_row += 1
        wait = retry_after
        if wait is None:
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (self._in_a_row - 1)) * self._rng.uniform(1, 1.2)
        passed = sum(1 for instant in self._cycle if instant > self._cycle_from)
        through = passed / max(now + wait - self._cycle_from, 1e-3)
        if self._in_a_row == 1:
            self._failed_rate = self.rate
            self.rate = max(SLOWEST, min(self.rate * 0.9, max(through, self.rate / 4)))
            self._cycle_from = now
            self._finding = False
            self._step = 0.01
        else:
            self.rate = max(SLOWEST, self.rate / 2)
        self._event_at = now
        self._clean_since = now + wait
        return now + wait
