"""An error in batchgen itself: one sentence for a person, and everything else in a file."""

import platform
import sys
import tempfile
import traceback
from pathlib import Path

from batchgen import __version__
from batchgen.errors import BatchgenError, Exit
from batchgen.service.secret import concealed

REPORT_AT = "the issue tracker of batchgen"


class UnexpectedError(BatchgenError):
    """Nobody foresaw this."""

    exit = Exit.UNEXPECTED


def unexpected(error: BaseException) -> UnexpectedError:
    """What to say of an exception that nobody foresaw; its traceback is in a file, without the API key."""
    file = _write_down(error)
    details = f"{file} has the details, without the API key" if file else "There is no room for a file with details"
    return UnexpectedError(
        f"An error in batchgen itself ({type(error).__name__}). Nothing that was paid is lost.",
        code="unexpected",
        hint=f"{details}: please report it at {REPORT_AT}. Running the same command again is safe.",
    )


def ledger_lines(error: BaseException) -> list[str]:
    """What the ledger knows, when a run broke off."""
    out = getattr(error, "out", None)
    if not isinstance(out, Path):
        return []
    try:
        from batchgen.ledger.status import read_status
        from batchgen.running.status_text import end_text

        return end_text(read_status(out)[0]).splitlines()
    except Exception:  # it may be just what is broken
        return [f"What the ledger in {out} knows: batchgen status {out}"]


def _write_down(error: BaseException) -> Path | None:
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    about = f"batchgen {__version__}, Python {sys.version.split()[0]}, {platform.platform()}\n\n"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="batchgen-error-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(concealed(about + "".join(lines)))
        return Path(file.name)
    except OSError:
        return None
