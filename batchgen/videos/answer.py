"""What an answer of a file host means for the video that was asked for. Pure.

A cut file is gone on with by Range and If-Range (RFC 9110, 13.1.5 and 14): a 206 is believed only where it is
exactly the continuation that was asked for; a 200 is the whole file again.
"""

import re
from collections.abc import Mapping
from typing import Literal

from batchgen.videos.part import Note

Kind = Literal["gone", "refused", "not_a_video", "too_large", "disk_full", "disk", "network", "http"]


class DownloadError(Exception):
    """Why a video is not on disk, in a sentence for a person; the job stays as it is.

    kind          meaning                                           then
    gone          400, 401, 403, 404, 410: mostly a URL that ended  ask the task for a fresh URL, once
    network       unreachable, cut, slow, 429, 5xx                  again later; what is there is kept
    disk_full     no room (the part is removed)                     again when there is room
    disk          the folder or the disk refuses otherwise          again when it is mended
    refused       the URL's scheme or address is not allowed        a person decides
    not_a_video   another thing than a whole video                  again later, perhaps
    too_large     more than the limit                               a higher limit
    http          an answer that makes no sense                     again later, perhaps
    """

    def __init__(
        self, kind: Kind, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after = retry_after


class AgainFromStart(Exception):
    """What is in the part can't be gone on with: start with nothing, at once."""


def check_answer(status: int, headers: Mapping[str, str], asked: int) -> None:
    """Let 200, and 206 when a range was asked for, pass; everything else is a reason to stop."""
    if status == 416 and asked:
        raise AgainFromStart
    if status in {400, 401, 403, 404, 410}:
        raise DownloadError("gone", f"the file host no longer gives the video (HTTP {status})", status=status)
    if status in {408, 425, 429} or status >= 500:
        after = headers.get("retry-after", "")
        seconds = float(after) if re.fullmatch(r"[0-9]{1,6}", after) else None
        message = f"the file host can't give the video now (HTTP {status})"
        raise DownloadError("network", message, status=status, retry_after=seconds)
    if status != 200 and not (status == 206 and asked):
        raise DownloadError("http", f"the file host answered with HTTP {status}", status=status)
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise DownloadError("http", f"the file host sends the video encoded ({encoding[:40]})", status=status)


def check_range(headers: Mapping[str, str], note: Note, asked: int) -> int:
    """The whole length by a 206; refuses one that is no continuation of the file that the part is of."""
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", _header(headers, "content-range"))
    if not found:
        raise AgainFromStart
    first, last, total = (int(number) for number in found.groups())
    length = _header(headers, "content-length")
    # What does not name the file may be another one's end: a host may ignore If-Range.
    named_by, name = ("etag", note.etag) if note.etag else ("last-modified", note.last_modified)
    same_file = bool(name) and _header(headers, named_by) == name
    right = (
        first == asked
        and first <= last < total
        and total == (note.total or total)
        and same_file
        and (not length or length == str(last - first + 1))
    )
    if not right:
        raise AgainFromStart
    return total


def note_of(url: str, headers: Mapping[str, str]) -> Note:
    """What to note of a whole answer, so that a later try can go on with it."""
    length = _header(headers, "content-length")
    framed = re.fullmatch(r"[0-9]{1,18}", length) and not _header(headers, "transfer-encoding")
    total = int(length) if framed else None
    etag, modified, date = (_header(headers, name) for name in ("etag", "last-modified", "date"))
    return Note.of(url, etag=etag, last_modified=modified, date=date, total=total)


def says_its_end(headers: Mapping[str, str]) -> bool:
    """Whether a whole answer tells where it ends, so that a cut is noticed while it is read (RFC 9112, 6.3).

    Without a length and without chunks it ends where the connection does: then only the video's own structure
    tells a cut.
    """
    return bool(_header(headers, "content-length") or _header(headers, "transfer-encoding"))


def _header(headers: Mapping[str, str], name: str) -> str:
    return headers.get(name, "").strip()


def kind_of(head: bytes) -> str:
    """What the first bytes of a file that is no video look like, for a person."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML)"
    if start.startswith(b"<"):
        return "an XML document"
    if start.startswith((b"{", b"[")):
        return "a JSON document"
    return "something else" if start else "nothing"


def too_large(size: int, limit: int) -> DownloadError:
    return DownloadError("too_large", f"the video is larger ({size_of(size)}) than {size_of(limit)}")


def size_of(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
