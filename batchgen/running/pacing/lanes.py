"""Lanes: one SubmitPacer for each model where a service's limits belong to a model, one for everything elsewhere.

A lane waits by itself: a model that is throttled holds up no other. What a person told (`--rate`,
`--max-in-flight`) holds over all lanes together. A lane that answers nothing but "too much" for `park_after`
seconds is parked: its jobs are left for a later run.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .rate import SlotClock
from .submit import SubmitPacer

#: A wait that is longer than this, in seconds, is not waited for: the lane is parked at once.
LONGEST_WAIT = 300.0


class Lanes:
    """The pacers of one run. Tickets are of all lanes together; instants are monotonic seconds.

    `make` makes a lane's pacer from what it had learned. `clock` and `most` are told limits over all lanes; where
    there is one lane, its pacer keeps them itself.
    """

    def __init__(
        self,
        make: Callable[[Mapping[str, Any] | None], SubmitPacer],
        *,
        by_model: bool = False,
        clock: SlotClock | None = None,
        most: int | None = None,
        park_after: float = 600.0,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        self.by_model = by_model
        self._make = make
        self._clock, self._most = (clock, most) if by_model else (None, None)
        self._park_after = park_after
        self._saved = saved or {}
        self._pacers: dict[str, SubmitPacer] = {}
        self._tickets: dict[int, tuple[str, int, float]] = {}
        self._last = 0
        self._refused: dict[str, float] = {}
        self.parked: dict[str, str] = {}

    def name(self, model: str) -> str:
        """The lane of a model."""
        return model if self.by_model else ""

    def pacer(self, model: str) -> SubmitPacer:
        lane = self.name(model)
        if lane not in self._pacers:
            saved = self._saved.get("lanes", {}).get(lane) if self.by_model else self._saved
            self._pacers[lane] = self._make(saved)
        return self._pacers[lane]

    @property
    def tasks(self) -> int:
        """Accepted tasks that have not ended, as far as is known."""
        return sum(pacer.tasks for pacer in self._pacers.values())

    def tasks_in_flight(self, n: int, model: str = "") -> None:
        self.pacer(model).tasks_in_flight(n)

    def wait(self, now: float, model: str) -> float | None:
        """Seconds until a POST for this model may begin; None: only when something in flight ends."""
        wait = self.pacer(model).wait(now)
        if wait is None or (self._most is not None and self.tasks + len(self._tickets) >= self._most):
            return None
        return max(wait, self._clock.ready_at() - now) if self._clock else wait

    def begin(self, now: float, model: str) -> int:
        """Take the permit; the ticket tells its answer from others."""
        ticket = self.pacer(model).begin(now)
        if self._clock:
            self._clock.begin(now)
        self._last += 1
        self._tickets[self._last] = (self.name(model), ticket, now)
        return self._last

    def left(self, now: float, ticket: int) -> None:
        """The POST leaves now."""
        lane, inner, planned = self._tickets[ticket]
        self._pacers[lane].left(now, inner)
        if self._clock and now > planned:
            self._clock.left(planned, now)

    def cancel_begin(self, now: float, ticket: int) -> None:
        pacer, inner, _ = self._close(ticket)
        pacer.cancel_begin(now, inner)
        if self._clock:
            self._clock.cancel()

    def accepted(self, now: float, headers: Mapping[str, str], ticket: int) -> None:
        pacer, inner, lane = self._close(ticket)
        self._refused.pop(lane, None)
        pacer.accepted(now, headers, inner)

    def rejected(self, now: float, headers: Mapping[str, str], ticket: int) -> None:
        pacer, inner, lane = self._close(ticket)
        self._refused.pop(lane, None)
        pacer.rejected(now, headers, inner)

    def throttled(
        self, now: float, kind: str, retry_after: float | None, headers: Mapping[str, str], ticket: int
    ) -> None:
        pacer, inner, lane = self._close(ticket)
        pacer.throttled(now, kind, retry_after, headers, inner)
        if not self.by_model:
            return
        if pacer.tasks:
            self._refused.pop(lane, None)  # it may wait for ours to end
            return
        since = self._refused.setdefault(lane, now)
        if retry_after is not None and retry_after > LONGEST_WAIT:
            self.parked[lane] = f"the service asks to wait {retry_after:.0f} s for the model {lane}"
        elif now - since >= self._park_after:
            self.parked[lane] = (
                f"the service has answered nothing but 429 for the model {lane} for {now - since:.0f} s"
            )

    def not_sent(self, now: float, ticket: int) -> None:
        pacer, inner, _ = self._close(ticket)
        pacer.not_sent(now, inner)

    def in_doubt(self, now: float, ticket: int) -> None:
        pacer, inner, lane = self._close(ticket)
        self._refused.pop(lane, None)
        pacer.in_doubt(now, inner)

    def ended(self, now: float, model: str) -> None:
        """A task ended, or nobody waits for it any more."""
        self.pacer(model).ended(now)

    def binding(self, model: str) -> str:
        """What holds the lane of this model back."""
        return self.pacer(model).binding()

    def state(self, now: float, wall: float) -> dict[str, Any]:
        """What the next start needs to go on at the same pace."""
        if not self.by_model:
            return self.pacer("").state(now, wall)
        return {"lanes": {lane: pacer.state(now, wall) for lane, pacer in self._pacers.items()}}

    def _close(self, ticket: int) -> tuple[SubmitPacer, int, str]:
        lane, inner, _ = self._tickets.pop(ticket)
        return self._pacers[lane], inner, lane
