"""What the ledger says, for people and files: counts, credits, and one Result a row. Read-only."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from batchgen.amount import Unit
from batchgen.job import ENDED_WITHOUT_VIDEO, NO_OUTPUT, PAID_ENDS, Film, Result, State, Take
from batchgen.ledger import marks, purchases
from batchgen.ledger.sqlite.store import meta_value, unit_of
from batchgen.ledger.tables import account, attempt, job, job_count, manifest, row, task, video

_PAGE = 2000


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


def has_task(connection: sa.Connection) -> bool:
    """Whether the service has ever accepted a job of this ledger."""
    return connection.execute(sa.select(task.c.task_no).limit(1)).first() is not None


def estimated(connection: sa.Connection) -> int:
    """The price of one video for each job in the ledger."""
    return _sum(connection, job_count.c.amount)


def job_states(connection: sa.Connection, *, selected_only: bool = False) -> dict[State, int]:
    """Jobs by their state, without regard to rows."""
    query = sa.select(job_count.c.state, sa.func.sum(job_count.c.jobs)).group_by(job_count.c.state)
    if selected_only:
        query = query.where(job_count.c.selected == 1)
    return {State(state): count for state, count in connection.execute(query) if count}


def row_states(connection: sa.Connection) -> dict[State, int]:
    """Lines of results.csv by state: every job once, and invalid rows."""
    states: Counter[State] = Counter()
    query = sa.select(job_count.c.state, job_count.c.changed, job_count.c.jobs)
    for state, changed, count in connection.execute(query):
        states[shown_state(State(state), changed=bool(changed))] += count
    states[State.INVALID] = meta_value(connection, "invalid_rows") or 0
    return {state: count for state, count in states.items() if count}


def _sum(
    connection: sa.Connection,
    column: sa.Column[int],
    *where: sa.ColumnElement[bool],
    selected_only: bool = False,
) -> int:
    """Counted jobs, their amount or their missing files, summed."""
    query = sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(*where)
    if selected_only:
        query = query.where(job_count.c.selected == 1)
    return int(connection.execute(query).scalar_one())


def shown_state(state: State, *, changed: bool) -> State:
    """`changed` tells of a row that was edited after its job was bought; a doubt and a wait come first."""
    return State.CHANGED if changed and state is State.SUCCEEDED else state


def files_missing(connection: sa.Connection, *, selected_only: bool = False) -> int:
    """Videos of succeeded tasks that were never whole on disk; they are paid for, whatever was selected last."""
    return _sum(connection, job_count.c.files_missing, selected_only=selected_only)


def without_output(connection: sa.Connection, *, selected_only: bool = False) -> int:
    """Jobs whose task succeeded, but named no video."""
    where = (job_count.c.state == State.SUCCEEDED.value) & (job_count.c.code == NO_OUTPUT)
    return _sum(connection, job_count.c.jobs, where, selected_only=selected_only)


def urls_die_at(connection: sa.Connection) -> float | None:
    """When the first URL of a video that is not on disk dies; None when all are here."""
    missing = sa.text("files_missing > 0")  # as the index has it
    return connection.execute(sa.select(sa.func.min(task.c.expires_at)).where(missing)).scalar()


def results(connection: sa.Connection, *, requests: bool = True) -> Iterator[Result]:
    """One Result for each row of the last run's manifests in order, then one for each other job.

    `requests=False` leaves `Result.request` empty: results.csv does not need it, and it is half of the work.
    """
    first = meta_value(connection, "first_position") or 0
    names, unit = _manifest_names(connection, first), unit_of(connection)
    for condition, current in _parts(connection, first):
        after = -1
        while page := _rows_page(connection, condition, after, requests=requests):
            after = page[-1].position
            yield from _Page(connection, page, names, unit, current=current).results()


def _parts(connection: sa.Connection, first: int) -> Iterator[tuple[sa.ColumnElement[bool], bool]]:
    """Which rows are shown, in order, and whether they are the current ones."""
    now, old = row.c.position >= first, row.c.position < first
    half = meta_value(connection, "taking_in")
    if not half:
        yield from ((now, True), (old, False))
        return
    hidden = row.c.position >= half["hidden_from"]
    new = (row.c.job_no >= half["new_jobs_from"]) & (row.c.position == job.c.position)
    yield from ((now & ~hidden, True), (old & ~hidden, False), (hidden & new, False))


def _manifest_names(connection: sa.Connection, first_position: int) -> dict[int, str]:
    """Each manifest's number and the name to show; those of this run and those of earlier ones apart."""
    of_row = sa.select(row.c.manifest_no).where(row.c.position >= first_position).order_by(row.c.position)
    first = connection.execute(of_row.limit(1)).scalar() or 0
    paths = {one.manifest_no: one.name for one in connection.execute(sa.select(manifest))}
    shown: dict[int, str] = {}
    for ours in (True, False):
        some = {number: path for number, path in paths.items() if (number >= first) is ours}
        names = short_names(list(some.values()))
        shown |= {number: names[path] for number, path in some.items()}
    return shown


def _rows_page(
    connection: sa.Connection, condition: sa.ColumnElement[bool], after: int, *, requests: bool
) -> Sequence[Any]:
    query = (
        sa.select(
            row.c.position, row.c.number, row.c.job_no, row.c.job_id, row.c.changed, row.c.cells,
            row.c.problems, row.c.manifest_no, job.c.job_id.label("current_id"), job.c.provider, job.c.model,
            job.c.scene, job.c.price, job.c.state, job.c.attempts, job.c.error_code, job.c.error,
            job.c.fingerprint, (job.c.request if requests else sa.literal("{}")).label("request"),
        )
        .outerjoin(job, job.c.job_no == row.c.job_no)
        .where(condition, row.c.position > after)
        .order_by(row.c.position)
        .limit(_PAGE)
    )  # fmt: skip
    return connection.execute(query).all()


class _Page:
    """Some rows, with what their jobs have: tasks, files, attempts; a query each for the whole page."""

    def __init__(
        self, connection: sa.Connection, page: Sequence[Any], names: Mapping[int, str], unit: Unit, *, current: bool
    ) -> None:
        self._page = page
        self._unit = unit
        self._names = names
        self._current = current
        self._tasks: dict[int, list[Any]] = defaultdict(list)
        self._files: dict[int, list[Any]] = defaultdict(list)
        self._begun: dict[int, float] = {}
        self._lost: dict[int, int] = defaultdict(int)
        self._contents: dict[int, str] = {}  # by task, of jobs with several
        self._marks: Mapping[tuple[int, str], marks.Mark] = {}
        self._prompts: Mapping[int, str] = {}
        if tried := [one.job_no for one in page if one.attempts]:
            self._look_up(connection, tried)

    def _look_up(self, connection: sa.Connection, numbers: Sequence[int]) -> None:
        tasks = sa.select(task).where(task.c.job_no.in_(numbers)).order_by(task.c.task_no)
        for one in connection.execute(tasks):
            self._tasks[one.job_no].append(one)
        several = {number for number, some in self._tasks.items() if len(some) > 1}
        attempts = sa.select(
            attempt.c.attempt_id, attempt.c.job_no, attempt.c.begun_at, attempt.c.outcome, attempt.c.price,
            attempt.c.fingerprint,
        )  # fmt: skip
        self._marks = marks.of_jobs(connection, numbers)
        for attempt_id, job_no, begun_at, outcome, price, content in connection.execute(
            attempts.where(attempt.c.job_no.in_(numbers))
        ):
            self._begun[job_no] = max(self._begun.get(job_no, 0.0), begun_at)
            if outcome == "paid_lost":
                self._lost[job_no] += price
            if job_no in several:
                self._contents[attempt_id] = content
        shown = {last.task_no for one in self._page if (last := self._task(one.job_no, one.fingerprint))}
        earlier = {each.task_no for number in several for each in self._tasks[number]}
        self._prompts = purchases.words(connection, earlier)
        files = (
            sa.select(video).where(video.c.task_no.in_(shown | earlier), video.c.sha256 != "").order_by(video.c.n)
        )
        for one in connection.execute(files):
            self._files[one.task_no].append(one)

    def _task(self, job_no: int | None, content: str) -> Any:
        """The task that a job's content was bought with last; while there is none, its last one."""
        tasks = self._tasks.get(job_no, ()) if job_no is not None else ()
        of_content = [one for one in tasks if self._contents.get(one.task_no) == content] if len(tasks) > 1 else ()
        return (of_content or tasks or (None,))[-1]

    def results(self) -> Iterator[Result]:
        names = self._names
        return (
            _invalid_result(one, names[one.manifest_no]) if one.job_no is None else self._result(one)
            for one in self._page
        )

    def _result(self, one: Any) -> Result:
        (
            _, number, job_no, _, changed, cells, _, manifest_no, job_id, provider, model, scene, price, state,
            attempts, error_code, error, content, request,
        ) = one  # fmt: skip
        tasks, lost = self._tasks.get(job_no, ()), self._lost.get(job_no, 0)
        last = self._task(job_no, content)
        files = self._files.get(last.task_no, ()) if last else ()
        mark = self._marks.get((job_no, last.task_id)) if last else None
        bought = bool(tasks) or job_no in self._lost  # also for nothing
        unit = self._unit
        return Result(
            job_id=job_id,
            manifest=self._names[manifest_no],
            row=number if self._current else None,
            state=shown_state(_STATES[state], changed=bool(changed)),
            task_id=last.task_id if last else "",
            video_urls=tuple(json.loads(last.video_urls)) if last else (),
            video_paths=tuple(file.path for file in files),
            scene=scene,
            provider=provider,
            model=model,
            estimated_credits=unit.number(price),
            charged_credits=unit.number(sum(each.charged for each in tasks) + lost) if bought else None,
            refunded_credits=unit.number(sum(each.refunded for each in tasks)) if bought else None,
            attempts=attempts,
            submitted_at=last.accepted_at if last else self._begun.get(job_no),
            finished_at=last.finished_at if last else None,
            expires_at=last.expires_at if last else None,
            error_code=error_code,
            error=error,
            cells=json.loads(cells),
            request=json.loads(request) if request != "{}" else {},
            sha256=tuple(file.sha256 for file in files),
            review=mark.mark if mark else "",
            review_note=mark.note if mark else "",
            film=_film(files[0]) if files else Film(),
            takes=self._takes(tasks, last) if len(tasks) > 1 else (),
        )

    def _takes(self, tasks: Sequence[Any], last: Any) -> tuple[Take, ...]:
        """The job's other videos that are on disk, the oldest first."""
        return tuple(
            Take(
                one.task_id,
                self._prompts.get(one.task_no, ""),
                tuple(json.loads(one.video_urls)),
                tuple(file.path for file in files),
            )
            for one in tasks
            if one is not last and (files := self._files.get(one.task_no))
        )


def _film(file: Any) -> Film:
    sound = None if file.has_audio is None else bool(file.has_audio)
    return Film(file.width, file.height, file.seconds, file.fps, file.codec or "", sound, file.bytes or None)


_STATES = {state.value: state for state in State}


def _invalid_result(one: Any, name: str) -> Result:
    said = json.loads(one.problems or '{"values": {}, "problems": []}')
    return Result(
        job_id=one.job_id,
        manifest=name,
        row=one.number,
        state=State.INVALID,
        scene=said["values"].get("scene", ""),
        provider=said["values"].get("provider", ""),
        model=said["values"].get("model", ""),
        error_code=said["problems"][0][0] if said["problems"] else "",
        error=" ".join(message for _, message in said["problems"]),
        cells=json.loads(one.cells),
    )


def other_columns(connection: sa.Connection) -> list[str]:
    """The manifests' other columns in their order, for the end of each line of results.csv."""
    return list(meta_value(connection, "columns") or [])


def download_trouble(connection: sa.Connection) -> str:
    """Why one of the videos could not be had when it was tried last; "" when none failed."""
    query = (
        sa.select(video.c.trouble)
        .join(task, task.c.task_no == video.c.task_no)
        .where(task.c.state == State.SUCCEEDED.value, sa.text("sha256 = '' AND video.trouble <> ''"))
        .limit(1)
    )
    return str(connection.execute(query).scalar() or "")


def overdue_reasons(connection: sa.Connection, most: int = 5) -> list[tuple[str, str, int]]:
    """(error code, what went wrong at the last poll, tasks) of what is overdue, the commonest first."""
    jobs = sa.func.count()
    query = (
        sa.select(job.c.error_code, sa.func.min(task.c.trouble), jobs)
        .join(job, job.c.job_no == task.c.job_no)
        .where(task.c.state == State.OVERDUE.value, job.c.state == State.OVERDUE.value)
        .group_by(job.c.error_code)
        .order_by(jobs.desc(), job.c.error_code)
        .limit(most)
    )
    return [(code, trouble, number) for code, trouble, number in connection.execute(query)]


def money_lost(connection: sa.Connection) -> int:
    """Jobs that a person left without a video although they count as spent: lost, or given up."""
    ended = job_count.c.state.in_([state.value for state in ENDED_WITHOUT_VIDEO])
    return _sum(connection, job_count.c.jobs, ended, job_count.c.code.in_(sorted(PAID_ENDS)))


def refund_expected(connection: sa.Connection) -> int:
    """Credits of failed tasks that the service has not said it gave back."""
    return int(connection.execute(sa.select(account.c.refund_expected)).scalar_one())


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """Path as typed -> the name to show: the file's own, with as many folders before it as tell it from the others.

    What was typed depends on the folder that a run was started in, and may begin with somebody's home folder;
    results.csv and the page stay true when folders move, and are sent to others. A code such as `\\xf6` is a byte
    of a name that is no UTF-8 (`files.spelled`), and no folder ends there.

    >>> short_names(["/home/mia/spring/de.csv", "../autumn/de.csv", "uk.csv"])["/home/mia/spring/de.csv"]
    'spring/de.csv'
    """
    parts = {
        path: [part for part in re.split(r"/|\\(?!x[0-9a-f]{2})", path) if part not in {"", "."}] for path in paths
    }
    shown: dict[str, str] = {}
    left, length = list(parts), 1
    while left:
        tails = {path: "/".join(parts[path][-length:]) for path in left}
        taken = Counter(tails.values())
        alone = [path for path in left if taken[tails[path]] == 1 or length >= len(parts[path])]
        shown |= {path: tails[path] or path for path in alone}
        left, length = [path for path in left if path not in shown], length + 1
    return shown
