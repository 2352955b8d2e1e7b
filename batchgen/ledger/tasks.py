"""What became of accepted tasks, and of their files. Terminal states absorb.

Nothing here can lead to a POST.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from batchgen.job import NO_OUTPUT, TERMINAL, WAITING, State, TaskStatus
from batchgen.ledger import rows
from batchgen.ledger.account import settle
from batchgen.ledger.purchases import task_of_job
from batchgen.ledger.sqlite.prepared import Prepared
from batchgen.ledger.tables import attempt, job, task, video


class NewTask(NamedTuple):
    """A task as it is born: `task_no` is the number of the attempt that was accepted."""

    task_no: int
    service: str
    task_id: str
    job_no: int
    charged: int
    accepted_at: float


_INSERT = Prepared(sa.insert(task), [*NewTask._fields, "state"])


def insert(connection: sa.Connection, new: Sequence[NewTask]) -> None:
    """Remember what was accepted. A task id that is there already raises IntegrityError."""
    _INSERT.execute(connection, [{**one._asdict(), "state": State.SUBMITTED.value} for one in new])


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task that has not ended, as far as the ledger knows."""

    task_no: int
    task_id: str
    job_no: int
    job_id: str
    model: str
    scene: str
    accepted_at: float
    state: State
    looks: int
    charged: int
    purchase_no: int = 1
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look said of a task: a state to write down. `error_code` and `error` go to the job.

    `refunded` is what the service stated: no more than the charge is counted.
    """

    task: OpenTask
    state: State
    at: float
    looks: int
    word: str = ""
    video_urls: tuple[str, ...] = ()
    error_code: str = ""
    error: str = ""
    refunded: int | None = None
    charged: int | None = None
    expires_at: float | None = None
    #: What went wrong at the last poll, of an overdue task.
    trouble: str = ""

    @classmethod
    def of(cls, task_: OpenTask, status: TaskStatus, state: State, at: float, looks: int) -> "Seen":
        return cls(
            task_, state, at, looks, status.word, status.video_urls, status.error_code, status.error,
            status.refunded, status.charged_credits, status.expires_at,
        )  # fmt: skip


_STILL_WAITING = task.c.state.in_([state.value for state in WAITING])
_SEE = (
    sa.update(task)
    .where(task.c.task_no == sa.bindparam("no"), _STILL_WAITING)
    .values(
        state=sa.bindparam("to"),
        word=sa.func.coalesce(sa.func.nullif(sa.bindparam("literal"), ""), task.c.word),  # the last one heard
        looks=sa.bindparam("count"),
        finished_at=sa.bindparam("end"),
        video_urls=sa.bindparam("urls"),
        expires_at=sa.bindparam("until"),
        charged=task.c.charged + sa.bindparam("more"),
        refunded=sa.bindparam("back"),
        trouble=sa.bindparam("why"),
    )
)


def see(connection: sa.Connection, seen: Sequence[Seen]) -> list[bool]:
    """Write what was seen, in order. False for a task that had ended already: nothing changes it."""
    return [_see(connection, one) for one in seen]


def _see(connection: sa.Connection, one: Seen) -> bool:
    more = 0 if one.charged is None else one.charged - one.task.charged
    charged = one.task.charged + more
    refunded = min(charged, one.refunded or 0) if one.state in TERMINAL else 0
    values = {
        "no": one.task.task_no,
        "to": one.state.value,
        "literal": one.word,
        "count": one.looks,
        "end": one.at if one.state in TERMINAL else None,
        "urls": json.dumps(one.video_urls),
        "until": one.expires_at,
        "more": more,
        "back": refunded,
        "why": one.trouble,
    }
    if connection.execute(_SEE, values).rowcount != 1:
        return False
    rows.set_state(connection, [rows.state(one.task.job_no, one.state, one.error_code, one.error)])
    settle(connection, charged=more, unplanned=max(0, more), refunded=refunded)
    return True


def open_tasks(connection: sa.Connection) -> Iterator[OpenTask]:
    """Every task that has not ended, oldest first."""
    query = (
        sa.select(
            task.c.task_no, task.c.task_id, task.c.job_no, job.c.job_id, job.c.model, job.c.scene,
            task.c.accepted_at, task.c.state, task.c.looks, task.c.charged, attempt.c.purchase_no, job.c.provider,
        )
        .join(job, job.c.job_no == task.c.job_no)
        .join(attempt, attempt.c.attempt_id == task.c.task_no)
        .where(_STILL_WAITING)
        .order_by(task.c.task_no)
    )  # fmt: skip
    for one in connection.execute(query):
        yield OpenTask(
            one.task_no, one.task_id, one.job_no, one.job_id, one.model, one.scene, one.accepted_at,
            State(one.state), one.looks, one.charged, one.purchase_no, one.provider,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Video:
    """One file to have on disk: the n-th video (from 1) of a succeeded task."""

    task_no: int
    task_id: str
    job_id: str
    n: int
    url: str
    path: str
    bytes: int
    sha256: str
    trouble: str = ""
    purchase_no: int = 1
    model: str = ""


_NOTHING = ("", 0, "", "")


def videos_page(connection: sa.Connection, after: int, size: int) -> tuple[list[Video], int | None]:
    """The files of succeeded tasks after a task number, and the last task number of the page (None: no more).

    Whether a file is on disk is for the caller to look: a file deleted by hand is fetched again. A job whose
    task named no video has one file with a blank URL: the service may name it by now.
    """
    query = (
        sa.select(
            task.c.task_no, task.c.task_id, task.c.video_urls, job.c.job_id, job.c.model, attempt.c.purchase_no,
            ((task.c.video_urls == "[]") & (job.c.state == State.SUCCEEDED.value)
             & (task.c.task_no == task_of_job())).label("asks"),
        )
        .join(job, job.c.job_no == task.c.job_no)
        .join(attempt, attempt.c.attempt_id == task.c.task_no)
        .where(task.c.state == State.SUCCEEDED.value, task.c.task_no > after)
        .order_by(task.c.task_no)
        .limit(size)
    )  # fmt: skip
    tasks = connection.execute(query).all()
    if not tasks:
        return [], None
    numbers = [one.task_no for one in tasks]
    on_disk = {
        (one.task_no, one.n): one
        for one in connection.execute(sa.select(video).where(video.c.task_no.in_(numbers)))
    }
    found: list[Video] = []
    for one in tasks:
        for n, url in enumerate(json.loads(one.video_urls) or [""] * one.asks, start=1):
            have = on_disk.get((one.task_no, n))
            path, size, sha256, trouble = (have.path, have.bytes, have.sha256, have.trouble) if have else _NOTHING
            task_ = (one.task_no, one.task_id, one.job_id)
            found.append(Video(*task_, n, url, path, size, sha256, trouble, one.purchase_no, one.model))
    return found, numbers[-1]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is whole on disk (sha256 set), or the trouble that kept it away."""

    task_no: int
    n: int
    path: str
    bytes: int = 0
    sha256: str = ""
    seconds: float | None = None
    at: float | None = None
    trouble: str = ""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    codec: str | None = None
    has_audio: bool | None = None


def fetched(connection: sa.Connection, some: Sequence[Fetched]) -> list[None]:
    """Note files down, the newest word for each."""
    for one in some:
        values = {
            "path": one.path,
            "bytes": one.bytes,
            "sha256": one.sha256,
            "seconds": one.seconds,
            "fetched_at": one.at,
            "trouble": one.trouble,
            "width": one.width,
            "height": one.height,
            "fps": one.fps,
            "codec": one.codec,
            "has_audio": None if one.has_audio is None else int(one.has_audio),
        }
        where = (video.c.task_no == one.task_no) & (video.c.n == one.n)
        if connection.execute(sa.update(video).where(where).values(values)).rowcount == 0:
            connection.execute(sa.insert(video).values(task_no=one.task_no, n=one.n, **values))
    return [None] * len(some)


def fresh_urls(connection: sa.Connection, some: Sequence[tuple[int, tuple[str, ...], float]]) -> list[None]:
    """Replace the URLs of succeeded tasks and when they die by what the service gave now; some had none before."""
    for task_no, urls, expires_at in some:
        values = {"video_urls": json.dumps(urls), "expires_at": expires_at}
        where = (task.c.task_no == task_no) & (task.c.state == State.SUCCEEDED.value)
        connection.execute(sa.update(task).where(where).values(values))
        had_none = (task_of_job() == task_no) & (job.c.error_code == NO_OUTPUT)
        of_task = job.c.job_no == sa.select(task.c.job_no).where(where).scalar_subquery()
        connection.execute(sa.update(job).where(of_task, had_none).values(error_code="", error=""))
    return [None] * len(some)
