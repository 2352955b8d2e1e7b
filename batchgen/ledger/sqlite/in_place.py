"""Whether the files of an open ledger are still in their place.

A folder can be deleted or moved under a run that works. The open files go on taking writes, but nobody will ever
find them there again; and a lock that was removed lets a second run in. So no POST begins any more.
"""

import os
import sys
from pathlib import Path

import sqlalchemy as sa

from batchgen.errors import LedgerWriteError
from batchgen.job import WAITING, State
from batchgen.ledger.sqlite.lock import LOCK
from batchgen.ledger.sqlite.store import ledger_path
from batchgen.ledger.tables import job, task

#: So many tasks of a ledger that is gone are said on the terminal, the newest.
MOST_SAID = 300


class Whereabouts:
    """The ledger and the lock of `out`, as they were when it was opened. Make it under the run lock."""

    def __init__(self, out: Path) -> None:
        self._ledger, self._lock = ledger_path(out), out / LOCK
        self._were = {path: path.stat() for path in (self._ledger, self._lock)}
        self._said: set[str] = set()

    def lost(self) -> LedgerWriteError | None:
        """What to raise when one of them is gone, or is another file; None when all is well."""
        if not self._in_place(self._ledger):
            return LedgerWriteError(
                f"The ledger {self._ledger} is not there any more: its folder was deleted, moved or replaced while "
                "the run worked. Nothing more is submitted.",
                code="ledger_gone",
                hint="If it was moved, run again with --out and its new place. If it was deleted, keep the task "
                "ids that are said here: they were paid, and running again would pay anew.",
            )
        if not self._in_place(self._lock):
            return LedgerWriteError(
                f"The lock {self._lock} was removed while the run worked. Nothing more is submitted, because a "
                "second run may work in the folder.",
                code="lock_gone",
                hint="Leave ledger.lock alone: it frees itself. Run again when no other batchgen works there.",
            )
        return None

    def _in_place(self, path: Path) -> bool:
        try:
            return os.path.samestat(os.stat(path), self._were[path])  # noqa: PTH116 - before each attempt: in half the time
        except OSError:
            return False

    def say_tasks(self, connection: sa.Connection) -> None:
        """Say the newest tasks that run or succeeded, each once, on the terminal: their ledger is gone."""
        paid = sa.select(task.c.task_id, job.c.job_id).join(job, job.c.job_no == task.c.job_no)
        paid = paid.where(task.c.state.in_([state.value for state in (*WAITING, State.SUCCEEDED)]))
        newest = connection.execute(paid.order_by(task.c.task_no.desc()).limit(MOST_SAID)).all()
        for task_id, job_id in reversed(newest):
            if task_id not in self._said:
                self._said.add(task_id)
                print(  # noqa: T201 - the terminal is the last place left for an id that was paid for
                    f"The ledger is gone. Job {job_id} is task {task_id}.", file=sys.stderr, flush=True
                )
