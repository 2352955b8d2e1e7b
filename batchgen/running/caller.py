"""A run has a thread of its own: no exception of its caller can land between a POST and its record.

The thread that called waits here, at most a tenth of a second at a time: it draws the progress, hands over events,
and looks whether the run is to stop. What ends its waiting (Ctrl-C, a cancelled task, `stop`, an exception of a
callback) stops the run gently: nothing more is submitted, and the answers to what was sent are waited for. A second
time it leaves at once: the connections are closed, and what was open is in doubt. Either way the run's thread has
ended when the caller goes on.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Any

from batchgen.running.flag import Flag

#: How often the caller looks, in seconds.
LOOK_EVERY = 0.1
#: How long a run that is left at once may take to close its connections and to write down what is in doubt.
LEAVES_WITHIN = 10.0


class Wish(IntEnum):
    """What the caller wants of the run's thread, which looks at it ten times a second."""

    GO_ON = 0
    STOP = 1
    LEAVE = 2


class Caller:
    """The waiting side of one run. `look` is called ten times a second, in the thread that called."""

    def __init__(self, look: Callable[[], None], stop: Flag | None = None) -> None:
        self.wish = Wish.GO_ON
        #: What ended the waiting, and is raised when everything is saved.
        self.raised: list[BaseException] = []
        self._look = look
        self._stop = stop
        self._ended = False
        self._error: BaseException | None = None
        self._task, self._cancels = _task_here()

    @property
    def left(self) -> bool:
        """Whether the run was left at once: nothing more is to be waited for."""
        return self.wish is Wish.LEAVE

    def run(self, main: Callable[["Caller"], Coroutine[Any, Any, None]]) -> None:
        """Run `main` on an event loop in a thread of its own, until it has ended; raises what it raises."""
        end = threading.Lock()
        end.acquire()

        def work() -> None:
            try:
                asyncio.run(main(self))
            except BaseException as error:
                self._error = error
            finally:
                self._ended = True
                end.release()

        self._heed_stop()  # from here on `stop` answers for signals
        # A daemon, so that not even a disk that hangs keeps the caller's program from ending.
        thread = threading.Thread(target=work, name="batchgen-run", daemon=True)
        thread.start()
        try:
            self._wait(end)
            if self._ended:
                thread.join()  # its last line is behind it
        except BaseException:  # one more, while the last one was being heard: nothing may be left behind
            self.wish = Wish.LEAVE
            self._wait_a_little(end)
            raise
        if self._error is not None:
            raise self._error

    def interruption(self) -> BaseException | None:
        """What the caller is to see after a run that it ended: an interrupt before anything else."""
        interrupts = [error for error in self.raised if not isinstance(error, Exception)]
        return next(iter(interrupts or self.raised), None)

    def _wait(self, end: threading.Lock) -> None:
        while not self._ended:
            try:
                if self.left:
                    self._wait_a_little(end)
                    return
                end.acquire(timeout=LOOK_EVERY)  # a bare lock: an interrupt can't leave it half taken
                self._hear()
            except BaseException as error:
                self.raised.append(error)
                again = self.wish is not Wish.GO_ON and not isinstance(error, Exception)
                self.wish = Wish.LEAVE if again else Wish.STOP
        with contextlib.suppress(Exception):
            self._look()

    def _wait_a_little(self, end: threading.Lock) -> None:
        if not self._ended:
            end.acquire(timeout=LEAVES_WITHIN)

    def _hear(self) -> None:
        self._heed_stop()
        if self._task is not None and self._task.cancelling() > self._cancels:
            self._cancels = self._task.cancelling()
            raise asyncio.CancelledError  # the task hears of it only when it gives the thread back
        self._look()

    def _heed_stop(self) -> None:
        if self._stop is not None and self._stop.is_set():
            self.wish = max(self.wish, Wish.STOP)


def _task_here() -> tuple["asyncio.Task[Any] | None", int]:
    """The task that calls, if an event loop runs in this thread, and how often it was cancelled so far."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None, 0
    return task, task.cancelling() if task is not None else 0
