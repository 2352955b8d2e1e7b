"""One command of batchgen in a process that reads only below a folder: `python -P -m batchgen.cli.fence FOLDER …`.

A manifest may say where else to look (`rows: ../../secrets.csv`), and a link may lead out. The fence is an audit
hook of Python, which no later code can take away: it refuses each file outside of the folder, each write but to the
process's own temporary folder, and each connection.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from urllib.parse import unquote

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
OUTSIDE = "it lies outside of the folder that batchgen mcp was started in"


class Outside(PermissionError):
    """Something that the fence refuses."""

    def __init__(self, path: str = "", why: str = OUTSIDE) -> None:
        super().__init__(13, why, path or None)


def raise_fence(folder: str) -> None:
    """From here on this process reads only below `folder`, and Python's own files; it connects to nobody."""
    system = ("/usr/share/zoneinfo", "/etc/localtime", "/dev")
    code = [os.path.realpath(path) for path in (*sys.path, sys.prefix, sys.base_prefix, *system) if path]
    own = os.path.realpath(tempfile.mkdtemp(prefix="batchgen-mcp-"))
    tempfile.tempdir = own
    readable = (os.path.realpath(folder), own, *code)

    def check(path: object, *, writes: bool = False) -> None:
        if isinstance(path, int) or path is None:
            return
        real = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
        if not any(_below(real, root) for root in ((own, "/dev/null") if writes else readable)):
            raise Outside(real)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writing = bool(set(str(mode or "")) & set("wax+")) or (isinstance(flags, int) and bool(flags & _WRITES))
            check(path, writes=writing)
        elif event in ("os.listdir", "os.scandir"):
            check(arguments[0] or ".")
        elif event == "sqlite3.connect":
            name = os.fsdecode(arguments[0])  # type: ignore[arg-type]
            path = unquote(name.removeprefix("file:").partition("?")[0]) if name.startswith("file:") else name
            if path not in ("", ":memory:"):
                check(path)
        elif event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
            raise Outside(why="batchgen mcp opens no connection and starts no program")

    sys.addaudithook(hook)


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def main(arguments: Sequence[str]) -> None:
    """FOLDER COMMAND…: that command of batchgen, fenced in."""
    folder, *command = arguments
    os.chdir(folder)
    from batchgen.cli import main as batchgen

    raise_fence(folder)
    batchgen(command)


if __name__ == "__main__":
    main(sys.argv[1:])
