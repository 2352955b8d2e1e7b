"""What a job bought in each of its purchases: to which of them its row may come back, and which one it has now.

A purchase that a job leaves keeps, in its attempt, what the job said of it (`code`, `message`).
"""

import json
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from batchgen.job import NO_OUTPUT, PAID_LOST, Earlier, State
from batchgen.ledger.sqlite.prepared import Prepared
from batchgen.ledger.tables import LIVE, attempt, job, task

#: Written as the index has it, so that the index is used: attempts under which something may have been charged.
_live = sa.text(f"({LIVE})")
_of_job = attempt.alias()
_last = sa.select(sa.func.max(_of_job.c.attempt_id)).where(
    _of_job.c.job_no == sa.bindparam("no"), _of_job.c.fingerprint == sa.bindparam("content"), _live
)
LEAVE = Prepared(
    sa.update(attempt)
    .where(attempt.c.attempt_id == _last.scalar_subquery())
    .values(code=sa.bindparam("why"), message=sa.bindparam("words"))
)


class Leaving(Protocol):
    """A job as it was when it leaves a purchase."""

    @property
    def job_no(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def error_code(self) -> str: ...
    @property
    def error(self) -> str: ...


def left(one: Leaving) -> dict[str, Any]:
    """For LEAVE: a job is about to have another content, or to be bought again."""
    return {"no": one.job_no, "content": one.fingerprint, "why": one.error_code, "words": one.error}


def bought_earlier(connection: sa.Connection, job_nos: Sequence[int]) -> dict[tuple[int, str], Earlier]:
    """What became of each content that these jobs bought (at most some thousand jobs at once); the last of each."""
    query = (
        sa.select(attempt.c.job_no, attempt.c.fingerprint, attempt.c.code, attempt.c.message)
        .add_columns(task.c.state, task.c.video_urls)
        .outerjoin(task, task.c.task_no == attempt.c.attempt_id)
        .where(attempt.c.job_no.in_(job_nos), _live)
        .order_by(attempt.c.attempt_id)
    )
    return {
        (job_no, content): _earlier(code, words, state, urls)
        for job_no, content, code, words, state, urls in connection.execute(query)
    }


def _earlier(code: str, words: str, state: str | None, urls: str | None) -> Earlier:
    if state is None:  # no task: nothing that a job may leave is open or in doubt, so it is lost
        return Earlier(State.FAILED, PAID_LOST, words)
    if state == State.SUCCEEDED:  # it may have named its videos since it was left
        return Earlier(State.SUCCEEDED) if urls != "[]" else Earlier(State.SUCCEEDED, NO_OUTPUT, words)
    return Earlier(State(state), code, words)


def task_of_job() -> sa.ScalarSelect[int]:
    """The number of the task that a job's content was bought with last: not that of another content."""
    bought, its = task.alias(), attempt.alias()
    return (
        sa.select(sa.func.max(bought.c.task_no))
        .join(its, its.c.attempt_id == bought.c.task_no)
        .where(bought.c.job_no == job.c.job_no, its.c.fingerprint == job.c.fingerprint)
        .correlate(job)
        .scalar_subquery()
    )


def words(connection: sa.Connection, task_nos: Collection[int]) -> dict[int, str]:
    """The prompt that each of these tasks was bought with, as far as the body that was sent says it."""
    if not task_nos:
        return {}
    query = sa.select(attempt.c.attempt_id, attempt.c.body).where(attempt.c.attempt_id.in_(task_nos))
    return {number: prompt_in(body) for number, body in connection.execute(query)}


def prompt_in(body: bytes) -> str:
    """The prompt in the body of a POST: each service has a place of its own for it."""
    try:
        sent = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(sent, dict):
        return ""
    inner = sent.get("input")
    for place in (sent, inner if isinstance(inner, dict) else {}):
        if isinstance(place.get("prompt"), str):
            return str(place["prompt"])
    parts = sent.get("content")
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return next((text for text in texts if isinstance(text, str)), "")
