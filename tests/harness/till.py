"""A ledger worked by hand, one step a line: what the tests of the ledger are written with."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchgen.job import InvalidRow, Job, Outcome, OutcomeKind, State, TaskStatus, fingerprint, request_body
from batchgen.ledger import Attempt, Ledger, views
from batchgen.ledger.account import set_cap
from batchgen.ledger.audit import violations
from batchgen.ledger.decisions import Doubt, doubts
from batchgen.ledger.rows import pending_page
from batchgen.ledger.sqlite.store import meta_value, set_meta_value
from batchgen.ledger.tasks import OpenTask, Seen, open_tasks
from batchgen.planning import walk
from batchgen.planning.decide import Plan, Selection

SERVICE = "https://service.test"
START = 1_700_000_000.0  # long ago: nothing that began then may still arrive


def job(job_id: str, prompt: str | None = None, *, price: int = 6, cells: dict[str, str] | None = None) -> Job:
    request = {
        "provider": "kie",
        "model": "m1",
        "scene": "text-to-video",
        "prompt": prompt if prompt is not None else f"prompt of {job_id}",
    }
    return Job(job_id, request, price, "shots.csv", 0, None, cells or {}, fingerprint(request))


def accepted(task_id: str, charged: int | None = None) -> Outcome:
    return Outcome(OutcomeKind.ACCEPTED, "accepted", status=200, task_id=task_id, charged_credits=charged)


def outcome(kind: OutcomeKind) -> Outcome:
    return accepted("task-of-it") if kind is OutcomeKind.ACCEPTED else Outcome(kind, "a_code", "a message")


class Till:
    """One OUT and its open ledger. `inline` commits in this thread, without the writer's."""

    def __init__(self, out: Path, *, service: str = SERVICE, inline: bool = True) -> None:
        self.out, self.service, self.inline = out, service, inline
        self.ledger = Ledger.open(out, service, inline=inline)

    def __enter__(self) -> "Till":
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()

    def crash(self) -> None:
        """The process dies and another one starts."""
        self.ledger.store.close()
        self.ledger._lock.free()
        self.ledger = Ledger.open(self.out, self.service, inline=self.inline)

    # -- rows ----------------------------------------------------------------------------------------------

    def take_in(self, *items: Job | InvalidRow | str, select: Selection | None = None, again: bool = False) -> Plan:
        """A run's manifest: jobs, invalid rows, or just names of jobs."""
        rows = [job(one) if isinstance(one, str) else one for one in items]
        selection = select or Selection()

        def change(connection: Any) -> Plan:
            position = walk.next_position(connection)
            plan = walk.take_in(connection, rows, selection, self.ledger.person(), resubmit_changed=again)
            set_meta_value(connection, "first_position", position)
            return plan

        shown = self.ledger.read(
            lambda connection: walk.preview(connection, rows, selection, resubmit_changed=again)
        )
        written = self.ledger.write(change)
        assert shown == written, "what is shown before is what is written"
        return written

    def names(self) -> list[str]:
        """Jobs to submit, in order."""
        return [one.job_id for one in self.ledger.read(lambda connection: pending_page(connection, (-1, -1), 9999))]

    # -- money ---------------------------------------------------------------------------------------------

    def attempt(self, job_id: str, *, now: float = START) -> Attempt:
        waiting = self.ledger.read(lambda connection: pending_page(connection, (-1, -1), 9999))
        (one,) = [each for each in waiting if each.job_id == job_id]
        return self.ledger.new_attempt(one, request_body(one.request), now=now, post_timeout=120.0)

    def begin(self, job_id: str, *, now: float = START) -> Attempt:
        attempt = self.attempt(job_id, now=now)
        asyncio.run(self.ledger.begin(attempt))
        return attempt

    def end(self, attempt: Attempt, said: Outcome, at: float = START + 1) -> Outcome:
        return asyncio.run(self.ledger.end(attempt, said, at))

    def buy(self, job_id: str, task_id: str = "", charged: int | None = None) -> OpenTask:
        """Submit a job that is accepted."""
        self.end(self.begin(job_id), accepted(task_id or f"task-of-{job_id}", charged))
        return self.task(job_id)

    def task(self, job_id: str) -> OpenTask:
        (one,) = [each for each in self.ledger.read(lambda c: list(open_tasks(c))) if each.job_id == job_id]
        return one

    def see(self, task: OpenTask, state: State, **said: Any) -> bool:
        seen = Seen.of(task, TaskStatus(state, **said), state, START + 60, 3)
        return asyncio.run(self.ledger.see(seen))

    def doubt(self, job_id: str) -> Doubt:
        (doubt,) = [each for each in self.ledger.read(doubts) if each.job_id == job_id]
        return doubt

    def cap(self, cap: int | None) -> None:
        self.ledger.write(lambda connection: set_cap(connection, cap))

    # -- what it says ----------------------------------------------------------------------------------------

    def credits(self) -> views.Credits:
        return self.ledger.read(views.credits)

    def state(self, job_id: str) -> State:
        return next(one.state for one in self.results() if one.job_id == job_id)

    def states(self) -> dict[State, int]:
        return self.ledger.read(views.job_states)

    def results(self) -> Sequence[Any]:
        return self.ledger.read(lambda connection: list(views.results(connection)))

    def scans(self, view: Callable[[sa.Connection], Any]) -> list[str]:
        """What a view asks for by going through all of a table: its steps, by SQLite's own plan."""
        asked: list[tuple[str, Any]] = []
        engine = self.ledger.store.engine
        listen = (
            "before_cursor_execute",
            lambda _conn, _cursor, statement, given, *_: asked.append((statement, given)),
        )
        sa.event.listen(engine, *listen)
        self.ledger.read(view)
        sa.event.remove(engine, *listen)
        assert asked
        with engine.connect() as connection:
            return [
                f"{step[3]}: {statement}"
                for statement, given in asked
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
                if step[3].startswith("SCAN")
            ]

    def meta(self, key: str) -> Any:
        return self.ledger.read(lambda connection: meta_value(connection, key))

    def violations(self) -> list[str]:
        return self.ledger.read(violations)
