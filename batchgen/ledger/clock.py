"""The two clocks of a run. They are passed in: no test waits, and a simulated year takes a second."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` only goes forward; `wall` is the one on the wall (seconds since 1970)."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
