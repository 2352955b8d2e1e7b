"""Job -> ledger -> POST -> outcome -> ledger: the only file that can spend.

One dispatcher takes jobs in manifest order and waits for the pacer's permit; a worker a job makes the POST.
A job is sent again only when its outcome says that none of it reached the service, or that the service
refused it in its own words. Whatever else happens is in doubt, and stays with a person.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from batchgen.board import Board, Stop, sleep_or
from batchgen.errors import LedgerWriteError
from batchgen.job import Outcome, OutcomeKind, State, request_body
from batchgen.ledger import Attempt, CapReached, Ledger
from batchgen.ledger.rows import Pending, pending_page
from batchgen.ledger.tasks import OpenTask
from batchgen.pacing import Away, Failures, Lead, SubmitPacer, retry_after

#: Jobs read from the ledger at once, and POSTs open at once at most.
PAGE = 500
MOST_OPEN = 256
#: Seconds of nothing but "too much", while no task of ours runs, after which a run ends.
NOTHING_FOR = 1800.0
#: Seconds before a doubt is asked again, where the service honours Idempotency-Key.
ASK_AGAIN_AFTER = (1.0, 4.0, 15.0)


class Halted(Exception):
    """Submitting stopped while this POST was about to begin; nothing was sent."""


class SubmitApi(Protocol):
    """What submitting needs of the service."""

    async def submit(self, body: bytes, idempotency_key: str, before_send: Callable[[], Any]) -> Outcome: ...

    async def probe(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class SubmitSettings:
    """`limit`: so many jobs in this run at most (None: all). `post_timeout`: seconds for one POST in all.

    `idempotent`: the service is *configured* to honour Idempotency-Key, so a doubt may be asked again.
    `wait`: somebody looks at the tasks, so that room in flight is heard of.
    """

    limit: int | None = None
    post_timeout: float = 120.0
    idempotent: bool = False
    wait: bool = True


class Submitter:
    """Submits every pending job of a ledger, once."""

    def __init__(
        self,
        ledger: Ledger,
        api: SubmitApi,
        board: Board,
        pacer: SubmitPacer,
        *,
        away: Away,
        failures: Failures,
        settings: SubmitSettings,
        accepted: Callable[[OpenTask], None],
    ) -> None:
        self._ledger = ledger
        self._api = api
        self._board = board
        self._pacer = pacer
        self._away = away
        self._failures = failures
        self._settings = settings
        self._accepted = accepted
        self._again: deque[Pending] = deque()
        self._page: deque[Pending] = deque()
        self._after = (-1, -1)
        self._taken = 0
        self._lead = Lead()
        #: When the service began to take nothing, with none of ours running.
        self._nothing_since: float | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Until every job has an outcome, or submitting stops; open POSTs are always seen to their end."""
        try:
            while self._board.submitting:
                job = self._next()
                if job is None:
                    if not self._open:
                        return
                    await self._pause(None)
                    continue
                if not await self._permit():
                    self._again.appendleft(job)
                    continue
                leave_at = self._board.clock.now() + self._lead.seconds
                ticket = self._pacer.begin(leave_at)
                worker = asyncio.create_task(self._submit(job, ticket, leave_at))
                self._open.add(worker)
                worker.add_done_callback(self._closed)
        finally:
            while self._open:
                await asyncio.wait(self._open)

    def _next(self) -> Pending | None:
        if self._again:
            return self._again.popleft()
        if self._settings.limit is not None and self._taken >= self._settings.limit:
            return None
        if not self._page:
            page = self._ledger.read(lambda connection: pending_page(connection, self._after, PAGE))
            if not page:
                return None
            self._after = (page[-1].position, page[-1].job_no)
            self._page.extend(page)
        self._taken += 1
        return self._page.popleft()

    async def _permit(self) -> bool:
        """Wait until a POST may begin. False when something happened that may have stopped submitting."""
        now = self._board.clock.now()
        if self._away.paused:
            await self._wait_for_service()
            return False
        if len(self._open) >= (1 if self._away.on_trial else MOST_OPEN):
            await self._pause(None)
            return False
        wait = self._pacer.wait(now + self._lead.seconds)
        self._board.slow = self._pacer.binding()
        if wait is not None and wait <= 0:
            return True
        if not self._settings.wait and not self._open and self._board.slow == "in_flight":
            self._board.stop(Stop.FULL, "As many tasks run as may at once. Run again when some have ended.")
            return False
        self._lead.needed = True
        await self._pause(wait)
        return False

    async def _pause(self, seconds: float | None) -> None:
        """Until an outcome, an ended task, a stop, or so many seconds."""
        self.wake.clear()
        if self._board.submitting:
            await sleep_or(self.wake, seconds)

    def _closed(self, worker: "asyncio.Task[None]") -> None:
        self._open.discard(worker)
        self.wake.set()
        if not worker.cancelled() and (error := worker.exception()) is not None:
            self._board.stop(Stop.DISK, f"Submitting stopped on an internal error: {error!r}.")

    # -- one job -------------------------------------------------------------------------------------------

    async def _submit(self, job: Pending, ticket: int, leave_at: float) -> None:
        attempt: Attempt | None = None
        began = self._board.clock.now()
        body, key = request_body(job.request), self._ledger.idempotency_key(job)

        async def before_send() -> None:
            nonlocal attempt
            if not self._board.may_leave:
                raise Halted
            now, post_timeout = self._board.clock.wall(), self._settings.post_timeout
            new = self._ledger.new_attempt(job, body, now=now, post_timeout=post_timeout, key=key)
            await self._ledger.begin(new)
            attempt = new
            await self._hold(began, leave_at)
            if not self._board.may_leave or self._board.clock.wall() >= new.not_after:
                raise Halted
            self._pacer.left(self._board.clock.now(), ticket)

        try:
            outcome = await self._api.submit(body, key, before_send)
        except Halted:
            if attempt is None:
                self._pacer.cancel_begin(self._board.clock.now(), ticket)
                return
            outcome = Outcome(OutcomeKind.NOT_SENT, "halted", "submitting stopped before the request left")
        except CapReached:
            self._pacer.cancel_begin(self._board.clock.now(), ticket)
            self._board.stop(Stop.CAP, "The credit cap is reached: the next job does not fit under it.")
            return
        except LedgerWriteError as error:
            self._pacer.cancel_begin(self._board.clock.now(), ticket)
            self._board.stop(Stop.DISK, f"{error.message} {error.hint}".strip())
            return
        if attempt is None:
            self._not_sent(job, outcome, ticket)
            return
        if self._settings.idempotent:
            outcome = await self._ask_again(attempt, outcome)
        if outcome.kind is OutcomeKind.REFUSED:  # before it is written down: no POST begins meanwhile
            self._board.stop(Stop.REFUSED, _refusal(outcome))
        await self._settle(job, attempt, outcome, ticket)

    async def _hold(self, began: float, leave_at: float) -> None:
        """Everything is ready: leave at the slot's own instant, so that the service sees an even pace."""
        now = self._board.clock.now()
        self._lead.took(now - began)
        if leave_at > now:
            await asyncio.sleep(leave_at - now)

    async def _ask_again(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        """The same attempt once more, with the same key and bytes: such a service answers what it did before.

        Only where the service is configured to honour the key. `not_after` moves first, durably: until then
        nobody may say that it was not charged.
        """
        for pause in ASK_AGAIN_AFTER:
            if outcome.kind is not OutcomeKind.IN_DOUBT or not self._board.submitting:
                return outcome
            await asyncio.sleep(pause)
            until = self._board.clock.wall() + self._settings.post_timeout + 30.0

            async def extend(until: float = until) -> None:
                if self._board.submitting:
                    await self._ledger.extend(attempt, until)
                if not self._board.submitting:
                    raise Halted

            try:
                answer = await self._api.submit(attempt.body, attempt.idempotency_key, extend)
            except (LedgerWriteError, Halted):
                return outcome
            if answer.kind is OutcomeKind.REFUSED:  # says nothing of the first sending
                self._board.stop(Stop.REFUSED, _refusal(answer))
                return outcome
            if answer.kind is OutcomeKind.ACCEPTED:  # a no may overtake the first sending, which then is paid for
                outcome = answer
        return outcome

    def _not_sent(self, job: Pending, outcome: Outcome, ticket: int) -> None:
        """No attempt began: nothing is in the ledger, and the job waits as before."""
        now = self._board.clock.now()
        self._pacer.not_sent(now, ticket)
        self._away.connection_failed(now, outcome.message)
        self._again.append(job)
        self._board.event("not_sent", job_id=job.job_id, code=outcome.code, message=outcome.message)

    async def _settle(self, job: Pending, attempt: Attempt, outcome: Outcome, ticket: int) -> None:
        try:
            outcome = await self._ledger.end(attempt, outcome, self._board.clock.wall())
        except LedgerWriteError as error:
            self._pacer.in_doubt(self._board.clock.now(), ticket)
            self._board.stop(Stop.DISK, f"{error.message} {error.hint}".strip())
            return
        self._board.event(
            outcome.kind.value,
            job_id=job.job_id,
            attempt_no=attempt.attempt_no,
            task_id=outcome.task_id,
            code=outcome.code,
            message=outcome.message,
            http_status=outcome.status,
        )
        self._learn(replace(job, attempts=job.attempts + 1), attempt, outcome, ticket)

    def _learn(self, job: Pending, attempt: Attempt, outcome: Outcome, ticket: int) -> None:
        now, board = self._board.clock.now(), self._board
        if outcome.kind not in (OutcomeKind.NOT_SENT, OutcomeKind.IN_DOUBT):
            self._away.answered(now)
        if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED):
            self._nothing_since = None
        match outcome.kind:
            case OutcomeKind.ACCEPTED:
                self._pacer.accepted(now, outcome.headers, ticket)
                board.submitted += 1
                board.credits_spent += job.price
                board.moved(State.NOT_SUBMITTED, State.SUBMITTED)
                self._accepted(_open_task(job, attempt, outcome, board.clock.wall()))
                self._check_price(job, outcome)
            case OutcomeKind.REJECTED:
                self._pacer.rejected(now, outcome.headers, ticket)
                board.submitted += 1
                board.moved(State.NOT_SUBMITTED, State.REJECTED)
                self.job_ended(ok=False)
            case OutcomeKind.THROTTLED:
                self._throttled(job, outcome, now, ticket)
            case OutcomeKind.NOT_SENT:
                self._pacer.not_sent(now, ticket)
                if board.submitting:
                    self._away.connection_failed(now, outcome.message)
                self._again.append(job)
            case OutcomeKind.REFUSED:
                self._pacer.rejected(now, outcome.headers, ticket)
                board.stop(Stop.REFUSED, _refusal(outcome))
            case OutcomeKind.IN_DOUBT:
                self._pacer.in_doubt(now, ticket)
                board.submitted += 1
                board.moved(State.NOT_SUBMITTED, State.IN_DOUBT)
                self._away.doubt(now, outcome.message)

    def _throttled(self, job: Pending, outcome: Outcome, now: float, ticket: int) -> None:
        wait = retry_after(outcome.headers, wall=self._board.clock.wall(), text=outcome.message)
        self._board.throttled += 1
        self._pacer.throttled(now, outcome.throttle, wait, outcome.headers, ticket)
        self._away.throttled(now, outcome.throttle, wait)
        self._again.append(job)
        if self._pacer.tasks:
            self._nothing_since = None  # it may wait for ours to end
        elif self._nothing_since is None:
            self._nothing_since = now
        elif now - self._nothing_since > NOTHING_FOR:
            said = f'"{outcome.message}"' if outcome.message else "429"
            self._board.stop(
                Stop.AWAY,
                f"The service has taken no job for {NOTHING_FOR / 60:.0f} minutes ({said}), and none of ours runs: "
                "stopped for now. Run again later to go on.",
            )

    def _check_price(self, job: Pending, outcome: Outcome) -> None:
        stated = outcome.charged_credits
        if stated is None or stated == job.price:
            return
        scene, model = job.request["scene"], job.request["model"]
        self._board.credits_spent += stated - job.price
        self._board.stop(
            Stop.PRICE,
            f"The service charged {stated} credits for {scene} with {model}, not {job.price}. "
            f"Mend that line of the price table, look at the plan, and run again.",
        )

    def job_ended(self, *, ok: bool) -> None:
        """A job ended, with or without a video: the circuit breaker counts."""
        self._failures.ended(ok=ok)
        if self._failures.tripped:
            left = max(0, self._board.to_submit - self._board.submitted)
            self._board.stop(
                Stop.FAILURES,
                f"{self._failures.sentence()} {left} jobs were not submitted, and not paid for.",
            )

    # -- a service that is away ----------------------------------------------------------------------------

    async def _wait_for_service(self) -> None:
        """Look now and then whether the service answers, by a GET; give up when it stays away."""
        while self._open:  # what was sent comes to its end first
            await asyncio.wait(self._open)
        while self._away.paused and self._board.submitting:
            now = self._board.clock.now()
            if self._away.parked(now):
                self._board.stop(Stop.AWAY, self._away.sentence(now))
                return
            self._board.slow = self._away.sentence(now)
            wait = self._away.wait(now)
            if wait > 0:
                await self._pause(wait)
                continue
            if await self._api.probe():
                self._away.probe_answered(self._board.clock.now())
            else:
                self._away.probe_failed(self._board.clock.now())


def _open_task(job: Pending, attempt: Attempt, outcome: Outcome, at: float) -> OpenTask:
    return OpenTask(
        task_no=attempt.attempt_id,
        task_id=outcome.task_id,
        job_no=job.job_no,
        job_id=job.job_id,
        model=str(job.request["model"]),
        scene=str(job.request["scene"]),
        accepted_at=at,
        state=State.SUBMITTED,
        looks=0,
        charged=job.price if outcome.charged_credits is None else outcome.charged_credits,
        purchase_no=job.purchase_no,
    )


def _refusal(outcome: Outcome) -> str:
    what = {
        "bad_key": "The service does not accept the API key",
        "insufficient_credits": "The service says that there are no credits left",
        "not_open": "The service's endpoint for videos is not open (it answered with a page, not with JSON)",
        "redirect": "The service redirects to another address, which is not followed with a key",
    }.get(outcome.code, "The service refuses the whole batch")
    words = f" ({outcome.message})" if outcome.message else ""
    return f"{what}{words}. Nothing more was submitted; what was submitted before is still collected."
