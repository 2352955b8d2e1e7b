"""From manifests to videos: read, plan, ask, submit, collect, write down. The only module that knows them all."""

import json
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from batchgen.amount import CREDITS, Unit
from batchgen.check.lines import lines
from batchgen.check.prices import PriceTable
from batchgen.check.survey import find_manifests
from batchgen.errors import CapError, Exit, Stop, UsageError
from batchgen.ledger import Ledger, Person, reading, views
from batchgen.ledger.rows import pending_sum
from batchgen.ledger.sqlite.store import meta_value
from batchgen.ledger.status import Status
from batchgen.manifest import Place
from batchgen.manifest.source import Rows
from batchgen.planning.decide import Cap, Plan
from batchgen.planning.elsewhere import refuse_elsewhere
from batchgen.planning.preview import (
    SANDBOX_SERVICE,
    ManifestProblems,
    Preview,
    bought_at,
    cap_notes,
    has_inputs,
    look_ahead,
    over_cap,
)
from batchgen.planning.take_in import take_in
from batchgen.running import auto
from batchgen.running.caller import Caller
from batchgen.running.context import RunContext, RunOptions
from batchgen.running.environment import key_from_environment
from batchgen.running.events import Events
from batchgen.running.inputs import broken_rows, look_at_inputs, with_problems
from batchgen.running.metrics import MetricsFile
from batchgen.running.outputs import write_report_html, write_results_csv
from batchgen.running.place import check_resumes, out_for
from batchgen.running.progress import Progress
from batchgen.running.settings import Config, about_settings, cheap_prices
from batchgen.running.state import Board
from batchgen.running.stations import drive
from batchgen.running.trust import check_destination, is_loopback
from batchgen.service import Api
from batchgen.service.dialects import GATEWAY
from batchgen.service.secret import Secret
from batchgen.videos.addresses import reach_of_url

#: A run writes report.html for so many jobs at most; `batchgen report` writes it for any number.
MOST_ON_A_PAGE = 100_000


class NotConfirmed(UsageError):
    """Nobody said yes."""

    def __init__(self, plan: Plan, *, asked: bool, unit: Unit = CREDITS) -> None:
        super().__init__(
            "Nothing was submitted." if asked else "Nothing was submitted: there is no terminal to ask on.",
            code="declined" if asked else "not_confirmed",
            hint="Run it again when you are ready." if asked else "Add --yes to run without being asked.",
        )
        self.plan = plan
        self.unit = unit


def service_name(config: Config, *, sandbox: bool) -> str:
    """The name under which a ledger knows its service: the gateway's is its address, any other begins with the
    service's own name.
    """
    if config.service == GATEWAY:
        return SANDBOX_SERVICE if sandbox else config.base_url
    if sandbox:
        return f"{SANDBOX_SERVICE} {config.service}"
    return config.service if config.base_url == config.dialect.base_url else f"{config.service} {config.base_url}"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    status: Status
    exit: Exit
    stops: dict[Stop, str]
    recovered: int = 0
    preview: Preview | None = None


def plan(arguments: Sequence[str | Rows], config: Config, options: RunOptions) -> tuple[Preview, CapError | None]:
    """The look ahead alone, and why the cap would refuse it. Writes nothing and opens no connection."""
    preview = _ahead(arguments, config, options)[2]
    return preview, None if preview.fits or options.fill_cap else over_cap(preview)


def first_rows(
    arguments: Sequence[str | Rows], config: Config, options: RunOptions, preview: Preview, most: int = 20
) -> list[tuple[str, str, str, int]]:
    """(job id, model, prompt, price) of the first jobs that the plan buys."""
    paths, found = find_manifests(arguments), []
    for line in lines(paths, options.read, config.table(), preview.survey):
        if line.problems is None and (preview.wanted is None or line.fingerprint in preview.wanted):
            found.append((line.job_id, line.model, str(json.loads(line.request).get("prompt") or ""), line.price))
            if len(found) == most:
                break
    return found


def run(arguments: Sequence[str | Rows], config: Config, options: RunOptions) -> Ended | Preview:
    """The whole way. Returns a Preview for a dry run. Raises BatchgenError when nothing was submitted."""
    paths, options, preview = _ahead(arguments, config, options)
    out, prices, cap = preview.out, config.table(), config.cap
    options.show(preview)
    if not preview.fits and not options.fill_cap:
        raise over_cap(preview)
    if options.dry_run:
        return preview
    to_submit = preview.plan.to_submit.jobs
    if to_submit and options.out is None and not options.asks:
        refuse_elsewhere(preview.elsewhere, out, [str(argument) for argument in arguments])
    if to_submit and not options.sandbox and options.confirm is not None and not options.confirm(preview):
        raise NotConfirmed(preview.plan, asked=sys.stdin.isatty(), unit=config.unit)
    with open_run(out, config, options) as opened:
        take_in(opened.ledger, paths, preview, prices, cap, options)
        opened.work()
        opened.settle_at_the_end()
    return opened.end(preview)


def _ahead(
    arguments: Sequence[str | Rows], config: Config, options: RunOptions
) -> tuple[Sequence[Place], RunOptions, Preview]:
    """The manifests, and the plan that is shown: with a look at the inputs where money is about to be spent."""
    paths = find_manifests(arguments)
    options = replace(options, read=replace(options.read, wanted=options.selection.conditions))
    out = out_for(arguments, paths, options.out, service=config.service, sandbox=options.sandbox)
    if options.must_resume:
        check_resumes(out)
    prices, cap = config.table(), config.cap
    name = service_name(config, sandbox=options.sandbox)
    preview = look_ahead(paths, out, name, prices, cap, options)
    if options.check_inputs and not options.dry_run and not options.sandbox and preview.plan.to_submit.jobs:
        preview, options = _with_inputs(preview, paths, name, prices, cap, options)
    about = (*preview.about, *about_settings(config, sandbox=options.sandbox), *cheap_prices(prices, config))
    preview = replace(preview, about=about)
    for sentence in (*preview.survey.notes, *cap_notes(preview, config.cap_origin)):
        options.tell(sentence)
    return paths, options, preview


def _with_inputs(
    preview: Preview, paths: Sequence[Place], name: str, prices: PriceTable, cap: Cap, options: RunOptions
) -> tuple[Preview, RunOptions]:
    """The plan after a look at the inputs of what it would buy. Raises ManifestProblems where some can't be used,
    unless the good rows are to be run without them.
    """
    if not has_inputs(preview.survey):
        return preview, options
    found = look_at_inputs(paths, options.read, prices, preview.survey, preview.wanted)
    if found.problems and not options.only_valid:
        raise ManifestProblems(with_problems(preview.survey, found))
    if found.problems:
        options = replace(options, broken=broken_rows(found))
        preview = look_ahead(paths, preview.out, name, prices, cap, options)
    return replace(preview, inputs=(*found.problems, *found.warnings)), options


@contextmanager
def service(out: Path, config: Config, options: RunOptions) -> Iterator[tuple[str, Secret | None, str]]:
    """The service to talk to: the real one, or the sandbox in this process. (base URL, key, ledger's name)."""
    if options.sandbox:
        from batchgen.sandbox import Options, SandboxServer

        state = out / "sandbox"
        state.mkdir(parents=True, exist_ok=True)
        told: dict[str, Any] = {} if config.service == GATEWAY else {"service": config.service}
        with SandboxServer(options.sandbox_options or Options(**told), state_dir=state) as server:
            yield server.base_url, Secret(server.key), service_name(config, sandbox=True)
        return
    if not config.base_url:
        raise UsageError(
            f"The service {config.service} has no address of its own.",
            code="no_base_url",
            hint="Name the server with --base-url, for example --base-url http://127.0.0.1:8000.",
        )
    check_destination(
        config.base_url,
        service=config.service,
        own=config.dialect.base_url,
        from_folder=config.from_folder("base_url"),
        plain_http=config.plain_http,
        ask=options.ask_trust,
    )
    near = is_loopback(config.base_url)
    key = key_from_environment(variable=config.dialect.key_variable, near=near)
    if key is None and not (near and config.service != GATEWAY):
        key = options.ask_key()
        if key is None:
            raise UsageError(
                f"There is no API key for {config.service}."
                if config.service != GATEWAY
                else "There is no API key.",
                code="no_key",
                hint=f"Set the environment variable {config.dialect.key_variable}, or try it without a key: "
                "add --sandbox.",
            )
    yield config.base_url, key, service_name(config, sandbox=False)


class OpenRun:
    """The service and the open ledger of one run: `work` it while it is open, let it `end` when it is closed."""

    def __init__(
        self, ledger: Ledger, base_url: str, key: Secret | None, config: Config, options: RunOptions
    ) -> None:
        self.ledger = ledger
        self._base_url, self._key = base_url, key
        self._config, self._options = config, options
        self._stops: dict[Stop, str] = {}
        self._raised: BaseException | None = None
        self._left = False

    def work(self, *, submit: bool = True) -> None:
        """Drive the stations; with `submit=False` they poll and fetch alone.

        Raises LedgerWriteError when the ledger's folder went away meanwhile.
        """
        ledger, options = self.ledger, replace(self._options, submit=self._options.submit and submit)
        run_id = uuid.uuid4().hex
        self._metrics = MetricsFile(self._config.metrics_file, ledger.out, run_id, ledger.clock)
        self._metrics.begin()
        events = Events(ledger.out, options.hear is not None, run_id)
        try:
            board = Board(emit=events, flush=events.flush)
            board.states.update(ledger.read(views.job_states))
            if options.submit:
                board.to_submit, board.credits_planned = ledger.read(partial(pending_sum, limit=options.limit))
            board.event("run", jobs=board.to_submit, credits=board.credits_planned)
            with Progress(board, options.progress) as progress:

                def look() -> None:
                    progress.show()
                    self._metrics.keep()
                    events.hand_over(options.hear)

                grace = self._config.post_timeout if self._config.grace is None else self._config.grace
                caller = Caller(look, options.stop)
                try:
                    caller.run(lambda caller: drive(self._context(board, options), caller, grace, progress.tell))
                finally:
                    self._stops, self._raised, self._left = (
                        {**self._stops, **board.stops}, caller.interruption(), caller.left,
                    )  # fmt: skip
            board.event("end", stops=[stop.value for stop in board.stops])
            if self._raised is None:
                events.hand_over(options.hear)
        finally:
            events.close()
            self._metrics.end()
        lost = ledger.astray()
        if lost is not None and lost.code == "ledger_gone":
            raise lost  # nothing can be summed up from a folder that is gone

    def settle(self) -> tuple[int, list[str]]:
        """Ask the service's own list about what is in doubt; never a POST."""
        return auto.settle(self.ledger, self._api())

    def settle_at_the_end(self) -> None:
        """What the list settles is waited for and fetched, too; nobody waits who interrupted the run."""
        if self._raised is not None or Stop.INTERRUPTED in self._stops:
            return
        adopted, sentences = self.settle()
        for sentence in sentences:
            self._options.tell(sentence)
        if adopted and self._options.wait:
            self.work(submit=False)

    def _api(self) -> Api:
        config = self._config
        return Api(
            self._base_url,
            self._key,
            service=config.service,
            post_timeout=config.post_timeout,
            idempotent=config.honours_key,
        )

    def _context(self, board: Board, options: RunOptions) -> RunContext:
        config, api = self._config, self._api()
        near = reach_of_url(self._base_url)
        return RunContext(self.ledger, api, board, config, options, self.ledger.clock, near)

    def end(self, preview: Preview | None = None, *, selected_only: bool = True) -> Ended:
        """Write the results for the last time and sum up; the exit code is of the selected jobs, or of all.

        What interrupted the run is raised when that is done; after leaving at once, before.
        """
        if self._left and self._raised is not None:
            raise self._raised
        out, stops = self.ledger.out, self._stops
        lines = write_results_csv(out)
        if lines <= MOST_ON_A_PAGE:
            write_report_html(out)
        if self._raised is not None:
            raise self._raised
        with reading(out) as connection:
            status = Status.of(connection, out)
        if status.all_ended:  # a refusal on the way that kept nothing from its end is no reason
            stops = {why: message for why, message in stops.items() if why is not Stop.REFUSED}
        no_wait, no_download = not self._options.wait, not self._options.download
        exit_ = status.exit(stops, no_wait=no_wait, no_download=no_download, selected_only=selected_only)
        return Ended(status, exit_, stops, self.ledger.recovered, preview)


@contextmanager
def open_run(out: Path, config: Config, options: RunOptions) -> Iterator[OpenRun]:
    """The one way to a ledger that is worked: under its lock, beside its service, and closed whatever happens."""
    with service(out, config, options) as (base_url, key, name):
        ledger = Ledger.open(out, name, unit=config.unit)
        try:
            yield OpenRun(ledger, base_url, key, config, options)
        except Exception as error:
            error.__dict__["out"] = out  # for whoever has to say what the ledger knows
            raise
        finally:
            ledger.close()


def collect(out: Path, config: Config, options: RunOptions) -> Ended:
    """Poll and download what was submitted earlier; can never submit."""
    config, options = as_before(out, config, options)
    with open_run(out, config, replace(options, submit=False)) as opened:
        opened.work()
    return opened.end(selected_only=False)


def resume(out: Path, config: Config, options: RunOptions, prepare: Callable[[Any, Person], None]) -> Ended:
    """Change the ledger under the run lock (retry), then submit and collect what it says."""
    config, options = as_before(out, config, options)
    with open_run(out, config, options) as opened:
        opened.ledger.write(lambda connection: prepare(connection, opened.ledger.person()))
        opened.work()
    return opened.end()


def settle_by_list(out: Path, config: Config, options: RunOptions) -> list[str]:
    """`resolve --auto`: adopt what the service's own list proves. Can never submit."""
    config, options = as_before(out, config, options)
    with open_run(out, config, options) as opened:
        _, sentences = opened.settle()
    write_results_csv(out)
    return sentences


def as_before(out: Path, config: Config, options: RunOptions) -> tuple[Config, RunOptions]:
    """The same service as the ledger's, and the sandbox where it is one: an OUT goes on without being told."""
    with reading(out) as connection:
        name, sandbox = bought_at(meta_value(connection, "service"))
    return config.at(name), replace(options, sandbox=sandbox)
