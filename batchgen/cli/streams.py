"""Terminals, pipes and files that a command writes to: closed, full, or read no further."""

import codecs
import errno
import io
import os
import sys
from pathlib import Path


class _Unbroken(io.BufferedWriter):
    """A stream whose reader may have seen enough (`batchgen status … | head`): what is left to say goes nowhere,
    and the command ends with the exit code that it would have had.
    """

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            self._lead_nowhere(error)
            return 0

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._lead_nowhere(error)
            super().flush()

    def _lead_nowhere(self, error: OSError) -> None:
        if not pipe_is_closed(error):
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def open_what_is_closed() -> None:
    """A stream that was closed before the start (`<&-`, `2>&-`) leads nowhere, instead of being None."""
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - open to the end
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - likewise


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What a stream can't show, as its code; a byte of a file's name that is no text as `\\xf6`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    marks = error.object[error.start : error.end]
    shown = "".join(
        f"\\x{ord(mark) - 0xDC00:02x}" if "\udc80" <= mark <= "\udcff" else ascii(mark)[1:-1] for mark in marks
    )
    return shown, error.end


def speak_plainly() -> None:
    """Prompts hold any character; a console that can't show one gets an escape instead of a crash. A pipe that
    nobody reads any more is no error.
    """
    codecs.register_error("batchgen", _escaped)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__") or stream.isatty():
            if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
                reconfigure(errors="batchgen")
            continue
        stream.flush()
        raw = io.FileIO(stream.fileno(), "w", closefd=False)
        lines = stream.line_buffering
        whole = io.TextIOWrapper(_Unbroken(raw), encoding=stream.encoding, errors="batchgen", line_buffering=lines)
        setattr(sys, name, whole)


def pipe_is_closed(error: OSError) -> bool:
    """Whether nobody reads what is written any more. Windows calls that an invalid argument, of no file."""
    closed = error.errno == errno.EINVAL and error.filename is None and sys.platform == "win32"
    return closed or isinstance(error, BrokenPipeError)


def nobody_reads() -> None:
    """What can't be written goes nowhere: left in its stream, it would fail once more at the very end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
