"""The sandbox's memory on disk: one JSON line for each thing that happened, given to the system at once.

A line is written before the answer that depends on it leaves. No fsync: what must survive is a kill of the
process that hosts the sandbox, and a write that returned survives that. The last line may be half written
after a kill; it is dropped when the file is opened again.
"""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

NAME = "sandbox.jsonl"


class Journal:
    """An append-only file in `folder`, held by one process at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / NAME
        self._lock = FileLock(str(folder / "sandbox.lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise OSError(errno.EBUSY, "another run or sandbox works there right now", str(folder)) from None
        self._file: int | None = None
        self._size = 0

    def entries(self) -> Iterator[dict[str, Any]]:
        """Everything written so far, oldest first; cuts off a half-written last line. Read it once, first."""
        good = 0
        if self.path.exists():
            with self.path.open("rb") as lines:
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        break
                    good += len(line)
                    yield entry
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        os.ftruncate(self._file, good)
        os.lseek(self._file, 0, os.SEEK_END)
        self._size = good

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line, whole or not at all. Raises OSError when the disk takes no more."""
        assert self._file is not None, "entries() was not read"  # noqa: S101
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        if os.write(self._file, line) != len(line):
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, 0, os.SEEK_END)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._size += len(line)

    def close(self) -> None:
        """Close the file and let others have the folder."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._lock.release()
