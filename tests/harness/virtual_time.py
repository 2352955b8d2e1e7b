"""An event loop whose clock jumps: when nothing is ready, it is at once the time of the next timer."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Killed(SystemExit):
    """The process dies here. (A SystemExit, because asyncio lets nothing else out of a callback.)"""


class Stuck(Exception):
    """Nothing is ready, no timer is set, and the run has not ended: it would wait for ever."""


class _Jump:
    """Stands where the selector is: waiting is moving the clock."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck
        if timeout > 0:
            self._loop.jump()
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Begins at `now`, and dies (Killed) before its `dies_at_step`-th turn, if that is set."""

    def __init__(self, now: float = 0.0) -> None:
        super().__init__()
        self._now = now
        self._selector = _Jump(self)
        self._clock_resolution = 1e-9
        self.steps = 0
        self.dies_at_step: int | None = None
        self.gives_up_at = float("inf")

    def time(self) -> float:
        return self._now

    def jump(self) -> None:
        self._now = max(self._now, self._scheduled[0]._when)  # type: ignore[attr-defined]
        if self._now > self.gives_up_at:
            raise Stuck

    def _run_once(self) -> None:
        self.steps += 1
        if self.steps == self.dies_at_step:
            raise Killed
        super()._run_once()  # type: ignore[misc]

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        """Nobody sleeps here, so nobody need be woken."""


@contextmanager
def virtual_loop(now: float = 0.0) -> Iterator[VirtualLoop]:
    """A loop that is taken down at the end, however it ends: nothing of it is left for the collector."""
    loop = VirtualLoop(now)
    try:
        yield loop
    finally:
        if not loop.is_closed():
            finish_off(loop)


def finish_off(loop: VirtualLoop) -> None:
    """Take a dead process's coroutines down, so that nothing of it is left for the collector."""
    loop.dies_at_step, loop.gives_up_at = None, float("inf")
    for _ in range(100):
        left = asyncio.all_tasks(loop)
        if not left:
            break
        for one in left:
            one.cancel()
        loop.run_until_complete(asyncio.wait(left, timeout=1.0))
        for one in left:
            if one.done() and not one.cancelled():
                one.exception()
    loop.close()
