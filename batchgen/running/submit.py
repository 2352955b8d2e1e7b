"""Job -> ledger -> POST -> outcome -> ledger: the only file that can spend.

A job is sent again only when its outcome says that none of it reached the service, or that the service
refused it in its own words. Whatever else happens is in doubt, and stays with a person.
"""

import asyncio
from dataclasses import dataclass, replace

from batchgen.errors import LedgerWriteError, Stop
from batchgen.job import Outcome, OutcomeKind
from batchgen.ledger import Attempt, CapReached, views
from batchgen.ledger.attempts import SEND_MARGIN
from batchgen.ledger.rows import Pending
from batchgen.running.context import RunContext
from batchgen.running.outcomes import HALTED, Lessons, refusal
from batchgen.running.pacing import Lanes, Lead
from batchgen.running.state import sleep_or
from batchgen.service.dialects import Call

#: Seconds before a doubt is asked again, where the service honours Idempotency-Key.
ASK_AGAIN_AFTER = (1.0, 4.0, 15.0)


class Halted(Exception):
    """Submitting stopped while this POST was about to begin; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Permit:
    """One POST may leave at that instant (monotonic seconds); the pacer's ticket tells its answer from others."""

    ticket: int
    leave_at: float


class Submitter:
    """Submits one job at a time, as often as it is called at once.

    `settings.post_timeout`: seconds for one POST in all. `settings.honours_key`: the service is *configured* to
    honour Idempotency-Key, so a doubt may be asked again.
    """

    def __init__(self, run: RunContext, pacer: Lanes, lessons: Lessons) -> None:
        self._ledger, self._api = run.ledger, run.service
        self._board, self._clock = run.board, run.clock
        self._pacer = pacer
        self._lessons = lessons
        self._post_timeout, self._key = run.settings.post_timeout, run.settings.dialect.key_variable
        self._idempotent = run.settings.honours_key
        #: Whether a job was ever accepted at this address: then it speaks the API.
        self._is_right = run.ledger.read(views.has_task)
        self.lead = Lead()
        #: The workers that wait for a connection: nothing is written down for them yet.
        self.connecting: set[asyncio.Task[Pending | None]] = set()

    async def submit(self, job: Pending, permit: Permit) -> Pending | None:
        """Once; returns the job when it is to be sent again in this run."""
        attempt: Attempt | None = None
        clock, ticket = self._clock, permit.ticket
        began = clock.now()
        if (worker := asyncio.current_task()) is not None:
            self.connecting.add(worker)
            worker.add_done_callback(self.connecting.discard)
        call, key = self._api.create(job.request), self._ledger.idempotency_key(job)

        async def before_send() -> None:
            nonlocal attempt
            self.connecting.discard(worker)
            if not self._board.may_leave:
                raise Halted
            new = self._ledger.new_attempt(
                job, call.body, now=clock.wall(), post_timeout=self._post_timeout, key=key
            )
            await self._ledger.begin(new)
            attempt = new
            await self._hold(began, permit.leave_at)
            if not self._board.may_leave or clock.wall() >= new.not_after:
                raise Halted
            self._pacer.left(clock.now(), ticket)

        try:
            outcome = await self._api.submit(call, key, before_send)
        except Halted:
            if attempt is None:
                self._lessons.not_begun(ticket)
                return None
            outcome = Outcome(OutcomeKind.NOT_SENT, HALTED, "submitting stopped before the request left")
        except CapReached:
            self._lessons.not_begun(ticket)
            self._board.stop(Stop.CAP, "The credit cap is reached: the next job does not fit under it.")
            return None
        except LedgerWriteError as error:
            self._lessons.not_begun(ticket)
            self._board.stop(Stop.DISK, f"{error.message} {error.hint}".strip())
            return None
        if attempt is None:
            self._lessons.no_connection(job, outcome, ticket)
            return job
        if self._idempotent:
            outcome = await self._ask_again(job, call, attempt, outcome)
        outcome = self._at_address(outcome)
        if outcome.kind is OutcomeKind.REFUSED:  # before it is written down: no POST begins meanwhile
            self._board.stop(Stop.REFUSED, refusal(outcome, self._key))
        elif outcome.halt:
            self._board.stop(Stop.REFUSED, outcome.halt)
        return await self._settle(job, attempt, outcome, ticket)

    def _at_address(self, outcome: Outcome) -> Outcome:
        """A router's no, where nothing was ever accepted, is about the address: it is no row's fault."""
        self._is_right = self._is_right or outcome.kind is OutcomeKind.ACCEPTED
        if not outcome.address or self._is_right:
            return outcome
        return replace(outcome, kind=OutcomeKind.REFUSED, code="wrong_address")

    async def _hold(self, began: float, leave_at: float) -> None:
        """Everything is ready: leave at the slot's own instant, so that the service sees an even pace."""
        now = self._clock.now()
        self.lead.took(now - began)
        if leave_at > now:
            await asyncio.sleep(leave_at - now)

    async def _settle(self, job: Pending, attempt: Attempt, outcome: Outcome, ticket: int) -> Pending | None:
        try:
            outcome = await self._ledger.end(attempt, outcome, self._clock.wall())
        except LedgerWriteError as error:
            self._lessons.unwritten(ticket)
            self._board.stop(Stop.DISK, f"{error.message} {error.hint}".strip())
            return None
        self._board.event(
            outcome.kind.value,
            job_id=job.job_id,
            attempt_no=attempt.attempt_no,
            task_id=outcome.task_id,
            code=outcome.code,
            message=outcome.message,
            http_status=outcome.status,
            credits=_charged(attempt, outcome),
        )
        job = replace(job, attempts=job.attempts + 1)
        return job if self._lessons.learn(job, attempt, outcome, ticket) else None

    # -- a service that honours Idempotency-Key ------------------------------------------------------------

    async def _ask_again(self, job: Pending, call: Call, attempt: Attempt, outcome: Outcome) -> Outcome:
        """The same attempt once more, with the same key and bytes: such a service answers what it did before.

        Only where the service is configured to honour the key. `not_after` moves first, durably: until then
        nobody may say that it was not charged.
        """
        for pause in ASK_AGAIN_AFTER:
            if outcome.kind is not OutcomeKind.IN_DOUBT or not self._board.submitting:
                return outcome
            await sleep_or(self._board.stopped, pause)
            while (
                wait := self._pacer.wait(self._clock.now(), str(job.request["model"]))
            ) and self._board.submitting:
                await sleep_or(self._board.stopped, wait)
            answer = await self._once_more(job, call, attempt)
            if answer is None:
                return outcome
            if answer.kind is OutcomeKind.REFUSED:  # says nothing of the first sending
                self._board.stop(Stop.REFUSED, refusal(answer, self._key))
                return outcome
            if answer.kind is OutcomeKind.ACCEPTED:  # a no may overtake the first sending, which then is paid for
                outcome = answer
        return outcome

    async def _once_more(self, job: Pending, call: Call, attempt: Attempt) -> Outcome | None:
        """None: it did not leave. It counts for the pace, like any POST."""

        async def extend() -> None:
            until = self._clock.wall() + self._post_timeout + SEND_MARGIN
            if self._board.submitting:
                await self._ledger.extend(attempt, until)
            if not self._board.submitting:
                raise Halted

        ticket = self._pacer.begin(self._clock.now(), str(job.request["model"]))
        try:
            answer = await self._api.submit(call, attempt.idempotency_key, extend)
        except (LedgerWriteError, Halted):
            self._lessons.not_begun(ticket)
            return None
        self._lessons.heard_again(answer, ticket)
        return answer


def _charged(attempt: Attempt, outcome: Outcome) -> int | None:
    """What an accepted attempt costs: what the answer states, else the price that was reserved."""
    if outcome.kind is not OutcomeKind.ACCEPTED:
        return None
    return attempt.price if outcome.charged_credits is None else outcome.charged_credits
