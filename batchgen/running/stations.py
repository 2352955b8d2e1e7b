"""One run of the stations over an open ledger: submit, poll, fetch, keep results.csv up to date."""

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from batchgen.errors import BatchgenError, Exit, Stop
from batchgen.job import State, TaskStatus
from batchgen.ledger import Ledger, views
from batchgen.ledger.attempts import recent_begins
from batchgen.ledger.sqlite.store import reading
from batchgen.ledger.tasks import OpenTask, Video, open_tasks
from batchgen.running.dispatch import Dispatcher
from batchgen.running.fetch import Fetcher, FetchSettings
from batchgen.running.outcomes import Lessons
from batchgen.running.outputs import read_page, write_results_csv
from batchgen.running.pacing import Away, Durations, Failures, PollPacer, PollSchedule, SubmitPacer
from batchgen.running.poll import Poller
from batchgen.running.progress import Progress
from batchgen.running.settings import Config
from batchgen.running.state import Board, sleep_or
from batchgen.running.submit import Submitter
from batchgen.service import Api
from batchgen.service.secret import Secret
from batchgen.videos.addresses import Reach, reach_of_url
from batchgen.videos.download import Downloaded, download
from batchgen.videos.host import FileHost

#: Above this many jobs, videos go into sub-folders.
MANY_JOBS = 10_000
#: Attempts of so many seconds back count for a told rate, so that a crash loop never passes it.
LONGEST_WINDOW = 3600.0
#: results.csv is replaced at most once a second, and for at most this share of the time.
RESULTS_EVERY, RESULTS_SHARE = 1.0, 0.05
#: About what a line of results.csv takes; only the first wait of a run needs the guess.
RESULTS_SECONDS = 2e-5


@dataclass(frozen=True, slots=True)
class Course:
    """What one run is to do. `watch` is told the address of the live page (None: no such page)."""

    submit: bool = True
    limit: int | None = None
    wait: bool = True
    download: bool = True
    near: Reach = Reach.PUBLIC
    watch: Callable[[str], None] | None = None


class Drive:
    """The stations of one run, made and connected."""

    def __init__(
        self, ledger: Ledger, api: Api, board: Board, config: Config, course: Course, rng: random.Random
    ) -> None:
        self._ledger = ledger
        self._api = api
        self._board = board
        self._course = course
        self._files = FileHost(near=course.near)
        now, wall = board.clock.now(), board.clock.wall()
        saved = ledger.meta("pacing") or {}
        self._durations = Durations()
        if learned := ledger.meta("durations"):
            self._durations.restore(learned)
        self._submit_pacer = SubmitPacer(
            rate=config.rate,
            burst=config.burst,
            max_in_flight=config.max_in_flight,
            saved=saved.get("submit"),
            now=now,
            wall=wall,
            begun=ledger.read(lambda connection: recent_begins(connection, wall - LONGEST_WINDOW)),
            rng=rng,
        )
        self._poll_pacer = PollPacer(rate=config.poll_rate, now=now, saved=saved.get("poll"))
        self.poller = Poller(
            ledger,
            api,
            board,
            self._poll_pacer,
            PollSchedule(self._durations, rng=rng),
            deadline=config.deadline,
            trust_refunds=config.trust_refunds,
            ended=self._task_ended,
        )
        self.fetcher = Fetcher(
            ledger,
            board,
            ledger.out,
            download=self._download,
            ask=api.task,
            settings=FetchSettings(at_once=config.downloads, many=sum(board.states.values()) > MANY_JOBS),
        )
        away = Away(rng=rng)
        self._lessons = Lessons(board, self._submit_pacer, away, Failures(config.max_failures), self._accepted)
        submitter = Submitter(
            ledger,
            api,
            board,
            self._submit_pacer,
            self._lessons,
            post_timeout=config.post_timeout,
            idempotent=config.idempotent,
        )
        self.dispatcher = Dispatcher(
            ledger, api, board, self._submit_pacer, away, submitter, limit=course.limit, wait=course.wait
        )

    async def _download(self, url: str, target: Path) -> Downloaded:
        return await download(self._files, url, target)

    def _accepted(self, task: OpenTask) -> None:
        if self._course.wait:
            self.poller.add(task)

    def _task_ended(self, task: OpenTask, status: TaskStatus) -> None:
        self._submit_pacer.ended(self._board.clock.now())
        self.dispatcher.wake.set()
        if status.state is State.OVERDUE:
            return
        video = status.state is State.SUCCEEDED and bool(status.video_urls)
        self._lessons.job_ended(ok=video)
        if video and self._course.download:
            for n, url in enumerate(status.video_urls, start=1):
                known = (task.task_no, task.task_id, task.job_id, n, url, "", 0, "")
                self.fetcher.add(Video(*known, purchase_no=task.purchase_no, model=task.model))

    def interrupt(self) -> None:
        """Ctrl-C once: no POST begins any more, what was sent is seen to its end."""
        self._board.stop(Stop.INTERRUPTED, "Interrupted.")
        self.dispatcher.wake.set()
        self.poller.interrupt()

    async def run(self) -> None:
        """All stations until there is nothing to do, or the run is stopped."""
        earlier = self._ledger.read(lambda connection: list(open_tasks(connection)))
        self._submit_pacer.tasks_in_flight(len(earlier))
        if self._course.wait:
            for task in earlier:
                self.poller.add(task)
        keepers = [asyncio.create_task(self._keep_results()), asyncio.create_task(self._keep_state())]
        try:
            await self._stations()
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await self._save_state()
            await self._files.aclose()

    async def _stations(self) -> None:
        fetching = asyncio.create_task(self.fetcher.run())
        missing = asyncio.create_task(self._add_missing())
        polling = asyncio.create_task(self.poller.run())
        stopping = asyncio.create_task(self._interrupted())
        try:
            if self._course.submit:
                await self.dispatcher.run()
            self.poller.finish()
            await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await polling
            await asyncio.wait({missing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self.fetcher.finish()
            await asyncio.wait({fetching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (fetching, missing, polling, stopping):
                each.cancel()
            done = await asyncio.gather(fetching, missing, polling, return_exceptions=True)
        for error in done:
            if isinstance(error, Exception) and not self._board.interrupted:
                raise error

    async def _add_missing(self) -> None:
        if self._course.download:
            await self.fetcher.add_missing()

    async def _interrupted(self) -> None:
        while not self._board.interrupted:
            await self._board.stopped.wait()
            self.dispatcher.wake.set()  # it may wait for room, and nothing that makes room need come any more
            if not self._board.interrupted:
                self._board.stopped.clear()

    # -- what is kept up to date beside the stations -----------------------------------------------------------

    async def _keep_results(self) -> None:
        jobs = sum(self._board.states.values())
        await asyncio.sleep(jobs * RESULTS_SECONDS / RESULTS_SHARE)
        while True:
            await asyncio.sleep(RESULTS_EVERY)
            if not self._board.dirty:
                continue
            self._board.dirty = False
            began = time.monotonic()
            with contextlib.suppress(BatchgenError):  # said at the end, when it is written for the last time
                await asyncio.to_thread(write_results_csv, self._ledger.out)
            took = time.monotonic() - began
            await asyncio.sleep(max(0.0, took / RESULTS_SHARE - RESULTS_EVERY))

    async def _keep_state(self) -> None:
        while True:
            await asyncio.sleep(2.0)
            if lost := self._ledger.astray():
                self._board.stop(Stop.DISK, f"{lost.message} {lost.hint}")
            await self._save_state()

    async def _save_state(self) -> None:
        now, wall = self._board.clock.now(), self._board.clock.wall()
        pacing = {"submit": self._submit_pacer.state(now, wall), "poll": self._poll_pacer.state()}
        with contextlib.suppress(BatchgenError):  # what was learned is a convenience
            await self._ledger.set_meta(pacing=pacing, durations=self._durations.state())


async def drive(
    ledger: Ledger,
    base_url: str,
    key: Secret,
    board: Board,
    config: Config,
    course: Course,
    progress: Progress,
) -> None:
    """Run the stations, with Ctrl-C and SIGTERM as promised."""
    api = Api(base_url, key, post_timeout=config.post_timeout, idempotent=config.idempotent)
    # A service on this machine or this network keeps its videos there too; any other may not send us inside.
    course = replace(course, near=reach_of_url(base_url))
    try:
        stations = Drive(ledger, api, board, config, course, random.Random())  # noqa: S311 - jitter
        async with _watched(ledger.out, course):
            with _signals(stations, progress):
                showing = asyncio.create_task(_show(progress, board))
                try:
                    await stations.run()
                finally:
                    showing.cancel()
    finally:
        await api.aclose()


@contextlib.asynccontextmanager
async def _watched(out: Path, course: Course) -> AsyncIterator[None]:
    """The live page for as long as the run goes on, if somebody wants it."""
    if course.watch is None:
        yield
        return
    from batchgen.results.page.live import watch

    with reading(out) as connection:
        other = views.other_columns(connection)
    async with watch(lambda: read_page(out), other, out) as url:
        course.watch(url)
        yield


async def _show(progress: Progress, board: Board) -> None:
    never = asyncio.Event()
    while True:
        progress.show()
        board.flush()
        await sleep_or(never, 0.2)


@contextlib.contextmanager
def _signals(stations: Drive, progress: Progress) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM, or a closed terminal) stops gently, the second leaves at once: the ledger is
    safe either way, but what is on its way when we leave is in doubt.
    """
    count = 0
    loop = asyncio.get_running_loop()

    closed = getattr(signal, "SIGHUP", None)  # Windows has none

    def heard(number: int, _frame: object) -> None:
        nonlocal count
        count += number != closed  # kernel and shell both tell of a closed terminal: twice is once
        if count > 1:
            with contextlib.suppress(OSError):
                sys.stderr.write("\nLeft at once. Everything is saved; run again to go on.\n")
                sys.stderr.flush()
            os._exit(int(Exit.INTERRUPTED))
        loop.call_soon_threadsafe(stop)

    def stop() -> None:
        stations.interrupt()
        progress.tell(
            "Stopping: nothing more is submitted; answers on their way are waited for. Ctrl-C again leaves."
        )

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, closed):
        if number is None or (number == closed and signal.getsignal(number) == signal.SIG_IGN):
            continue  # `nohup batchgen run …` goes on when the terminal closes
        try:
            before[number] = signal.signal(number, heard)
        except ValueError:  # not in the main thread: the caller's program owns the signals
            break
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
