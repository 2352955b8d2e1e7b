"""Whose OUT it is: one run at a time works there, on a disk where locks hold."""

import os
import socket
import time
from pathlib import Path

from filelock import FileLock, Timeout

from batchgen.errors import LedgerBusy, LedgerError
from batchgen.ledger.sqlite.store import Store

LOCK = "ledger.lock"
#: File systems on which SQLite's locks and shared memory can't be trusted.
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "fuse.rclone", "davfs"}
)


def owner_name(now: float) -> str:
    """Who works on the ledger: host, process and start, so that a recycled process id is another owner."""
    return f"{socket.gethostname()}:{os.getpid()}:{int(now)}"


def file_system_of(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of the file system that holds `path`; "" where the system does not say (not Linux)."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return "unc" if str(path.resolve()).startswith("\\\\") else ""
    here = str(path.resolve())
    best, kind = "", ""
    for line in lines:
        where, what = [*line.split(" "), "", "", ""][1:3]
        where = where.replace("\\040", " ")
        inside = here == where or here.startswith(where.rstrip("/") + "/")
        if inside and len(where) >= len(best):
            best, kind = where, what
    return kind


def refuse_network_file_system(out: Path) -> None:
    """Raise where two machines could write the same ledger without seeing each other's locks."""
    kind = file_system_of(out)
    if kind in NETWORK_FILE_SYSTEMS or kind == "unc":
        raise LedgerError(
            f"{out} is on a network drive ({kind}), where a ledger is not safe.",
            code="network_drive",
            hint="Choose a folder on a local disk with --out; copy the results to the drive afterwards.",
        )


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
