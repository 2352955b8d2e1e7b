"""The last resort for a task id: when the ledger can't be written, the id goes here.

The file is made and filled with blanks before the first POST, so that writing into it needs no room on the
disk; each line is written synchronously. The next start imports it before anything else.
"""

import json
import os
from pathlib import Path

import sqlalchemy as sa

from batchgen.job import State
from batchgen.ledger.attempts import Ended, charge, settle
from batchgen.ledger.tables import attempt, job, task

FILE = "ledger.spill"
_SIZE = 1 << 20


class Spill:
    """An open spill file of one run."""

    def __init__(self, out: Path) -> None:
        self.path = out / FILE
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_DSYNC", 0) | getattr(os, "O_BINARY", 0)
        self._fd = os.open(self.path, flags, 0o600)
        if os.fstat(self._fd).st_size < _SIZE:
            os.write(self._fd, b" " * _SIZE)
            os.fsync(self._fd)
        self._at = 0

    def keep(self, ended: Ended) -> None:
        """Write an accepted attempt down, durably, without needing room on the disk."""
        line = json.dumps(
            {
                "attempt_id": ended.attempt.attempt_id,
                "task_id": ended.outcome.task_id,
                "charged": charge(ended),
                "at": ended.at,
            }
        )
        data = line.encode() + b"\n"
        os.lseek(self._fd, self._at, os.SEEK_SET)
        os.write(self._fd, data)
        os.fsync(self._fd)
        self._at += len(data)

    def close(self) -> None:
        os.close(self._fd)
        if self._at == 0:
            self.path.unlink(missing_ok=True)


def import_spill(connection: sa.Connection, out: Path, service: str) -> int:
    """Bring spilled ids into the ledger. Returns how many were new; the file goes after the commit."""
    path = out / FILE
    if not path.exists():
        return 0
    count = 0
    for line in path.read_bytes().splitlines():
        if not line.strip():
            continue
        try:
            kept = json.loads(line)
        except ValueError:  # a line that the crash cut: its attempt stays in doubt
            continue
        count += _import(connection, kept, service)
    return count


def _import(connection: sa.Connection, kept: dict[str, object], service: str) -> bool:
    found = connection.execute(
        sa.select(attempt.c.job_no, attempt.c.price, attempt.c.outcome).where(
            attempt.c.attempt_id == kept["attempt_id"]
        )
    ).one_or_none()
    if found is None or found.outcome not in (None, "in_doubt"):
        return False
    price, charged = int(found.price), int(str(kept["charged"]))
    connection.execute(
        sa.update(attempt)
        .where(attempt.c.attempt_id == kept["attempt_id"])
        .values(outcome="accepted", ended_at=kept["at"])
    )
    connection.execute(
        sa.insert(task).values(
            task_no=kept["attempt_id"], service=service, task_id=kept["task_id"], job_no=found.job_no,
            state=State.SUBMITTED.value, charged=charged, accepted_at=kept["at"],
        )
    )  # fmt: skip
    connection.execute(
        sa.update(job)
        .where(job.c.job_no == found.job_no)
        .values(state=State.SUBMITTED.value, error_code="", error="")
    )
    held = "reserved" if found.outcome is None else "in_doubt"
    settle(connection, **{held: -price}, charged=charged, unplanned=max(0, charged - price))
    return True
