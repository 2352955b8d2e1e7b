"""What a walk over the rows looks up in the ledger, and what it enters there, in chunks."""

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from batchgen.job import Earlier, InvalidRow, Job, Known, State
from batchgen.ledger import Person, purchases, rows
from batchgen.ledger.sqlite.store import set_meta_value
from batchgen.ledger.tables import candidate as candidate_table
from batchgen.ledger.tables import decision as decision_table
from batchgen.ledger.tables import job as job_table
from batchgen.ledger.tables import manifest as manifest_table
from batchgen.ledger.tables import row as row_table
from batchgen.planning.decide import RAISES, Decision

#: Rows that are looked up and entered at once.
CHUNK = 2000


@dataclass(slots=True)
class Candidate:
    """A new id whose content was bought before: a rename, if one of the old ids has no row."""

    position: int
    job_id: str
    scene: str
    price: int
    selected: bool
    fingerprint: str


class Lookup:
    """Asks the ledger, writes nothing."""

    def __init__(self, connection: sa.Connection | None) -> None:
        self.connection = connection

    def known(self, job_ids: list[str]) -> dict[str, Known]:
        return rows.known_jobs(self.connection, job_ids) if self.connection is not None else {}

    def bought_with(self, fingerprints: list[str]) -> dict[str, list[Known]]:
        if self.connection is None or not fingerprints:
            return {}
        return rows.bought_with(self.connection, fingerprints)

    def bought_earlier(self, job_nos: list[int]) -> dict[tuple[int, str], Earlier]:
        if self.connection is None or not job_nos:
            return {}
        return purchases.bought_earlier(self.connection, job_nos)

    def keep(
        self,
        one: Job | InvalidRow,
        decision: Decision | None = None,
        known: Known | None = None,
        selected: bool = False,
        back: Earlier | None = None,
    ) -> int:
        del one, decision, known, selected, back  # a keeper writes them down
        return 0

    def flush(self) -> None: ...

    def settle(self, candidate: Candidate, old: Known | None) -> None: ...

    def finish(self) -> None: ...


class Entries(Lookup):
    """Writes each decision down, in chunks."""

    connection: sa.Connection

    def __init__(self, connection: sa.Connection, by: Person) -> None:
        super().__init__(connection)
        self.by = by
        self.job_no, self.position, self.manifest_no = rows.next_numbers(connection)
        self.first_position = self.position
        self.manifest_no -= 1
        self.manifest = ""
        self.invalid = 0
        self.jobs: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.moves: list[dict[str, Any]] = []
        self.leaves: list[dict[str, Any]] = []
        self.replaces: list[dict[str, Any]] = []
        self.decisions: list[dict[str, Any]] = []
        self.candidates: list[dict[str, Any]] = []
        self.renames: list[dict[str, Any]] = []
        self.owners: list[dict[str, Any]] = []
        candidate_table.create(connection)
        chosen = (job_table.c.selected == 1) | (job_table.c.changed == 1)
        connection.execute(sa.update(job_table).where(chosen).values(selected=0, changed=0))

    def keep(
        self,
        one: Job | InvalidRow,
        decision: Decision | None = None,
        known: Known | None = None,
        selected: bool = False,
        back: Earlier | None = None,
    ) -> int:
        position, self.position = self.position, self.position + 1
        changed = decision is Decision.CHANGED
        self.invalid += isinstance(one, InvalidRow)
        if one.manifest != self.manifest or self.manifest_no < 1:
            self.manifest, self.manifest_no = one.manifest, self.manifest_no + 1
            values = {"manifest_no": self.manifest_no, "name": one.manifest}
            self.connection.execute(sa.insert(manifest_table), values)
        job_no: int | None = None
        if isinstance(one, Job) and decision is not Decision.RENAMED:
            job_no = known.job_no if known else self._new(one, position, selected)
            if known:
                move = {"no": known.job_no, "to": position, "wanted": int(selected), "differs": int(changed)}
                self.moves.append(move)
                self._again(one, decision, known, selected, back)
        elif isinstance(one, Job):
            line = rows.job_values(0, one, position, selected=selected)
            self.candidates.append({"position": position, "line": rows.json_text(line)})
        self.rows.append(rows.row_values(position, self.manifest_no, one, job_no, changed=changed))
        return position

    def _new(self, one: Job, position: int, selected: bool) -> int:
        number, self.job_no = self.job_no, self.job_no + 1
        self.jobs.append(rows.job_values(number, one, position, selected=selected))
        return number

    def _again(
        self, one: Job, decision: Decision | None, known: Known, selected: bool, back: Earlier | None
    ) -> None:
        raised = decision in RAISES and selected
        same = (known.fingerprint, known.price) == (one.fingerprint, one.price)
        replaced = decision is Decision.WAITING and not same  # a mended price list counts at once
        if not (raised or replaced or back):
            return
        if known.state is not State.NOT_SUBMITTED:
            self.leaves.append(purchases.left(known))
        now = back or Earlier(State.NOT_SUBMITTED)
        self.replaces.append(
            {
                "no": known.job_no,
                "new_fingerprint": one.fingerprint,
                **{f"new_{name}": value for name, value in rows.request_values(one).items()},
                "new_purchase": known.purchase_no + int(raised),
                "new_state": now.state.value,
                "new_code": now.error_code,
                "new_error": now.error,
            }
        )
        if raised:
            detail = json.dumps({"purchase_no": known.purchase_no + 1, "was": known.state.value})
            self.decisions.append(self._decision(f"buy again: {decision}", one.job_id, detail))
        elif back:
            detail = json.dumps({"state": back.state.value, "was": known.state.value})
            self.decisions.append(self._decision("back to what was bought", one.job_id, detail))

    def _decision(self, what: str, job_id: str, detail: str) -> dict[str, Any]:
        return {"at": self.by.at, "who": self.by.name, "what": what, "job_id": job_id, "detail": detail}

    def flush(self) -> None:
        rows.insert_many(self.connection, job_table, self.jobs)
        rows.insert_many(self.connection, row_table, self.rows)
        rows.insert_many(self.connection, decision_table, self.decisions)
        rows.insert_many(self.connection, candidate_table, self.candidates)
        changes = (
            (rows.MOVE, self.moves), (purchases.LEAVE, self.leaves), (rows.REPLACE, self.replaces),
            (rows.RENAME, self.renames), (rows.RENAME_ROW, self.owners),
        )  # fmt: skip
        for statement, values in changes:
            if values:
                statement.execute(self.connection, values)
        for each in (self.jobs, self.rows, self.decisions, self.candidates, *(values for _, values in changes)):
            each.clear()

    def settle(self, candidate: Candidate, old: Known | None) -> None:
        at = candidate.position
        if old is not None:
            number, wanted = old.job_no, int(candidate.selected)
            self.renames.append({"no": number, "new_id": candidate.job_id, "to": at, "wanted": wanted})
        else:
            number, self.job_no = self.job_no, self.job_no + 1
            self.jobs.append({**rows.candidate_line(self.connection, at), "job_no": number})
        self.owners.append({"at": at, "no": number})
        if len(self.owners) >= CHUNK:
            self.flush()

    def finish(self) -> None:
        self.flush()
        candidate_table.drop(self.connection)
        set_meta_value(self.connection, "invalid_rows", self.invalid)
        rows.forget_old_rows(self.connection, self.first_position)
