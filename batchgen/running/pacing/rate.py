"""A told limit (`2/s`, `20/10s`, `60/min`) and the slot clock that keeps it.

`20/10s` means: no stretch of ten seconds ever holds more than twenty POSTs. With `burst=1` they are spaced
evenly, one each half second. Sending jitters by some milliseconds on its way, so slots are 0.6 % wider than
the limit asks; where POSTs are squeezed together by more than that, the service says so, and it is doubled.

Worked example: `2/s` gives slots at 0, 0.503, 1.006, … A wake-up that comes 3 ms late does not move the slots
after it, so nothing is lost; but a POST never begins within 1.002 s of the one two before it.
"""

import math
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

#: How much wider than asked the slots are. 0.6 % keeps 99.4 % of the limit in use.
SLOT_MARGIN = 0.006
#: How much longer than stated the window is in which begins are counted.
WINDOW_MARGIN = 0.002
#: The most that the slots are widened to when POSTs are squeezed together on their way.
WIDEST = 0.2
#: A begin that is at most this late keeps its slot; a later one is idle time, which is never made up for.
CATCH_UP = 0.05
#: At most this many instants are remembered; a limit with more is kept in equally strict shorter windows.
REMEMBERED = 10_000

_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), Fraction(1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), Fraction(60)),
    **dict.fromkeys(("h", "hour", "hours"), Fraction(3600)),
    **dict.fromkeys(("d", "day", "days"), Fraction(86400)),
    "ms": Fraction(1, 1000),
}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/|per)\s*(\d+(?:\.\d+)?)?\s*([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any `seconds` seconds."""

    count: int
    seconds: float

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 < self.seconds < float("inf"):
            raise ValueError("a rate needs at least one submission in a stretch of time")

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """`2/s`, `20/10s`, `60/min`, `0.5/s` (one in 2 s), `100/h`. ValueError says what is wrong, for people."""
        found = _RATE.fullmatch(text.strip())
        unit = found and _UNITS.get(found[3].lower())
        if not found or not unit:
            raise ValueError(f"{text!r} is not a rate: write it like 2/s, 20/10s or 60/min")
        count = Fraction(found[1]).limit_denominator(1000)
        seconds = Fraction(found[2] or 1) * unit * count.denominator
        if count.numerator < 1 or seconds <= 0:
            raise ValueError(f"the rate {text!r} lets nothing through: write at least 1/h")
        return cls(count.numerator, float(seconds))

    def __str__(self) -> str:
        return f"{self.count}/{self.seconds:g}s" if self.seconds != 1 else f"{self.count}/s"


class SlotClock:
    """Evenly spaced slots, and an exact window over the begins: the limit holds however late its caller wakes.

    `burst` submissions may follow each other at once after idle time; the window holds all the same.
    `begun` are earlier begins on the same clock, so that a start after a crash does not burst.
    """

    def __init__(self, rate: Rate, *, burst: int = 1, begun: Iterable[float] = ()) -> None:
        shorter = max(1, rate.count // REMEMBERED)
        self.rate = rate
        self._count = rate.count // shorter
        self._seconds = rate.seconds / shorter
        self._burst = max(1, min(burst, rate.count))
        self._set_margin(SLOT_MARGIN)
        self._next = -math.inf
        self._begun: deque[float] = deque(maxlen=self._count)
        for instant in sorted(begun):
            self.begin(instant)

    def ready_at(self) -> float:
        """The earliest instant at which the next submission may begin."""
        full = len(self._begun) == self._count
        return max(self._next - self._ahead, self._begun[0] + self._window if full else -math.inf)

    def begin(self, now: float) -> None:
        self._next = (self._next if now - self._next <= CATCH_UP else now) + self._slot
        self._begun.append(now)

    def left(self, planned: float, now: float) -> None:
        """The begin that was planned for that instant happened a little later: the window counts from then."""
        for back, begin in enumerate(reversed(self._begun), start=1):
            if begin == planned:
                self._begun[-back] = now
                return

    def stretch(self) -> float:
        """The seconds over which, as far as is known here, no more than the told number begin."""
        return self._seconds * (1 + self._margin)

    @property
    def pace(self) -> float:
        """Begins a second that the slots allow."""
        return 1 / self._slot

    def widen(self) -> bool:
        """Too many came within the window at the service all the same. False: as wide as it gets already."""
        if self._margin >= WIDEST:
            return False
        self._set_margin(min(WIDEST, 2 * self._margin))
        return True

    def _set_margin(self, margin: float) -> None:
        self._margin = margin
        self._window = self._seconds * (1 + WINDOW_MARGIN + margin - SLOT_MARGIN)
        self._slot = self.rate.seconds / self.rate.count * (1 + margin)
        self._ahead = (self._burst - 1) * self._slot

    def cancel(self) -> None:
        """The last begin did not happen."""
        if self._begun:
            self._begun.pop()
            self._next -= self._slot

    def begun(self) -> Sequence[float]:
        return self._begun


def thinned(instants: Sequence[float], most: int = 64) -> list[tuple[float, int]]:
    """At most `most` pairs (instant, how many) for sorted instants; each instant is rounded up, never down."""
    if not instants:
        return []
    size = math.ceil(len(instants) / most)
    ordered = list(instants)
    runs = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    return [(run[-1], len(run)) for run in runs]
