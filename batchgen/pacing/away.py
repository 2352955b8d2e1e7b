"""A service that does not answer: pause, probe gently, park.

Five connection failures in a row, or ten doubts in a row, pause submitting. While it is paused one probe at a
time asks whether the service is there again, with full jitter up to 30 s between them; the first answer of any
kind opens it again. After ten minutes without an answer the run parks: it ends, and can be run again.

A probe is a GET, never a POST: a POST that got no answer may have been paid for.

Worked example: refused at 0, 0.3, 1.1, 1.9 and 5 s: paused at 5 s. Probes at about 9, 21, 33 s and so on; one at
95 s is answered (a 404 will do): submitting goes on at 95 s.
"""

import random

#: Failures in a row that pause submitting.
CONNECTIONS, DOUBTS = 5, 10
#: Seconds: first wait after a failure (doubled each time), longest wait, and how long until the run parks.
FIRST_WAIT, LONGEST_WAIT, PARK_AFTER = 0.5, 30.0, 600.0
#: A Retry-After longer than this parks the run.
LONGEST_RETRY_AFTER = 300.0
#: Answers "unavailable, try again" (503) in a row that are waited for; the next one parks the run.
UNAVAILABLE = 3


class Away:
    """Counts failures in a row and says whether to submit, to probe, or to give up for now.

    `paused` and `parked` are sentences for a person, or "". Once parked it stays so: the run ends.
    `come_back` is seconds from the moment of parking until the service wants to hear from us, if it said so.
    """

    def __init__(self, *, rng: random.Random) -> None:
        self._rng = rng
        self.paused = ""
        self.parked = ""
        self.come_back: float | None = None
        self._failures = 0
        self._doubts = 0
        self._unavailable = 0
        self._first_failure = 0.0
        self._wait_until = 0.0
        self._probes = 0
        self._probing = False

    def wait(self, now: float) -> float | None:
        """Seconds until a POST may begin, as far as this goes; None while paused or parked."""
        if self.paused or self.parked:
            return None
        return max(0.0, self._wait_until - now)

    def probe_in(self, now: float) -> float | None:
        """Seconds until a probe (a GET) may begin; None when none is wanted or one is under way."""
        if not self.paused or self.parked or self._probing:
            return None
        return max(0.0, self._wait_until - now)

    def probe(self, now: float) -> None:
        """A probe begins; `answered`, `no_connection` or `no_answer` ends it."""
        self._probing = True

    def answered(self, now: float) -> None:
        """The service gave a whole answer to anything, POST or GET, whatever it said."""
        self._failures = self._doubts = self._probes = 0
        self._probing = False
        self._wait_until = 0.0
        self.paused = ""

    def submitted(self, now: float) -> None:
        """The service accepted or judged a POST: it is available."""
        self._unavailable = 0
        self.answered(now)

    def no_connection(self, now: float) -> None:
        """A connection could not be made, for a POST, a poll or a probe."""
        self._failures += 1
        self._failed(now, self._failures >= CONNECTIONS, f"no connection {self._failures} times in a row")

    def in_doubt(self, now: float) -> None:
        """A POST was sent and its answer is unknown."""
        self._doubts += 1
        if self._doubts >= DOUBTS:
            self._failed(now, True, f"{self._doubts} submissions in a row without a clear answer")

    def no_answer(self, now: float) -> None:
        """A probe or a poll was sent and nothing (whole) came back."""
        if self.paused:
            self._failed(now, True, "")
        self._probing = False

    def unavailable(self, now: float, retry_after: float | None) -> None:
        """The service said: unavailable, come back later (503 with its own body)."""
        self._unavailable += 1
        if self._unavailable > UNAVAILABLE:
            self._park(
                f"the service said {self._unavailable} times in a row that it is unavailable", retry_after
            )
        self.told_to_wait(now, retry_after)

    def told_to_wait(self, now: float, retry_after: float | None) -> None:
        """The service named a time (with any throttled answer): one of more than five minutes parks the run."""
        if retry_after is not None and retry_after > LONGEST_RETRY_AFTER:
            self._park(f"the service asks to come back in {round(retry_after / 60)} minutes", retry_after)

    def _failed(self, now: float, pause: bool, why: str) -> None:
        if self._failures + self._doubts <= 1 and not self.paused:
            self._first_failure = now
        if pause and not self.paused:
            self.paused = f"The service is away: {why}."
            self._first_failure = now if self._failures < CONNECTIONS else self._first_failure
        self._probing = False
        self._probes += 1
        most = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._probes, 10))
        self._wait_until = max(self._wait_until, now + self._rng.uniform(most / 4, most))
        if self.paused and now - self._first_failure >= PARK_AFTER:
            self._park("the service has not answered for ten minutes", None)

    def _park(self, why: str, come_back: float | None) -> None:
        if not self.parked:
            self.parked = f"Stopped for now: {why}."
            self.come_back = come_back
