"""SubmitPacer: when the next POST may begin, and what binds it.

One shared clock for all submitters: a slot for each POST, so that wake-ups are spread; what the service says
about waiting holds for everybody; a burst of throttled answers to POSTs that were under way together counts as
one event.
"""

import math
import random
from collections.abc import Iterable, Mapping
from typing import Any

from .finder import RateFinder
from .in_flight import InFlight
from .rate import Rate, SlotClock, thinned


class SubmitPacer:
    """Decides when; the caller sleeps. Instants are monotonic seconds, `wall` is seconds since 1970.

    The caller's loop: `wait` says in how many seconds a POST may begin (0.0 is now, None is: only when
    something in flight ends); `begin` takes the permit; exactly one of `accepted`, `rejected`, `throttled`,
    `not_sent`, `in_doubt` or `cancel_begin` gives it back. `begun` are wall instants of recent attempts from
    the ledger: with them a told limit holds across a crash exactly.
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
        earlier = [instant for instant, count in saved.get("begun", ()) for _ in range(count)]
        earlier += list(begun)
        self._clock = (
            SlotClock(rate, burst=burst, begun=[now - max(0.0, wall - instant) for instant in earlier])
            if rate
            else None
        )
        self._finder = RateFinder(
            now=now,
            ceiling=rate.per_second if rate else math.inf,
            rate=saved.get("rate"),
            rng=rng or random.Random(),
        )
        self._in_flight = InFlight(most=max_in_flight, now=now, found=saved.get("in_flight"))
        self._gate = now + max(0.0, saved.get("gate", -math.inf) - wall)
        self._open: dict[int, float] = {}  # ticket -> begin of each POST that has no answer yet
        self._tickets = 0

    def tasks_in_flight(self, n: int) -> None:
        """At start: `n` tasks were accepted earlier and have not ended."""
        self._in_flight.resumed(n)

    def wait(self, now: float) -> float | None:
        """Seconds until a POST may begin; 0.0 is now; None: only when something in flight ends."""
        room = self._in_flight.opens_at(now, len(self._open))
        if room is None:
            return None
        at = max(room, self._gate, self._finder.ready_at())
        if self._clock:
            at = max(at, self._clock.ready_at())
        return max(0.0, at - now)

    def begin(self, now: float) -> int:
        """Take the permit: a POST is open from now on. The ticket tells its answer from others."""
        self._in_flight.begin(now, len(self._open))
        self._finder.begin(now)
        if self._clock:
            self._clock.begin(now)
        self._tickets += 1
        self._open[self._tickets] = now
        return self._tickets

    def cancel_begin(self, now: float, ticket: int | None = None) -> None:
        """Give the permit back: nothing was sent."""
        if self._open:
            ticket = ticket if ticket is not None else max(self._open)
            self._finder.gone(self._open.pop(ticket, now))
            self._in_flight.probing = False
            if self._clock:
                self._clock.cancel()

    def accepted(self, now: float, headers: Mapping[str, str], ticket: int | None = None) -> None:
        self._finder.accepted(self._close(now, ticket), now)
        self._in_flight.accepted()

    def rejected(self, now: float, headers: Mapping[str, str], ticket: int | None = None) -> None:
        self._finder.accepted(self._close(now, ticket), now)
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
        if kind in ("concurrency", "unavailable"):
            self._finder.gone(began)
        if kind == "concurrency":
            self._in_flight.too_many(now)
            self._gate = max(self._gate, now + (retry_after if retry_after is not None else 1.0))
        elif kind == "unavailable":
            self._in_flight.probing = False
            self._gate = max(self._gate, now + (retry_after if retry_after is not None else 5.0))
        else:
            self._in_flight.probing = False
            self._gate = max(self._gate, self._finder.throttled(began, now, retry_after))

    def not_sent(self, now: float, ticket: int | None = None) -> None:
        self._finder.gone(self._close(now, ticket))
        self._in_flight.probing = False

    def in_doubt(self, now: float, ticket: int | None = None) -> None:
        self._finder.gone(self._close(now, ticket))
        self._in_flight.probing = False

    def ended(self, now: float) -> None:
        """A task ended, or nobody waits for it any more."""
        self._in_flight.ended()

    def binding(self) -> str:
        """What holds submitting back: `service`, `rate`, `in_flight` or `finding`."""
        if self._in_flight.opens_at(0.0, len(self._open)) is None:
            return "in_flight"
        if self._clock:
            return "rate"
        return "finding" if self._finder.finding else "service"

    def state(self, now: float, wall: float) -> dict[str, Any]:
        """What the next start needs to go on at the same pace; JSON-able, a few hundred bytes."""
        state: dict[str, Any] = {"gate": wall + max(0.0, self._gate - now)}
        if not self._finder.finding:
            state["rate"] = self._finder.rate
        if self._in_flight.found is not None:
            state["in_flight"] = self._in_flight.found
        if self._clock:
            begun = [wall - (now - instant) for instant in self._clock.begun()]
            state["begun"] = thinned(begun)
        return state

    def _close(self, now: float, ticket: int | None) -> float:
        """One open POST got its answer (without a ticket: the oldest). Returns when it began."""
        if ticket is None:
            ticket = min(self._open, default=0)
        return self._open.pop(ticket, now)
