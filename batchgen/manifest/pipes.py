"""What is no file: pipes and standard input are kept in one, to be read twice; devices are refused."""

import atexit
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import IO


class Device(Exception):
    """A device, of which there may be no end (/dev/zero)."""


def kind_of(path: Path) -> str:
    """`pipe` (also a socket or a terminal), `device`, or nothing for a file and for what is not there."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return "pipe"
    if stat.S_ISCHR(mode):
        return "pipe" if _is_terminal(path) else "device"
    return "device" if stat.S_ISBLK(mode) else ""


def _is_terminal(path: Path) -> bool:
    with path.open("rb", buffering=0) as file:
        return file.isatty()


def kept(path: Path) -> Path:
    """The file that has what came through a pipe. Device for something that may have no end."""
    kind = kind_of(path)
    if kind == "device":
        raise Device(str(path))
    return _kept_pipe(path) if kind else path


@cache
def _kept_pipe(path: Path) -> Path:
    with path.open("rb") as stream:
        return keep(stream)


def keep(stream: IO[bytes]) -> Path:
    """A stream as a file of its own, gone when the process ends."""
    with tempfile.NamedTemporaryFile(prefix="batchgen-stdin-", delete=False) as spool:
        atexit.register(lambda: Path(spool.name).unlink(missing_ok=True))
        while block := stream.read(1 << 20):
            spool.write(block)
    return Path(spool.name)


def keep_stdin() -> Path:
    """Standard input as a file."""
    return keep(sys.stdin.buffer)
