"""Succeeded tasks -> files on disk: as soon as a task succeeds, in parallel with everything else.

A file that can't be had now is noted as missing, and the next run or `collect` fetches it. A URL that has
died is replaced once by asking the task again. Nothing here can lead to a POST.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from batchgen.errors import LedgerWriteError, Stop
from batchgen.job import NO_OUTPUT, TaskStatus
from batchgen.ledger.tasks import Fetched, Video, videos_page
from batchgen.running.context import RunContext
from batchgen.running.poll import URL_LIFE
from batchgen.running.state import sleep_or
from batchgen.videos.download import Downloaded, DownloadError, is_whole
from batchgen.videos.names import video_path

PAGE = 1000
#: After so many files of one task that could not be had, its others wait for the next run: they may be thousands.
DEAD_ENOUGH = 3


class Fetcher:
    """Brings every video of a ledger's succeeded tasks to disk, unless it is there already.

    `many`: into sub-folders, for more jobs than one folder takes well.
    """

    def __init__(
        self,
        run: RunContext,
        *,
        download: Callable[[str, Path], Awaitable[Downloaded]],
        many: bool,
    ) -> None:
        self._ledger, self._board, self._clock = run.ledger, run.board, run.clock
        self._out = run.ledger.out
        self._download = download
        self._ask = run.service.task
        self._at_once = run.settings.downloads
        self._many = many
        self._queue: asyncio.Queue[Video | None] = asyncio.Queue()
        self._at_hand: set[tuple[int, int]] = set()
        self._taken = asyncio.Event()
        self._dead: Counter[int] = Counter()

    def add(self, video: Video) -> None:
        """A video to fetch, unless it is at hand: a task may succeed while `add_missing` looks at its page."""
        if (video.task_no, video.n) in self._at_hand:
            return
        self._at_hand.add((video.task_no, video.n))
        self._board.videos_wanted += 1
        self._queue.put_nowait(video)

    def finish(self) -> None:
        """No video comes any more: `run` returns when the last one is here, or known not to be."""
        for _ in range(self._at_once):
            self._queue.put_nowait(None)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(self._work())

    async def add_missing(self) -> None:
        """Queue what earlier runs left: files never fetched, or deleted since."""
        after = 0
        while not self._board.interrupted:
            start = after
            page, last = self._ledger.read(lambda connection: videos_page(connection, start, PAGE))  # noqa: B023
            if last is None:
                return
            after = last
            missing = await asyncio.to_thread(self._missing, page)
            self._board.videos_wanted += len(page) - len(missing)
            self._board.videos_here += len(page) - len(missing)
            for video in missing:
                self.add(video)
            await self._queue_short()

    async def _queue_short(self) -> None:
        """Wait until there is less to do than a page: memory stays flat however much is missing."""
        while self._queue.qsize() > PAGE and not self._board.interrupted:
            self._taken.clear()
            await sleep_or(self._taken, 1.0)

    def _missing(self, page: list[Video]) -> list[Video]:
        return [video for video in page if not self._is_here(video)]

    def _is_here(self, video: Video) -> bool:
        return bool(video.sha256) and is_whole(self._out / video.path, video.bytes)

    async def _work(self) -> None:
        while (video := await self._queue.get()) is not None:
            self._taken.set()
            if self._board.interrupted:
                continue
            try:
                await self._fetch(video)
            except LedgerWriteError as error:
                self._board.stop(Stop.DISK, f"{error.message} {error.hint}".strip())
            except Exception as error:  # one video's trouble is not the others'
                words = f"an error in batchgen: {error!r}"[:300]
                self._board.event("download_failed", job_id=video.job_id, why="error", message=words)
            finally:
                self._at_hand.discard((video.task_no, video.n))

    async def _fetch(self, video: Video) -> None:
        if not video.url:
            for each in await self._named_by_now(video):
                await self._fetch(each)
            return
        many, purchase_no = self._many, video.purchase_no
        path = video.path or str(video_path(video.job_id, video.n, many=many, purchase_no=purchase_no))
        target = self._out / path
        if self._dead[video.task_no] >= DEAD_ENOUGH:
            words = f"not tried: {DEAD_ENOUGH} other videos of this task could not be had"
            await self._failed(video, path, DownloadError("network", words))
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            video, done = await self._download_or_refresh(video, target)
        except (DownloadError, OSError) as error:
            self._dead[video.task_no] += 1
            await self._failed(video, path, error)
            return
        await self._ledger.fetched(_whole(video, path, done, self._clock.wall()))
        self._board.videos_here += 1
        self._board.dirty = True
        self._board.event("downloaded", job_id=video.job_id, path=path, bytes=done.bytes, sha256=done.sha256)

    async def _named_by_now(self, video: Video) -> list[Video]:
        """The videos of a task that had named none when it ended: the service is asked once more."""
        look = await self._ask(video.task_id, video.model)
        urls = look.status.video_urls if look.status is not None else ()
        if look.status is not None and urls:
            await self._note_urls(video.task_no, look.status)
        else:
            words = "the service still names no video"
            self._board.event("download_failed", job_id=video.job_id, why=NO_OUTPUT, message=words)
        self._board.videos_wanted += len(urls) - 1
        return [replace(video, n=n, url=url) for n, url in enumerate(urls, start=1)]

    async def _download_or_refresh(self, video: Video, target: Path) -> tuple[Video, Downloaded]:
        """Download; when the URL has died, ask the task once for a fresh one."""
        try:
            return video, await self._download(video.url, target)
        except DownloadError as error:
            if error.kind != "gone":
                raise
            look = await self._ask(video.task_id, video.model)
            if look.status is None or len(look.status.video_urls) < video.n:
                raise
            await self._note_urls(video.task_no, look.status)
            video = replace(video, url=look.status.video_urls[video.n - 1])
            return video, await self._download(video.url, target)

    async def _note_urls(self, task_no: int, status: TaskStatus) -> None:
        """Newer URLs, with a life of their own."""
        expires_at = status.expires_at
        if expires_at is None:
            expires_at = self._clock.wall() + URL_LIFE
        await self._ledger.fresh_urls(task_no, status.video_urls, expires_at)
        self._board.dirty = True

    async def _failed(self, video: Video, path: str, error: DownloadError | OSError) -> None:
        kind = error.kind if isinstance(error, DownloadError) else "disk"
        words = error.message if isinstance(error, DownloadError) else str(error)
        self._board.dirty = True
        self._board.event("download_failed", job_id=video.job_id, why=kind, message=words)
        if kind in ("disk", "disk_full"):
            self._board.stop(Stop.DISK, f"Videos can't be written to {self._out}: {words}.")
        await self._ledger.fetched(Fetched(video.task_no, video.n, path, trouble=f"{kind}: {words}"))


def _whole(video: Video, path: str, done: Downloaded, at: float) -> Fetched:
    """What the ledger keeps of a video that is whole on disk."""
    said = done.video
    return Fetched(
        video.task_no,
        video.n,
        path,
        done.bytes,
        done.sha256,
        said.seconds,
        at,
        width=said.width,
        height=said.height,
        fps=said.fps,
        codec=said.codec or None,
        has_audio=said.has_audio,
    )
