"""A file that appears at once or not at all: a reader finds the old one or the new one, never half.

temp file in the same folder -> flush -> fsync -> os.replace -> fsync of the folder.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from batchgen.errors import OutputError

#: How long a replace is tried again while another program holds the old file, in seconds between the tries.
WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)
#: A temp file of ours that nobody wrote to for so long (seconds) was left by a process that was killed.
STALE = 3600.0


@contextmanager
def whole_file(path: Path, sleep: Callable[[float], None] = time.sleep) -> Iterator[BinaryIO]:
    """A binary file to write `path` through; it gets its name when the block ends well.

    After an exception `path` is untouched and the temp file gone. Raises OutputError when the disk refuses,
    or when another program keeps the old file open (Excel on Windows does).
    """
    temp = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns():x}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        with temp.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _replace(temp, path, sleep)
    except OSError as error:
        raise OutputError(
            f"{path} can't be written: {error.strerror or error}.",
            code="output_not_written",
            hint="Make room or choose another place, then run the command again: nothing is lost.",
        ) from error
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)


def take_from_others(*paths: Path) -> None:
    """Let only the user read and write these files, as far as they are there; Windows has no such modes."""
    for path in paths:
        with suppress(OSError):
            path.chmod(0o600)


def replace_durably(new: Path, path: Path) -> None:
    """Give `new` the name `path`, and make the name itself durable. Raises OSError where the system refuses."""
    new.replace(path)
    if sys.platform == "win32":  # a folder can't be opened there, and needs no sync
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems sync no folders
            os.fsync(folder)
    finally:
        os.close(folder)


def _replace(temp: Path, path: Path, sleep: Callable[[float], None]) -> None:
    for wait in (*WAITS, None):
        try:
            replace_durably(temp, path)
            break
        except PermissionError as error:
            if wait is None:
                raise OutputError(
                    f"{path} is open in another program, so the new one can't take its place.",
                    code="output_in_use",
                    hint="Close it there (Excel keeps files to itself) and run the command again.",
                ) from error
            sleep(wait)


def _clear(path: Path) -> None:
    """Remove what a killed process left of earlier tries at `path`."""
    now = time.time()
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(OSError):
            if now - left.stat().st_mtime > STALE:
                left.unlink()


def spelled(path: os.PathLike[str] | str) -> str:
    """A file's name as text, whatever bytes it is made of: those that are no UTF-8 as `\\xf6`.

    No two names are spelled alike (`named` goes back): where such a code occurs, every backslash is doubled. Other
    names stay as they are. So any name can stand in a ledger, a CSV and a JSON document; the form that Python has
    for such names (lone surrogates) can't.
    """
    text = str(path)
    if sys.platform == "win32":  # names are Unicode there
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    raw = os.fsencode(text)
    try:
        shown = raw.decode("utf-8")
        if "\\x" not in shown:
            return shown
    except UnicodeDecodeError:
        pass
    return raw.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def named(spelling: str) -> str:
    """The name that `spelled` spelled, as the file system takes it."""
    if sys.platform == "win32" or "\\x" not in spelling:
        return os.fsdecode(spelling.encode("utf-8")) if sys.platform != "win32" else spelling
    raw = re.sub(
        rb"\\(\\|x[0-9a-f]{2})",
        lambda code: b"\\" if code[1] == b"\\" else bytes.fromhex(code[1][1:].decode("ascii")),
        spelling.encode("utf-8"),
    )
    return os.fsdecode(raw)
