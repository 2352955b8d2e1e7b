"""Whose OUT it is: one run at a time works there, on a disk where locks hold."""

import os
import socket
import time
from pathlib import Path

from filelock import FileLock, Timeout

from batchgen.errors import LedgerBusy, LedgerError
from batchgen.ledger.sqlite.store import Store

LOCK = "ledger.lock"


def owner_name(now: float) -> str:
    """Who works on the ledger: host, process and start, so that a recycled process id is another owner."""
    return f"{socket.gethostname()}:{os.getpid()}:{int(now)}"


class RunLock:
    """The lock that makes one run at a time own an OUT. It is free again when the process dies.

    Taking it waits a moment: `is_running` holds it for as long as a look takes.
    """

    def __init__(self, out: Path) -> None:
        self._path = out / LOCK
        self._lock = FileLock(str(self._path), timeout=0.5)

    def take(self) -> None:
        try:
            self._lock.acquire()
        except Timeout:
            raise LedgerBusy(
                f"Another batchgen works on {self._path.parent} right now ({self.holder()}).",
                code="busy",
                hint="Wait until it ends, or look at it with `batchgen status`.",
            ) from None

    def free(self) -> None:
        self._lock.release()

    def holder(self) -> str:
        """Who holds the lock, as the ledger noted it down."""
        try:
            with Store.read(self._path.parent) as store:
                owner = store.get_meta("owner") or {}
        except LedgerError:
            owner = {}
        if not owner:
            return "it has just begun"
        since = time.strftime("%H:%M:%S", time.localtime(owner["since"]))
        return f"process {owner['pid']} on {owner['host']}, since {since}"


def is_running(out: Path) -> bool:
    """Whether some process holds the run lock of `out` right now; False where this one may not ask."""
    if not (out / LOCK).exists():
        return False
    lock = FileLock(str(out / LOCK), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # a folder that we may only read
        return False
    lock.release()
    return False
