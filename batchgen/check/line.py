"""A row as it is kept, in text: judged, named, priced. The spool and the ledger store it, plans are made of it."""

import json
from typing import Any, NamedTuple

from batchgen.job import InvalidRow, Job

#: One encoder for all: making one for each row costs more than the encoding.
json_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class Line(NamedTuple):
    """One row; an invalid one has `problems` and no fingerprint. `request`, `cells` and `problems` are JSON."""

    manifest: str
    number: int
    line: int | None
    job_id: str
    cells: str
    problems: str | None
    selected: int
    fingerprint: str = ""
    request: str = ""
    provider: str = ""
    model: str = ""
    scene: str = ""
    price: int = 0

    @classmethod
    def of(cls, row: Job | InvalidRow, *, selected: bool = True) -> "Line":
        if isinstance(row, InvalidRow):
            cells = json_text(dict(row.cells))
            return cls(row.manifest, row.row, row.line, row.job_id, cells, _problems(row), 0)
        asked = row.request
        return cls(
            row.manifest, row.row, row.line, row.job_id, json_text(row.cells), None, int(selected), row.fingerprint,
            json_text(asked), asked["provider"], asked["model"], asked["scene"], row.price,
        )  # fmt: skip

    def job(self) -> Job:
        """What it was made of, but for its task."""
        request, cells = json.loads(self.request), json.loads(self.cells)
        place = (self.manifest, self.number, self.line)
        return Job(self.job_id, request, self.price, *place, cells, self.fingerprint)


def _problems(row: InvalidRow) -> str:
    """What results.csv shows of a row that can't become a job."""
    values: dict[str, Any] = {key: str(row.values.get(key, "")) for key in ("provider", "model", "scene")}
    said = [[problem.code, problem.message] for problem in row.problems]
    return json.dumps({"values": values, "problems": said}, ensure_ascii=False)
