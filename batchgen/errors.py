"""What can stop a command or a run, and the exit code that it leaves with.

BatchgenError
├── UsageError          2   wrong usage or configuration
├── ManifestError       3   a manifest can't be read, or its rows have problems
├── CapError            4   the credit cap refuses
├── ServiceRefused      6   the service refuses the whole batch
├── OutputError         7   a file of results can't be written; the ledger has everything
└── LedgerError         2   the ledger can't be opened, or belongs to another service
    ├── LedgerBusy      75  another process runs on the same OUT
    └── LedgerWriteError 7  the disk refused a write: nothing more may be submitted

Each has one sentence for a person (`message`), a word for programs (`code`) and what to do (`hint`). They travel
whole: through a process pool, a pickle, a copy. 70 is for what none of them foresaw, an error in batchgen itself.
"""

import errno
from enum import IntEnum, StrEnum
from typing import Any


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
    UNEXPECTED = 70
    BUSY = 75
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
    message: str
    code: str
    hint: str

    def __init__(self, message: str, *, code: str = "error", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.args, self.__dict__.copy())

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), self.message, self.code))


def _again(kind: type[BatchgenError], args: tuple[Any, ...], attributes: dict[str, Any]) -> BatchgenError:
    """An error as it was, whatever its class takes to be made."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class BatchgenWarning(UserWarning):
    """What may be meant otherwise in a row that is valid, or in a plan that may be carried out."""


class UsageError(BatchgenError):
    """The command, an option, a setting or the environment is wrong."""

    exit = Exit.USAGE


class ManifestError(BatchgenError):
    """A manifest can't be used: missing, unreadable, without rows, or rows have problems.

    `problems` has those of rows (the first 1,000), `survey` all that is known of the manifests; None where none was
    read.
    """

    exit = Exit.MANIFEST
    problems: tuple[Any, ...] = ()
    survey: Any = None


class CapError(BatchgenError):
    """The cap refuses what was asked. `plan` is what was to be bought, where there was a plan."""

    exit = Exit.CAP
    plan: Any = None


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
    """Another process holds the run lock of this OUT: try again later."""

    exit = Exit.BUSY


class LedgerWriteError(LedgerError):
    """The ledger could not be written (disk full, I/O error): nothing more may be submitted."""

    exit = Exit.UNFINISHED


#: What to do about an OSError, by its number; everything else is a matter of permissions and room.
_HINTS = {
    errno.EBUSY: "Wait until it ends, or choose another folder.",
    errno.EADDRINUSE: "Choose another --port; 0 takes a free one.",
}


def system_says_no(error: OSError) -> BatchgenError:
    """A refusal of the operating system as one of our errors: which file, why, and what to do."""
    where = f"{error.filename}: " if error.filename else ""
    kind = LedgerBusy if error.errno == errno.EBUSY else UsageError
    return kind(
        f"The system says no: {where}{error.strerror or error}.",
        code="busy" if error.errno == errno.EBUSY else "system",
        hint=_HINTS.get(
            error.errno or 0, "Look at the permissions and the room on the disk, or choose another folder."
        ),
    )
