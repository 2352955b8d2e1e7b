"""Which limit fits what was seen? "At most N in any W seconds", for every W that people choose.

Accepted POSTs say that N is at least the most that any W seconds held; a throttled one says that N is at most
what the W seconds before it held. A W for which both can't be true is refuted. What is left are candidates.

Worked example: 40 POSTs within 1.9 s are accepted, the next is throttled, and one 1 s later is accepted. Had the
limit been 40 in 3 s, that one would have been throttled too; so it is 40 in 2 s (20/s), or 34 in 1 s, which is
what the last second held. 40 is a number that people choose, 34 is not.
"""

import math
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass

#: Windows that services are seen to use, in seconds. One that is longer is met by parking, not by pacing.
WINDOWS = (1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
#: Accepted POSTs that are remembered.
REMEMBERED = 4000
#: Throttled POSTs that are remembered: services change, and others may use the same key.
EVENTS = 6


@dataclass(frozen=True, slots=True)
class Candidate:
    """At most `count` in any `seconds` seconds."""

    count: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    @property
    def round(self) -> bool:
        """Whether a person would choose this number."""
        count = self.count
        while count % 10 == 0:
            count //= 10
        return count in (1, 2, 3, 4, 5, 6, 8, 12, 15, 20, 24, 25, 30, 40, 50, 60)


class Evidence:
    """What was accepted and what was throttled, by the instants at which the POSTs began.

    A throttled answer comes sooner than an accepted one, so POSTs that began before the throttled one and
    have no answer yet are taken for accepted.
    """

    def __init__(self) -> None:
        self.accepted_at: list[float] = []
        self._open: list[float] = []
        self._throttled_at: list[float] = []

    def begun(self, now: float) -> None:
        """A POST begins."""
        self._open.append(now)

    def left(self, planned: float, now: float) -> None:
        """An open POST left later than planned."""
        if planned in self._open:
            self._open[self._open.index(planned)] = now

    def under_way(self, after: float, until: float) -> int:
        """How many began in that stretch and were accepted, or have no answer yet."""
        return held(self.accepted_at, after, until) + sum(after < began <= until for began in self._open)

    def gone(self, began: float) -> None:
        """An open POST is none any more."""
        if began in self._open:
            self._open.remove(began)

    def accepted(self, began: float) -> None:
        """Begins come nearly in order; a late one is put where it belongs."""
        self.gone(began)
        insort(self.accepted_at, began)
        if len(self.accepted_at) > 2 * REMEMBERED:
            del self.accepted_at[:REMEMBERED]

    def throttled(self, began: float) -> None:
        """A POST that began then was throttled: no window before it has room for more than it held."""
        self._throttled_at = [*self._throttled_at[1 - EVENTS :], began]

    def passed(self, at: float | None = None) -> list[float]:
        """When the POSTs began that got through, as far as is known; `at`: one more is taken to."""
        last = self._throttled_at[-1] if self._throttled_at else -math.inf
        likely = [began for began in self._open if began < last]
        return sorted([*self.accepted_at, *likely]) + ([at] if at is not None else [])

    def candidates(self, blur: float, at: float | None = None) -> list[Candidate]:
        """The limits that fit, slowest first. `blur` is how far instants may be off, in seconds.

        `at`: a POST is taken to be accepted then.
        """
        times, upto = self.passed(), self.passed(at)
        found = []
        for window in WINDOWS if self._throttled_at else ():
            most = min(held(times, began - window, began) for began in self._throttled_at)
            surely = window - min(blur + 0.01 * window, window / 2)
            if most and not _exceeded(upto, surely, most):
                found.append(Candidate(most, window))
        return sorted(found, key=lambda one: one.rate)

    def forget_before(self, instant: float) -> None:
        """Start again: only what began from `instant` on counts."""
        del self.accepted_at[: bisect_left(self.accepted_at, instant)]
        self._throttled_at = [began for began in self._throttled_at if began >= instant]


def held(times: list[float], after: float, until: float) -> int:
    """How many of the (sorted) instants lie in that stretch of time."""
    return bisect_right(times, until) - bisect_right(times, after)


def _exceeded(times: list[float], window: float, most: int) -> bool:
    """Whether any window of that length held more than `most`."""
    return any(times[i + most] - times[i] < window for i in range(len(times) - most))
