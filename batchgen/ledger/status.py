"""What the ledger of an OUT amounts to: the numbers and the exit code. Read-only. In words: `status_text`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchgen.amount import CREDITS, Unit
from batchgen.errors import STOP_EXIT, Exit, Stop, UsageError
from batchgen.job import ENDED_WITHOUT_VIDEO, WAITING, State
from batchgen.ledger import views
from batchgen.ledger.decisions import Doubt, doubts
from batchgen.ledger.rows import pending_sum
from batchgen.ledger.sqlite.lock import is_running
from batchgen.ledger.sqlite.store import reading, unit_of

RESULTS = "results.csv"
REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a ledger. `states` counts lines of results.csv; `own_states` this run's selected jobs.

    `files_missing` and `without_output` are of all jobs, selected or not: what is paid for is to be had. The
    `own_…` ones are of the selected jobs alone. `pending` counts selected jobs to submit, `refund_expected` credits
    of failed tasks of which no refund was stated, `money_lost` jobs that ended without a video and count as spent
    by a person's word. `trouble` is why one of the `files_missing` could not be had (`KIND: words`, "" when none
    was tried).
    """

    out: Path
    states: dict[State, int]
    own_states: dict[State, int]
    credits: views.Credits
    estimated: int
    pending: int
    pending_credits: int
    files_missing: int
    running: bool
    urls_die_at: float | None = None
    without_output: int = 0
    refund_expected: int = 0
    trouble: str = ""
    money_lost: int = 0
    own_files_missing: int = 0
    own_without_output: int = 0
    unit: Unit = CREDITS
    #: (error code, what went wrong at the last poll, tasks) of what is overdue.
    overdue: tuple[tuple[str, str, int], ...] = ()

    @classmethod
    def of(cls, connection: sa.Connection, out: Path, *, running: bool = False) -> "Status":
        pending, pending_credits = pending_sum(connection)
        return cls(
            out=out,
            states=views.row_states(connection),
            own_states=views.job_states(connection, selected_only=True),
            credits=views.credits(connection),
            estimated=views.estimated(connection),
            pending=pending,
            pending_credits=pending_credits,
            files_missing=views.files_missing(connection),
            running=running,
            urls_die_at=views.urls_die_at(connection),
            without_output=views.without_output(connection),
            refund_expected=views.refund_expected(connection),
            trouble=views.download_trouble(connection),
            money_lost=views.money_lost(connection),
            own_files_missing=views.files_missing(connection, selected_only=True),
            own_without_output=views.without_output(connection, selected_only=True),
            unit=unit_of(connection),
            overdue=tuple(views.overdue_reasons(connection)),
        )

    @property
    def waiting(self) -> int:
        return sum(self.states.get(state, 0) for state in WAITING)

    @property
    def all_ended(self) -> bool:
        """Whether nothing is left to submit, to wait for or to settle."""
        open_ = WAITING | {State.IN_DOUBT, State.SUBMITTING}
        return not self.pending and not any(self.states.get(state) for state in open_)

    def exit(
        self,
        stops: Iterable[Stop] = (),
        *,
        no_wait: bool = False,
        no_download: bool = False,
        selected_only: bool = False,
    ) -> Exit:
        """The exit code of a run that ends like this. With `selected_only` no video of another job need be here."""
        files_missing = self.own_files_missing if selected_only else self.files_missing
        without_output = self.own_without_output if selected_only else self.without_output
        held = {STOP_EXIT[stop] for stop in stops}
        if self.states.get(State.IN_DOUBT) or self.states.get(State.SUBMITTING):
            held.add(Exit.IN_DOUBT)
        if not no_wait and (self.waiting or (files_missing and not no_download)):
            held.add(Exit.UNFINISHED)
        if self.pending and not held & {Exit.CAP, Exit.UNFINISHED_JOBS}:
            held.add(Exit.UNFINISHED)
        ended = sum(self.own_states.get(state, 0) for state in ENDED_WITHOUT_VIDEO)
        if ended or without_output or self.states.get(State.CHANGED) or self.states.get(State.INVALID):
            held.add(Exit.UNFINISHED_JOBS)
        return Exit.worst(held)

    def as_json(self, exit_: Exit) -> dict[str, Any]:
        """The document that `run`, `status` and `collect` print with --json."""
        results = self.out / RESULTS
        return {
            "out": str(self.out),
            "jobs": sum(self.states.values()),
            "states": {state.value: count for state, count in sorted(self.states.items())},
            "credits": {
                "estimated": self.estimated,
                "charged": self.credits.charged,
                "refunded": self.credits.refunded,
                "reserved": self.credits.reserved,
                "in_doubt": self.credits.in_doubt,
                "cap": self.credits.cap,
            },
            "results": str(results) if results.exists() else None,
            "exit": int(exit_),
        }


def read_status(out: Path) -> tuple[Status, list[Doubt]]:
    """The status of `out` and its doubts. LedgerError when there is no ledger, UsageError when it has no job."""
    with reading(out) as connection:
        status = Status.of(connection, out, running=is_running(out))
        if not status.states:
            raise UsageError(
                f"The ledger in {out} has no job: nothing was taken in there yet.",
                code="no_jobs",
                hint="Run a manifest into that folder, or name another one.",
            )
        return status, doubts(connection)
