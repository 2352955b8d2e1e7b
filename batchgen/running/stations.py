"""One run of the stations over an open ledger: submit, poll, fetch, keep results.csv up to date."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from batchgen.errors import BatchgenError, Stop
from batchgen.job import State, TaskStatus
from batchgen.ledger import reading, views
from batchgen.ledger.attempts import recent_begins
from batchgen.ledger.tasks import OpenTask, Video, open_tasks
from batchgen.running.caller import LOOK_EVERY, Caller, Wish
from batchgen.running.context import RunContext
from batchgen.running.dispatch import Dispatcher
from batchgen.running.fetch import Fetcher
from batchgen.running.outcomes import Lessons
from batchgen.running.outputs import read_page, write_results_csv
from batchgen.running.pacing import (
    Away,
    Durations,
    Failures,
    Lanes,
    PollPacer,
    PollSchedule,
    Rate,
    SlotClock,
    SubmitPacer,
)
from batchgen.running.poll import Poller
from batchgen.running.settings import in_words
from batchgen.running.submit import Submitter
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


class Drive:
    """The stations of one run, made and connected."""

    def __init__(self, run: RunContext, rng: random.Random) -> None:
        ledger, settings, board = run.ledger, run.settings, run.board
        self._ledger, self._board, self._clock, self._options = ledger, board, run.clock, run.options
        self._service = run.service
        self._near = run.near
        self._files: FileHost | None = None
        now = run.clock.now()
        saved = ledger.meta("pacing") or {}
        self._durations = Durations()
        if learned := ledger.meta("durations"):
            self._durations.restore(learned)
        self._submit_pacer = _lanes(run, saved.get("submit"), rng)
        self._poll_pacer = PollPacer(rate=settings.poll_rate, now=now, saved=saved.get("poll"))
        schedule = PollSchedule(self._durations, rng=rng)
        self.poller = Poller(run, self._poll_pacer, schedule, ended=self._task_ended)
        self.fetcher = Fetcher(run, download=self._download, many=sum(board.states.values()) > MANY_JOBS)
        away = Away(rng=rng)
        self._lessons = Lessons(run, self._submit_pacer, away, Failures(settings.max_failures), self._accepted)
        submitter = Submitter(run, self._submit_pacer, self._lessons)
        self.dispatcher = Dispatcher(run, self._submit_pacer, away, submitter)

    async def _download(self, url: str, target: Path) -> Downloaded:
        if self._files is None:
            self._files = FileHost(near=self._near, own_headers=self._service.key_for)
        return await download(self._files, url, target)

    def _accepted(self, task: OpenTask) -> None:
        if self._options.wait:
            self.poller.add(task)

    def _task_ended(self, task: OpenTask, status: TaskStatus) -> None:
        self._submit_pacer.ended(self._clock.now(), task.model)
        self.dispatcher.wake.set()
        if status.state is State.OVERDUE:
            return
        video = status.state is State.SUCCEEDED and bool(status.video_urls)
        self._lessons.job_ended(ok=video)
        if video and self._options.download:
            for n, url in enumerate(status.video_urls, start=1):
                known = (task.task_no, task.task_id, task.job_id, n, url, "", 0, "")
                self.fetcher.add(Video(*known, purchase_no=task.purchase_no, model=task.model))

    def interrupt(self) -> None:
        """Ctrl-C once: no POST begins any more, what was sent is seen to its end."""
        self._board.stop(Stop.INTERRUPTED, "Interrupted.")
        self.dispatcher.wake.set()
        self.poller.interrupt()

    async def leave(self) -> None:
        """Close the connections: what is open ends now, in doubt."""
        await self._service.aclose()
        self.dispatcher.leave()

    def flush(self) -> None:
        """Let readers of events.jsonl see what happened."""
        self._board.flush()

    async def run(self) -> None:
        """All stations until there is nothing to do, or the run is stopped."""
        earlier = self._ledger.read(lambda connection: list(open_tasks(connection)))
        for model, tasks in Counter(self._submit_pacer.name(task.model) for task in earlier).items():
            self._submit_pacer.tasks_in_flight(tasks, model)
        if self._options.wait:
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
            if self._files is not None:
                await self._files.aclose()

    async def _stations(self) -> None:
        fetching = asyncio.create_task(self.fetcher.run())
        missing = asyncio.create_task(self._add_missing())
        polling = asyncio.create_task(self.poller.run())
        stopping = asyncio.create_task(self._interrupted())
        try:
            if self._options.submit:
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
        if self._options.download:
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
        now, wall = self._clock.now(), self._clock.wall()
        pacing = {"submit": self._submit_pacer.state(now, wall), "poll": self._poll_pacer.state()}
        with contextlib.suppress(BatchgenError):  # what was learned is a convenience
            await self._ledger.set_meta(pacing=pacing, durations=self._durations.state())


def _lanes(run: RunContext, saved: Mapping[str, Any] | None, rng: random.Random) -> Lanes:
    """The pacers of this run: a told rate first, else what the service documents, else found out."""
    settings, ledger = run.settings, run.ledger
    now, wall = run.clock.now(), run.clock.wall()
    pace = settings.dialect.pace
    rate = settings.rate or (Rate.parse(pace) if pace else None)
    by_model = settings.dialect.limits == "model"
    begun = ledger.read(lambda connection: recent_begins(connection, wall - LONGEST_WINDOW))

    def make(learned: Mapping[str, Any] | None) -> SubmitPacer:
        return SubmitPacer(
            rate=rate,
            burst=settings.burst,
            max_in_flight=settings.max_in_flight,
            saved=learned,
            now=now,
            wall=wall,
            begun=() if by_model else begun,
            rng=rng,
        )

    earlier = [min(now, instant - (wall - now)) for instant in begun]
    clock = SlotClock(rate, burst=settings.burst, begun=earlier) if rate and by_model else None
    return Lanes(
        make,
        by_model=by_model,
        clock=clock,
        most=settings.max_in_flight,
        park_after=settings.park_after,
        saved=saved,
    )


async def drive(run: RunContext, caller: Caller, grace: float, tell: Callable[[str], None]) -> None:
    """Run the stations until they have ended, or the caller wants them to."""
    stations = Drive(run, random.Random())  # noqa: S311 - jitter
    hearing = asyncio.create_task(_heed(caller, stations, grace, tell))
    try:
        async with _watched(run):
            await stations.run()
    finally:
        hearing.cancel()
        await run.service.aclose()


async def _heed(caller: Caller, stations: Drive, grace: float, tell: Callable[[str], None]) -> None:
    """Do what the caller wants; what is still open after `grace` seconds is left, and in doubt."""
    while caller.wish is Wish.GO_ON:
        await asyncio.sleep(LOOK_EVERY)
        stations.flush()
    stations.interrupt()
    if caller.wish is Wish.STOP:
        sent = stations.dispatcher.open
        waits = f"Answers on their way are waited for ({sent}), {in_words(grace)} at most. " if sent else ""
        tell(f"Stopping: nothing more is submitted. {waits}Interrupt again to leave at once.")
    for _ in range(int(grace / LOOK_EVERY)):
        if caller.left:
            break
        await asyncio.sleep(LOOK_EVERY)
    await stations.leave()


@contextlib.asynccontextmanager
async def _watched(run: RunContext) -> AsyncIterator[None]:
    """The live page for as long as the run goes on, if somebody wants it."""
    tell, out = run.options.watch, run.ledger.out
    if tell is None:
        yield
        return
    from batchgen.results.page.live import watch

    with reading(out) as connection:
        other = views.other_columns(connection)
    async with watch(lambda: read_page(out), other, out) as url:
        tell(url)
        yield
