"""What can stop a command or a run, and the exit code that it leaves with.

BatchgenError
├── UsageError          2   wrong usage or configuration
├── ManifestError       3   a manifest can't be read, or its rows have problems
├── CapError            4   the credit cap refuses
├── ServiceRefused      6   the service refuses the whole batch
├── OutputError         7   a file of results can't be written; the ledger has everything
└── LedgerError         2   the ledger can't be opened, or belongs to another service
    ├── LedgerBusy      2   another process runs on the same OUT
    └── LedgerWriteError 7  the disk refused a write: nothing more may be submitted

Each has one sentence for a person (`message`), a word for programs (`code`) and what to do (`hint`).
"""

import errno
from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """The exit codes of docs/use/pipeline.md; `worst` picks the one to leave with when several hold."""

    OK = 0
    UNFINISHED_JOBS = 1
    USAGE = 2
    MANIFEST = 3
    CAP = 4
    IN_DOUBT = 5
    REFUSED = 6
    UNFINISHED = 7
    INTERRUPTED = 130

    @classmethod
    def worst(cls, held: set["Exit"]) -> "Exit":
        """130, 6, 5, 4, 7, 1 in this order; 0 when none holds."""
        order = (cls.INTERRUPTED, cls.REFUSED, cls.IN_DOUBT, cls.CAP, cls.UNFINISHED, cls.UNFINISHED_JOBS)
        return next((code for code in order if code in held), cls.OK)


class Stop(StrEnum):
    """Why no further POST begins. Tasks that run are still collected, but for an interruption."""

    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    CAP = "cap"
    PRICE = "price"
    FAILURES = "failures"
    AWAY = "away"
    FULL = "full"
    DISK = "disk"


#: The exit code that a stop stands for; a run may have others besides.
STOP_EXIT = {
    Stop.INTERRUPTED: Exit.INTERRUPTED,
    Stop.REFUSED: Exit.REFUSED,
    Stop.CAP: Exit.CAP,
    Stop.PRICE: Exit.CAP,
    Stop.FAILURES: Exit.UNFINISHED_JOBS,
    Stop.AWAY: Exit.UNFINISHED,
    Stop.FULL: Exit.UNFINISHED,
    Stop.DISK: Exit.UNFINISHED,
}


class BatchgenError(Exception):
    """A sentence for a person, with a stable code and a hint."""

    exit = Exit.USAGE

    def __init__(self, message: str, *, code: str = "error", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


class UsageError(BatchgenError):
    """The command, an option, a setting or the environment is wrong."""

    exit = Exit.USAGE


class ManifestError(BatchgenError):
    """A manifest can't be used as a whole: missing, unreadable, without rows."""

    exit = Exit.MANIFEST


class CapError(BatchgenError):
    """The credit cap refuses what was asked."""

    exit = Exit.CAP


class ServiceRefused(BatchgenError):
    """The service refuses the whole batch: bad key, no credits, endpoint not open, redirect."""

    exit = Exit.REFUSED


class OutputError(BatchgenError):
    """results.csv, the page or an export can't be written. Nothing is lost: the ledger has everything."""

    exit = Exit.UNFINISHED


class LedgerError(BatchgenError):
    """The ledger can't be used."""

    exit = Exit.USAGE


class LedgerBusy(LedgerError):
    """Another process holds the run lock of this OUT."""


class LedgerWriteError(LedgerError):
    """The ledger could not be written (disk full, I/O error): nothing more may be submitted."""

    exit = Exit.UNFINISHED


#: What to do about an OSError, by its number; everything else is a matter of permissions and room.
_HINTS = {
    errno.EBUSY: "Wait until it ends, or choose another folder.",
    errno.EADDRINUSE: "Choose another --port; 0 takes a free one.",
}


def system_says_no(error: OSError) -> UsageError:
    """A refusal of the operating system as one of our errors: which file, why, and what to do."""
    where = f"{error.filename}: " if error.filename else ""
    return UsageError(
        f"The system says no: {where}{error.strerror or error}.",
        code="busy" if error.errno == errno.EBUSY else "system",
        hint=_HINTS.get(
            error.errno or 0, "Look at the permissions and the room on the disk, or choose another folder."
        ),
    )
