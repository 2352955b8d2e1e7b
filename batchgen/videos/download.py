"""A finished video to disk: into a part file, looked at, then at once under its name.

    part (of an earlier try?) -> GET, from where it ends -> all bytes there? -> really a video? -> its name

Nothing here touches the ledger or the service: a download that fails changes no job. A file under its final
name is always whole. What each answer of the file host means is in `file_answer`.
"""

import asyncio
import errno
import hashlib
import random
import shutil
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from batchgen.videos.answer import (
    AgainFromStart,
    DownloadError,
    check_answer,
    check_range,
    kind_of,
    note_of,
    says_its_end,
    size_of,
    too_large,
)
from batchgen.videos.host import FileAnswer, FileHost, FileRefused, FileTrouble
from batchgen.videos.mp4 import Flaw, Video, may_be_mp4, read_mp4
from batchgen.videos.part import Note, Part
from batchgen.videos.webm import may_be_webm, read_webm

__all__ = ["DEFAULT", "DownloadError", "Downloaded", "Limits", "download", "is_whole"]

MAX_BYTES = 2_000_000_000
#: Left free on the disk, for the ledger and the results.
DISK_MARGIN = 100_000_000
#: Seconds before another try; spread by a random factor so that many downloads do not come back together.
PAUSES = (1.0, 4.0, 15.0)
#: Slower than this for a whole window counts as stuck: less than a byte a millisecond.
MIN_SPEED, SPEED_WINDOW = 1_000, 60.0
_WRITE_SIZE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A video on disk, and what its own tables say of it."""

    path: Path
    bytes: int
    sha256: str
    video: Video

    @property
    def seconds(self) -> float | None:
        return self.video.seconds

    @property
    def width(self) -> int | None:
        return self.video.width

    @property
    def height(self) -> int | None:
        return self.video.height


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one download and what time and disk are to it; tests pass their own."""

    max_bytes: int = MAX_BYTES
    deadline: float = 3600.0
    pauses: Sequence[float] = PAUSES
    min_speed: int = MIN_SPEED
    speed_window: float = SPEED_WINDOW
    disk_margin: int = DISK_MARGIN
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free


DEFAULT = Limits()


async def download(files: FileHost, url: str, target: Path, limits: Limits = DEFAULT) -> Downloaded:
    """Fetch `url` to `target`, going on with an earlier try where that is safe. Raises DownloadError.

    Network trouble is tried again after each of `limits.pauses`; progress starts the count anew. Two
    downloads to the same target at the same time are not allowed.
    """
    try:
        part = await _in_thread(Part, target)
    except OSError as error:
        raise _disk_error(error) from error
    try:
        async with asyncio.timeout(limits.deadline):
            return await _download(files, url, part, target, limits)
    except TimeoutError:
        raise DownloadError("network", f"the video was not there after {limits.deadline:g} seconds") from None
    except DownloadError as error:
        if error.kind == "too_large":
            await _in_thread(part.discard)
        raise
    except OSError as error:
        failure = _disk_error(error)
        if failure.kind == "disk_full":
            await _in_thread(part.discard)
        raise failure from error
    finally:
        await _in_thread(part.put_away)


def is_whole(path: Path, size: int, sha256: str | None = None) -> bool:
    """Whether the video is (still) on disk as it was written; read only to compare `sha256`."""
    try:
        if not path.is_file() or path.stat().st_size != size:
            return False
        if sha256 is None:
            return True
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


async def _download(files: FileHost, url: str, part: Part, target: Path, limits: Limits) -> Downloaded:
    failures, farthest = 0, part.length
    while True:
        resumed = part.length > 0
        try:
            all_there = part.note.is_complete(url) or await _fetch(files, url, part, limits)
            return await _finish(part, target, all_there=all_there)
        except AgainFromStart:
            if not resumed:
                message = "the file host's answer contradicts itself about the video's length"
                raise DownloadError("http", message) from None
            await _in_thread(part.begin, Note())
        except DownloadError as error:
            if error.kind == "not_a_video" and resumed:
                await _in_thread(part.begin, Note())  # perhaps two halves of different videos
                continue
            if error.kind != "network":
                raise
            failures, farthest = (0 if part.length > farthest else failures), max(farthest, part.length)
            if failures >= len(limits.pauses):
                raise
            pause = limits.pauses[failures] * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load
            failures += 1
            await limits.sleep(max(pause, min(error.retry_after or 0.0, 120.0)))


async def _fetch(files: FileHost, url: str, part: Part, limits: Limits) -> bool:
    """One answer of the file host into the part. False when only its structure can tell whether all of it came."""
    validator = part.note.validator(url) if part.length else ""
    asked = part.length if validator else 0
    headers = {"Range": f"bytes={asked}-", "If-Range": validator} if asked else {}
    try:
        async with files.stream(url, headers) as answer:
            check_answer(answer.status, answer.headers, asked)
            if answer.status == 206:
                part.expect(check_range(answer.headers, part.note, asked))
            else:
                await _in_thread(part.begin, note_of(url, answer.headers))
            await _check_room(part, limits)
            await _read_body(answer, part, limits)
            return answer.status == 206 or says_its_end(answer.headers)
    except FileRefused as error:
        raise DownloadError("refused", str(error)) from None
    except FileTrouble as error:
        raise DownloadError("network", str(error)) from None
    finally:
        with suppress(OSError):  # what could not be synced is fetched again; a full disk shows in `finish`
            await _in_thread(part.sync)


async def _check_room(part: Part, limits: Limits) -> None:
    total = part.note.total or 0
    if total > limits.max_bytes:
        raise too_large(total, limits.max_bytes)
    free = await _in_thread(limits.free_bytes, part.path.parent)
    if total - part.length + limits.disk_margin > free:
        message = f"the disk has {size_of(free)} left, the video needs {size_of(total - part.length)}"
        await _in_thread(part.discard)
        raise DownloadError("disk_full", message + f" and {size_of(limits.disk_margin)} to spare")


async def _read_body(answer: FileAnswer, part: Part, limits: Limits) -> None:
    """The body into the part, a megabyte at a time; stops early at what can't become the video."""
    clock = asyncio.get_running_loop().time
    total, waiting = part.note.total, bytearray()
    window_start, window_bytes = clock(), 0
    try:
        async for chunk in answer.body:
            waiting += chunk
            window_bytes += len(chunk)
            have = part.length + len(waiting)
            if have > (limits.max_bytes if total is None else total):
                raise too_large(have, limits.max_bytes) if total is None else AgainFromStart
            if len(waiting) >= _WRITE_SIZE:
                await _write(part, waiting)
            if clock() - window_start >= limits.speed_window:
                if window_bytes < limits.min_speed * limits.speed_window:
                    raise FileTrouble("the file host sends the video too slowly")
                window_start, window_bytes = clock(), 0
    except FileTrouble:
        await _write(part, waiting)  # the next try goes on from here
        raise
    except asyncio.CancelledError:
        with suppress(DownloadError, OSError):  # nothing may take the cancel's place
            await _write(part, waiting)
        raise
    await _write(part, waiting)
    if total is not None and part.length < total:
        raise DownloadError("network", f"the video was cut off after {part.length} of {total} bytes")


async def _write(part: Part, waiting: bytearray) -> None:
    """Append what waits. The first bytes tell a web page or an error document: no need to fetch the rest."""
    head = bytes(waiting[:512]) if not part.length else b""
    if len(head) >= 8 and not may_be_mp4(head) and not may_be_webm(head):
        raise DownloadError("not_a_video", f"the file host sent {kind_of(head)} instead of a video")
    if waiting:
        await _in_thread(part.write, bytes(waiting))
        waiting.clear()


async def _finish(part: Part, target: Path, *, all_there: bool) -> Downloaded:
    found = await _in_thread(_read_video, part)
    if isinstance(found, Flaw) and not all_there:  # a cut like any other: gone on with, or fetched again
        message = (
            f"the connection ended after {part.length} bytes that are no whole video: the file {found.message}"
        )
        raise DownloadError("network", message)
    if isinstance(found, Flaw):
        await _in_thread(part.begin, Note())
        raise DownloadError("not_a_video", f"the file host sent no whole video: the file {found.message}")
    size = part.length
    digest = await _in_thread(part.finish)
    return Downloaded(target, size, digest, found)


def _read_video(part: Part) -> Video | Flaw:
    file: BinaryIO = part.reader()
    head = file.read(16)
    return read_webm(file) if may_be_webm(head) else read_mp4(file)


def _disk_error(error: OSError) -> DownloadError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return DownloadError("disk_full", f"the disk is full ({error.strerror})")
    return DownloadError("disk", f"the video can't be written: {error.strerror or error}")


T = TypeVar("T")


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Blocking disk work off the event loop. A cancelled download waits for it: two never meet in a part."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # looked at, so that asyncio does not report it as lost
        raise
