"""What the ledger says, for people and files: counts, credits, and one Result a row. Read-only."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from batchgen.job import Result, State
from batchgen.ledger.store import meta_value
from batchgen.ledger.tables import account, attempt, job, manifest, row, task, video

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Credits:
    """The account: `charged` is gross, `refunded` what the service stated."""

    cap: int | None
    charged: int
    refunded: int
    reserved: int
    in_doubt: int
    unplanned: int

    @property
    def counted(self) -> int:
        """What counts against the cap."""
        return self.charged - self.refunded + self.reserved + self.in_doubt


def credits(connection: sa.Connection) -> Credits:  # noqa: A001 - the product's word
    """The account as it stands."""
    one = connection.execute(sa.select(account)).one()
    return Credits(one.cap, one.charged, one.refunded, one.reserved, one.in_doubt, one.unplanned)


def estimated(connection: sa.Connection) -> int:
    """The price of one video for each job in the ledger."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(job.c.price), 0))).scalar_one())


def job_states(connection: sa.Connection, *, selected_only: bool = False) -> dict[State, int]:
    """Jobs by their state, without regard to rows."""
    query = sa.select(job.c.state, sa.func.count()).group_by(job.c.state)
    if selected_only:
        query = query.where(job.c.selected == 1)
    return {State(state): count for state, count in connection.execute(query)}


def row_states(connection: sa.Connection) -> dict[State, int]:
    """Lines of results.csv by state: every job once, and invalid rows."""
    states = job_states(connection)
    first = meta_value(connection, "first_position") or 0
    changed = (
        sa.select(job.c.state, sa.func.count())
        .join(row, row.c.job_no == job.c.job_no)
        .where(row.c.changed == 1, row.c.position >= first)
        .group_by(job.c.state)
    )
    for state, count in connection.execute(changed):
        if shown_state(State(state), changed=True) is State.CHANGED:
            states[State(state)] -= count
            states[State.CHANGED] = states.get(State.CHANGED, 0) + count
    invalid = connection.execute(
        sa.select(sa.func.count()).where(row.c.job_no.is_(None), row.c.position >= first)
    ).scalar_one()
    if invalid:
        states[State.INVALID] = invalid
    return {state: count for state, count in states.items() if count}


def shown_state(state: State, *, changed: bool) -> State:
    """`changed` tells of a row that was edited after its job was bought; a doubt and a wait come first."""
    return State.CHANGED if changed and state is State.SUCCEEDED else state


def files_missing(connection: sa.Connection) -> int:
    """Videos of selected succeeded jobs that were never whole on disk."""
    wanted = sa.func.json_array_length(task.c.video_urls)
    have = (
        sa.select(sa.func.count()).where(video.c.task_no == task.c.task_no, video.c.sha256 != "").scalar_subquery()
    )
    query = (
        sa.select(sa.func.coalesce(sa.func.sum(wanted - have), 0))
        .join(job, job.c.job_no == task.c.job_no)
        .where(task.c.state == State.SUCCEEDED.value, job.c.selected == 1, wanted > have)
    )
    return int(connection.execute(query).scalar_one())


def results(connection: sa.Connection) -> Iterator[Result]:
    """One Result for each row of the last run's manifests in order, then one for each other job."""
    first = meta_value(connection, "first_position") or 0
    for condition, current in ((row.c.position >= first, True), (row.c.position < first, False)):
        after = -1
        while page := _rows_page(connection, condition, after):
            after = page[-1].position
            yield from _results_of(connection, page, current=current)


def _rows_page(connection: sa.Connection, condition: sa.ColumnElement[bool], after: int) -> Sequence[Any]:
    query = (
        sa.select(
            row.c.position, row.c.number, row.c.job_no, row.c.job_id, row.c.changed, row.c.cells,
            row.c.problems, manifest.c.name, job.c.job_id.label("current_id"), job.c.request, job.c.price,
            job.c.state, job.c.attempts, job.c.error_code, job.c.error,
        )
        .join(manifest, manifest.c.manifest_no == row.c.manifest_no)
        .outerjoin(job, job.c.job_no == row.c.job_no)
        .where(condition, row.c.position > after)
        .order_by(row.c.position)
        .limit(_PAGE)
    )  # fmt: skip
    return connection.execute(query).all()


def _results_of(connection: sa.Connection, page: Sequence[sa.Row[Any]], *, current: bool) -> Iterator[Result]:
    numbers = [one.job_no for one in page if one.job_no is not None]
    tasks: dict[int, list[sa.Row[Any]]] = defaultdict(list)
    for one in connection.execute(sa.select(task).where(task.c.job_no.in_(numbers)).order_by(task.c.task_no)):
        tasks[one.job_no].append(one)
    latest = [some[-1].task_no for some in tasks.values()]
    files: dict[int, list[sa.Row[Any]]] = defaultdict(list)
    for one in connection.execute(
        sa.select(video).where(video.c.task_no.in_(latest), video.c.sha256 != "").order_by(video.c.n)
    ):
        files[one.task_no].append(one)
    tried = [one.job_no for one in page if one.attempts]
    first_tries, lost = _attempts_of(connection, tried)
    for one in page:
        if one.job_no is None:
            yield _invalid_result(one)
            continue
        some = tasks.get(one.job_no, [])
        last = some[-1] if some else None
        have = files.get(last.task_no, []) if last else []
        yield _result(one, some, last, have, first_tries.get(one.job_no), lost.get(one.job_no, 0), current)


def _attempts_of(connection: sa.Connection, numbers: Sequence[int]) -> tuple[dict[int, float], dict[int, int]]:
    """When each job was first tried, and what was paid for it and lost."""
    begun: dict[int, float] = {}
    lost: dict[int, int] = {}
    query = sa.select(attempt.c.job_no, attempt.c.begun_at, attempt.c.outcome, attempt.c.price).where(
        attempt.c.job_no.in_(numbers)
    )
    for job_no, begun_at, outcome, price in connection.execute(query):
        begun[job_no] = max(begun.get(job_no, 0.0), begun_at)
        if outcome == "paid_lost":
            lost[job_no] = lost.get(job_no, 0) + price
    return begun, lost


def _invalid_result(one: sa.Row[Any]) -> Result:
    said = json.loads(one.problems or '{"values": {}, "problems": []}')
    return Result(
        job_id=one.job_id,
        manifest=one.name,
        row=one.number,
        state=State.INVALID,
        scene=said["values"].get("scene", ""),
        provider=said["values"].get("provider", ""),
        model=said["values"].get("model", ""),
        error_code=said["problems"][0][0] if said["problems"] else "",
        error=" ".join(message for _, message in said["problems"]),
        cells=json.loads(one.cells),
    )


def _result(
    one: sa.Row[Any],
    tasks: Sequence[sa.Row[Any]],
    last: sa.Row[Any] | None,
    files: Sequence[sa.Row[Any]],
    begun_at: float | None,
    lost: int,
    current: bool,
) -> Result:
    request = json.loads(one.request)
    bought = bool(tasks) or lost > 0
    return Result(
        job_id=one.current_id,
        manifest=one.name,
        row=one.number if current else None,
        state=shown_state(State(one.state), changed=bool(one.changed)),
        task_id=last.task_id if last else "",
        video_urls=tuple(json.loads(last.video_urls)) if last else (),
        video_paths=tuple(file.path for file in files),
        scene=request["scene"],
        provider=request["provider"],
        model=request["model"],
        estimated_credits=one.price,
        charged_credits=sum(each.charged for each in tasks) + lost if bought else None,
        refunded_credits=sum(each.refunded for each in tasks) if bought else None,
        attempts=one.attempts,
        submitted_at=last.accepted_at if last else begun_at,
        finished_at=last.finished_at if last else None,
        expires_at=last.expires_at if last else None,
        error_code=one.error_code,
        error=one.error,
        cells=json.loads(one.cells),
        request=request,
        sha256=tuple(file.sha256 for file in files),
    )


def other_columns(connection: sa.Connection) -> list[str]:
    """The manifests' other columns in their order, for the end of each line of results.csv."""
    return list(meta_value(connection, "columns") or [])
