"""What OUT itself says was paid: the traces that a run leaves outside its ledger.

A ledger that was removed, or put back from an old copy, would buy everything again. So a new one is never made
where results.csv, events.jsonl or the spill file tell of a purchase, and an old one is refused when the end of
events.jsonl tells of tasks that it does not know. In one history that can't be: an event is written only after
its ledger entry is durable.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import sqlalchemy as sa

from batchgen.errors import LedgerError
from batchgen.job import WAITING, State
from batchgen.ledger.sqlite.spill import spilled
from batchgen.ledger.tables import decision, task
from batchgen.results.formula import unguard

#: Where a run tells what it does, a line an event.
EVENTS = "events.jsonl"

RESULTS = "results.csv"
#: So much of the end of events.jsonl is compared with the ledger, in bytes.
TAIL = 1 << 20
#: Events that tell of a task which the ledger has.
_OF_TASKS = {"accepted", "queued", "running", "succeeded", "failed", "cancelled", "expired", "overdue"}
#: States of a line of results.csv whose job was paid, or may have been.
_PAID = {State.SUBMITTING, State.IN_DOUBT, State.SUCCEEDED, *WAITING}
_AT_ONCE = 500


def ledger_missing(out: Path) -> LedgerError | None:
    """What to raise where there is no ledger although OUT tells of paid jobs; None where it tells of none."""
    trace = _in_results(out / RESULTS) or _in_events(out / EVENTS) or _in_spill(out)
    if not trace:
        return None
    return LedgerError(
        f"The ledger of {out} is gone, but {trace}. That was paid, or may have been.",
        code="ledger_missing",
        hint="Put ledger.sqlite3 back, with ledger.sqlite3-wal if there is one. To start afresh and pay again, "
        "name another folder with --out, or move this one away.",
    )


def _in_results(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for line in csv.DictReader(file):
                if task_id := line.get("task_id"):
                    return f"{RESULTS} has task {unguard(task_id)} of job {unguard(line.get('job_id') or '?')}"
                if line.get("state") in _PAID:
                    return f"{RESULTS} says that job {unguard(line.get('job_id') or '?')} is {line['state']}"
    except (OSError, csv.Error):
        return ""
    return ""


def _in_events(path: Path) -> str:
    try:
        with path.open("rb") as file:
            for task_id, job_id in _tasks(file):
                return f"{EVENTS} has task {task_id} of job {job_id}"
    except OSError:
        return ""
    return ""


def _in_spill(out: Path) -> str:
    return next((f"{path.name} has task {kept.task_id}" for path, kept in spilled(out)), "")


def tasks_told(out: Path) -> dict[str, str]:
    """The tasks (id: job) that the end of events.jsonl tells of.

    Ask this before the ledger: while a run goes on, what is read later may be newer.
    """
    try:
        with (out / EVENTS).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            return dict(_tasks(file))  # the first line may be torn, and then tells of none
    except OSError:
        return {}


def _tasks(lines: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if b'"task_id"' not in line:
            continue
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict) and said.get("event") in _OF_TASKS and isinstance(said.get("task_id"), str):
            yield said["task_id"], str(said.get("job_id", "?"))


def check_not_behind(connection: sa.Connection, out: Path, service: str, told: Mapping[str, str]) -> None:
    """Raise LedgerError (`ledger_behind`) when the ledger does not know all tasks that OUT tells of.

    `told` is what `tasks_told` said before. What is in the spill file counts as known: the next start imports it.
    """
    kept = {one.task_id for _, one in spilled(out)}
    wanted = [task_id for task_id in told if task_id not in kept]
    known: set[str] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        found = sa.select(task.c.task_id).where(task.c.service == service, task.c.task_id.in_(some))
        known.update(connection.execute(found).scalars())
    missing = [task_id for task_id in wanted if task_id not in known]
    if missing:  # an id that only a person gave, and put right later, is told of by what was written meanwhile
        put_right = sa.select(sa.func.json_extract(decision.c.detail, "$.was")).where(
            decision.c.what == "resolve: task"
        )
        replaced = set(connection.execute(put_right).scalars())
        missing = [task_id for task_id in missing if task_id not in replaced]
    if missing:
        raise ledger_behind(out, EVENTS, missing, f" of job {told[missing[-1]]}")


def ledger_behind(out: Path, file: str, missing: list[str], whose: str = "") -> LedgerError:
    """What to raise for a ledger that does not know the tasks `missing`, of which `file` tells."""
    many = "a task" if len(missing) == 1 else f"{len(missing):,} tasks"
    which = "task" if len(missing) == 1 else "the last one is task"
    return LedgerError(
        f"The ledger in {out} is older than {file}, which tells of {many} that the ledger does not know "
        f"({which} {missing[-1]}{whose}). They were paid.",
        code="ledger_behind",
        hint="Put the newest ledger.sqlite3 back, with ledger.sqlite3-wal if there is one. To go on without these "
        f"tasks, and pay for their jobs again, move {file} away.",
    )
