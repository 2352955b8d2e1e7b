"""From the name of a file to a stream of bytes: packed files, standard input, encodings.

Nothing here knows formats beyond telling them apart. Text formats get their bytes as UTF-8 without a byte
order mark, whatever the file holds; what can't be read becomes an `Unreadable`, which carries a sentence.
"""

import codecs
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from batchgen.files import spelled
from batchgen.job import Problem
from batchgen.manifest import packed, pipes

#: Endings (without .gz and its like) -> format.
FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv", ".yaml": "yaml", ".yml": "yaml", ".json": "json",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet", ".xlsx": "xlsx",
    ".xlsm": "xlsx", ".xlsb": "xlsx", ".xls": "xlsx", ".ods": "xlsx",
}  # fmt: skip
ENDINGS = "CSV, TSV, XLSX, YAML, JSON, JSONL or Parquet"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How manifests are read, for all manifests of a run.

    `encoding` and `sheet` are None when not said; `own` names columns that are the user's own although they
    look like known ones; `select` are (column, glob) pairs that must all hold for a row to be read. `wanted` are
    such pairs too: rows for which they do not hold are read, and are not bought. `optional` are required columns
    that may be missing: the service fills them.
    """

    encoding: str | None = None
    sheet: str | None = None
    own: tuple[str, ...] = ()
    delimiter: str | None = None
    select: tuple[tuple[str, str], ...] = ()
    wanted: tuple[tuple[str, str], ...] = ()
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Rows:
    """Rows that a program handed over, kept in a file as long as this is: it goes wherever a manifest's path goes.

    `kind` is how they are kept: "rows" (JSON lines) or "arrow".
    """

    file: Path
    kind: str

    def __str__(self) -> str:
        return "rows"

    def __fspath__(self) -> str:
        return str(self.file)


#: Where a manifest is: a file, "-" for standard input, or rows.
Place = Path | str | Rows


class Unreadable(Exception):
    """A manifest that can't be read any further: carries the problem, which becomes data at the reader's door."""

    def __init__(self, code: str, message: str, hint: str = "", *, line: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.line = line

    def problem(self, manifest: str) -> Problem:
        return Problem(manifest, None, self.line, None, None, self.code, self.message, self.hint)


def format_by_name(name: str) -> str | None:
    """The format that a file's name promises; None when the ending says nothing."""
    return FORMATS.get(Path(packed.without_ending(name.lower())).suffix)


@cache
def _spool_stdin() -> Path:
    """Standard input as a file of its own, so that it can be read twice; gone when the process ends."""
    return pipes.keep_stdin()


def on_disk(path: Place) -> Path:
    """Where the bytes of a manifest are: the file itself, or what came through a pipe. Unreadable for a device."""
    if isinstance(path, Rows):
        return path.file
    if str(path) == "-":
        return _spool_stdin()
    try:
        return pipes.kept(Path(path))
    except pipes.Device:
        hint = "Name a file, or - for standard input."
        raise Unreadable("not_a_file", f'"{spelled(path)}" is a device, not a file.', hint) from None
    except OSError as error:
        raise Unreadable("unreadable", f'"{spelled(path)}" can\'t be read: {error.strerror}.', "") from None


def refuse_pipes(path: Path) -> None:
    """Unreadable for a table that is no file: it is read more than once, and must have an end."""
    if kind := pipes.kind_of(path):
        raise Unreadable("not_a_file", f'"{spelled(path)}" is a {kind}, not a file.', "Write its rows into a file.")


def open_bytes(path: Place) -> IO[bytes]:
    """The file's bytes, unpacked. Unreadable when it is missing, a folder or not ours to read."""
    place = on_disk(path)
    try:
        file = place.open("rb")
        kind = packed.kind_of(file.read(16))
        file.seek(0)
    except FileNotFoundError:
        raise Unreadable(
            "missing_file", f'There is no file "{spelled(path)}".', "Check the name and the folder that you are in."
        ) from None
    except IsADirectoryError:
        raise Unreadable("not_a_file", f'"{spelled(path)}" is a folder, not a file.') from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unreadable(
            "unreadable", f'"{spelled(path)}" can\'t be read: {reason}.', "Check its permissions."
        ) from None
    if not kind:
        return file
    file.close()
    return packed.open_packed(place, kind)


def read_block(stream: IO[bytes], size: int) -> bytes:
    """Up to `size` bytes; Unreadable where a packed file is broken or the disk fails."""
    try:
        return stream.read(size)
    except (*packed.DAMAGED, OSError) as error:
        if packed.is_damage(error):
            kind = packed.name_of(stream)
            code = "bad_gzip" if kind == "gzip" else "bad_packing"
            raise Unreadable(code, f"The {kind} file is damaged or cut off.", "Pack it again.") from None
        raise Unreadable("unreadable", f"Reading stopped: {getattr(error, 'strerror', None) or error}.") from None


def sniff(path: Place) -> str:
    """The format of a file by its name, else by its first bytes. Unreadable for what is no manifest at all."""
    if isinstance(path, Rows):
        return path.kind
    stated = format_by_name(Path(path).name)
    with open_bytes(path) as stream:
        head = read_block(stream, 4096)
    if not head:
        raise Unreadable("empty_file", "The file is empty.", "Save the spreadsheet again, with a header line.")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        if stated in (None, "xlsx", "csv"):
            return "xlsx"
        raise Unreadable("not_a_manifest", "The file is a spreadsheet or an archive, not what its name says.")
    if stated in ("parquet", "xlsx"):
        promised = "Parquet file" if stated == "parquet" else "spreadsheet"
        raise Unreadable(
            "not_a_manifest",
            f"The file is not a {promised}, though its name says so.",
            "Save it again from the program that made it.",
        )
    if head.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"{\\rtf")):
        raise Unreadable("not_a_manifest", "The file is a document or a picture.", f"A manifest is {ENDINGS}.")
    if packed.is_unread(head):
        raise Unreadable(
            "not_a_manifest",
            "The file is packed in a way that is not read here.",
            "Unpack it, or pack it with gzip, bzip2, xz or zstd.",
        )
    return stated or _by_content(head)


def _by_content(head: bytes) -> str:
    text = head.decode("utf-8-sig", "replace").lstrip()
    if text.startswith("{"):
        return "jsonl" if "\n" in text and text.split("\n", 1)[0].rstrip().endswith("}") else "json"
    if text.startswith("["):
        return "json"
    first = text.split("\n", 1)[0]
    if text.startswith(("---", "- ", "%YAML", "#")) or first.rstrip().endswith(":") or first.startswith("version:"):
        return "yaml"
    return "csv"


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip


def utf8_blocks(path: Place, encoding: str | None, size: int = 1 << 20) -> Iterator[bytes]:
    """The text of a file as UTF-8 blocks without a byte order mark. A BOM wins over `encoding`.

    Blocks of a file that is UTF-8 already are passed through unchecked: whoever decodes them finds what is
    wrong and asks `encoding_trouble` for the sentence.
    """
    with open_bytes(path) as stream:
        block = read_block(stream, size)
        bom, name = next(((bom, name) for bom, name in _BOMS if block.startswith(bom)), (b"", encoding or "utf-8"))
        block = block[len(bom) :]
        codec = _codec(name)
        if codec == "utf-8":
            while block:
                yield block
                block = read_block(stream, size)
            return
        decoder = codecs.getincrementaldecoder(codec)("strict")
        while True:
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError:
                raise encoding_trouble(path, name) from None
            if text:
                yield text.encode("utf-8")
            if not block:
                return
            block = read_block(stream, size)


def _codec(name: str) -> str:
    try:
        info = codecs.lookup(name)
    except LookupError:
        raise Unreadable(
            "unknown_encoding",
            f'There is no encoding called "{name}".',
            "Common ones: utf-8, cp1252 (Windows), latin-1, mac-roman, shift_jis, gb18030.",
        ) from None
    if not getattr(info, "_is_text_encoding", True):
        raise Unreadable("unknown_encoding", f'"{name}" is not an encoding of text.')
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(info.name, info.name)


def encoding_trouble(path: Place, encoding: str | None = None) -> Unreadable:
    """Which line is not in the encoding that was expected, and how it would read as Windows text (cp1252)."""
    name = "utf-8" if encoding is None else _codec(encoding)
    decoder = codecs.getincrementaldecoder(name)("strict")
    line = 0
    with open_bytes(path) as stream:
        wide = name.startswith(("utf-16", "utf-32"))
        for raw in [stream.read(1 << 24)] if wide else stream:
            line += 1
            try:
                decoder.decode(raw, final=True)
            except UnicodeDecodeError as error:
                if wide:
                    line += raw[: error.start].count(b"\n")
                    break
                start = max(0, error.start - 30)
                shown = raw[start : error.start + 30].decode("cp1252", "replace").strip()
                return Unreadable(
                    "encoding",
                    f'The line is not {_spoken(name)}. Read as Windows text (cp1252) it says "…{shown}…".',
                    "If that looks right, add --encoding cp1252. Otherwise save the file as UTF-8 "
                    '(in Excel: "CSV UTF-8").',
                    line=line,
                )
    return Unreadable("encoding", f"The file is not {_spoken(name)}.", "Save it as UTF-8.", line=line or None)


def _spoken(encoding: str) -> str:
    return encoding.upper() if encoding.startswith("utf") else encoding


class Utf8Stream(io.RawIOBase):
    """`utf8_blocks` as a stream with `read`, for parsers that want one."""

    def __init__(self, path: Place, encoding: str | None, size: int = 1 << 18) -> None:
        self._blocks = utf8_blocks(path, encoding, size)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        if not self._rest:
            self._rest = next(self._blocks, b"")
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def size_of(path: Place) -> int:
    """Bytes on disk; 0 when that can't be told."""
    try:
        return os.stat(on_disk(path)).st_size  # noqa: PTH116 (one call, also for the spool)
    except OSError:
        return 0
