"""What only a person may decide: settle a doubt, give a task up, buy again. Each is written down."""

import getpass
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from batchgen.errors import UsageError
from batchgen.job import (
    ENDED_WITHOUT_VIDEO,
    GIVEN_UP,
    NO_OUTPUT,
    PAID_ENDS,
    PAID_LOST,
    WAITING,
    State,
    fingerprint,
    request_body,
)
from batchgen.ledger import purchases, rows, tasks
from batchgen.ledger.account import settle
from batchgen.ledger.sqlite.store import meta_value, set_meta_value
from batchgen.ledger.tables import attempt, decision, job, task


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides (the name of the account), and when: for the record of decisions."""

    name: str
    at: float

    @classmethod
    def here(cls, at: float) -> "Person":
        """Whoever runs this process."""
        try:
            return cls(getpass.getuser(), at)
        except (OSError, KeyError, ImportError):
            return cls("unknown", at)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt in doubt, with what helps to find it in the service's dashboard."""

    attempt_id: int
    job_no: int
    job_id: str
    price: int
    begun_at: float
    not_after: float
    code: str
    message: str
    http_status: int | None
    headers: dict[str, str]
    evidence: bytes
    request: dict[str, Any]
    ended_at: float | None = None


def doubts(connection: sa.Connection) -> list[Doubt]:
    """Every doubt, oldest first."""
    query = (
        sa.select(attempt, job.c.job_id, job.c.request)
        .join(job, job.c.job_no == attempt.c.job_no)
        .where(attempt.c.outcome == "in_doubt")
        .order_by(attempt.c.attempt_id)
    )
    return [
        Doubt(
            one.attempt_id, one.job_no, one.job_id, one.price, one.begun_at, one.not_after, one.code,
            one.message, one.http_status, json.loads(one.headers), one.evidence or b"",
            json.loads(one.request), one.ended_at,
        )
        for one in connection.execute(query)
    ]  # fmt: skip


def frozen(connection: sa.Connection, attempt_ids: Sequence[int]) -> dict[int, bytes]:
    """The bodies of these attempts, as they were frozen before they left."""
    wanted, found = set(attempt_ids), {}
    for number, body in connection.execute(
        sa.select(attempt.c.attempt_id, attempt.c.body).where(attempt.c.outcome == "in_doubt")
    ):
        if number in wanted:
            found[number] = body
    return found


def open_attempts(connection: sa.Connection) -> list[tuple[int, str, bytes, float, float]]:
    """(attempt, model, body, begin, not after) of attempts that have no outcome yet."""
    query = (
        sa.select(attempt.c.attempt_id, job.c.model, attempt.c.body, attempt.c.begun_at, attempt.c.not_after)
        .join(job, job.c.job_no == attempt.c.job_no)
        .where(attempt.c.outcome.is_(None))
    )
    return [(no, model, body, begun, last) for no, model, body, begun, last in connection.execute(query)]


def adopt(connection: sa.Connection, doubt: Doubt, task_id: str, service: str, by: Person) -> None:
    """The doubt was accepted, as this task: it is polled like any other from now on."""
    refuse_known_task(connection, service, task_id)
    _settle_doubt(connection, doubt, "accepted", State.SUBMITTED, "", "")
    new = tasks.NewTask(doubt.attempt_id, service, task_id, doubt.job_no, doubt.price, doubt.begun_at)
    tasks.insert(connection, [new])
    settle(connection, in_doubt=-doubt.price, charged=doubt.price)
    note(connection, by, "resolve: task", doubt.job_id, task_id=task_id)


def refuse_known_task(connection: sa.Connection, service: str, task_id: str) -> None:
    """Raise UsageError for a task that a job has already."""
    taken = connection.execute(
        sa.select(job.c.job_id)
        .join(task, task.c.job_no == job.c.job_no)
        .where(task.c.service == service, task.c.task_id == task_id)
    ).scalar()
    if taken is not None:
        raise UsageError(
            f"Task {task_id} belongs to job {taken} already.",
            code="task_known",
            hint="Each task belongs to one job; look for the task of this one.",
        )


def not_charged(connection: sa.Connection, doubt: Doubt, by: Person) -> None:
    """The service has no such task: the reservation is free again, and the job may be submitted again."""
    if by.at <= doubt.not_after:
        wait = int(doubt.not_after - by.at) + 1
        raise UsageError(
            f"The request of job {doubt.job_id} may still arrive at the service.",
            code="too_early",
            hint=f"Look again in {wait} seconds: until then nobody can know that it was not charged.",
        )
    _settle_doubt(connection, doubt, "not_charged", State.NOT_SUBMITTED, "", "")
    settle(connection, in_doubt=-doubt.price)
    note(connection, by, "resolve: not charged", doubt.job_id)


def paid_lost(connection: sa.Connection, doubt: Doubt, by: Person) -> None:
    """It was charged, and its task can't be found: counts as spent."""
    words = "paid for, but the service's answer was lost and its task was not found"
    _settle_doubt(connection, doubt, PAID_LOST, State.FAILED, PAID_LOST, words)
    settle(connection, in_doubt=-doubt.price, charged=doubt.price)
    note(connection, by, "resolve: paid, lost", doubt.job_id)


def _settle_doubt(
    connection: sa.Connection, doubt: Doubt, outcome: str, state: State, code: str, words: str
) -> None:
    changed = connection.execute(
        sa.update(attempt)
        .where(attempt.c.attempt_id == doubt.attempt_id, attempt.c.outcome == "in_doubt")
        .values(outcome=outcome)
    ).rowcount
    if changed != 1:
        raise UsageError(f"Job {doubt.job_id} is not in doubt any more.", code="not_in_doubt")
    rows.set_state(connection, [rows.state(doubt.job_no, state, code, words)])


def give_up(connection: sa.Connection, job_id: str, by: Person) -> None:
    """Stop waiting for a task that never ends: counts as spent, state expired."""
    words = "a person gave up waiting for the task"
    number = connection.execute(sa.select(job.c.job_no).where(job.c.job_id == job_id)).scalar() or 0
    changed = connection.execute(
        sa.update(task)
        .where(task.c.job_no == number, task.c.state.in_([state.value for state in WAITING]))
        .values(state=State.EXPIRED.value, finished_at=by.at)
    ).rowcount
    if changed != 1:
        raise UsageError(
            f"Job {job_id} has no task that is still waited for.",
            code="not_waiting",
            hint="`batchgen status OUT` shows what each job waits for.",
        )
    rows.set_state(connection, [rows.state(number, State.EXPIRED, GIVEN_UP, words)])
    note(connection, by, "give up", job_id)


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that ended without a video (or has one, when asked for by name): may be bought again, at `price`.

    `new_prompt` is what a person's mark gives in place of its words.
    """

    job_no: int
    job_id: str
    fingerprint: str
    state: State
    purchase_no: int
    price: int
    error_code: str
    error: str
    provider: str
    model: str
    scene: str
    request: Mapping[str, Any]
    new_prompt: str = ""

    @property
    def words(self) -> str:
        """The prompt, "" without one."""
        return str(self.request.get("prompt") or "")

    @property
    def paid(self) -> bool:
        """Whether it was paid for by a person's word or the service's: then it is bought again only on demand."""
        return self.state is State.SUCCEEDED or self.error_code in PAID_ENDS


def ended_jobs(
    connection: sa.Connection,
    *,
    states: Iterable[State] = (),
    codes: Iterable[str] = (),
    job_ids: Iterable[str] = (),
) -> list[EndedJob]:
    """Jobs to buy again: those that ended without a video, narrowed by state, code and id.

    A succeeded job is among them where its task named no video, or when it is named by its id.
    """
    states, codes, job_ids = list(states), list(codes), list(job_ids)
    succeeded = job.c.state == State.SUCCEEDED.value
    if not job_ids:
        succeeded &= job.c.error_code == NO_OUTPUT
    query = sa.select(
        job.c.job_no, job.c.job_id, job.c.fingerprint, job.c.state, job.c.purchase_no, job.c.price,
        job.c.error_code, job.c.error, job.c.provider, job.c.model, job.c.scene, job.c.request,
    ).where(job.c.state.in_([state.value for state in ENDED_WITHOUT_VIDEO]) | succeeded)  # fmt: skip
    if states:
        query = query.where(job.c.state.in_([state.value for state in states]))
    if codes:
        query = query.where(job.c.error_code.in_(codes))
    if job_ids:
        query = query.where(job.c.job_id.in_(job_ids))
    return [
        EndedJob(
            one.job_no,
            one.job_id,
            one.fingerprint,
            State(one.state),
            one.purchase_no,
            one.price,
            one.error_code,
            one.error,
            one.provider,
            one.model,
            one.scene,
            json.loads(one.request),
        )
        for one in connection.execute(query.order_by(job.c.position))
    ]


def buy_again(connection: sa.Connection, chosen: Sequence[EndedJob], by: Person) -> None:
    """Raise the purchase numbers: these jobs, and only these, wait to be submitted, at the prices that they say."""
    connection.execute(sa.update(job).where(job.c.selected == 1).values(selected=0))
    set_meta_value(connection, "taken_in", None)  # the next run chooses anew
    if half := meta_value(connection, "taking_in"):
        set_meta_value(connection, "taking_in", {**half, "mark": None})
    for one in chosen:
        purchases.LEAVE.execute(connection, [purchases.left(one)])
        changed = connection.execute(
            sa.update(job)
            .where(
                job.c.job_no == one.job_no,
                job.c.purchase_no == one.purchase_no,
                job.c.state == one.state.value,
            )
            .values(
                purchase_no=one.purchase_no + 1,
                price=one.price,
                state=State.NOT_SUBMITTED,
                selected=1,
                error_code="",
                error="",
                **_reworded(connection, one),
            )
        ).rowcount
        if changed != 1:
            raise UsageError(f"Job {one.job_id} changed meanwhile; nothing was bought.", code="changed")
        note(connection, by, "buy again: retry", one.job_id, purchase_no=one.purchase_no + 1, was=one.state)


def _reworded(connection: sa.Connection, one: EndedJob) -> dict[str, Any]:
    """New words for a job that is bought again: its row may keep the old ones."""
    if not one.new_prompt:
        return {}
    query = sa.select(job.c.request, job.c.row_fingerprint).where(job.c.job_no == one.job_no)
    request, row_fingerprint = connection.execute(query).one()
    changed = {**json.loads(request), "prompt": one.new_prompt}
    content, of_row = fingerprint(changed), row_fingerprint or one.fingerprint
    is_row = content == of_row
    return {
        "request": request_body(changed).decode(),
        "fingerprint": content,
        "replaced_prompt": None if is_row else one.new_prompt,
        "row_fingerprint": None if is_row else of_row,
    }


def note(connection: sa.Connection, by: Person, what: str, job_id: str = "", **detail: Any) -> None:
    """Append to the record of decisions."""
    connection.execute(
        sa.insert(decision).values(at=by.at, who=by.name, what=what, job_id=job_id, detail=json.dumps(detail))
    )
