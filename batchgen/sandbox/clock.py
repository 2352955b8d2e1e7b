"""The sandbox's time: real seconds for rate limits, scaled seconds for tasks, and a hand to turn for tests.

Two readings. `real()` drives rate limits and Retry-After; `now()` drives tasks, and runs `speed` times as
fast. In manual time both stand still until `advance` moves them.
"""

import asyncio
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from statistics import NormalDist


class Clock:
    """Time since 1970 in seconds, anchored when the sandbox starts, never going backwards."""

    def __init__(self, speed: float = 1.0, *, manual: bool = False, start: float | None = None) -> None:
        self._speed = speed
        self._manual = manual
        self._real_anchor = time.time()
        self._anchor = time.monotonic()
        self._moved = 0.0
        self._now_anchor = self._real_anchor if start is None else start
        self._now_at = self._anchor

    @property
    def speed(self) -> float:
        """How many seconds of task time pass in one real second."""
        return self._speed

    def real(self) -> float:
        """Real time, monotonic within the life of a process, plus what `advance` added."""
        ran = 0.0 if self._manual else time.monotonic() - self._anchor
        return self._real_anchor + ran + self._moved

    def now(self) -> float:
        """Task time."""
        ran = 0.0 if self._manual else (time.monotonic() - self._now_at) * self._speed
        return self._now_anchor + ran

    def advance(self, seconds: float) -> None:
        """Move both readings forward."""
        self._now_anchor += seconds
        self._moved += seconds

    def set_speed(self, speed: float) -> None:
        """Go on from now with another speed."""
        self._now_anchor, self._now_at, self._speed = self.now(), time.monotonic(), speed

    def scaled(self, seconds: float) -> float:
        """The real seconds that `seconds` of task time take."""
        return seconds / self._speed

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds` of task time (in real time also when the clock is manual)."""
        await asyncio.sleep(self.scaled(seconds))


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on `parts` alone: the same seed gives the same run."""
    digest = blake2b("\0".join(map(str, parts)).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56


@dataclass(frozen=True, slots=True)
class Duration:
    """How long tasks take: seconds from a number in (0, 1)."""

    text: str
    draw: Callable[[float], float]


_NUMBER = r"(\d+(?:\.\d+)?)s?"


def parse_duration(text: str) -> Duration:
    """`3`, `2-4`, `lognormal:MEDIAN:SIGMA`, `bimodal:SHORT:LONG:SHARE_OF_SHORT` (seconds).

    A bimodal draw varies by a tenth about its two values. Raises ValueError with a sentence.
    """
    if m := re.fullmatch(_NUMBER, text):
        fixed = float(m[1])
        return Duration(text, lambda _: fixed)
    if m := re.fullmatch(_NUMBER + "-" + _NUMBER, text):
        low, high = float(m[1]), float(m[2])
        return Duration(text, lambda u: low + (high - low) * u)
    if m := re.fullmatch(f"lognormal:{_NUMBER}:{_NUMBER}", text):
        median, sigma = float(m[1]), float(m[2])
        normal = NormalDist()
        return Duration(text, lambda u: median * math.exp(sigma * normal.inv_cdf(min(max(u, 1e-9), 1 - 1e-9))))
    if m := re.fullmatch(rf"bimodal:{_NUMBER}:{_NUMBER}:(0?\.\d+|0|1)", text):
        short, long, share = float(m[1]), float(m[2]), float(m[3])

        def bimodal(u: float) -> float:
            first = u < share
            spread = u / share if first else (u - share) / (1 - share)
            return (short if first else long) * (0.9 + 0.2 * spread)

        return Duration(text, bimodal)
    raise ValueError(f"“{text}” is no duration: write 3, 2-4, lognormal:3:0.5 or bimodal:2:20:0.8 (seconds).")
