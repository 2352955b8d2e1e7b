"""A person names the task of a job that is settled already: what was lost is found, what was given up is waited for
again, a wrong id is put right. No credits move: the price was booked when the job was settled.
"""

from typing import Any

import sqlalchemy as sa

from batchgen.errors import UsageError
from batchgen.job import GIVEN_UP, PAID_LOST, TASK_NOT_FOUND, State
from batchgen.ledger import rows, tasks
from batchgen.ledger.decisions import Person, note, refuse_known_task
from batchgen.ledger.tables import LIVE, attempt, decision, job, task

#: How a job stands whose task a person may still name.
_OPEN_TO_A_NAME = {
    (State.FAILED, PAID_LOST),
    (State.EXPIRED, GIVEN_UP),
    (State.OVERDUE, TASK_NOT_FOUND),
}


def name_task(connection: sa.Connection, job_id: str, task_id: str, service: str, by: Person) -> None:
    """The job's task is this one: it is polled from now on. Raises UsageError where nothing is to be put right."""
    now = _settled(connection, job_id)
    if now is None or (now.task_id == task_id and now.error_code == TASK_NOT_FOUND):
        raise UsageError(
            f"Job {job_id} is not in doubt.",
            code="not_in_doubt",
            hint="`batchgen resolve OUT` lists the jobs that are.",
        )
    if now.task_id is None:
        refuse_known_task(connection, service, task_id)
        _found(connection, now, task_id, service)
    elif now.task_id == task_id:
        _wait_again(connection, now)
    else:
        refuse_known_task(connection, service, task_id)
        _refuse_unless_only_said(connection, now)
        _wait_again(connection, now, task_id=task_id, looks=0)
    rows.set_state(connection, [rows.state(now.job_no, State.SUBMITTED)])
    note(connection, by, "resolve: task", job_id, task_id=task_id, was=now.task_id or PAID_LOST)


def _settled(connection: sa.Connection, job_id: str) -> Any:
    """What the job's content was bought with last, if that is lost, given up, or unknown to the service."""
    query = (
        sa.select(
            job.c.job_no, job.c.job_id, job.c.state, job.c.error_code, attempt.c.attempt_id,
            attempt.c.price, attempt.c.begun_at, task.c.task_id, task.c.word,
        )
        .join(attempt, (attempt.c.job_no == job.c.job_no) & (attempt.c.fingerprint == job.c.fingerprint))
        .outerjoin(task, task.c.task_no == attempt.c.attempt_id)
        .where(job.c.job_id == job_id, sa.text(f"({LIVE})"))
        .order_by(attempt.c.attempt_id.desc())
        .limit(1)
    )  # fmt: skip
    one = connection.execute(query).first()
    return one if one and (one.state, one.error_code) in _OPEN_TO_A_NAME else None


def _found(connection: sa.Connection, now: Any, task_id: str, service: str) -> None:
    """What was lost has a task after all."""
    lost = (attempt.c.attempt_id == now.attempt_id) & (attempt.c.outcome == PAID_LOST)
    if connection.execute(sa.update(attempt).where(lost).values(outcome="accepted")).rowcount != 1:
        raise UsageError(f"Job {now.job_id} changed meanwhile; nothing was settled.", code="changed")
    new = tasks.NewTask(now.attempt_id, service, task_id, now.job_no, now.price, now.begun_at)
    tasks.insert(connection, [new])


def _wait_again(connection: sa.Connection, now: Any, **values: Any) -> None:
    """The task is waited for: a person had ended the wait, or the service did not know the id."""
    ended_by_us = (task.c.task_no == now.attempt_id) & task.c.state.in_([State.EXPIRED.value, State.OVERDUE.value])
    values = {"state": State.SUBMITTED.value, "finished_at": None} | values
    if connection.execute(sa.update(task).where(ended_by_us).values(values)).rowcount != 1:
        raise UsageError(f"Job {now.job_id} changed meanwhile; nothing was settled.", code="changed")


def _refuse_unless_only_said(connection: sa.Connection, now: Any) -> None:
    """An id that the service gave, or answered for, stands; one that only a person gave may have been a slip."""
    said = sa.select(decision.c.decision_no).where(
        decision.c.what == "resolve: task", sa.func.json_extract(decision.c.detail, "$.task_id") == now.task_id
    )
    if now.word or connection.execute(said.limit(1)).first() is None:
        raise UsageError(
            f"The service itself named task {now.task_id} for job {now.job_id}; no other takes its place.",
            code="task_stands",
            hint=f"To wait for it again, name it: --task-id {now.task_id}.",
        )
