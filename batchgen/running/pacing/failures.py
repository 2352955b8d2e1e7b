"""The circuit breaker of `--max-failures`: stop paying when most of what is paid for fails.

`20` stops after 20 jobs of this run that ended without a video; `50%` when half of the last 50 did (and not
before 50 have ended: two failures out of three say little). Worked example: with `50%`, 25 failures among
the jobs that ended 1st to 50th trip it at the 50th.
"""

import math
import re
from collections import deque
from dataclasses import dataclass

LAST = 50


@dataclass(frozen=True, slots=True)
class MaxFailures:
    """At most one of the two is set; none is no limit. `share` is from 0 to 1, of the last 50 ended jobs."""

    count: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> "MaxFailures":
        """`20`, `50%`, `none`. ValueError says what is wrong, for people."""
        text = text.strip().lower()
        if text == "none":
            return cls()
        if re.fullmatch(r"[0-9]{1,9}", text) and int(text) > 0:
            return cls(count=int(text))
        if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?\s?%", text) and 0 < float(text[:-1]) <= 100:
            return cls(share=float(text[:-1]) / 100)
        raise ValueError(f"{text!r} is no number of failures: write it like 20, 50% or none")


class Failures:
    """Counts how the jobs of a run end; `tripped` once submitting has to stop."""

    def __init__(self, limit: MaxFailures | None = None) -> None:
        self._limit = limit if limit is not None else MaxFailures(share=0.5)
        self._failed = 0
        self._last: deque[bool] = deque(maxlen=LAST)
        self._sentence = ""

    @property
    def tripped(self) -> bool:
        return bool(self._sentence)

    def sentence(self) -> str:
        """Why it tripped, for a person; "" when it did not."""
        return self._sentence

    def ended(self, *, ok: bool) -> None:
        """A job ended in this run: `ok` with a video, or without one."""
        self._failed += not ok
        self._last.append(ok)
        if self._sentence:
            return
        if self._limit.count is not None and self._failed >= self._limit.count:
            self._sentence = f"{self._failed} jobs ended without a video (--max-failures {self._limit.count})."
        failed = self._last.count(False)
        share = self._limit.share
        if share is not None and len(self._last) == LAST and failed >= math.ceil(share * LAST - 1e-9):
            self._sentence = f"{failed} of the last {LAST} jobs ended without a video."
