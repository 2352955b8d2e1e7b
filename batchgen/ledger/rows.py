"""The rows of the manifests and the jobs that they want, as the ledger keeps them.

`intake` decides what happens to a row; here are the statements, each for many rows at once, and the pages of
jobs that wait to be submitted.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from batchgen.job import Known, Owner, State
from batchgen.ledger.sqlite.prepared import Prepared
from batchgen.ledger.tables import BY_CONTENT, LIVE, attempt, job, job_count, manifest, row, task

_KNOWN = (
    job.c.job_no, job.c.job_id, job.c.fingerprint, job.c.state, job.c.purchase_no, job.c.price, job.c.error_code,
    job.c.error, job.c.row_fingerprint,
)  # fmt: skip


def known_jobs(connection: sa.Connection, job_ids: Sequence[str]) -> dict[str, Known]:
    """What the ledger has under these ids (at most some thousand at once)."""
    return {one.job_id: one for one in _known(connection, job.c.job_id.in_(job_ids))}


def bought_with(connection: sa.Connection, fingerprints: Sequence[str]) -> dict[str, list[Known]]:
    """Jobs that have a task or a doubt and one of these contents, by fingerprint, in the order of their rows.

    Not those that wait to be bought again: under another id they are another purchase.
    """
    # `LIVE` as the index has it, so that a job's attempts are looked up in it: without it all attempts are read.
    # An open attempt counts, too: whoever died with it left a doubt, and whoever still works on it is buying it.
    bought = sa.exists().where(attempt.c.job_no == job.c.job_no, sa.text(f"({LIVE})"))
    content = job.c.fingerprint.in_(fingerprints) | job.c.row_fingerprint.in_(fingerprints)
    found: dict[str, list[Known]] = {}
    for one in _known(connection, content & bought & (job.c.state != State.NOT_SUBMITTED.value)):
        for print_ in {one.fingerprint, one.row_fingerprint} - {None}:
            found.setdefault(print_, []).append(one)  # type: ignore[arg-type]  # not None
    return found


def _known(connection: sa.Connection, where: sa.ColumnElement[bool]) -> Iterator[Known]:
    for number, job_id, print_, state, *rest in connection.execute(
        sa.select(*_KNOWN).where(where).order_by(job.c.position, job.c.job_no)
    ):
        yield Known(number, job_id, print_, State(state), *rest)


def knows_task(connection: sa.Connection, task_id: str) -> bool:
    """Whether this task was accepted in this ledger."""
    return connection.execute(sa.select(task.c.task_no).where(task.c.task_id == task_id)).first() is not None


def owner_of_task(connection: sa.Connection, task_id: str) -> Owner | None:
    """The job that this task was accepted for in this ledger."""
    joined = sa.select(job.c.job_id, job.c.fingerprint).join_from(job, task, task.c.job_no == job.c.job_no)
    found = connection.execute(joined.where(task.c.task_id == task_id).order_by(task.c.task_no.desc())).first()
    return None if found is None else Owner(found.job_id, found.fingerprint)


def next_numbers(connection: sa.Connection) -> tuple[int, int, int]:
    """The next free job number, row position and manifest number."""
    top = [
        connection.execute(sa.select(sa.func.max(column))).scalar() or 0
        for column in (job.c.job_no, row.c.position, manifest.c.manifest_no)
    ]
    return top[0] + 1, top[1] + 1, top[2] + 1


def put_off_index(connection: sa.Connection) -> None:
    """For a ledger that gets its first jobs, many at once: contents are put in order when all are there."""
    connection.exec_driver_sql("DROP INDEX IF EXISTS job_fingerprint")


def make_index(connection: sa.Connection) -> None:
    """Put the contents in order, if that was put off."""
    BY_CONTENT.create(connection, checkfirst=True)


def any_job(connection: sa.Connection) -> bool:
    """Whether the ledger has any job."""
    return connection.execute(sa.select(sa.func.max(job.c.job_no))).scalar() is not None


_JOB_COLUMNS = (
    "job_no", "job_id", "fingerprint", "request", "provider", "model", "scene", "price", "state", "position",
    "selected",
)  # fmt: skip
_ROW_COLUMNS = (
    "position", "manifest_no", "number", "line", "job_no", "job_id", "changed", "cells", "problems",
)  # fmt: skip
_INSERT_JOB, _INSERT_ROW = Prepared(sa.insert(job), _JOB_COLUMNS), Prepared(sa.insert(row), _ROW_COLUMNS)


def insert_jobs(connection: sa.Connection, lines: Sequence[tuple[Any, ...]]) -> None:
    """New jobs: number, id, fingerprint, request, provider, model, scene, price, state, position, selected."""
    _INSERT_JOB.insert(connection, lines)
    amounts: dict[tuple[str, int], list[int]] = {}
    for line in lines:
        amounts.setdefault((line[8], int(line[10])), []).append(line[7])
    for (born, selected), prices in amounts.items():
        key = {"state": born, "selected": selected, "changed": 0, "code": ""}
        same = sa.and_(*(job_count.c[name] == value for name, value in key.items()))
        more = {"jobs": job_count.c.jobs + len(prices), "amount": job_count.c.amount + sum(prices)}
        if connection.execute(sa.update(job_count).where(same).values(more)).rowcount == 0:
            new = {**key, "jobs": len(prices), "amount": sum(prices), "files_missing": 0}
            connection.execute(sa.insert(job_count).values(new))


def insert_rows(connection: sa.Connection, lines: Sequence[tuple[Any, ...]]) -> None:
    """Rows: position, manifest's number, number, line, job's number, id, changed, cells, problems."""
    _INSERT_ROW.insert(connection, lines)


_STATE = Prepared(
    sa.update(job)
    .where(job.c.job_no == sa.bindparam("no"))
    .values(state=sa.bindparam("to"), error_code=sa.bindparam("why"), error=sa.bindparam("words"))
)


def state(job_no: int, to: State, code: str = "", words: str = "") -> dict[str, Any]:
    """For `set_state`: what a job is from now on, and why."""
    return {"no": job_no, "to": to.value, "why": code, "words": words}


def set_state(connection: sa.Connection, states: Sequence[Mapping[str, Any]]) -> None:
    """What jobs are from now on; the store counts them anew."""
    if states:
        _STATE.execute(connection, states)


MOVE = Prepared(
    sa.update(job)
    .where(job.c.job_no == sa.bindparam("no"))
    .values(position=sa.bindparam("to"), selected=sa.bindparam("wanted"), changed=sa.bindparam("differs"))
)
#: Whether a row has the words that a person's mark replaced: its job keeps the new ones.
_OLD_WORDS = job.c.row_fingerprint == sa.bindparam("new_fingerprint")


def _or_kept(column: sa.Column[Any], name: str) -> sa.ColumnElement[Any]:
    return sa.case((_OLD_WORDS, column), else_=sa.bindparam(name))


#: New content for a job that is not submitted, is bought again (with the next purchase number), or goes back to
#: what it bought earlier (with the state that it had then).
REPLACE = Prepared(
    sa.update(job)
    .where(
        job.c.job_no == sa.bindparam("no"),
        job.c.state != State.SUBMITTING.value,  # not `not_in`: that can't be run for many lines at once
        job.c.state != State.IN_DOUBT.value,
    )
    .values(
        fingerprint=_or_kept(job.c.fingerprint, "new_fingerprint"),
        request=_or_kept(job.c.request, "new_request"),
        replaced_prompt=sa.case((_OLD_WORDS, job.c.replaced_prompt), else_=sa.null()),
        row_fingerprint=sa.case((_OLD_WORDS, job.c.row_fingerprint), else_=sa.null()),
        provider=sa.bindparam("new_provider"),
        model=sa.bindparam("new_model"),
        scene=sa.bindparam("new_scene"),
        price=sa.bindparam("new_price"),
        purchase_no=sa.bindparam("new_purchase"),
        state=sa.bindparam("new_state"),
        error_code=sa.bindparam("new_code"),
        error=sa.bindparam("new_error"),
    )
)
RENAME = Prepared(
    sa.update(job)
    .where(job.c.job_no == sa.bindparam("no"))
    .values(job_id=sa.bindparam("new_id"), position=sa.bindparam("to"), selected=sa.bindparam("wanted"))
)


def forget_old_rows(connection: sa.Connection, first_position: int, *, twice: bool = False) -> None:
    """Rows of earlier manifests go, but for the last row of a job that no row has any more.

    `twice`: some of them may have several, because a run was killed while it took rows in.
    """
    again = sa.select(row.c.job_no).where(row.c.position >= first_position, row.c.job_no.is_not(None))
    old = row.c.position < first_position
    connection.execute(sa.delete(row).where(old, row.c.job_no.is_(None) | row.c.job_no.in_(again)))
    if twice:
        last = sa.select(sa.func.max(row.c.position)).where(old).group_by(row.c.job_no)
        connection.execute(sa.delete(row).where(old, row.c.position.not_in(last)))
    gone = sa.select(row.c.manifest_no)
    connection.execute(sa.delete(manifest).where(manifest.c.manifest_no.not_in(gone)))


@dataclass(frozen=True, slots=True)
class Pending:
    """A job that waits to be submitted."""

    job_no: int
    job_id: str
    fingerprint: str
    request: Mapping[str, Any]
    price: int
    purchase_no: int
    attempts: int
    position: int


def pending_page(connection: sa.Connection, after: tuple[int, int], size: int) -> list[Pending]:
    """Jobs to submit in manifest order, after (position, job_no)."""
    key = sa.tuple_(job.c.position, job.c.job_no)
    query = (
        sa.select(
            job.c.job_no, job.c.job_id, job.c.fingerprint, job.c.request, job.c.price, job.c.purchase_no,
            job.c.attempts, job.c.position,
        )
        .where(job.c.state == State.NOT_SUBMITTED.value, job.c.selected == 1, key > sa.tuple_(*after))
        .order_by(job.c.position, job.c.job_no)
        .limit(size)
    )  # fmt: skip
    return [
        Pending(no, job_id, print_, json.loads(request), price, purchase, attempts, position)
        for no, job_id, print_, request, price, purchase, attempts, position in connection.execute(query)
    ]


def park(connection: sa.Connection, some: Sequence[tuple[str, str]]) -> list[None]:
    """Write down of models (with a reason each) why their jobs are not submitted; they wait as before."""
    for model, words in some:
        waits = (job.c.state == State.NOT_SUBMITTED.value) & (job.c.selected == 1) & (job.c.model == model)
        connection.execute(sa.update(job).where(waits).values(error_code="parked", error=words))
    return [None] * len(some)


def pending_sum(connection: sa.Connection, limit: int | None = None) -> tuple[int, int]:
    """How many jobs wait to be submitted, and their credits; of the first `limit` of them in manifest order."""
    if limit is None:
        counted = (
            sa.func.coalesce(sa.func.sum(job_count.c.jobs), 0),
            sa.func.coalesce(sa.func.sum(job_count.c.amount), 0),
        )
        waits = (job_count.c.state == State.NOT_SUBMITTED.value) & (job_count.c.selected == 1)
        jobs, amount = connection.execute(sa.select(*counted).where(waits)).one()
        return int(jobs), int(amount)
    waiting = (
        sa.select(job.c.price)
        .where(job.c.state == State.NOT_SUBMITTED.value, job.c.selected == 1)
        .order_by(job.c.position, job.c.job_no)
        .limit(limit)
        .subquery()
    )
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(waiting.c.price), 0))
    count, credits_ = connection.execute(query).one()
    return int(count), int(credits_)


def current_rows(
    connection: sa.Connection, first_position: int
) -> Iterator[tuple[State, bool, bool, str, int, int]]:
    """The rows taken in last, in groups: (state, selected, again, scene, price, jobs).

    `again`: a person's word made it another purchase than the first.
    """
    again = job.c.purchase_no > 1
    query = (
        sa.select(job.c.state, job.c.selected, again, job.c.scene, job.c.price, sa.func.count())
        .join(row, row.c.job_no == job.c.job_no)
        .where(row.c.position >= first_position)
        .group_by(job.c.state, job.c.selected, again, job.c.scene, job.c.price)
    )
    for state, selected, more, scene, price, jobs in connection.execute(query):
        yield State(state), bool(selected), bool(more), scene, price, jobs


def insert_many(connection: sa.Connection, table: sa.Table, values: Sequence[Mapping[str, Any]]) -> None:
    """Insert lines that all have the same columns, or nothing when there are none."""
    if values:
        columns = tuple(values[0])
        insert = _INSERTS.setdefault((table.name, columns), Prepared(sa.insert(table), columns))
        insert.execute(connection, values)


_INSERTS: dict[tuple[str, tuple[str, ...]], Prepared] = {}
