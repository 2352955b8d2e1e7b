"""What the service's limit headers mean for the pace: a limit to keep, a moment to wait for, a ceiling.

A policy with a window (`"burst";q=40;w=2`) is kept as if the user had told it. Where only the number and the
time until the reset are given, the window is at least that long: a ceiling, which only ever is too high.
`remaining: 0` waits for the reset. Windows of more than ten minutes (a daily quota) are no pace: a batch of 50
on a quota of 1,000 a day need not take 72 minutes.
"""

import math
from collections.abc import Mapping

from .limits import limits
from .rate import Rate

LONGEST_WINDOW = 600.0
LONGEST_WAIT = 60.0


class Advice:
    """Kept up to date by `heard`. `rate` is None until the service names a whole limit."""

    def __init__(self) -> None:
        self.rate: Rate | None = None
        self.ceiling = math.inf
        self.in_flight: int | None = None
        self.wait = 0.0  # seconds from the answer heard last
        self._resets: dict[tuple[str, float], float] = {}  # (name, quota) -> longest reset seen

    def heard(self, headers: Mapping[str, str], wall: float) -> bool:
        """Read one answer's headers; True when a limit with a window is new or another one."""
        self.wait = 0.0
        before = self.rate
        found = limits(headers, wall=wall)
        for one in found:
            if one.unit == "concurrent-requests":
                self.in_flight = max(1, int(one.quota)) if one.quota is not None else self.in_flight
                continue
            if one.remaining == 0 and one.reset is not None and one.reset <= LONGEST_WAIT:
                self.wait = max(self.wait, one.reset)
            if one.quota and one.seconds is None and one.reset:
                key = (one.name, one.quota)
                self._resets[key] = max(self._resets.get(key, 1.0), one.reset)
        told = [
            Rate(int(one.quota), one.seconds)
            for one in found
            if one.unit == "requests" and one.quota and one.seconds and one.quota >= 1
            if one.seconds <= LONGEST_WINDOW
        ]
        if told:
            self.rate = min(told, key=lambda rate: rate.per_second)
        paced = [quota / reset for (_, quota), reset in self._resets.items() if reset <= LONGEST_WINDOW]
        self.ceiling = min(paced, default=math.inf)
        return self.rate is not None and self.rate != before
