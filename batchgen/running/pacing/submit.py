"""SubmitPacer: when the next POST may begin, and what binds it.

One shared clock for all submitters: a slot for each POST, so that wake-ups are spread; what the service says
about waiting holds for everybody; throttled answers to POSTs that were under way together count as one event.
"""

import math
import random
from collections.abc import Iterable, Mapping
from typing import Any

from .advice import Advice
from .finder import RateFinder
from .in_flight import InFlight
from .rate import Rate, SlotClock, thinned

#: Seconds to wait where the service does not say: after "too many at once", after "unavailable".
AT_ONCE_WAIT, UNAVAILABLE_WAIT = 1.0, 5.0
#: By how much POSTs may be squeezed together on their way, in seconds.
SQUEEZE = 0.05
#: After the n-th connection failure in a row: a random wait of up to so many seconds, doubled each time.
FIRST_FAILURE_WAIT, LONGEST_FAILURE_WAIT = 0.5, 30.0


class SubmitPacer:
    """Decides when; the caller sleeps. Instants are monotonic seconds, `wall` is seconds since 1970.

    The caller's loop: `wait` says in how many seconds a POST may begin; `begin` takes the permit and returns
    a ticket; `left` says when it really left, if that was later; exactly one of `accepted`, `rejected`,
    `throttled`, `not_sent`, `in_doubt` or `cancel_begin` gives it back (without a ticket: the oldest one).
    `begun` are wall instants of recent attempts from the ledger: with them a told limit holds exactly, even
    across a crash that saved no state.
    """

    def __init__(
        self,
        *,
        rate: Rate | None,
        burst: int = 1,
        max_in_flight: int | None,
        saved: Mapping[str, Any] | None = None,
        now: float,
        wall: float,
        begun: Iterable[float] = (),
        rng: random.Random | None = None,
    ) -> None:
        saved = saved or {}
        self._rng = rng or random.Random()
        self._wall_ahead = wall - now
        earlier = [float(instant) for instant, count in saved.get("begun", ()) for _ in range(count)]
        earlier = [min(now, instant - self._wall_ahead) for instant in list(begun) or earlier]
        self._clock = SlotClock(rate, burst=burst, begun=earlier) if rate else None
        self._finder = RateFinder(
            now=now,
            ceiling=rate.per_second if rate else math.inf,
            saved=saved.get("found"),
            begun=earlier,
            rng=self._rng,
        )
        self._in_flight = InFlight(most=max_in_flight, now=now, found=saved.get("in_flight"))
        self._advice = Advice()
        self._gate = now + max(0.0, float(saved.get("gate", 0.0)) - wall)
        self._gate_is_told = True  # whether the service named it; else it is our guess
        self._open: dict[int, float] = {}  # ticket -> begin of each POST that has no answer yet
        self._tickets = 0
        self._failures = 0
        self._strange = 0  # times in a row that there were too many at once, and none of them ours
        self._squeezed_at = -math.inf
        self._unsaid = _Unsaid()

    @property
    def tasks(self) -> int:
        """Accepted tasks that have not ended, as far as is known."""
        return self._in_flight.tasks

    def tasks_in_flight(self, n: int) -> None:
        """At start: `n` tasks were accepted earlier and have not ended."""
        self._in_flight.resumed(n)

    def wait(self, now: float) -> float | None:
        """Seconds until a POST may begin; 0.0 is now; None: only when something in flight ends."""
        room = self._in_flight.opens_at(now, len(self._open))
        if room is None:
            return None
        at = max(room, self._gate)
        if self._clock:
            at = max(at, self._clock.ready_at())
        if not (self._clock and self._finder.idle):
            at = max(at, self._finder.ready_at())
        return float(max(0.0, at - now))

    def begin(self, now: float) -> int:
        """Take the permit: a POST is open from now on. The ticket tells its answer from others."""
        self._in_flight.begin(now, len(self._open))
        self._finder.begin(now)
        if self._clock:
            self._clock.begin(now)
        self._tickets += 1
        self._open[self._tickets] = now
        return self._tickets

    def left(self, now: float, ticket: int) -> None:
        """The POST leaves now: where that is later than planned, the limits count from now."""
        planned = self._open[ticket]
        if now <= planned:
            return
        self._open[ticket] = now
        self._finder.left(planned, now)
        if self._clock:
            self._clock.left(planned, now)

    def cancel_begin(self, now: float, ticket: int | None = None) -> None:
        """Give the permit back: nothing was sent."""
        if self._open:
            ticket = ticket if ticket is not None else max(self._open)
            self._finder.gone(self._open.pop(ticket, now))
            self._in_flight.probing = False
            if self._clock:
                self._clock.cancel()

    def accepted(self, now: float, headers: Mapping[str, str], ticket: int | None = None) -> None:
        """The service took the job: a task is in flight until `ended`."""
        self._got_through(now, headers, ticket)
        self._in_flight.accepted()
        self._unsaid.accepted += 1

    def rejected(self, now: float, headers: Mapping[str, str], ticket: int | None = None) -> None:
        """The service judged the job and said no: that used up a place in its rate, but none in flight."""
        self._got_through(now, headers, ticket)
        self._in_flight.probing = False

    def throttled(
        self,
        now: float,
        kind: str,
        retry_after: float | None,
        headers: Mapping[str, str],
        ticket: int | None = None,
    ) -> None:
        """The service said "too much": `kind` is `rate`, `concurrency`, `unavailable` or "" (not said)."""
        began = self._close(now, ticket)
        self._failures = 0
        self._hear(now, headers)
        if kind == "" and self._unsaid.is_concurrency(self._in_flight.tasks):
            kind = "concurrency"
        if kind == "concurrency":
            self._in_flight.too_many(now)
        self._in_flight.probing = False
        if kind in ("concurrency", "unavailable"):
            self._finder.gone(began)
            guess = UNAVAILABLE_WAIT
            if kind == "concurrency":
                # where none of ours runs, the end of what fills the service is not heard of: ask less and less
                self._strange += not self._in_flight.tasks and began >= self._gate
                guess = min(LONGEST_FAILURE_WAIT, AT_ONCE_WAIT * 1.6 ** min(self._strange, 10))
            gate = now + (retry_after if retry_after is not None else guess)
        elif self._squeezed(began, now):
            self._finder.gone(began)
            gate = now + (retry_after if retry_after is not None else AT_ONCE_WAIT)
        else:
            gate = self._finder.throttled(began, now, retry_after)
        if gate >= self._gate:
            self._gate, self._gate_is_told = gate, retry_after is not None

    def _squeezed(self, began: float, now: float) -> bool:
        """Whether this came of POSTs that left as told, and were squeezed together on their way.

        Then the told rate holds, with wider slots; POSTs that were under way together count once.
        """
        if self._clock is None or not self._finder.idle:
            return False
        if began <= self._squeezed_at:
            return True
        rate = self._clock.rate
        if self._finder.under_way(began - self._clock.stretch() - SQUEEZE, began) <= rate.count:
            return False  # less than told is too much already: the service takes less
        self._squeezed_at = now
        return self._clock.widen()

    def not_sent(self, now: float, ticket: int | None = None) -> None:
        """Nothing of the POST reached the service. Failures of POSTs under way together count once."""
        began = self._close(now, ticket)
        self._finder.gone(began)
        self._in_flight.probing = False
        if began >= self._gate:
            self._failures += 1
            most = min(LONGEST_FAILURE_WAIT, FIRST_FAILURE_WAIT * 2.0 ** min(self._failures, 10))
            self._gate, self._gate_is_told = now + self._rng.uniform(0.0, most), True

    def in_doubt(self, now: float, ticket: int | None = None) -> None:
        """The POST's answer is unknown. It may have started a task; nobody will hear of its end."""
        self._finder.gone(self._close(now, ticket))
        self._in_flight.probing = False

    def ended(self, now: float) -> None:
        """A task ended, or nobody waits for it any more."""
        self._in_flight.ended()
        self._unsaid.ended += 1
        if not self._gate_is_told and self._unsaid.watching:
            self._gate = min(self._gate, now)  # perhaps that was what the service waited for: try

    def binding(self) -> str:
        """What holds submitting back: `rate` (told), `service` (its limit), `in_flight` or `finding`."""
        if self._in_flight.opens_at(-math.inf, len(self._open)) != -math.inf:
            return "in_flight"
        if self._clock and self._finder.rate >= self._finder.ceiling:
            return "rate"
        return "finding" if self._finder.finding else "service"

    def sentence(self, now: float) -> str:
        """The same for a person, with the figures."""
        if self._gate > now + 1.0:
            return f"the service asks to wait, {self._gate - now:.0f} s more"
        match self.binding():
            case "in_flight" if not self._in_flight.lower_than_told:
                return f"{self._in_flight.most} in flight, as told"
            case "in_flight":
                return f"the service runs {self._in_flight.limit():g} at once"
            case "rate":
                return f"{self._clock.rate if self._clock else ''}, as told"
            case "service":
                return f"the service takes about {self._finder.rate:.3g} a second"
            case _:
                return f"finding out how fast the service is: {self._finder.rate:.3g} a second so far"

    def state(self, now: float, wall: float) -> dict[str, Any]:
        """What the next start needs to go on at the same pace; JSON-able, at most a few kilobytes."""
        state: dict[str, Any] = {}
        if self._gate > now:
            state["gate"] = wall + self._gate - now
        if found := self._finder.state():
            state["found"] = found
        if self._in_flight.found is not None:
            state["in_flight"] = self._in_flight.found
        if self._clock:
            state["begun"] = thinned([wall - (now - instant) for instant in self._clock.begun()])
        return state

    def _got_through(self, now: float, headers: Mapping[str, str], ticket: int | None) -> None:
        self._finder.accepted(self._close(now, ticket), now)
        self._failures = self._strange = 0
        self._hear(now, headers)

    def _hear(self, now: float, headers: Mapping[str, str]) -> None:
        """Obey what the service's headers say."""
        if not any("ratelimit" in name or "rate-limit" in name for name in headers):
            return
        if self._advice.heard(headers, now + self._wall_ahead) and self._advice.rate:
            self._finder.told(self._advice.rate, now)
        self._finder.lower_ceiling(self._advice.ceiling)
        self._in_flight.service_says = self._advice.in_flight
        if now + self._advice.wait > self._gate:
            self._gate, self._gate_is_told = now + self._advice.wait, True

    def _close(self, now: float, ticket: int | None) -> float:
        """One open POST got its answer (without a ticket: the oldest). Returns when it began."""
        if ticket is None:
            ticket = min(self._open, default=0)
        return self._open.pop(ticket, now)


class _Unsaid:
    """A 429 that does not say of what there is too much: worked out from what clears it.

    If it comes again and again at the same number of tasks in flight, each time after one ended and one more
    was accepted, it is the number at once; a rate does not care how many are in flight.
    """

    def __init__(self) -> None:
        self.accepted = self.ended = 0
        self._level = -1
        self._same = 0

    @property
    def watching(self) -> bool:
        return self._level >= 0

    def is_concurrency(self, tasks: int) -> bool:
        """A 429 of unsaid kind came while `tasks` were in flight."""
        if tasks == self._level and self.accepted and self.ended:
            self._same += 1
        elif tasks != self._level:
            self._same = 0
        self._level, self.accepted, self.ended = tasks, 0, 0
        return tasks > 0 and self._same >= 2
