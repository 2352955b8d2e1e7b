"""What is left to be said of a ledger besides its counts: why a video is not here, which money may come back."""

import sqlalchemy as sa

from batchgen.job import ENDED_WITHOUT_VIDEO, PAID_ENDS, State
from batchgen.ledger.tables import job, task, video


def download_trouble(connection: sa.Connection) -> str:
    """Why one of the videos could not be had when it was tried last; "" when none failed."""
    query = (
        sa.select(video.c.trouble)
        .join(task, task.c.task_no == video.c.task_no)
        .where(task.c.state == State.SUCCEEDED.value, video.c.sha256 == "", video.c.trouble != "")
        .limit(1)
    )
    return str(connection.execute(query).scalar() or "")


def money_lost(connection: sa.Connection) -> int:
    """Jobs that a person left without a video although they count as spent: lost, or given up."""
    ended = job.c.state.in_([state.value for state in ENDED_WITHOUT_VIDEO])
    query = sa.select(sa.func.count()).select_from(job).where(ended, job.c.error_code.in_(sorted(PAID_ENDS)))
    return int(connection.execute(query).scalar_one())


def refund_expected(connection: sa.Connection) -> int:
    """Credits of failed tasks that the service has not said it gave back."""
    query = sa.select(sa.func.coalesce(sa.func.sum(task.c.charged - task.c.refunded), 0))
    return int(connection.execute(query.where(task.c.state == State.FAILED.value)).scalar_one())
