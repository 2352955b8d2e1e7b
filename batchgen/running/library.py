"""The Python face of what spends, waits and settles: `run`, `collect`, `retry`, `resolve`, with the command line's
words. They block, on purpose: in a script, in a thread, and inside a running event loop (a notebook) alike. `arun`
and `acollect` give the loop back meanwhile.
"""

import asyncio
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

from batchgen.amount import Unit
from batchgen.errors import BatchgenWarning, UsageError
from batchgen.job import Problem
from batchgen.ledger import reading, views
from batchgen.ledger.sqlite.store import unit_of
from batchgen.ledger.status import read_status
from batchgen.manifest.rows import manifests as places
from batchgen.manifest.source import Rows
from batchgen.planning.preview import Preview, bought_at
from batchgen.results.csv import frame
from batchgen.running import flow
from batchgen.running import resolve as resolving
from batchgen.running import retry as retrying
from batchgen.running.after import Status
from batchgen.running.before import what
from batchgen.running.context import RunOptions
from batchgen.running.event import Event
from batchgen.running.flag import Flag
from batchgen.running.given import CollectWords, Manifests, Path_, RetryWords, RunWords, named, words
from batchgen.running.python_words import in_python, speaking_python
from batchgen.running.settings import SETTINGS, Config
from batchgen.running.shown import Action, Amount, Plan

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

#: As many warnings are given to `warnings.warn`; `Run.warnings` has a thousand.
MOST_WARNED = 20


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended. `exit` is the exit code that the command would have had; `credits` are charged ones.

    `messages` say why it stopped, if it did; `warnings` are those of rows.
    """

    out: Path
    exit: int
    status: Status
    messages: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every row has its video."""
        return self.exit == 0

    @property
    def credits(self) -> int | float:
        """What OUT was charged, in the service's unit."""
        return self.status.credits.charged

    def results(self) -> "pd.DataFrame":
        """The lines of results.csv as a DataFrame, read from the ledger."""
        with reading(self.out) as connection:
            return frame(views.results(connection), views.other_columns(connection), unit=unit_of(connection))


@overload
def run(manifests: Manifests, *, dry_run: Literal[True], **given: Unpack[RunWords]) -> Plan: ...
@overload
def run(manifests: Manifests, *, dry_run: Literal[False] = False, **given: Unpack[RunWords]) -> Run: ...
@overload
def run(manifests: Manifests, *, dry_run: bool, **given: Unpack[RunWords]) -> Run | Plan: ...
@named(RunWords)
def run(manifests: Manifests, *, dry_run: bool = False, **given: Unpack[RunWords]) -> Run | Plan:
    """Turn manifests into videos; calling it again resumes. With `dry_run` the Plan, and nothing is done.

    The call itself is the yes, unless `confirm` is given: it is asked with the plan before money is spent. The
    key comes from the environment. Raises BatchgenError when nothing was submitted. Ctrl-C, a cancelled task or an
    exception of `on_event` stop it gently (open submissions are waited for, `grace` at most), save everything, and
    go on to the caller; a second Ctrl-C leaves at once. `stop` does the same, and `run` returns.
    """
    return _run(places(manifests), **given, dry_run=dry_run)


@overload
async def arun(manifests: Manifests, *, dry_run: Literal[True], **given: Unpack[RunWords]) -> Plan: ...
@overload
async def arun(manifests: Manifests, *, dry_run: Literal[False] = False, **given: Unpack[RunWords]) -> Run: ...
@overload
async def arun(manifests: Manifests, *, dry_run: bool, **given: Unpack[RunWords]) -> Run | Plan: ...
@named(RunWords)
async def arun(manifests: Manifests, *, dry_run: bool = False, **given: Unpack[RunWords]) -> Run | Plan:
    """`run`, in a thread of its own, while the event loop goes on. Cancelling it stops the run gently, and is heard
    when everything is saved; cancelling it twice leaves at once. `confirm` is asked in that thread.
    """
    return await _aside(_run, places(manifests), {**given, "dry_run": dry_run})


def _run(names: list[str | Rows], **given: Any) -> Run | Plan:
    with speaking_python():
        config, options = _config(given), replace(_options(given), dry_run=given["dry_run"])
        ended = flow.run(names, config, options)
    return Plan.of(ended) if isinstance(ended, Preview) else _run_of(ended)


@named(CollectWords)
def collect(out: Path_, **given: Unpack[CollectWords]) -> Run:
    """Poll and download what was submitted earlier; can never submit. It stops as `run` does."""
    with speaking_python():
        return _run_of(flow.collect(Path(out), _config(given), _options(given)))


@named(CollectWords)
async def acollect(out: Path_, **given: Unpack[CollectWords]) -> Run:
    """`collect` as `arun` is `run`."""
    return await _aside(collect, out, dict(given))


@overload
def retry(out: Path_, *, dry_run: Literal[True], **given: Unpack[RetryWords]) -> Plan: ...
@overload
def retry(out: Path_, *, dry_run: Literal[False] = False, **given: Unpack[RetryWords]) -> Run: ...
@overload
def retry(out: Path_, *, dry_run: bool, **given: Unpack[RetryWords]) -> Run | Plan: ...
@named(RetryWords)
def retry(out: Path_, *, dry_run: bool = False, **given: Unpack[RetryWords]) -> Run | Plan:
    """Buy again what ended without a video, narrowed by `state`, `code` and `jobs`; `dry_run` has the price."""
    folder = Path(out)
    with speaking_python():
        config = _config(given).at(bought_at(resolving.service_of(folder))[0])
        prices, cap = config.table(), config.cap
        choice = retrying.to_retry(folder, _wanted(given), prices)
        retrying.check_cap(folder, choice.price, cap)
        if dry_run:
            return _plan_of(folder, choice, config.unit)
        if not choice.jobs:  # nothing is to be done: what the ledger says
            found = Status.of(read_status(folder)[0])
            return Run(folder, found.exit, found)
        change = retrying.retry_change(choice.jobs, cap, prices)
        return _run_of(flow.resume(folder, config, _options(given), change))


def resolve(
    out: Path_,
    jobs: str | Sequence[str] | None = None,
    *,
    task_id: str | None = None,
    not_charged: bool = False,
    paid_lost: bool = False,
    give_up: bool = False,
    from_: Path_ | None = None,
    all_: bool = False,
) -> Status:
    """Say what became of jobs in doubt, or give tasks up; returns what the ledger says then."""
    wish = resolving.Wish(
        jobs=words(jobs),
        task_id=task_id,
        not_charged=not_charged,
        paid_lost=paid_lost,
        give_up=give_up,
        file=None if from_ is None else Path(from_),
        all=all_,
    )
    with speaking_python():
        for _ in resolving.resolve(Path(out), wish, lambda _question: True):
            pass
        return Status.of(read_status(Path(out))[0])


# -- from keywords to settings and options ----------------------------------------------------------------------


def _config(given: Mapping[str, Any]) -> Config:
    return Config.load({name: given[name] for name in SETTINGS if name in given})


def _options(given: Mapping[str, Any]) -> RunOptions:
    on_event, confirm = given.get("on_event"), given.get("confirm")

    def show(preview: Preview) -> None:
        _warn([in_python(f"{one.manifest}: {one.message}") for one in preview.survey.warnings])

    def yes(preview: Preview) -> bool:
        if confirm is not None and not confirm(Plan.of(preview)):
            raise flow.NotConfirmed(preview.plan, asked=True, unit=preview.unit)
        return True

    return RunOptions(
        **what(given),
        wait=given.get("wait", True),
        download=given.get("download", True),
        progress="auto" if given.get("progress") else "none",
        stop=given.get("stop"),
        hear=None if on_event is None else lambda line: on_event(Event.of(line)),
        show=show,
        confirm=yes,
        tell=lambda sentence: _warn([in_python(sentence)]),
    )


def _warn(sentences: Sequence[str]) -> None:
    for sentence in sentences[:MOST_WARNED]:
        warnings.warn(sentence, BatchgenWarning, stacklevel=6)
    if len(sentences) > MOST_WARNED:
        more = f"{len(sentences) - MOST_WARNED:,} more warnings: validate() has them all."
        warnings.warn(more, BatchgenWarning, stacklevel=6)


def _wanted(given: Mapping[str, Any]) -> retrying.Wanted:
    states, codes, jobs = (words(given.get(name)) for name in ("state", "code", "jobs"))
    review = given.get("review")
    if review not in (None, "reject"):
        raise UsageError(f"--review {review!r} is no mark that is bought again: it is reject.", code="bad_review")
    return retrying.Wanted(states, codes, jobs, buy_again=given.get("buy_again", False), review=review)


def _run_of(ended: flow.Ended) -> Run:
    found = () if ended.preview is None else ended.preview.survey.warnings
    messages = tuple(in_python(message) for message in ended.stops.values())
    return Run(ended.status.out, int(ended.exit), Status.of(ended.status, int(ended.exit)), messages, found)


def _plan_of(out: Path, choice: retrying.Choice, unit: Unit) -> Plan:
    scenes = dict.fromkeys(job.scene for job in choice.jobs)
    of = {scene: [job for job in choice.jobs if job.scene == scene] for scene in scenes}
    actions = [
        Action("submit", scene, len(jobs), unit.number(sum(j.price for j in jobs))) for scene, jobs in of.items()
    ]
    return Plan(out, unit.name, 0, Amount(len(choice.jobs), unit.number(choice.price)), tuple(actions))


# -- beside an event loop ------------------------------------------------------------------------------------


class _Stop:
    """The caller's flag, and how often its task was cancelled: the second time the run is left at once."""

    def __init__(self, flag: Flag | None) -> None:
        self._flag = flag
        self.cancels = 0
        self.failed: Exception | None = None

    def is_set(self) -> bool:
        if self.cancels > 1:
            raise asyncio.CancelledError
        return bool(self.cancels or self.failed) or (self._flag is not None and self._flag.is_set())


async def _aside(function: Callable[..., T], first: object, given: dict[str, Any]) -> T:
    """Call a blocking function in a thread of its own; its callbacks are called here."""
    loop = asyncio.get_running_loop()
    stop, on_event = _Stop(given.get("stop")), given.get("on_event")

    def hear(event: Event) -> None:
        if stop.failed is None and on_event is not None:
            try:
                on_event(event)
            except Exception as error:
                stop.failed = error

    given = {**given, "stop": stop}
    if on_event is not None:
        given["on_event"] = lambda event: loop.call_soon_threadsafe(hear, event)
    done: asyncio.Future[T] = loop.create_future()

    def work() -> None:
        try:
            result = function(first, **given)
        except BaseException as error:
            loop.call_soon_threadsafe(done.set_exception, _carried(error))
        else:
            loop.call_soon_threadsafe(done.set_result, result)

    thread = threading.Thread(target=work, name="batchgen-call", daemon=True)
    thread.start()
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait({done})
        except asyncio.CancelledError as error:
            cancelled, stop.cancels = error, stop.cancels + 1
    thread.join()  # its last line is behind it
    if cancelled is not None:
        done.exception()
        raise cancelled
    if stop.failed is not None:
        raise stop.failed
    return done.result()


def _carried(error: BaseException) -> BaseException:
    """A future carries any exception but a StopIteration."""
    return RuntimeError(repr(error)) if isinstance(error, StopIteration) else error
