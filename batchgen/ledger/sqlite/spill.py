"""The last resort for a task id: when the ledger can't be written, the id goes here.

The file is made and filled with blanks before the first POST, so that writing into it needs no room on the
disk; each line is written synchronously. The next start imports it before anything else.
"""

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from batchgen.job import Outcome, OutcomeKind
from batchgen.ledger.account import settle
from batchgen.ledger.attempts import KNOWN_TASK_ID, Attempt, EndedAttempt, charge, end, known_words
from batchgen.ledger.tables import attempt, job, task

FILE = "ledger.spill"
_SIZE = 1 << 20
_FLAGS = os.O_RDWR | getattr(os, "O_DSYNC", 0) | getattr(os, "O_BINARY", 0)


class Spill:
    """An open spill file of one run. Raises OSError where there is no room for it: then nothing may be sent."""

    def __init__(self, out: Path) -> None:
        self.path = out / FILE
        self._fd = os.open(self.path, _FLAGS | os.O_CREAT, 0o600)
        self._at = 0
        try:
            missing = max(0, _SIZE - os.lseek(self._fd, 0, os.SEEK_END))
            while missing:  # a disk that is nearly full takes a part, and says no only then
                missing -= os.write(self._fd, b" " * missing)
            os.fsync(self._fd)
        except OSError:
            os.close(self._fd)
            raise

    def keep(self, ended: EndedAttempt) -> None:
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
        if not self._in_place():
            self._take_another()
        os.lseek(self._fd, self._at, os.SEEK_SET)
        os.write(self._fd, data)
        os.fsync(self._fd)
        self._at += len(data)

    def _in_place(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._fd), self.path.stat())
        except FileNotFoundError:
            return False

    def _take_another(self) -> None:
        """Our file was removed, and perhaps another run has its own there now: write beside it."""
        path = self.path.with_name(f"{FILE}.{uuid.uuid4().hex}")
        fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(self._fd)
        self._fd, self.path, self._at = fd, path, 0

    def close(self) -> None:
        ours = self._in_place()
        os.close(self._fd)
        if self._at == 0 and ours:
            self.path.unlink(missing_ok=True)


def spill_files(out: Path) -> list[Path]:
    """The spill files that runs left in `out`."""
    return sorted(out.glob(FILE + "*"))


def spilled(out: Path) -> Iterator[tuple[Path, "Kept"]]:
    """What runs spilled, and the file that it stands in."""
    for path in spill_files(out):
        for line in path.read_bytes().splitlines():
            if kept := _read(line):
                yield path, kept


def import_spill(connection: sa.Connection, out: Path, service: str) -> list[str]:
    """Bring spilled ids into the ledger; the files may go after the commit.

    Returns the ids that found no place: this ledger does not know their attempts, so it is an older copy. Then
    the files must stay.
    """
    return [kept.task_id for _, kept in spilled(out) if not _import(connection, kept, service)]


@dataclass(frozen=True, slots=True)
class Kept:
    """One line: an accepted attempt."""

    attempt_id: int
    task_id: str
    charged: int
    at: float


def _read(line: bytes) -> Kept | None:
    """A line of the file; None for blanks, and for a line that a crash cut: its attempt stays in doubt."""
    try:
        said = json.loads(line)
        return Kept(int(said["attempt_id"]), str(said["task_id"]), int(said["charged"]), float(said["at"]))
    except (ValueError, TypeError, KeyError):
        return None


def _import(connection: sa.Connection, kept: Kept, service: str) -> bool:
    """Whether the ledger knows the task now."""
    of_attempt = attempt.c.attempt_id == kept.attempt_id
    columns = [attempt.c[name] for name in Attempt.__dataclass_fields__ if name != "job_id"]
    found = connection.execute(sa.select(*columns, job.c.job_id, attempt.c.outcome).join(job).where(of_attempt))
    of_task = sa.select(task.c.task_no).where(task.c.service == service, task.c.task_id == kept.task_id)
    known = connection.execute(of_task).first() is not None
    line = found.mappings().one_or_none()
    if line is None or line["outcome"] not in (None, OutcomeKind.IN_DOUBT):
        return known
    begun = Attempt(**{name: value for name, value in line.items() if name != "outcome"})
    if line["outcome"] is not None:  # a start that could not read the file called it a doubt
        connection.execute(sa.update(attempt).where(of_attempt).values(outcome=None))
        settle(connection, in_doubt=-begun.price, reserved=begun.price)
    outcome = Outcome(OutcomeKind.ACCEPTED, "", task_id=kept.task_id, charged_credits=kept.charged)
    if known:
        outcome = Outcome(OutcomeKind.IN_DOUBT, KNOWN_TASK_ID, known_words(kept.task_id))
    end(connection, [EndedAttempt(begun, outcome, kept.at, service)])
    return True
