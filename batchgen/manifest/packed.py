"""Packed text files: told by their first bytes, unpacked while they are read."""

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

#: The endings that a packed file has besides its own (`rows.csv.gz`).
ENDINGS = (".gz", ".bz2", ".xz", ".zst")
#: What unpacking raises for a file that is damaged or cut off. An unpacker's OSError has no number.
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)


def kind_of(head: bytes) -> str:
    """How a file with these first bytes is packed; "" where it is not."""
    return next((name for name, (start, _) in _KINDS.items() if re.match(start, head)), "")


def open_packed(path: Path, kind: str) -> IO[bytes]:
    """The unpacked bytes of a file of that kind. `is_damage` tells what reading them may raise."""
    stream: IO[bytes] = _KINDS[kind][1](path)
    return stream


def name_of(stream: IO[bytes]) -> str:
    """How a stream of `open_packed` was packed."""
    kinds = ((gzip.GzipFile, "gzip"), (bz2.BZ2File, "bzip2"), (lzma.LZMAFile, "xz"))
    return next((name for kind, name in kinds if isinstance(stream, kind)), "zstd")


def is_damage(error: Exception) -> bool:
    """Whether a file can't be unpacked, rather than not be read."""
    return isinstance(error, DAMAGED) or (isinstance(error, OSError) and error.errno is None)


def is_unread(head: bytes) -> bool:
    """Whether a file with these first bytes is packed in a way that we don't unpack (7z, RAR, lz4, compress)."""
    return head.startswith((b"7z\xbc\xaf", b"Rar!", b"\x04\x22\x4d\x18", b"\x1f\x9d"))


def without_ending(name: str) -> str:
    """`rows.csv.gz` -> `rows.csv`."""
    return next((name[: -len(ending)] for ending in ENDINGS if name.lower().endswith(ending)), name)


def _zstd(path: Path) -> IO[bytes]:
    import pyarrow as pa  # the one of our libraries that unpacks it

    stream = pa.CompressedInputStream(pa.PythonFile(path.open("rb"), "r"), "zstd")
    return io.BufferedReader(_ArrowStream(stream), 1 << 18)


class _ArrowStream(io.RawIOBase):
    """A stream of Arrow's as one of Python's."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


#: kind -> (first bytes, how it is opened)
_KINDS: dict[str, tuple[bytes, Callable[[Path], Any]]] = {
    "gzip": (rb"\x1f\x8b", gzip.GzipFile),
    "bzip2": (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", bz2.BZ2File),
    "xz": (rb"\xfd7zXZ\x00", lzma.LZMAFile),
    "zstd": (rb"\x28\xb5\x2f\xfd", _zstd),
}
