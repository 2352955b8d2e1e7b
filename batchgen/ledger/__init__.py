"""The ledger: the durable record of attempts and of what came of them.

`Ledger` is the write side of one run: it holds the run lock, the only read-write connection and the writer
thread. Everything that is answered is durable. Reading (status, results, report) needs only ``reading` and
the functions of `views`.
"""

import os
import socket
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from batchgen.amount import CREDITS, Unit
from batchgen.errors import LedgerWriteError
from batchgen.job import Outcome, OutcomeKind
from batchgen.ledger import attempts, failpoint, rows, tasks, views
from batchgen.ledger.account import CapReached
from batchgen.ledger.attempts import Attempt, EndedAttempt
from batchgen.ledger.clock import Clock
from batchgen.ledger.decisions import Person
from batchgen.ledger.sqlite.file_systems import refuse_hard_link, refuse_remote
from batchgen.ledger.sqlite.history import check_not_behind, ledger_behind, tasks_told
from batchgen.ledger.sqlite.in_place import Whereabouts
from batchgen.ledger.sqlite.lock import RunLock, owner_name
from batchgen.ledger.sqlite.spill import FILE as SPILL_FILE
from batchgen.ledger.sqlite.spill import Spill, import_spill, spill_files
from batchgen.ledger.sqlite.store import Store, ledger_path, reading, set_meta_value, unreadable
from batchgen.ledger.sqlite.writer import InlineWriter, Writer

T = TypeVar("T")

__all__ = ["Attempt", "CapReached", "Clock", "Ledger", "Person", "Store", "reading"]

CLOCK = Clock()


class Ledger:
    """An open ledger under the run lock. Make it with `Ledger.open`, end it with `close`."""

    def __init__(self, out: Path, service: str, store: Store, lock: RunLock, *, inline: bool, clock: Clock) -> None:
        self.out = out
        self.service = service
        self.clock = clock
        self.store = store
        self._lock = lock
        self._whereabouts = Whereabouts(out)
        self._writer = InlineWriter(store) if inline else Writer(store)
        self._spill: Spill | None = None
        self._reader = store if inline else Store.read(out)
        self._ledger_id = uuid.UUID(self.meta("ledger_id"))
        self.owner = owner_name(clock.wall())
        self.recovered = 0
        with self._reader.begin() as connection:
            self._next_attempt = attempts.next_attempt_id(connection)

    @classmethod
    def open(
        cls, out: Path, service: str, *, inline: bool = False, clock: Clock = CLOCK, unit: Unit = CREDITS
    ) -> "Ledger":
        """Take the run lock of `out`, open or make its ledger, and recover what a crash left.

        `unit` is what the service counts in; it is fixed when the ledger is made.
        Raises LedgerBusy while another run works there, LedgerError when it belongs to another service, or when it
        is gone or older than what `out` says was paid.
        """
        out.mkdir(parents=True, exist_ok=True)
        refuse_remote(out)
        refuse_hard_link(ledger_path(out))
        lock = RunLock(out)
        lock.take()
        try:
            store, now = Store.write(out, service, clock.wall(), unit), clock.wall()
            with store.begin() as connection:
                if homeless := import_spill(connection, out, service):
                    raise ledger_behind(out, SPILL_FILE, homeless)
                check_not_behind(connection, out, service, tasks_told(out))
                recovered = attempts.recover(connection, now)
                owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
                set_meta_value(connection, "owner", owner)
            for path in spill_files(out):
                path.unlink(missing_ok=True)
            ledger = cls(out, service, store, lock, inline=inline, clock=clock)
            ledger.recovered = recovered
        except BaseException:
            lock.free()
            raise
        return ledger

    # -- money ---------------------------------------------------------------------------------------------

    def new_attempt(
        self, pending: rows.Pending, body: bytes, *, now: float, post_timeout: float, key: str = ""
    ) -> Attempt:
        """An attempt for a pending job, with the next number; nothing is written yet."""
        number, self._next_attempt = self._next_attempt, self._next_attempt + 1
        return Attempt(
            attempt_id=number,
            job_no=pending.job_no,
            job_id=pending.job_id,
            purchase_no=pending.purchase_no,
            attempt_no=pending.attempts + 1,
            fingerprint=pending.fingerprint,
            body=body,
            price=pending.price,
            idempotency_key=key or self.idempotency_key(pending),
            owner=self.owner,
            begun_at=now,
            not_after=now + post_timeout + attempts.SEND_MARGIN,
        )

    def idempotency_key(self, pending: rows.Pending) -> str:
        """The same for every attempt of one purchase of one content, and for no other."""
        same = f"{pending.job_no}/{pending.purchase_no}/{pending.fingerprint}"
        return str(uuid.uuid5(self._ledger_id, same))

    async def begin(self, attempt: Attempt) -> None:
        """Durable when it returns. Raises CapReached, or LedgerWriteError (also when the ledger or its lock is not
        in its place any more): then nothing may be sent.
        """
        if lost := self.astray():
            raise lost
        failpoint.reached("begin.before")
        if self._spill is None:
            self._spill = self._open_spill()
        await self._writer.write(attempts.begin, attempt)
        failpoint.reached("begin.after")

    async def extend(self, attempt: Attempt, not_after: float) -> None:
        """Move `not_after` of an open attempt that is about to be sent once more."""
        await self._writer.write(attempts.extend, (attempt.attempt_id, not_after))

    async def end(self, attempt: Attempt, outcome: Outcome, at: float) -> Outcome:
        """Write an outcome down; returns it, or the doubt that it became (a task id known already).

        When the ledger can't take an accepted task, for whatever reason, its id goes to the spill file and to the
        terminal. Raises LedgerWriteError then, and for every other outcome that could not be written.
        """
        ended = EndedAttempt(attempt, outcome, at, self.service)
        failpoint.reached(f"end.{outcome.kind}.before")
        try:
            await self._writer.write(attempts.end, ended)
        except sa.exc.IntegrityError:
            outcome = replace(
                outcome,
                kind=OutcomeKind.IN_DOUBT,
                code=attempts.KNOWN_TASK_ID,
                message=attempts.known_words(outcome.task_id),
            )
            await self._writer.write(attempts.end, EndedAttempt(attempt, outcome, at, self.service))
        except Exception as error:
            if outcome.kind is OutcomeKind.ACCEPTED:
                self._spill_over(ended)
            if isinstance(error, LedgerWriteError):
                raise
            raise LedgerWriteError(
                f"The ledger could not take what came of job {attempt.job_id}: {error}.",
                code="ledger_write",
                hint="Does another batchgen work in the same folder? Wait until it ends, then run again.",
            ) from error
        failpoint.reached(f"end.{outcome.kind}.after")
        if outcome.kind is OutcomeKind.ACCEPTED:
            self.astray()
        return outcome

    def astray(self) -> LedgerWriteError | None:
        """What to raise when the ledger or its lock is gone from its place, or another; None when all is well.

        The ids of a ledger that is gone are said on the terminal: nobody will find them in the folder.
        """
        lost = self._whereabouts.lost()
        if lost is not None and lost.code == "ledger_gone":
            self.read(self._whereabouts.say_tasks)
        return lost

    def _open_spill(self) -> Spill:
        try:
            return Spill(self.out)
        except OSError as error:
            raise LedgerWriteError(
                f"There is no room in {self.out} for the file that saves task ids when the disk is full: "
                f"{error.strerror or error}.",
                code="ledger_write",
                hint="Make room on the disk (a megabyte will do), then run again.",
            ) from error

    def _spill_over(self, ended: EndedAttempt) -> None:
        print(  # noqa: T201 - the terminal is the last place left for an id that was paid for
            f"The ledger could not be written. Job {ended.attempt.job_id} is task {ended.outcome.task_id}.",
            file=sys.stderr,
            flush=True,
        )
        if self._spill is not None:
            with suppress(OSError):
                self._spill.keep(ended)

    # -- tasks and files -------------------------------------------------------------------------------------

    async def see(self, seen: tasks.Seen) -> bool:
        """Write down what a look said; False when the task had ended already."""
        failpoint.reached("see.before")
        changed: bool = await self._writer.write(tasks.see, seen)
        failpoint.reached("see.after")
        return changed

    async def park(self, model: str, words: str) -> None:
        """Say of the jobs of a model that wait why they are left for a later run."""
        await self._writer.write(rows.park, (model, words))

    async def fetched(self, file: tasks.Fetched) -> None:
        """Write down that a file is on disk, or why not."""
        failpoint.reached("fetched.before")
        await self._writer.write(tasks.fetched, file)
        failpoint.reached("fetched.after")

    async def fresh_urls(self, task_no: int, urls: tuple[str, ...], expires_at: float) -> None:
        """Replace a succeeded task's URLs by newer ones, which live until `expires_at`."""
        await self._writer.write(tasks.fresh_urls, (task_no, urls, expires_at))

    # -- everything else ------------------------------------------------------------------------------------

    def read(self, view: Callable[[sa.Connection], T]) -> T:
        """Call `view` with a connection of its own moment."""
        with self._reader.begin() as connection:
            return view(connection)

    def write(self, change: Callable[[sa.Connection], T]) -> T:
        """Call `change` in one transaction. Only while no coroutine writes (start and end of a run)."""
        try:
            with self.store.begin() as connection:
                return change(connection)
        except sa.exc.DatabaseError as error:
            if type(error) is not sa.exc.DatabaseError:  # its children are constraints and statements, not damage
                raise
            raise unreadable(self.store.path, error) from error

    @contextmanager
    def in_bulk(self) -> Iterator[None]:
        """For many large writes in a row: each is atomic, all of them are durable with the first write after."""
        with self.store.in_bulk():
            yield

    def meta(self, key: str) -> Any:
        return self._reader.get_meta(key)

    async def set_meta(self, **values: Any) -> None:
        await self._writer.write(_set_metas, values)

    def person(self) -> Person:
        """Who decides now, for the record."""
        return Person.here(self.clock.wall())

    def credits(self) -> views.Credits:
        return self.read(views.credits)

    def close(self) -> None:
        """Write what waits, and free the lock."""
        self._writer.close()
        if self._spill is not None:
            self._spill.close()
        if self._reader is not self.store:
            self._reader.close()
        self.store.close()
        self._lock.free()


def _set_metas(connection: sa.Connection, some: Any) -> list[None]:
    for values in some:
        for key, value in values.items():
            set_meta_value(connection, key, value)
    return [None] * len(some)
