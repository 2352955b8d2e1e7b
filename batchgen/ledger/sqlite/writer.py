"""One thread writes; many coroutines wait. Whatever waits together is committed together (group commit).

A coroutine hands over a *handler* and a payload, and waits. The thread takes everything that waits, calls
each handler once with all of its payloads inside one transaction, commits (one fsync for all), and only then
answers. So a thousand attempts a second cost a few dozen fsyncs, and "answered" always means "durable".
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from batchgen.errors import BatchgenError, LedgerWriteError
from batchgen.ledger.sqlite.store import Store

#: Writes all payloads and returns one result for each. It may raise for the group; then each is tried alone.
Handler = Callable[[sa.Connection, Sequence[Any]], Sequence[Any]]

_MOST_AT_ONCE = 512


@dataclass(slots=True)
class _Waiting:
    handler: Handler
    payload: Any
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None

    def answer(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """The writer thread of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._thread.start()

    async def write(self, handler: Handler, payload: Any) -> Any:
        """Do it durably. Raises what the handler raises, or LedgerWriteError when the disk refuses."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(handler, payload, loop, loop.create_future())
        self._queue.put(waiting)
        return await waiting.future

    def close(self) -> None:
        """Write what waits, then stop the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < _MOST_AT_ONCE:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            group = [waiting for waiting in batch if waiting is not None]
            if group:
                write_group(self._store, group)
                _answer(group)
            if None in batch:
                return


def _answer(group: list[_Waiting]) -> None:
    def answer_all(some: list[_Waiting]) -> None:
        for waiting in some:
            waiting.answer()

    for loop in {waiting.loop for waiting in group}:
        some = [waiting for waiting in group if waiting.loop is loop]
        try:
            loop.call_soon_threadsafe(answer_all, some)
        except RuntimeError:  # the loop is closed: the process is leaving, and what was written is written
            continue


def write_group(store: Store, group: list[_Waiting]) -> None:
    """One transaction for the whole group; when it can't be committed, nobody is told that it was."""
    by_handler: dict[Handler, list[_Waiting]] = {}
    for waiting in group:
        by_handler.setdefault(waiting.handler, []).append(waiting)
    try:
        with store.begin() as connection:
            for handler, some in by_handler.items():
                _call(connection, handler, some)
    except Exception as error:  # whatever the commit raised, each waiter must hear of it
        for waiting in group:
            waiting.error = error if isinstance(error, BatchgenError) else _write_error(error)


def _call(connection: sa.Connection, handler: Handler, some: list[_Waiting]) -> None:
    try:
        with connection.begin_nested():
            results = handler(connection, [waiting.payload for waiting in some])
        for waiting, result in zip(some, results, strict=True):
            waiting.result = result
        return
    except sa.exc.OperationalError:
        raise
    except Exception as error:
        if len(some) == 1:
            some[0].error = error
            return
    for waiting in some:
        _call(connection, handler, [waiting])


def _write_error(error: BaseException) -> LedgerWriteError:
    return LedgerWriteError(
        f"The ledger could not be written: {error}.",
        code="ledger_write",
        hint="Make room on the disk, then run again: nothing that was paid is lost.",
    )


class InlineWriter:
    """The same face without a thread: each write commits at once. For simulations on a virtual clock."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def write(self, handler: Handler, payload: Any) -> Any:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(handler, payload, loop, loop.create_future())
        write_group(self._store, [waiting])
        waiting.answer()
        return await waiting.future

    def close(self) -> None:
        """Nothing waits."""
