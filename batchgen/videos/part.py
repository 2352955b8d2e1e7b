"""A video that is not whole yet: `NAME.mp4.part`, and beside it `NAME.mp4.part.json` with what it is.

The note is what makes going on possible, in this run or a later one: which URL, which version of the file
(ETag, Last-Modified), how long it will be, and how many bytes are known to be on the disk for good. Only
those count: what was merely written may be zeros after a power loss.
"""

import contextlib
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from email.utils import parsedate_to_datetime
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

#: After so many bytes the part is brought to the disk for good, and the note with it.
SYNC_EVERY = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Note:
    """What the part is a part of. The URL only as a hash: signed ones are secrets."""

    url: str = ""
    place: str = ""
    etag: str = ""
    last_modified: str = ""
    total: int | None = None
    durable: int = 0

    @classmethod
    def of(cls, url: str, *, etag: str, last_modified: str, date: str, total: int | None) -> "Note":
        """Keeps only what promises the same bytes (RFC 9110, 8.8): an ETag that is not weak, a Last-Modified
        that is older than the answer's Date, so that nothing changed within the same second.
        """
        strong = etag if etag.startswith('"') else ""
        old = last_modified if _is_older(last_modified, date) else ""
        return cls(_hash(url), _hash(_place(url)), strong, old, total)

    def validator(self, url: str) -> str:
        """What If-Range may say to go on with `url`; "" when only starting again is safe.

        The same place with another query is a URL that was signed again: a strong ETag is proof enough.
        """
        if self.etag and self.place == _hash(_place(url)):
            return self.etag
        return self.last_modified if self.url == _hash(url) else ""

    def is_complete(self, url: str) -> bool:
        """Whether all bytes of `url` are there, so that only looking at them and the renaming is left."""
        same = self.url == _hash(url) or bool(self.validator(url))
        return same and 0 < self.durable == self.total


class Part:
    """The part file of one video, open for writing. Blocking: call it from a thread."""

    def __init__(self, target: Path) -> None:
        """Open what is there, cut to what its note vouches for; without a good note start empty."""
        self.path = target.with_name(target.name + ".part")
        self._note_path = target.with_name(target.name + ".part.json")
        self._target = target
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        self._file = FileIO(os.open(self.path, flags, 0o666), "r+b")
        note = self._read_note()
        self.note = note if 0 < note.durable <= self._file.seek(0, os.SEEK_END) else Note()
        self.length = self.note.durable
        self._file.truncate(self.length)
        self._file.seek(self.length)

    def begin(self, note: Note) -> None:
        """Start empty, as a part of what `note` says."""
        self._file.truncate(0)
        self._file.seek(0)
        self.note, self.length = note, 0
        self._write_note()

    def expect(self, total: int) -> None:
        """The whole length, learnt with a later answer."""
        self.note = replace(self.note, total=total)

    def write(self, data: bytes) -> None:
        """Append; raises OSError when the disk refuses."""
        view = memoryview(data)
        self._file.seek(self.length)  # it may have been read meanwhile
        while view:
            view = view[self._file.write(view) :]
        self.length += len(data)
        if self.length - self.note.durable >= SYNC_EVERY:
            self.sync()

    def sync(self) -> None:
        """Bring the part to the disk for good, then say so in the note."""
        if self.length != self.note.durable:
            os.fsync(self._file.fileno())
            self.note = replace(self.note, durable=self.length)
            self._write_note()

    def reader(self) -> BinaryIO:
        """The part for reading, from its start; the caller must not close it."""
        self._file.seek(0)
        return cast("BinaryIO", self._file)

    def finish(self) -> str:
        """Make the part the video: on disk for good, then at once under its name. Returns its sha256."""
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha256").hexdigest()
        self.sync()
        self.close()
        _replace(self.path, self._target)
        _sync_folder(self._target.parent)
        with contextlib.suppress(OSError):
            self._note_path.unlink()
        return digest

    def put_away(self) -> None:
        """Close the part; keep it only where a later try can go on from it."""
        can_go_on = self.note.etag or self.note.last_modified or self.length == self.note.total
        if self.length and can_go_on:
            self.close()
        else:
            self.discard()

    def close(self) -> None:
        """Close the file as it is, as the system does for a process that is killed."""
        self._file.close()

    def discard(self) -> None:
        """Forget the part: its bytes are no use, or the disk needs the room."""
        self.close()
        self.note, self.length = Note(), 0
        for path in (self._note_path, self.path):
            with contextlib.suppress(OSError):
                path.unlink()

    def _read_note(self) -> Note:
        try:
            found = json.loads(self._note_path.read_bytes())
            note = Note(**found)
            whole = isinstance(note.durable, int) and isinstance(note.total, int | None)
            words = (note.url, note.place, note.etag, note.last_modified)
            return note if whole and all(isinstance(word, str) for word in words) else Note()
        except (OSError, ValueError, TypeError):
            return Note()

    def _write_note(self) -> None:
        fresh = self._note_path.with_name(self._note_path.name + ".new")
        fresh.write_text(json.dumps(asdict(self.note)), encoding="utf-8")
        fresh.replace(self._note_path)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_older(last_modified: str, date: str) -> bool:
    try:
        return parsedate_to_datetime(last_modified) < parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return False


def _place(url: str) -> str:
    try:
        split = urlsplit(url)
    except ValueError:
        return url
    return f"{split.scheme}://{split.netloc}{split.path}"


def _replace(path: Path, target: Path) -> None:
    """Rename over what is there. Windows refuses while a player or a virus scanner holds the old file open:
    wait a moment, then give up with the part kept (it is whole, the next run only renames it).
    """
    for pause in (0.1, 0.3, 1.0):
        try:
            path.replace(target)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    path.replace(target)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable. Windows can't open a folder; there the rename itself has to do."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
