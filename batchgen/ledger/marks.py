"""What a person thinks of videos: accept or reject, a note, other words. A mark is of one task and no other.

A job that is bought again has another task, so its new video has no mark; the old mark stays with the old video.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from batchgen.job import State
from batchgen.ledger import decisions
from batchgen.ledger.decisions import Person
from batchgen.ledger.purchases import task_of_job
from batchgen.ledger.tables import job, mark, task

ACCEPT, REJECT = "accept", "reject"
WORDS = (ACCEPT, REJECT)
#: So many names in one question to the store.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Mark:
    """One line of a marks file: what is thought of the video that `task_id` made for `job_id`."""

    job_id: str
    task_id: str
    mark: str
    note: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A task of this ledger: its job, and whether it made the video that the job has now."""

    job_no: int
    job_id: str
    current: bool


def of_jobs(connection: sa.Connection, job_nos: Sequence[int]) -> Mapping[tuple[int, str], Mark]:
    """The marks of these jobs (some thousand at once), by job and task."""
    query = sa.select(mark, job.c.job_id).join(job, job.c.job_no == mark.c.job_no).where(mark.c.job_no.in_(job_nos))
    return {
        (one.job_no, one.task_id): Mark(one.job_id, one.task_id, one.mark, one.note, one.prompt)
        for one in connection.execute(query)
    }


def judged(connection: sa.Connection, task_ids: Sequence[str]) -> dict[str, Judged]:
    """What the ledger knows of these tasks; those that it never had are not among them."""
    found: dict[str, Judged] = {}
    for start in range(0, len(task_ids), _AT_ONCE):
        query = (
            sa.select(task.c.task_id, task.c.task_no, job.c.job_no, job.c.job_id, job.c.state)
            .add_columns(task_of_job().label("its"))
            .join(job, job.c.job_no == task.c.job_no)
            .where(task.c.task_id.in_(task_ids[start : start + _AT_ONCE]))
        )
        for task_id, task_no, job_no, job_id, state, its in connection.execute(query):
            found[task_id] = Judged(job_no, job_id, task_no == its and state == State.SUCCEEDED.value)
    return found


def take(connection: sa.Connection, marks: Sequence[tuple[Judged, Mark]], by: Person) -> None:
    """Keep these marks, each in place of an earlier one of the same video."""
    for about, one in marks:
        where = (mark.c.job_no == about.job_no) & (mark.c.task_id == one.task_id)
        values = {"mark": one.mark, "note": one.note, "prompt": one.prompt, "at": by.at}
        if connection.execute(sa.update(mark).where(where).values(values)).rowcount == 0:
            connection.execute(sa.insert(mark).values(job_no=about.job_no, task_id=one.task_id, **values))
        decisions.note(connection, by, f"review: {one.mark}", about.job_id, task_id=one.task_id)


def of_current_videos(connection: sa.Connection, word: str) -> list[Mark]:
    """The marks with this word on the videos that jobs have now, in the order of the rows."""
    query = (
        sa.select(mark.c.task_id, mark.c.note, mark.c.prompt, job.c.job_id)
        .join(job, job.c.job_no == mark.c.job_no)
        .join(task, (task.c.job_no == job.c.job_no) & (task.c.task_id == mark.c.task_id))
        .where(mark.c.mark == word, job.c.state == State.SUCCEEDED.value, task.c.task_no == task_of_job())
        .order_by(job.c.position, job.c.job_no)
    )
    return [Mark(one.job_id, one.task_id, word, one.note, one.prompt) for one in connection.execute(query)]
