"""Money: an attempt begins (durable, its price reserved) and ends with an outcome (durable, settled).

Every handler here takes a connection inside a transaction of the writer and a group of payloads. An open
attempt ends once: each statement names the state that it expects, so a second ending changes nothing.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from batchgen.job import Outcome, OutcomeKind, State
from batchgen.ledger import rows, tasks
from batchgen.ledger.account import reserve, settle
from batchgen.ledger.sqlite.prepared import Prepared
from batchgen.ledger.tables import attempt, job

#: Outcomes that give the reservation back, and the state that the job has afterwards.
RELEASED = {
    OutcomeKind.REJECTED: State.REJECTED,
    OutcomeKind.THROTTLED: State.NOT_SUBMITTED,
    OutcomeKind.NOT_SENT: State.NOT_SUBMITTED,
    OutcomeKind.REFUSED: State.NOT_SUBMITTED,
}
EVIDENCE_BYTES = 65536
#: Seconds after a submission's deadline in which it may still arrive at the service.
SEND_MARGIN = 30.0
_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST about to leave: everything that is durable before its first byte."""

    attempt_id: int
    job_no: int
    job_id: str
    purchase_no: int
    attempt_no: int
    fingerprint: str
    body: bytes
    price: int
    idempotency_key: str
    owner: str
    begun_at: float
    not_after: float


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An attempt and what is known after it."""

    attempt: Attempt
    outcome: Outcome
    at: float
    service: str


def next_attempt_id(connection: sa.Connection) -> int:
    """The number after the last attempt: one process writes, so it may count on by itself."""
    return int(connection.execute(sa.select(sa.func.max(attempt.c.attempt_id))).scalar() or 0) + 1


def recent_begins(connection: sa.Connection, since: float, most: int = 10_000) -> list[float]:
    """When the last attempts began (seconds since 1970), those after `since`, oldest first."""
    query = sa.select(attempt.c.begun_at).order_by(attempt.c.attempt_id.desc()).limit(most)
    return sorted(at for at in connection.execute(query).scalars() if at > since)


_INSERT_ATTEMPT = Prepared(
    sa.insert(attempt),
    [
        "attempt_id",
        "job_no",
        "purchase_no",
        "attempt_no",
        "fingerprint",
        "body",
        "body_sha256",
        "price",
        "idempotency_key",
        "owner",
        "begun_at",
        "not_after",
    ],
)
_SUBMITTING = Prepared(
    sa.update(job)
    .where(job.c.job_no == sa.bindparam("no"), job.c.state == State.NOT_SUBMITTED.value)
    .values(state=State.SUBMITTING.value, attempts=job.c.attempts + 1)
)


def begin(connection: sa.Connection, attempts: Sequence[Attempt]) -> list[None]:
    """Reserve the prices and write the attempts down. Raises CapReached when they do not all fit."""
    total = sum(one.price for one in attempts)
    reserve(connection, total)
    _INSERT_ATTEMPT.execute(connection, [_attempt_values(one) for one in attempts])
    changed = _SUBMITTING.execute(connection, [{"no": one.job_no} for one in attempts])
    if changed != len(attempts):
        raise RuntimeError("a job that is not waiting to be submitted was about to be submitted")
    return [None] * len(attempts)


def _attempt_values(one: Attempt) -> dict[str, object]:
    return {
        "attempt_id": one.attempt_id,
        "job_no": one.job_no,
        "purchase_no": one.purchase_no,
        "attempt_no": one.attempt_no,
        "fingerprint": one.fingerprint,
        "body": one.body,
        "body_sha256": hashlib.sha256(one.body).hexdigest(),
        "price": one.price,
        "idempotency_key": one.idempotency_key,
        "owner": one.owner,
        "begun_at": one.begun_at,
        "not_after": one.not_after,
    }


_END_ATTEMPT = Prepared(
    sa.update(attempt)
    .where(attempt.c.attempt_id == sa.bindparam("id"), attempt.c.outcome.is_(None))
    .values(
        outcome=sa.bindparam("new_outcome"),
        ended_at=sa.bindparam("at"),
        code=sa.bindparam("new_code"),
        message=sa.bindparam("new_message"),
        http_status=sa.bindparam("status"),
        headers=sa.bindparam("new_headers"),
        evidence=sa.bindparam("new_evidence"),
    )
)


def end(connection: sa.Connection, ended: Sequence[EndedAttempt]) -> list[None]:
    """Write the outcomes down, settle the reservations, and remember accepted tasks.

    A task id that the ledger has already raises IntegrityError: the caller ends that attempt in doubt.
    """
    if _END_ATTEMPT.execute(connection, [_outcome_values(one) for one in ended]) != len(ended):
        raise RuntimeError("an attempt ended twice")
    accepted = [one for one in ended if one.outcome.kind is OutcomeKind.ACCEPTED]
    if accepted:
        tasks.insert(connection, [_task(one) for one in accepted])
    rows.set_state(connection, [_job_values(one) for one in ended])
    settle(
        connection,
        reserved=-sum(one.attempt.price for one in ended),
        charged=sum(charge(one) for one in accepted),
        unplanned=sum(max(0, charge(one) - one.attempt.price) for one in accepted),
        in_doubt=sum(one.attempt.price for one in ended if one.outcome.kind is OutcomeKind.IN_DOUBT),
    )
    return [None] * len(ended)


def extend(connection: sa.Connection, some: Sequence[tuple[int, float]]) -> list[None]:
    """Open attempts that are sent once more: the time after which nothing of them can arrive moves."""
    for attempt_id, not_after in some:
        still_open = (attempt.c.attempt_id == attempt_id) & attempt.c.outcome.is_(None)
        if connection.execute(sa.update(attempt).where(still_open).values(not_after=not_after)).rowcount != 1:
            raise RuntimeError("an attempt that has ended was about to be sent again")
    return [None] * len(some)


def charge(one: EndedAttempt) -> int:
    """What an accepted attempt costs: what the answer states, else the price frozen at begin."""
    stated = one.outcome.charged_credits
    return one.attempt.price if stated is None else stated


def _outcome_values(one: EndedAttempt) -> dict[str, object]:
    outcome = one.outcome
    return {
        "id": one.attempt.attempt_id,
        "new_outcome": outcome.kind.value,
        "at": one.at,
        "new_code": outcome.code,
        "new_message": outcome.message,
        "status": outcome.status,
        "new_headers": _json(dict(outcome.headers)) if outcome.headers else "{}",
        "new_evidence": outcome.evidence[:EVIDENCE_BYTES],
    }


def _task(one: EndedAttempt) -> tasks.NewTask:
    its = one.attempt
    return tasks.NewTask(its.attempt_id, one.service, one.outcome.task_id, its.job_no, charge(one), one.at)


def _job_values(one: EndedAttempt) -> dict[str, object]:
    outcome = one.outcome
    if outcome.kind is OutcomeKind.ACCEPTED:
        state, code, words = State.SUBMITTED, "", ""
    elif outcome.kind is OutcomeKind.IN_DOUBT:
        state, code, words = State.IN_DOUBT, outcome.code, outcome.message
    else:
        state = RELEASED[outcome.kind]
        kept = outcome.kind in (OutcomeKind.REJECTED, OutcomeKind.REFUSED)
        code, words = (outcome.code, outcome.message) if kept else ("", "")
    return rows.state(one.attempt.job_no, state, code, words)


def recover(connection: sa.Connection, at: float) -> int:
    """Under the run lock: every open attempt belongs to a dead owner, and is in doubt. Returns how many."""
    is_open = attempt.c.outcome.is_(None)
    price = connection.execute(
        sa.select(sa.func.coalesce(sa.func.sum(attempt.c.price), 0)).where(is_open)
    ).scalar_one()
    lost = connection.execute(sa.select(attempt.c.job_no).where(is_open)).scalars()
    rows.set_state(connection, [rows.state(number, State.IN_DOUBT, INTERRUPTED, _INTERRUPTED) for number in lost])
    recovered = connection.execute(
        sa.update(attempt)
        .where(is_open)
        .values(outcome=OutcomeKind.IN_DOUBT.value, ended_at=at, code=INTERRUPTED, message=_INTERRUPTED)
    ).rowcount
    settle(connection, reserved=-price, in_doubt=price)
    return recovered


KNOWN_TASK_ID = "known_task_id"
INTERRUPTED = "interrupted"
_INTERRUPTED = "batchgen was stopped after the request may have left and before the answer was read"


def known_words(task_id: str) -> str:
    """Why an accepted attempt is a doubt all the same."""
    return f"the service answered with task id {task_id}, which another job has already"
