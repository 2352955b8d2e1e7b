"""What an outcome teaches the run: the pace, whether the service is there, when to stop, what it cost."""

from collections.abc import Callable

from batchgen.errors import Stop
from batchgen.job import Outcome, OutcomeKind, State
from batchgen.ledger import Attempt
from batchgen.ledger.rows import Pending
from batchgen.ledger.tasks import OpenTask
from batchgen.running.context import RunContext
from batchgen.running.pacing import Away, Failures, Lanes, retry_after

#: Seconds of nothing but "too much", while no task of ours runs, after which a run ends.
NOTHING_FOR = 1800.0
#: The code of an attempt that was stopped before its request left: says nothing about the service.
HALTED = "halted"


class Lessons:
    """Hears every outcome once, after it is in the ledger; `accepted` takes the tasks that came of it."""

    def __init__(
        self,
        run: RunContext,
        pacer: Lanes,
        away: Away,
        failures: Failures,
        accepted: Callable[[OpenTask], None],
    ) -> None:
        self._run = run
        self._key = run.settings.dialect.key_variable
        self._board, self._clock = run.board, run.clock
        self._pacer = pacer
        self._away = away
        self._failures = failures
        self._accepted = accepted
        #: When the service began to take nothing, with none of ours running.
        self._nothing_since: float | None = None

    def not_begun(self, ticket: int) -> None:
        """The permit was not used: nothing was written down, nothing was sent."""
        self._pacer.cancel_begin(self._clock.now(), ticket)

    def no_connection(self, job: Pending, outcome: Outcome, ticket: int) -> None:
        """No attempt began: nothing is in the ledger, and the job waits as before."""
        self._nothing_left(self._clock.now(), outcome, ticket)
        self._board.event("not_sent", job_id=job.job_id, code=outcome.code, message=outcome.message)

    def unwritten(self, ticket: int) -> None:
        """The outcome could not be written down: the ledger calls it in doubt."""
        self._pacer.in_doubt(self._clock.now(), ticket)

    def heard_again(self, answer: Outcome, ticket: int) -> None:
        """An answer to the same attempt once more: it says something of the pace, and nothing else."""
        now = self._clock.now()
        match answer.kind:
            case OutcomeKind.THROTTLED:
                wait = retry_after(answer.headers, wall=self._clock.wall(), text=answer.message)
                self._pacer.throttled(now, answer.throttle, wait, answer.headers, ticket)
            case OutcomeKind.NOT_SENT:
                self._pacer.not_sent(now, ticket)
            case OutcomeKind.IN_DOUBT:
                self._pacer.in_doubt(now, ticket)
            case _:
                self._pacer.rejected(now, answer.headers, ticket)

    def learn(self, job: Pending, attempt: Attempt, outcome: Outcome, ticket: int) -> bool:
        """Whether the job is to be sent again: none of it reached the service, or the service said no for now."""
        now, board = self._clock.now(), self._board
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
                self._accepted(_open_task(job, attempt, outcome, self._clock.wall()))
                self._check_price(job, outcome)
            case OutcomeKind.REJECTED:
                self._pacer.rejected(now, outcome.headers, ticket)
                board.submitted += 1
                board.moved(State.NOT_SUBMITTED, State.REJECTED)
                self.job_ended(ok=False)
            case OutcomeKind.THROTTLED:
                self._throttled(outcome, now, ticket)
            case OutcomeKind.NOT_SENT:
                self._nothing_left(now, outcome, ticket)
            case OutcomeKind.REFUSED:
                self._pacer.rejected(now, outcome.headers, ticket)
                board.stop(Stop.REFUSED, refusal(outcome, self._key))
            case OutcomeKind.IN_DOUBT:
                self._pacer.in_doubt(now, ticket)
                board.submitted += 1
                board.moved(State.NOT_SUBMITTED, State.IN_DOUBT)
                self._away.doubt(now, outcome.message)
        return outcome.kind in (OutcomeKind.NOT_SENT, OutcomeKind.THROTTLED)

    def _nothing_left(self, now: float, outcome: Outcome, ticket: int) -> None:
        if outcome.code == HALTED:
            self._pacer.cancel_begin(now, ticket)
            return
        self._pacer.not_sent(now, ticket)
        self._away.connection_failed(now, outcome.message)

    def _throttled(self, outcome: Outcome, now: float, ticket: int) -> None:
        wait = retry_after(outcome.headers, wall=self._clock.wall(), text=outcome.message)
        self._board.throttled += 1
        self._pacer.throttled(now, outcome.throttle, wait, outcome.headers, ticket)
        if not self._pacer.by_model:  # one model that is full says nothing of the others
            self._away.throttled(now, outcome.throttle, wait)
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
        scene, model = str(job.request["scene"]), str(job.request["model"])
        line = self._run.price_line(str(job.request["provider"]), model, scene)
        self._board.credits_spent += stated - job.price
        self._board.stop(
            Stop.PRICE,
            f"The service charged {stated} credits for {scene} with {model}, not {job.price}. "
            f"Write {line} = {stated} into batchgen.toml, look at the plan, and run again.",
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


def _open_task(job: Pending, attempt: Attempt, outcome: Outcome, at: float) -> OpenTask:
    return OpenTask(
        task_no=attempt.attempt_id,
        task_id=outcome.task_id,
        job_no=job.job_no,
        job_id=job.job_id,
        model=str(job.request["model"]),
        scene=str(job.request["scene"]),
        provider=str(job.request["provider"]),
        accepted_at=at,
        state=State.SUBMITTED,
        looks=0,
        charged=job.price if outcome.charged_credits is None else outcome.charged_credits,
        purchase_no=job.purchase_no,
    )


#: What the service says no to for the whole batch, and what to do about it.
_REFUSALS = {
    "bad_key": ("The service does not accept the API key", "Check {key}, then run again."),
    "insufficient_credits": (
        "The service says that there are no credits left",
        "Add credits at the service, then run again; what runs there already is still collected.",
    ),
    "not_open": (
        "The service's endpoint for videos is not open (it answered with a page, not with JSON)",
        "Check the address (--base-url) with the service.",
    ),
    "redirect": (
        "The service redirects to another address, which is not followed with a key",
        "If you trust that address, name it with --base-url.",
    ),
}


def refusal(outcome: Outcome, key: str) -> str:
    """Why the service takes nothing of this batch, and what to do, for people. `key` is the variable of its key."""
    refused = ("The service refuses the whole batch", "Mend what it names, then run again.")
    what, advice = _REFUSALS.get(outcome.code, refused)
    if outcome.code == "wrong_address":
        what, advice = "The address does not speak this service's API", outcome.address
    elif outcome.address and outcome.code == "not_open":
        advice = f"{advice} {outcome.address}"
    words = f" ({outcome.message.rstrip('. ')})" if outcome.message else ""
    return f"{what}{words}. Nothing more was submitted. {advice.format(key=key)}"
