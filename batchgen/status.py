"""What the ledger of an OUT amounts to: the numbers, the exit code, and what to do next. Read-only."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchgen.board import STOP_EXIT, Stop
from batchgen.errors import Exit
from batchgen.job import ENDED_WITHOUT_VIDEO, WAITING, State
from batchgen.ledger import views
from batchgen.ledger.people import Doubt, doubts
from batchgen.ledger.rows import pending_sum
from batchgen.ledger.store import Store, is_running

RESULTS = "results.csv"
REPORT = "report.html"
_SHOWN_DOUBTS = 20


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a ledger. `states` counts lines of results.csv; `own_states` this run's selected jobs."""

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
        )

    @property
    def waiting(self) -> int:
        return sum(self.states.get(state, 0) for state in WAITING)

    def exit(self, stops: Iterable[Stop] = (), *, no_wait: bool = False, no_download: bool = False) -> Exit:
        """The exit code of a run that ends like this."""
        held = {STOP_EXIT[stop] for stop in stops}
        if self.states.get(State.IN_DOUBT) or self.states.get(State.SUBMITTING):
            held.add(Exit.IN_DOUBT)
        if not no_wait and (self.waiting or (self.files_missing and not no_download)):
            held.add(Exit.UNFINISHED)
        if self.pending and not held & {Exit.CAP, Exit.UNFINISHED_JOBS}:
            held.add(Exit.UNFINISHED)
        ended = sum(self.own_states.get(state, 0) for state in ENDED_WITHOUT_VIDEO)
        if ended or self.without_output or self.states.get(State.CHANGED) or self.states.get(State.INVALID):
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
    """The status of `out` and its doubts. Raises LedgerError when there is no ledger."""
    with Store.read(out) as store, store.begin() as connection:
        status = Status.of(connection, out, running=is_running(out))
        return status, doubts(connection)


def status_text(status: Status, some: list[Doubt]) -> str:
    """The status for a person: counts, credits, doubts, and what to do next."""
    lines = [f"{status.out}: {_number(sum(status.states.values()), 'job')}"]
    lines += [f"  {state.value:<14}{count:>9,}" for state, count in _ordered(status.states)]
    credits = status.credits  # noqa: A001 - the product's word
    lines.append("credits")
    amounts = [("charged", credits.charged), ("refunded", credits.refunded), ("reserved", credits.reserved)]
    amounts += [("in doubt", credits.in_doubt)]
    lines += [f"  {name:<14}{amount:>9,}" for name, amount in amounts if amount or name == "charged"]
    lines.append(f"  {'cap':<14}{'none' if credits.cap is None else format(credits.cap, ','):>9}")
    if some:
        lines += ["", *doubts_text(some)]
    lines += ["", *next_steps(status)]
    return "\n".join(lines)


def doubts_text(some: list[Doubt], shown: int = _SHOWN_DOUBTS) -> list[str]:
    """Each doubt with what helps to find it in the service's own dashboard."""
    lines = [f"{_number(len(some), 'job')} in doubt: sent, but the answer never came back whole."]
    for doubt in some[:shown]:
        request = doubt.request
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(doubt.begun_at))
        prompt = str(request.get("prompt") or request.get("image_input") or request.get("video_input") or "")
        lines.append(f"  {doubt.job_id}  sent {when}  {doubt.price} credits  {request['model']}")
        lines.append(f"    {_short(prompt, 90)}")
        marks = [f"{name}: {value}" for name, value in doubt.headers.items() if name in _MARKS]
        lines.append("    " + "; ".join([doubt.message or doubt.code, *marks]))
    if len(some) > shown:
        lines.append(f"  … and {len(some) - shown:,} more (`batchgen resolve OUT --list` has all)")
    return lines


_MARKS = ("x-request-id", "cf-ray", "x-vercel-id", "date")


def next_steps(status: Status) -> list[str]:
    """What a person can do now, one sentence a line."""
    out, states = status.out, status.states
    if status.running:
        return ["A run works on it right now."]
    steps: list[str] = []
    if states.get(State.IN_DOUBT):
        steps.append(
            f"Look in the service's dashboard for the jobs in doubt, then: batchgen resolve {out} JOB --task-id T"
            " | --not-charged | --paid-lost"
        )
    if status.waiting or status.files_missing:
        steps.append(f"Fetch what is still being made: batchgen collect {out}")
    if status.files_missing and status.urls_die_at is not None:
        left = status.urls_die_at - time.time()
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.urls_die_at))
        steps.append(
            f"{_number(status.files_missing, 'video')} not downloaded; the first URL "
            + (
                f"dies at {when} (a day after it was made, unless the service says otherwise)."
                if left > 0
                else f"died at {when}; the service may still give a fresh one."
            )
        )
    if status.pending:
        steps.append(
            f"{_number(status.pending, 'job')} ({status.pending_credits:,} credits) not submitted yet: "
            "run the same command again."
        )
    ended = sum(states.get(state, 0) for state in ENDED_WITHOUT_VIDEO)
    if ended:
        steps.append(
            f"{_number(ended, 'job')} ended without a video: edit the rows and run again, or "
            f"`batchgen retry {out}` buys the same again (it shows the price first)."
        )
    if status.without_output:
        steps.append(
            f"{_number(status.without_output, 'task')} succeeded, but named no video: `batchgen collect {out}` "
            "asks again; if that stays so, show the service the task ids."
        )
    if states.get(State.CHANGED):
        steps.append(
            f"{_number(states[State.CHANGED], 'row')} changed after the video was bought: "
            "--resubmit-changed buys a new one."
        )
    if states.get(State.INVALID):
        steps.append(f"{_number(states[State.INVALID], 'row')} with problems: `batchgen validate` names them.")
    return steps or ["Everything is done."]


def _ordered(states: dict[State, int]) -> list[tuple[State, int]]:
    order = list(State)
    return sorted(states.items(), key=lambda item: order.index(item[0]))


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _short(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
