"""From manifests to videos: read, plan, ask, submit, collect, write down. The only module that knows them all."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchgen import failpoint, intake
from batchgen.board import Board, Stop
from batchgen.check import ReadOptions, Survey, find_manifests, jobs, survey
from batchgen.config import KEY_VARIABLE, Config, key_from_environment
from batchgen.drive import Course, drive
from batchgen.errors import CapError, Exit, ManifestError, UsageError
from batchgen.events import Events
from batchgen.job import InvalidRow, Job
from batchgen.ledger import CapReached, Ledger, Store, views
from batchgen.ledger.attempts import set_cap
from batchgen.ledger.people import note
from batchgen.ledger.rows import knows_task, pending_sum
from batchgen.ledger.store import ledger_path, meta_value, set_meta_value
from batchgen.outputs import write_report_html, write_results_csv
from batchgen.place import out_for
from batchgen.plan import Decision, Plan, Selection
from batchgen.pricing import PriceTable
from batchgen.progress import Progress
from batchgen.secret import Secret
from batchgen.status import Status

SANDBOX_SERVICE = "sandbox"
#: A run writes report.html for so many jobs at most; `batchgen report` writes it for any number.
MOST_ON_A_PAGE = 100_000


class ManifestProblems(ManifestError):
    """Rows have problems; `survey` has all of them."""

    def __init__(self, found: Survey) -> None:
        has = "has" if found.invalid == 1 else "have"
        what = f"{found.invalid:,} of {found.rows:,} rows {has} problems" if found.invalid else "there are no rows"
        hint = "Correct them, or run the good rows with --only-valid."
        if found.file_problems:
            what, hint = "a manifest can't be used as it is", "Correct what is said above, and run it again."
        super().__init__(f"Nothing was submitted: {what}.", code="problems", hint=hint)
        self.survey = found


class OverCap(CapError):
    """The plan does not fit under the cap."""

    def __init__(self, message: str, plan: Plan, *, hint: str) -> None:
        super().__init__(message, code="over_cap", hint=hint)
        self.plan = plan


class NotConfirmed(UsageError):
    """Nobody said yes."""

    def __init__(self, plan: Plan, *, asked: bool) -> None:
        super().__init__(
            "Nothing was submitted." if asked else "Nothing was submitted: there is no terminal to ask on.",
            code="declined" if asked else "not_confirmed",
            hint="Run it again when you are ready." if asked else "Add --yes to run without being asked.",
        )
        self.plan = plan


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `run` takes besides settings. `confirm` shows a plan and answers whether to go on (None: --yes)."""

    out: Path | None = None
    sandbox: bool = False
    only_valid: bool = False
    limit: int | None = None
    selection: Selection = field(default_factory=Selection)
    read: ReadOptions = field(default_factory=ReadOptions)
    dry_run: bool = False
    fill_cap: bool = False
    resubmit_changed: bool = False
    wait: bool = True
    download: bool = True
    progress: str = "none"
    confirm: Callable[["Preview"], bool] | None = None
    tell: Callable[[str], None] = lambda _sentence: None
    ask_key: Callable[[], Secret | None] = lambda: None
    sandbox_options: Any = None
    watch: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown before money is spent."""

    out: Path
    survey: Survey
    plan: Plan
    cap: int | None
    room: int | None
    taken_in: bool = False
    limit: int | None = None

    @property
    def fits(self) -> bool:
        return self.room is None or self.plan.to_submit.credits <= self.room


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    status: Status
    exit: Exit
    stops: dict[Stop, str]
    recovered: int = 0
    preview: Preview | None = None


def run(arguments: Sequence[str], config: Config, options: RunOptions) -> Ended | Preview:
    """The whole way. Returns a Preview for a dry run. Raises BatchgenError when nothing was submitted."""
    paths = find_manifests(arguments)
    out = out_for(arguments, paths, options.out, sandbox=options.sandbox)
    prices = PriceTable.load(config.prices)
    preview = look_ahead(paths, out, prices, config, options)
    for sentence in preview.survey.notes:
        options.tell(sentence)
    if not preview.fits and not options.fill_cap:
        raise _over_cap(preview)
    if options.dry_run:
        return preview
    to_submit = preview.plan.to_submit.jobs
    if to_submit and not options.sandbox and options.confirm is not None and not options.confirm(preview):
        raise NotConfirmed(preview.plan, asked=sys.stdin.isatty())
    with service(out, config, options) as (base_url, key, name):
        ledger = Ledger.open(out, name)
        try:
            _take_in(ledger, paths, preview, prices, config, options)
            course = Course(True, options.limit, options.wait, options.download, watch=options.watch)
            stops = work(ledger, base_url, key, config, course, options)
        finally:
            ledger.close()
    return finish(out, stops, options, preview, ledger.recovered)


def look_ahead(
    paths: Sequence[Path | str], out: Path, prices: PriceTable, config: Config, options: RunOptions
) -> Preview:
    """Read and check everything, and work out the plan; opens no connection and writes nothing."""
    store = Store.read(out) if ledger_path(out).exists() else None
    try:
        with _reading(store) as connection:
            knows = None if connection is None else lambda task_id: knows_task(connection, task_id)
            found = survey(paths, options.read, prices, known_task_ids=knows)
            if found.rows == 0 or found.file_problems or (found.invalid and not options.only_valid):
                raise ManifestProblems(found)
            _check_columns(options.selection, found)
            known = connection is not None and is_taken_in(connection, found, options)
            if connection is not None and known:
                plan = intake.unchanged(connection, found.invalid)
            elif connection is None and not options.selection.conditions:
                plan = _all_new(found)
            else:
                items = jobs(paths, options.read, prices, known_task_ids=knows, surveyed=found)
                again = options.resubmit_changed
                plan = intake.preview(connection, items, options.selection, resubmit_changed=again)
            credits = None if connection is None else views.credits(connection)  # noqa: A001
    finally:
        if store is not None:
            store.close()
    cap = config.max_credits.credits if config.max_credits.said else credits.cap if credits else None
    counted = credits.counted if credits else 0
    return Preview(out, found, plan, cap, None if cap is None else cap - counted, known, options.limit)


def _all_new(found: Survey) -> Plan:
    """The plan where there is no ledger yet: every good row is submitted."""
    plan = Plan(rows=found.rows, invalid=found.invalid)
    for scene, (count, _, amount) in found.by_scene.items():
        plan.add(Decision.NEW, scene, amount, count)
    return plan


def is_taken_in(connection: Any, found: Survey, options: RunOptions) -> bool:
    """Whether the ledger has just these rows already, as their jobs and chosen in the same way: then none need be
    read again.
    """
    return not options.resubmit_changed and meta_value(connection, "taken_in") == _mark(found, options)


def _mark(found: Survey, options: RunOptions) -> list[Any]:
    return [found.digest, [list(one) for one in options.selection.conditions]]


@contextmanager
def _reading(store: Store | None) -> Iterator[Any]:
    if store is None:
        yield None
        return
    with store.begin() as connection:
        yield connection


def _check_columns(selection: Selection, found: Survey) -> None:
    known = {column for columns in found.columns.values() for column in columns}
    if missing := selection.missing_columns(known):
        raise UsageError(
            f"--select names the column {missing[0]!r}, which no manifest has.",
            code="no_such_column",
            hint="The columns are: " + ", ".join(sorted({"id", "provider", "model", "scene", *known})) + ".",
        )


def _over_cap(preview: Preview) -> OverCap:
    wanted, room = preview.plan.to_submit.credits, max(0, preview.room or 0)
    return OverCap(
        f"The plan needs {wanted:,} credits, but the cap leaves {room:,}. Nothing was submitted.",
        preview.plan,
        hint="Raise --max-credits, choose rows with --select, or add --fill-cap to submit as many as fit.",
    )


def _take_in(
    ledger: Ledger,
    paths: Sequence[Path | str],
    preview: Preview,
    prices: PriceTable,
    config: Config,
    options: RunOptions,
) -> None:
    """Write rows and jobs into the ledger, in one transaction, and the cap with them."""
    columns = list(dict.fromkeys(name for some in preview.survey.columns.values() for name in some))

    def change(connection: Any) -> None:
        failpoint.reached("take_in.before")
        if config.max_credits.said:
            change_cap(connection, config.max_credits.credits)
        if preview.taken_in and is_taken_in(connection, preview.survey, options):
            return
        position = intake.next_position(connection)
        items: Iterator[Job | InvalidRow] = jobs(
            paths,
            options.read,
            prices,
            known_task_ids=lambda task_id: knows_task(connection, task_id),
            surveyed=preview.survey,
        )
        plan = intake.take_in(connection, items, options.selection, resubmit_changed=options.resubmit_changed)
        if plan.to_submit != preview.plan.to_submit or plan.rows != preview.plan.rows:
            raise ManifestError(
                "The manifest changed while it was read; nothing was submitted.",
                code="manifest_changed",
                hint="Save it, close the program that writes it, and run again.",
            )
        set_meta_value(connection, "first_position", position)
        set_meta_value(connection, "columns", columns)
        set_meta_value(connection, "price_version", prices.version)
        # A row that was edited while its job runs or is in doubt is compared anew by each run.
        set_meta_value(connection, "taken_in", None if plan.differing else _mark(preview.survey, options))

    ledger.write(change)
    failpoint.reached("take_in.after")


def change_cap(connection: Any, cap: int | None) -> None:
    """Store the cap of an OUT. Raises CapError when more is spent already."""
    before = views.credits(connection)
    if before.cap == cap:
        return
    try:
        set_cap(connection, cap)
    except CapReached:
        raise CapError(
            f"{before.counted:,} credits are spent or reserved already, more than the cap of {cap:,}.",
            code="cap_below_spent",
            hint="Nothing was submitted. Name a higher cap, or none.",
        ) from None
    note(connection, intake.person(), "cap", was=before.cap, now=cap)


@contextmanager
def service(out: Path, config: Config, options: RunOptions) -> Iterator[tuple[str, Secret, str]]:
    """The service to talk to: the real one, or the sandbox in this process. (base URL, key, ledger's name)."""
    if options.sandbox:
        from batchgen.sandbox import Options, SandboxServer

        state = out / "sandbox"
        state.mkdir(parents=True, exist_ok=True)
        with SandboxServer(options.sandbox_options or Options(), state_dir=state) as server:
            yield server.base_url, Secret(server.key), SANDBOX_SERVICE
        return
    key = key_from_environment() or options.ask_key()
    if key is None:
        raise UsageError(
            "There is no API key.",
            code="no_key",
            hint=f"Set the environment variable {KEY_VARIABLE}, or try it without a key: add --sandbox.",
        )
    yield config.base_url, key, config.base_url


def work(
    ledger: Ledger, base_url: str, key: Secret, config: Config, course: Course, options: RunOptions
) -> dict[Stop, str]:
    """Drive the stations over an open ledger, and write results.csv and the report at the end."""
    events = Events(ledger.out)
    try:
        board = Board(emit=events, flush=events.flush)
        board.states.update(ledger.read(views.job_states))
        jobs_left, credits_left = ledger.read(pending_sum)
        if not course.submit:
            jobs_left = credits_left = 0
        board.to_submit = jobs_left if course.limit is None else min(course.limit, jobs_left)
        board.credits_planned = credits_left
        board.event("run", jobs=jobs_left, credits=credits_left)
        with Progress(board, options.progress) as progress:
            drive(ledger, base_url, key, board, config, course, progress)
        board.event("end", stops=[stop.value for stop in board.stops])
        return board.stops
    finally:
        events.close()


def finish(
    out: Path,
    stops: dict[Stop, str],
    options: RunOptions,
    preview: Preview | None = None,
    recovered: int = 0,
) -> Ended:
    """Write the results for the last time and sum up."""
    lines = write_results_csv(out)
    if lines <= MOST_ON_A_PAGE:
        write_report_html(out)
    with Store.read(out) as store, store.begin() as connection:
        status = Status.of(connection, out)
    exit_ = status.exit(stops, no_wait=not options.wait, no_download=not options.download)
    return Ended(status, exit_, stops, recovered, preview)


def collect(out: Path, config: Config, options: RunOptions) -> Ended:
    """Poll and download what was submitted earlier; can never submit."""
    options = _as_before(out, options)
    with service(out, config, options) as (base_url, key, name):
        ledger = Ledger.open(out, name)
        try:
            course = Course(False, download=options.download, watch=options.watch)
            stops = work(ledger, base_url, key, config, course, options)
        finally:
            ledger.close()
    return finish(out, stops, options, None, ledger.recovered)


def resume(out: Path, config: Config, options: RunOptions, prepare: Callable[[Any], None]) -> Ended:
    """Change the ledger under the run lock (retry), then submit and collect what it says."""
    options = _as_before(out, options)
    with service(out, config, options) as (base_url, key, name):
        ledger = Ledger.open(out, name)
        try:
            ledger.write(prepare)
            course = Course(wait=options.wait, download=options.download)
            stops = work(ledger, base_url, key, config, course, options)
        finally:
            ledger.close()
    return finish(out, stops, options, None, ledger.recovered)


def _as_before(out: Path, options: RunOptions) -> RunOptions:
    """The same service as the ledger's: a sandbox's OUT goes on in the sandbox without being told."""
    from dataclasses import replace

    with Store.read(out) as store, store.begin() as connection:
        sandbox = meta_value(connection, "service") == SANDBOX_SERVICE
    return replace(options, sandbox=sandbox)
