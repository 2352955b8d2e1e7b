"""An untold rate, found out from what the service accepts and throttles.

Finding: from 2/s on, each accepted POST adds to the rate, until the first throttled one. Then the limits that
fit what was seen are worked out (`evidence`), and the likeliest is kept just as if the user had told it. Now
and then a little more is tried: if that gets through, the limit was another one.

Events: POSTs that were under way when the first throttled answer came in tell nothing new; they are throttled
together, and count as one.

Worked example: a service lets 40 through in any 2 s. The rate rises for 2 s, the 41st POST is throttled with
`Retry-After: 1`; after that second the rate is 19.8/s. 20 s later 21/s is tried and throttled again: 20/s is
confirmed, and the next try is 60 s later.
"""

import math
import random
from collections.abc import Iterable, Mapping
from typing import Any

from .evidence import Candidate, Evidence, held
from .rate import CATCH_UP, Rate, SlotClock

FIRST_RATE, FASTEST, SLOWEST = 2.0, 100_000.0, 1 / 600
#: What each accepted POST adds to the rate until the first throttled one; less where answers take long.
RISE = 2.0
#: How far below the limit that is believed in to stay, at least.
BELOW = 0.008
#: Without word from the service: seconds to wait, and how they grow while nothing gets through.
FIRST_WAIT, WAIT_GROWTH, LONGEST_WAIT = 1.0, 1.6, 120.0
#: How much more is tried: while in doubt, and of a limit that is believed in.
BOLD, CAREFUL = 1.3, 1.06
#: Where so few seconds passed since the last throttled answer that counting says nothing: how much less to try.
SHORT, LESS = 2.0, 0.8
#: Windows that must lie between two events which are put down to POSTs squeezed together on their way.
SELDOM = 5.0
#: Seconds until more is tried: while in doubt, then by how often the limit was confirmed.
DOUBTFUL, PATIENCE = 1.0, (2.0, 60.0, 180.0, 600.0)


class RateFinder:
    """The rate, in POSTs a second. `ceiling` is the told rate, or infinite; `begun` are earlier begins."""

    def __init__(
        self,
        *,
        now: float,
        ceiling: float = math.inf,
        saved: Mapping[str, Any] | None = None,
        begun: Iterable[float] = (),
        rng: random.Random,
    ) -> None:
        saved = saved or {}
        rate = saved.get("rate")
        self._rng = rng
        self.ceiling = ceiling
        #: whether no throttled answer was seen yet
        self.finding = rate is None
        self.target = rate if rate is not None else ceiling
        self.rate = min(ceiling, rate if rate is not None else FIRST_RATE if ceiling == math.inf else ceiling)
        self._next = -math.inf
        self._evidence = Evidence()
        self._quickest = math.inf  # the shortest answer time seen: about a round trip
        self._usual = 0.1  # the usual answer time of an accepted POST
        self._event_at = -math.inf  # when the last event was noticed
        self._cycle_from = now  # when POSTs began to get through after the last event
        self._events_in_a_row = 0
        self._alone = False  # one POST at a time until one gets through
        self._belief: Candidate | None = None
        self._guard: SlotClock | None = None  # keeps the window that is believed in
        self._held: tuple[Candidate | None, float] = (None, self.target)  # before more was tried
        self._fell_back = False
        self._squeezed_at = -math.inf
        self._sure = False  # whether nothing else fits as well
        self._confirmed = 0  # tries in a row that were throttled
        self._passed = 0  # tries in a row that got through
        self._try_at = now + PATIENCE[0]
        self._trying_since = 0.0
        self._trying_until: float | None = None
        for instant in begun:
            self._evidence.accepted(instant)
        if limit := saved.get("limit"):
            known = Candidate(int(limit[0]), float(limit[1]))
            self._believe(known, [known])

    def state(self) -> dict[str, Any]:
        """For `saved` at the next start; empty while nothing is known."""
        if self.finding:
            return {}
        belief, rate = self._belief, self.rate
        if self._trying_until is not None:  # what is only tried is not known
            belief, rate = self._held[0], self._clamped(self._held[1] / (1 + BELOW))
        limit = {"limit": [belief.count, belief.seconds]} if belief else {}
        return {"rate": rate, **limit}

    @property
    def idle(self) -> bool:
        """Whether nothing was found that is slower than the ceiling."""
        return self.rate >= self.ceiling and not self._alone and self._guard is None

    def told(self, limit: Rate, now: float) -> None:
        """The service names its limit in a header: keep it, and never try more."""
        self.finding = False
        self.ceiling = min(self.ceiling, limit.per_second)
        self._trying_until = None
        exact = Candidate(limit.count, limit.seconds)
        self._believe(exact, [exact])
        self._try_at = now + PATIENCE[0]

    def lower_ceiling(self, ceiling: float) -> None:
        """The service's headers say that it is never more than that."""
        self.ceiling = min(self.ceiling, ceiling)
        self.rate = self._clamped(self.rate)

    def ready_at(self) -> float:
        """The earliest instant at which the next POST may begin, as far as the found rate goes."""
        return max(self._next, self._guard.ready_at()) if self._guard else self._next

    def begin(self, now: float) -> None:
        """A POST begins."""
        self._evidence.begun(now)
        if self._guard:
            self._guard.begin(now)
        slot = 1 / self.rate
        if self._alone:
            slot = 1.5 * min(self._usual, 20.0) + 0.02
        exact = self.finding or self._guard is not None
        late = CATCH_UP if exact else min(CATCH_UP, max(slot, 0.005))
        self._next = (self._next if now - self._next <= late else now) + slot

    def left(self, planned: float, now: float) -> None:
        """The POST that was to begin at that instant left a little later."""
        self._evidence.left(planned, now)
        if self._guard:
            self._guard.left(planned, now)

    def under_way(self, after: float, until: float) -> int:
        """How many began in that stretch and were not throttled."""
        return self._evidence.under_way(after, until)

    def gone(self, began: float) -> None:
        """A POST ended without saying anything about the rate."""
        self._evidence.gone(began)

    def accepted(self, began: float, now: float) -> None:
        """A POST got through."""
        took = now - began
        self._quickest = min(self._quickest * 1.01, took)
        self._usual += 0.2 * (took - self._usual)
        self._evidence.accepted(began)
        if self.finding:
            rise = RISE * min(3.0, 1 + self.rate / 200) / (1 + took)
            self.rate = self._clamped(self.rate + rise)
            return
        if self._events_in_a_row:
            if began > self._event_at:
                self._got_through(began, now)
        elif self._trying_until is not None:
            if began > self._trying_until:
                self._try_ended(began, now)
        elif now > self._try_at and self.target < 0.97 * self.ceiling:
            self._try_more(now)

    def throttled(self, began: float, now: float, retry_after: float | None) -> float:
        """A POST was throttled: the instant until which nobody may begin one."""
        self._evidence.gone(began)
        if began <= self._event_at:  # it was under way when the event was noticed
            return now + (retry_after or 0.0)
        self._quickest = min(self._quickest * 1.01, now - began)
        squeezed = self._squeezed(began, retry_after)
        if not squeezed:
            self._evidence.throttled(began)
        self._events_in_a_row += 1
        trying, self._trying_until = self._trying_until is not None, None
        self._confirmed += trying
        self._passed = 0
        self.finding = False
        wait = retry_after
        if wait is None:
            wait = FIRST_WAIT * WAIT_GROWTH ** (self._events_in_a_row - 1) * self._rng.uniform(1.0, 1.2)
            wait = min(LONGEST_WAIT, wait)
        self._event_at = now
        gate = now + wait
        self._alone = retry_after is None or self._events_in_a_row > 1
        self._fell_back = squeezed or (trying and self._fall_back())
        if not self._fell_back:
            if retry_after is None:
                self._belief = self._guard = None  # until one gets through
                self.target = self.rate
            else:
                self._learn(gate)
        self._try_at = gate + self._patience()
        return gate

    def _squeezed(self, began: float, retry_after: float | None) -> bool:
        """Whether no more were sent than the limit that is believed in allows: then they were squeezed together on
        their way, which tells nothing new but to leave a little more room.
        """
        if self._belief is None or self._guard is None or self._events_in_a_row or self._trying_until is not None:
            return False
        if began < self._squeezed_at + SELDOM * self._belief.seconds:
            return False  # too often for that: it is another limit
        by = min(2 * self._blur(), 0.1 * self._belief.seconds)
        if retry_after is not None and retry_after > by and retry_after % 1:
            return False  # the window has room again only later than that would explain
        after = began - self._guard.stretch() - by
        if self.under_way(after, began) <= self._belief.count or not self._guard.widen():
            return False
        self._squeezed_at = began
        self._set(self._guard.pace)
        return True

    def _got_through(self, began: float, now: float) -> None:
        """The first POST after an event was accepted."""
        self._events_in_a_row = 0
        if not self._fell_back:
            self._learn(None)
        self._cycle_from = began
        if self._alone:
            self._alone = False
            self._next = max(now, began + 1 / self.rate)
        self._try_at = now + self._patience()

    def _learn(self, at: float | None) -> None:
        """Work out what fits, where `at` is when the service says that a POST will get through again."""
        fits = self._evidence.candidates(self._blur(), at) or self._evidence.candidates(3 * self._blur(), at)
        if not fits:
            self._evidence.forget_before(self._cycle_from)
            fits = self._evidence.candidates(self._blur(), at)
        if fits:
            self._believe(_likeliest(fits), fits)
            return
        # a service that counts otherwise: what got through since the last time that it was full
        times = self._evidence.passed(at)
        self._belief = self._guard = None
        self._sure, self._confirmed = False, 0
        if times:
            start, end = min(self._cycle_from, times[0]), max(times[-1], self._event_at)
            rate = len(times) / max(end - start, 0.5)
            if end - start < SHORT and self.target < math.inf:
                rate = max(rate, LESS * self.target)  # too short a while to count in: a little less than before
            self._set(rate)

    def _believe(self, limit: Candidate, fits: list[Candidate]) -> None:
        """Keep a limit exactly, with room for POSTs that are squeezed together on their way."""
        self._belief = limit
        self._sure = limit.round and not any(one.round and one is not limit for one in fits)
        margin = 1 + min(0.1, self._blur() * 0.3 / limit.seconds)
        recent = self._evidence.passed()[-limit.count :]
        self._guard = SlotClock(Rate(limit.count, limit.seconds * margin), begun=recent)
        self._set(limit.rate / margin)

    def _fall_back(self) -> bool:
        """More was tried in vain: back to what held before, if that still fits."""
        if self._held[0] is None:
            self._belief = self._guard = None
            self._set(self._held[1])
            return True
        fits = self._evidence.candidates(self._blur())
        same = [one for one in fits if one.seconds == self._held[0].seconds]
        if same:
            self._believe(same[0], same)
        return bool(same)

    def _set(self, target: float) -> None:
        self.target = target
        self.rate = self._clamped(target / (1 + BELOW))

    def _patience(self) -> float:
        window = self._belief.seconds if self._belief else 1.0
        if not self._sure and not self._confirmed:
            return max(DOUBTFUL, window / 2)
        return max(PATIENCE[min(self._confirmed, 3)], 3 * window)

    def _try_more(self, now: float) -> None:
        """Go faster for a while: as the next limit that fits, or by a step."""
        window = self._belief.seconds if self._belief else 1.0
        self._held = (self._belief, self.target)
        step = BOLD**self._passed
        faster = [one for one in self._evidence.candidates(self._blur()) if one.rate > 1.05 * step * self.target]
        if faster and not self._confirmed:
            self._believe(_likeliest(faster), faster)
        else:
            self._belief = self._guard = None
            self._set(self.target * (CAREFUL if self._confirmed else BOLD * step))
        self._trying_since = now
        window = min(window, 5.0) if self._passed else window
        self._trying_until = now + max(1.1 * window, min(20 / self.rate, 20.0), 0.5)

    def _try_ended(self, began: float, now: float) -> None:
        """Nothing was throttled: if that much was sent at all, the limit that was believed in is refuted."""
        sent = held(self._evidence.passed(), self._trying_since, began)
        if sent < 0.6 * self.rate * (began - self._trying_since):
            self._trying_until = None
            self._fall_back()
            self._try_at = now + self._patience()
            return
        self._passed += 1
        self._confirmed = 0
        self._trying_until = None
        if self._belief is None:
            self._sure = False
            fits = [one for one in self._evidence.candidates(self._blur()) if one.rate > 0.95 * self.target]
            if fits:
                self._believe(_likeliest(fits), fits)
        self._try_at = now + (self._patience() if self._belief else 0.0)

    def _blur(self) -> float:
        """How far the order of POSTs at the service may be off, in seconds: part of a round trip."""
        return 0.02 + 0.5 * (self._quickest if self._quickest < 5.0 else 0.1)

    def _clamped(self, rate: float) -> float:
        return max(SLOWEST, min(rate, self.ceiling, FASTEST))


def _likeliest(fits: list[Candidate]) -> Candidate:
    """The slowest of those with a number that people choose, else the slowest."""
    return next((one for one in fits if one.round), fits[0])
