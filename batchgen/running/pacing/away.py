"""A service that does not answer: pause, probe gently, park.

Five connection failures in a row, or ten doubts in a row, pause submitting. While it is paused one probe at
a time asks whether the service is there again, at random moments (full jitter) up to 30 s apart; the first
answer of any kind opens it again. After ten minutes without one the run parks: it ends, and can be run again.
A Retry-After of more than five minutes parks it at once, and so does the fourth "unavailable" in a row.

A probe is a GET, never a POST: a POST that got no answer may have been paid for. But a service may answer
every GET and lose every POST. So after doubts an answered probe opens for one POST at a time, on trial: an answer
to it opens wholly, another doubt pauses again, twice as long each time. So an outage costs some ten doubts and
what was on its way, and then one for each doubling of the time that it lasts.

Worked example: refused five times within 2 s: paused. Probes follow after about 0.5, 1, 2, 4, 8, 15, 15, … s;
the one at 95 s is answered (a 404 will do), and submitting goes on.
"""

import math
import random

#: Failures in a row that pause submitting.
CONNECTIONS, DOUBTS = 5, 10
#: Seconds: the first wait before a probe is at most that (doubled each time), the longest, and until parking.
FIRST_WAIT, LONGEST_WAIT, PARK_AFTER = 1.0, 30.0, 600.0
#: A Retry-After longer than this parks the run.
LONGEST_RETRY_AFTER = 300.0
#: So many "unavailable, come back later" (503) in a row are waited for; the next one parks the run.
UNAVAILABLE = 3


class Away:
    """Counts failures in a row, and says whether to submit, to probe, or to give up for now.

    `paused`: no POST may begin. Then `wait` is the time to the next probe; after it, `probe_answered` or
    `probe_failed`. `on_trial`: a POST may begin while no other is open. Once `parked`, it stays so.
    `come_back_at` is the instant that the service named, if any.
    """

    def __init__(self, *, rng: random.Random) -> None:
        self._rng = rng
        self.come_back_at: float | None = None
        self._why = ""
        self._parked = ""
        self._failures = 0
        self._doubts = 0
        self._trials = 0
        self.on_trial = False
        self._since: float | None = None
        self._probes = 0
        self._next_probe = 0.0
        self._answers = 0
        self._unavailable = 0
        self._unavailable_until = 0.0
        self._unavailable_answer = 0

    @property
    def paused(self) -> bool:
        return bool(self._why or self._parked)

    def parked(self, now: float) -> bool:
        """Whether to give up for now."""
        if self._why and self._since is not None and now - self._since >= PARK_AFTER and not self._parked:
            self._parked = f"The service has not answered for {PARK_AFTER / 60:.0f} minutes ({self._why})"
        return bool(self._parked)

    def sentence(self, now: float) -> str:
        """What is the matter, for a person; "" when nothing is."""
        if self._parked:
            when = "later"
            if self.come_back_at is not None:
                when = f"in {_minutes(max(0.0, self.come_back_at - now))}"
            return f"{self._parked}: stopped for now. Run again {when} to go on."
        if self._why:
            return f"The service is away ({self._why}): asking now and then whether it is back."
        return ""

    def wait(self, now: float) -> float:
        """Seconds until the next probe may begin, or until it is time to park."""
        park_at = math.inf if self._since is None else self._since + PARK_AFTER
        return max(0.0, min(self._next_probe, park_at) - now)

    def answered(self, now: float) -> None:
        """The service gave a whole answer to a POST, whatever it said."""
        del now
        self._answers += 1
        self._failures = self._doubts = self._probes = self._trials = 0
        self.on_trial = False
        self._since = None
        self._why = ""

    def probe_answered(self, now: float) -> None:
        """The service answered a GET. After doubts that says little of POSTs: the next one is on trial."""
        if self._doubts < DOUBTS:
            self.answered(now)
            return
        self._failures = self._probes = 0
        self._why = ""
        self.on_trial = True

    def connection_failed(self, now: float, message: str = "") -> None:
        """No connection for a POST: nothing was sent."""
        self._failures += 1
        self._since = now if self._since is None else self._since
        if self._failures >= CONNECTIONS:
            self._pause(now, message or f"{self._failures} connections in a row failed")

    def doubt(self, now: float, message: str = "") -> None:
        """A POST was sent and got no clear answer."""
        self._doubts += 1
        self._since = now if self._since is None else self._since
        if self._doubts >= DOUBTS:
            self._pause(now, f"{self._doubts} submissions in a row without a clear answer; {message}")
        if self.on_trial:
            self.on_trial = False
            self._trials += 1
            self._next_probe = now + FIRST_WAIT * 2.0 ** min(self._trials, 10)

    def probe_failed(self, now: float) -> None:
        """A probe got no answer."""
        self._back_off(now)

    def throttled(self, now: float, kind: str, retry_after: float | None) -> None:
        """The service said "too much"; called after `answered` for the same answer."""
        if kind == "unavailable":
            if self._answers - self._unavailable_answer > 1 and now >= self._unavailable_until:
                self._unavailable = 0
            if now >= self._unavailable_until:  # answers to POSTs that were under way together count once
                self._unavailable += 1
                self._unavailable_until = now + (retry_after or 0.0)
            self._unavailable_answer = self._answers
            if self._unavailable > UNAVAILABLE:
                self._park(now, "The service keeps saying that it is unavailable", retry_after)
        if retry_after is not None and retry_after > LONGEST_RETRY_AFTER:
            self._park(now, f"The service asks to come back in {_minutes(retry_after)}", retry_after)

    def _pause(self, now: float, why: str) -> None:
        if not self._why:
            self._why = why.strip("; ")
            self._since = now if self._since is None else self._since
            self._back_off(now)

    def _back_off(self, now: float) -> None:
        most = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self._probes, 10))
        self._probes += 1
        self._next_probe = now + self._rng.uniform(0.0, most)

    def _park(self, now: float, why: str, retry_after: float | None) -> None:
        if not self._parked:
            self._parked = why
            self.come_back_at = now + retry_after if retry_after is not None else None


def _minutes(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
