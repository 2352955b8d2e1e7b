"""Ctrl-C, SIGTERM and a closed terminal, as the commands that run something answer them."""

import signal
from types import FrameType
from typing import Any


class Signals:
    """A flag that the first signal sets; the next one interrupts whatever goes on.

    While nobody asks whether it is set (manifests are read, a question waits for its answer), already the first one
    interrupts.
    """

    def __init__(self) -> None:
        self._asked = False
        self._set = False
        self._before: dict[int, Any] = {}

    def is_set(self) -> bool:
        self._asked = True
        return self._set

    def __enter__(self) -> "Signals":
        closed = getattr(signal, "SIGHUP", None)  # Windows has none
        for number in (signal.SIGINT, signal.SIGTERM, closed):
            if number is None or (number == closed and signal.getsignal(number) == signal.SIG_IGN):
                continue  # `nohup batchgen run …` goes on when the terminal closes
            try:
                self._before[number] = signal.signal(number, self._heard)
            except ValueError:  # not in the main thread: a test, or a program of its own
                break
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        closed = number == getattr(signal, "SIGHUP", None)
        if self._set and closed:
            return  # kernel and shell both tell of a closed terminal: twice is once
        if self._set or not self._asked:
            raise KeyboardInterrupt
        self._set = True
