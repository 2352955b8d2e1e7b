"""How many may be in flight: POSTs without an answer plus tasks that have not ended. Told or found out.

Untold: three at first; each accepted POST makes room for one more than the task it started (so that the number
of open POSTs can double in a round trip), until the service says "too many at once". From then on as many as
were seen to run together, which is one below what failed; now and then one more is tried.

Worked example: a service runs three tasks at once. The fourth POST is throttled: the limit is 3 from then on.
After 60 s with all three places taken one more is tried; if it is throttled, the next try is 120 s later.
"""

import math

FIRST = 3
#: Seconds until one more than known to work is tried, doubled after each try that failed, up to the second.
PROBE_AFTER, PROBE_AFTER_MOST = 60.0, 900.0


class InFlight:
    """Counts tasks in flight and says whether one more POST may begin. `most` is what the user told."""

    def __init__(self, *, most: int | None, now: float, found: int | None = None) -> None:
        self.most = most
        self.tasks = 0
        self.found = found
        self._finding = found is None
        self._limit = found if found is not None else FIRST
        self._probe_after = PROBE_AFTER
        self._probe_at = now + PROBE_AFTER
        self.probing = False
        self.service_says: int | None = None

    @property
    def lower_than_told(self) -> bool:
        """Whether the service runs fewer at once than the user told."""
        return self.most is None or self.limit() < self.most

    def limit(self) -> float:
        """How many may be in flight now."""
        told = min(self.most or math.inf, self.service_says or math.inf)
        if self._finding:
            return told if self.most is not None else min(told, self._limit)
        return min(told, self._limit + (1 if self.probing else 0))

    def resumed(self, tasks: int) -> None:
        """Tasks of an earlier run are still in flight: that many at once are known to work."""
        self.tasks += tasks
        if self._finding:
            self._limit = max(self._limit, self.tasks + FIRST)

    def opens_at(self, now: float, open_posts: int) -> float | None:
        """The instant from which one more POST may begin; None when only an end in flight can make room."""
        taken = self.tasks + open_posts
        if taken < self.limit():
            return -math.inf
        told = min(self.most or math.inf, self.service_says or math.inf)
        if self._finding or taken >= told or self.probing or taken > self._limit:
            return None
        return max(now, self._probe_at)

    def begin(self, now: float, open_posts: int) -> None:
        """A POST begins while `open_posts` others have no answer; beyond the limit it is a try for one more."""
        if not self._finding and self.tasks + open_posts >= self._limit:
            self.probing = True
            self._probe_at = now + self._probe_after

    def accepted(self) -> None:
        self.tasks += 1
        if self._finding:
            self._limit += 2
        elif self.tasks > self._limit:
            self._limit = self.tasks
            if self.probing:
                self._probe_after = PROBE_AFTER
                self._finding, self.found = True, None
                self._limit = self.tasks + 1
        self.probing = False

    def too_many(self, now: float) -> None:
        """The service said: too many at once."""
        if self.probing:
            self._probe_after = min(self._probe_after * 2, PROBE_AFTER_MOST)
        self.probing = False
        self._finding = False
        self._limit = self.found = max(1, self.tasks)
        self._probe_at = now + self._probe_after

    def ended(self) -> None:
        self.tasks = max(0, self.tasks - 1)
