"""The allowance for looks at tasks: how many status requests a second, all tasks together.

Worked example: 20 a second at first; if they are used and no answer is a 429 and none stays out, 40 in the next
second, then 80. A 429 at 80 halves it to 40, and nobody looks before its Retry-After.

A slow answer is no reason to look less often: the one that finds a task ended may take a minute, because services
store the video in it, and the others are as quick as ever. What bounds slow answers is how many looks are open at
once (`poll.MOST_OPEN`).
"""

import math
from collections.abc import Mapping
from typing import Any

from .rate import CATCH_UP, Rate, SlotClock


class PollPacer:
    """20 a second at first, doubled each second without trouble, halved on a 429 or on no answer.

    It rises only while it is used, so that a quiet hour does not end in a burst. `rate` told: just that.
    """

    FIRST, FASTEST, SLOWEST = 20.0, 2000.0, 0.1

    def __init__(self, *, rate: Rate | None, now: float, saved: Mapping[str, Any] | None = None) -> None:
        self._clock = SlotClock(rate) if rate else None
        self.rate = min(self.FIRST, (saved or {}).get("rate", self.FIRST))
        self._next = -math.inf
        self._gate = -math.inf
        self._since = now
        self._used = 0
        self._halved_at = -math.inf

    def wait(self, now: float) -> float:
        """Seconds until a look may begin; 0.0 is now."""
        at = max(self._gate, self._next, self._clock.ready_at() if self._clock else -math.inf)
        return max(0.0, at - now)

    def begin(self, now: float) -> None:
        """A look begins."""
        if self._clock:
            self._clock.begin(now)
            if self.rate >= self._clock.rate.per_second:
                return
        slot = 1 / self.rate
        self._next = (self._next if now - self._next <= CATCH_UP else now) + slot
        self._used += 1
        if now - self._since >= 1.0:
            if self._used >= 0.5 * self.rate * (now - self._since) and now - self._halved_at >= 1.0:
                self.rate = min(self.FASTEST, self.rate * 2)
            self._since, self._used = now, 0

    def throttled(self, now: float, retry_after: float | None) -> None:
        """A look was answered with "too much": half the rate, and nobody before the time that was said."""
        self.unanswered(now)
        self._gate = max(self._gate, now + (retry_after if retry_after is not None else 1.0))

    def unanswered(self, now: float) -> None:
        """A look got no answer. Several within a second count once."""
        if now - self._halved_at >= 1.0:
            self.rate = max(self.SLOWEST, self.rate / 2)
            self._halved_at = now
            self._since, self._used = now, 0

    def state(self) -> dict[str, Any]:
        """For `saved` at the next start; JSON-able."""
        return {"rate": self.rate}
