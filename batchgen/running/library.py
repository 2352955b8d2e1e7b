"""The Python face: `validate`, `estimate`, `run`, with the words of the command line. Blocking, on purpose:
they work in a script, in a thread, and inside a running event loop (Jupyter) alike.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from batchgen.check.survey import ReadOptions, Survey, find_manifests, survey
from batchgen.errors import system_says_no
from batchgen.ledger import views
from batchgen.ledger.sqlite.store import reading, unit_of
from batchgen.ledger.status import Status
from batchgen.planning.decide import Selection
from batchgen.planning.preview import Preview
from batchgen.results.csv import frame
from batchgen.running.context import RunOptions
from batchgen.running.flow import Ended
from batchgen.running.flow import run as run_manifests
from batchgen.running.settings import Config

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Manifests = str | Path | Sequence[str | Path]


def validate(manifests: Manifests, *, own: Sequence[str] = (), sheet: str | None = None) -> Survey:
    """Every problem of every row: `.valid`, `.invalid`, `.problems`, `.warnings`. Opens no connection.

    >>> found = validate("manifests/examples.csv")
    >>> (found.rows, found.invalid)
    (3, 0)
    """
    options = ReadOptions(own=tuple(own), sheet=sheet)
    return survey(find_manifests(_names(manifests)), options, Config.load().table(lenient=True))


def estimate(manifests: Manifests, *, by: str | None = None, sheet: str | None = None) -> Survey:
    """What the manifests cost: `.credits`, `.by_scene`, `.by_model`, and `.by` for a column. No connection.

    >>> estimate("manifests/examples.csv").credits
    24
    """
    options = ReadOptions(sheet=sheet)
    return survey(find_manifests(_names(manifests)), options, Config.load().table(), by=by)


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended. `exit` is the exit code that the command would have had; `credits` are charged ones."""

    out: Path
    exit: int
    status: Status
    messages: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.exit == 0

    @property
    def credits(self) -> int:
        return self.status.credits.charged

    def results(self) -> "pd.DataFrame":
        """The lines of results.csv as a DataFrame, read from the ledger."""
        with reading(self.out) as connection:
            return frame(views.results(connection), views.other_columns(connection), unit=unit_of(connection))


def run(
    manifests: Manifests,
    *,
    out: str | Path | None = None,
    sandbox: bool = False,
    dry_run: bool = False,
    only_valid: bool = False,
    select: Sequence[tuple[str, str]] = (),
    limit: int | None = None,
    fill_cap: bool = False,
    resubmit_changed: bool = False,
    wait: bool = True,
    download: bool = True,
    confirm: Callable[[Preview], bool] | None = None,
    **settings: Any,
) -> Run | Preview:
    """Turn manifests into videos; calling it again resumes. `dry_run` returns the Preview of the plan.

    `settings` are those of batchgen.toml (`max_credits=500`, `rate="2/s"`, …). The key comes from the
    environment variable BATCHGEN_API_KEY. `confirm` is asked with the plan before money is spent; without it
    the call itself is the yes. Raises BatchgenError when nothing was submitted: ManifestProblems, CapError, …
    """
    config = Config.load(settings)
    options = RunOptions(
        out=None if out is None else Path(out),
        sandbox=sandbox,
        dry_run=dry_run,
        only_valid=only_valid,
        selection=Selection(tuple(select)),
        limit=limit,
        fill_cap=fill_cap,
        resubmit_changed=resubmit_changed,
        wait=wait,
        download=download,
        confirm=confirm,
    )
    try:
        ended = _outside_of_loops(lambda: run_manifests(_names(manifests), config, options))
    except OSError as error:
        raise system_says_no(error) from error
    return ended if isinstance(ended, Preview) else _run_of(ended)


def _run_of(ended: Ended) -> Run:
    return Run(ended.status.out, int(ended.exit), ended.status, tuple(ended.stops.values()))


def _names(manifests: Manifests) -> list[str]:
    return [str(manifests)] if isinstance(manifests, str | Path) else [str(one) for one in manifests]


def _outside_of_loops(call: Callable[[], T]) -> T:
    """Call it here, or in a thread of its own when an event loop runs in this one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    result: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(call())
        except BaseException as error:  # it is raised again where the caller waits
            failure.append(error)

    thread = threading.Thread(target=work, name="batchgen-run")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
