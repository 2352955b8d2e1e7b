"""Which job is submitted next, and when: jobs in manifest order, the pacer's permits, a service that is away."""

import asyncio
from collections import deque

from batchgen.errors import Stop
from batchgen.ledger.rows import Pending, pending_page
from batchgen.running.context import RunContext
from batchgen.running.pacing import Away, SubmitPacer
from batchgen.running.state import sleep_or
from batchgen.running.submit import Permit, Submitter

#: Jobs read from the ledger at once, and POSTs open at once at most.
PAGE = 500
MOST_OPEN = 256
#: POSTs open at once until the first one was answered.
FIRST_OPEN = 8


class Dispatcher:
    """Has every pending job of a ledger submitted, once; a worker a job makes the POST.

    With `options.limit` so many jobs in this run at most; with `options.wait` somebody polls the tasks, so that
    room in flight is heard of. Set `wake` when something ended.
    """

    def __init__(
        self,
        run: RunContext,
        pacer: SubmitPacer,
        away: Away,
        submitter: Submitter,
    ) -> None:
        self._ledger, self._api = run.ledger, run.service
        self._board, self._clock = run.board, run.clock
        self._pacer = pacer
        self._away = away
        self._submitter = submitter
        self._limit = run.options.limit
        self._wait = run.options.wait
        self._again: deque[Pending] = deque()
        self._page: deque[Pending] = deque()
        self._after = (-1, -1)
        self._taken = 0
        self._open: dict[asyncio.Task[Pending | None], Pending] = {}
        #: What the jobs that are on their way, or sent again, cost: by job number.
        self._claims: dict[int, int] = {}
        #: Room under the cap beside these claims, at least so much (None: no cap); looked up when it is short.
        self._room: int | None = 0
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Until every job has an outcome, or submitting stops; open POSTs are always seen to their end."""
        lead = self._submitter.lead
        try:
            while self._board.submitting:
                job = self._next()
                if job is None:
                    if not self._open:
                        return
                    await self._pause(None)
                    continue
                if not self._claim(job):
                    await self._wait_for_room(job)
                    continue
                if not await self._permit():
                    self._again.appendleft(job)
                    continue
                leave_at = self._clock.now() + lead.seconds
                permit = Permit(self._pacer.begin(leave_at), leave_at)
                worker = asyncio.create_task(self._submitter.submit(job, permit))
                self._open[worker] = job
                worker.add_done_callback(self._closed)
        finally:
            while self._open:
                await asyncio.wait(self._open)

    @property
    def open(self) -> int:
        """How many POSTs are on their way."""
        return len(self._open)

    def leave(self) -> None:
        """Give up what has no connection yet; what is on the wire ends by itself when its connection is closed."""
        for worker in self._submitter.connecting:
            worker.cancel()

    def _next(self) -> Pending | None:
        if self._again:
            return self._again.popleft()
        if self._limit is not None and self._taken >= self._limit:
            return None
        if not self._page:
            page = self._ledger.read(lambda connection: pending_page(connection, self._after, PAGE))
            if not page:
                return None
            self._after = (page[-1].position, page[-1].job_no)
            self._page.extend(page)
        self._taken += 1
        return self._page.popleft()

    def _claim(self, job: Pending) -> bool:
        """Keep room for the job under the cap: POSTs begin in any order, but jobs are bought in manifest order."""
        if job.job_no in self._claims:  # it is sent again
            return True
        if self._room is not None and job.price > self._room:
            self._room = self._room_now()
        if self._room is not None:
            if job.price > self._room:
                return False
            self._room -= job.price
        self._claims[job.job_no] = job.price
        return True

    def _room_now(self) -> int | None:
        credits = self._ledger.credits()  # noqa: A001 - the product's word
        if credits.cap is None:
            return None
        settled = credits.counted - credits.reserved  # what is reserved is claimed
        return credits.cap - settled - sum(self._claims.values())

    async def _wait_for_room(self, job: Pending) -> None:
        """What is on its way may give its price back; when nothing is, the cap is reached."""
        self._page.appendleft(job)
        self._taken -= 1
        if self._open:
            await self._pause(None)
        else:
            self._board.stop(Stop.CAP, "The credit cap is reached: the next job does not fit under it.")

    async def _permit(self) -> bool:
        """Wait until a POST may begin. False when something happened that may have stopped submitting."""
        now, lead = self._clock.now(), self._submitter.lead
        if self._away.paused:
            await self._wait_for_service()
            return False
        most = MOST_OPEN if self._board.submitted else FIRST_OPEN  # a wrong address must not get more than a few
        if len(self._open) >= (1 if self._away.on_trial else most):
            await self._pause(None)
            return False
        wait = self._pacer.wait(now + lead.seconds)
        self._board.slow = self._pacer.binding()
        if wait is not None and wait <= 0:
            return True
        if not self._wait and not self._open and self._board.slow == "in_flight":
            self._board.stop(Stop.FULL, "As many tasks run as may at once. Run again when some have ended.")
            return False
        lead.needed = True
        await self._pause(wait)
        return False

    async def _pause(self, seconds: float | None) -> None:
        """Until an outcome, an ended task, a stop, or so many seconds."""
        self.wake.clear()
        if self._board.submitting:
            await sleep_or(self.wake, seconds)

    def _closed(self, worker: "asyncio.Task[Pending | None]") -> None:
        job = self._open.pop(worker)
        self.wake.set()
        if worker.cancelled():
            return
        if (error := worker.exception()) is not None:
            self._board.stop(Stop.DISK, f"Submitting stopped on an internal error: {error!r}.")
        elif (again := worker.result()) is not None:
            self._again.append(again)
        else:
            self._claims.pop(job.job_no, None)

    async def _wait_for_service(self) -> None:
        """Look now and then whether the service answers, by a GET; give up when it stays away."""
        while self._open:  # what was sent comes to its end first
            await asyncio.wait(self._open)
        while self._away.paused and self._board.submitting:
            now = self._clock.now()
            if self._away.parked(now):
                self._board.stop(Stop.AWAY, self._away.sentence(now))
                return
            self._board.slow = self._away.sentence(now)
            wait = self._away.wait(now)
            if wait > 0:
                await self._pause(wait)
                continue
            answered = await self._probe()
            if answered:
                self._away.probe_answered(self._clock.now())
            elif answered is False:
                self._away.probe_failed(self._clock.now())

    async def _probe(self) -> bool | None:
        """Whether the service answers; None when the run stopped meanwhile."""
        probe, stopped = asyncio.ensure_future(self._api.probe()), asyncio.ensure_future(self._board.stopped.wait())
        try:
            await asyncio.wait({probe, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return probe.result() if probe.done() else None
        finally:
            for waiting in (probe, stopped):
                waiting.cancel()
            await asyncio.gather(probe, stopped, return_exceptions=True)
