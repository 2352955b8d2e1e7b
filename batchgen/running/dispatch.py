"""Which job is submitted next, and when: jobs in manifest order, the pacer's permits, a service that is away."""

import asyncio

from batchgen.errors import Stop
from batchgen.ledger.rows import Pending, pending_page
from batchgen.running.context import RunContext
from batchgen.running.pacing import Away, Lanes
from batchgen.running.queues import HELD, Queues
from batchgen.running.state import sleep_or
from batchgen.running.submit import Permit, Submitter

#: Jobs read from the ledger at once, and POSTs open at once at most.
PAGE = 500
MOST_OPEN = 256
#: POSTs open at once until the first one was answered.
FIRST_OPEN = 8


def model_of(job: Pending) -> str:
    """The model that a job asks for."""
    return str(job.request["model"])


class Dispatcher:
    """Has every pending job of a ledger submitted, once; a worker a job makes the POST.

    With `options.limit` so many jobs in this run at most; with `options.wait` somebody polls the tasks, so that
    room in flight is heard of. Set `wake` when something ended.
    """

    def __init__(
        self,
        run: RunContext,
        pacer: Lanes,
        away: Away,
        submitter: Submitter,
    ) -> None:
        self._ledger, self._api = run.ledger, run.service
        self._board, self._clock = run.board, run.clock
        self._pacer = pacer
        self._away = away
        self._submitter = submitter
        account = run.ledger.credits()
        room = None if account.cap is None else account.cap - account.counted
        #: Whether the cap may not hold for all: then jobs are bought in manifest order, whichever lane waits.
        self._in_order = room is not None and run.board.credits_planned > room
        self._wait = run.options.wait
        self._queues = Queues(
            self._page,
            lambda job: pacer.name(model_of(job)),
            limit=run.options.limit,
            held=HELD if pacer.by_model else 1,
        )
        #: Lanes whose jobs are left for a later run, and why.
        self._left: dict[str, str] = {}
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
                await self._park()
                job = self._next()
                if job is None:
                    if not self._open:
                        self._leave_parked()
                        return
                    await self._pause(None)
                    continue
                if not self._claim(job):
                    await self._wait_for_room()
                    continue
                if not await self._permit(job):
                    continue
                self._queues.take(job)
                leave_at = self._clock.now() + lead.seconds
                permit = Permit(self._pacer.begin(leave_at, model_of(job)), leave_at)
                worker = asyncio.create_task(self._submitter.submit(job, permit))
                self._open[worker] = job
                worker.add_done_callback(self._closed)
        finally:
            while self._open:
                await asyncio.wait(self._open)

    def _page(self, after: tuple[int, int]) -> list[Pending]:
        return self._ledger.read(lambda connection: pending_page(connection, after, PAGE))

    @property
    def open(self) -> int:
        """How many POSTs are on their way."""
        return len(self._open)

    def leave(self) -> None:
        """Give up what has no connection yet; what is on the wire ends by itself when its connection is closed."""
        for worker in self._submitter.connecting:
            worker.cancel()

    def _next(self) -> Pending | None:
        """The first job, in manifest order, whose lane may go now; else the first of all."""
        first: Pending | None = None
        at = self._clock.now() + self._submitter.lead.seconds
        for job in self._queues.heads():
            if self._pacer.name(model_of(job)) in self._pacer.parked:
                continue
            if not self._pacer.by_model or self._pacer.wait(at, model_of(job)) == 0:
                return job
            if first is None:
                first = job
            if self._in_order:
                break
        return first

    async def _park(self) -> None:
        """Leave the jobs of lanes that the service takes nothing of, with the reason; the others go on."""
        for lane, words in self._pacer.parked.items():
            self._queues.drop([lane])
            if lane not in self._left:
                self._left[lane] = words
                self._board.event("parked", model=lane, message=words)
                await self._ledger.park(lane, f"{words}: left for a later run")

    def _leave_parked(self) -> None:
        if self._left:
            words = "; ".join(self._left.values())
            self._board.stop(Stop.AWAY, f"Some rows are left for later: {words}. Run again to go on.")

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

    async def _wait_for_room(self) -> None:
        """What is on its way may give its price back; when nothing is, the cap is reached."""
        if self._open:
            await self._pause(None)
        else:
            self._board.stop(Stop.CAP, "The credit cap is reached: the next job does not fit under it.")

    async def _permit(self, job: Pending) -> bool:
        """Wait until the job's POST may begin. False when something happened meanwhile: then look anew."""
        now, lead = self._clock.now(), self._submitter.lead
        if self._away.paused:
            await self._wait_for_service()
            return False
        most = MOST_OPEN if self._board.submitted else FIRST_OPEN  # a wrong address must not get more than a few
        if len(self._open) >= (1 if self._away.on_trial else most):
            await self._pause(None)
            return False
        wait = self._soonest(job, now + lead.seconds)
        self._board.slow = self._pacer.binding(model_of(job))
        if wait is not None and wait <= 0:
            return True
        if not self._wait and not self._open and self._board.slow == "in_flight":
            self._board.stop(Stop.FULL, "As many tasks run as may at once. Run again when some have ended.")
            return False
        lead.needed = True
        await self._pause(wait)
        return False

    def _soonest(self, job: Pending, at: float) -> float | None:
        """When the job may leave, or another that is as good; None: only when something in flight ends."""
        wait = self._pacer.wait(at, model_of(job))
        if not self._pacer.by_model or self._in_order or wait == 0:
            return wait
        waits = [self._pacer.wait(at, model_of(head)) for head in self._queues.heads()]
        known = [each for each in (wait, *waits) if each is not None]
        return max(min(known), 0.001) if known else None  # this one can't leave yet: look anew

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
            self._queues.put_back(again)
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
