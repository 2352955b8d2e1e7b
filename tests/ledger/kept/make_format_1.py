"""Makes `format-1.sqlite3` and `format-1.json`: a ledger of format 1, and what the code of that time said of it.

Run it in a checkout of commit 4758b23, the last one that wrote format 1:
`PYTHONPATH=.:tests/ledger python make_format_1.py FOLDER`. The files are kept, so nothing runs this again.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from till import START, Till, job, outcome  # type: ignore[attr-defined]

from batchgen.job import WHOLE_CHARGE, InvalidRow, OutcomeKind, Problem, State
from batchgen.ledger import leftovers, people, views  # type: ignore[attr-defined]
from batchgen.ledger.tasks import Fetched

WHO = "somebody"
URL = "https://files.test/{}.mp4"


def work(till: Till) -> None:
    """A job of every kind."""
    till.take_in(
        "done", "twice", "two-films", "no-film", "edited", "back", "no", "runs", "doubt", "lost", "given-up",
        "old-name", "refused", "waits", "late",
    )  # fmt: skip
    till.cap(500)
    till.see(till.buy("done"), State.SUCCEEDED, video_urls=(URL.format("done"),), expires_at=1_800_000_000.0)
    fetch(till, "done", 1, sha256="a" * 64)
    till.see(till.buy("twice", "twice-1"), State.FAILED, error_code="failed", error="it failed")
    films = till.buy("two-films", charged=9)
    till.see(films, State.SUCCEEDED, video_urls=(URL.format(1), URL.format(2)), expires_at=1_700_086_400.0)
    fetch(till, "two-films", 1, sha256="b" * 64)
    fetch(till, "two-films", 2, trouble="expired: the URL has died")
    till.see(till.buy("no-film"), State.SUCCEEDED, error_code="no_output", error="it named no video")
    till.see(till.buy("edited"), State.SUCCEEDED, video_urls=(URL.format("edited"),), expires_at=1_700_000_900.0)
    till.see(till.buy("back"), State.FAILED, refunded=WHOLE_CHARGE, error_code="nsfw", error="moderated")
    till.end(till.begin("no"), outcome(OutcomeKind.REJECTED))
    till.see(till.buy("runs"), State.RUNNING)
    till.end(till.begin("doubt"), outcome(OutcomeKind.IN_DOUBT))
    till.end(till.begin("lost"), outcome(OutcomeKind.IN_DOUBT))
    lost = till.doubt("lost")
    till.ledger.write(lambda c: people.paid_lost(c, lost, WHO))
    till.buy("given-up")
    till.ledger.write(lambda c: people.give_up(c, "given-up", WHO))
    till.see(till.buy("old-name"), State.SUCCEEDED, video_urls=(URL.format("old"),), expires_at=1_700_000_800.0)
    till.end(till.begin("refused"), outcome(OutcomeKind.REFUSED))
    till.see(till.buy("late"), State.OVERDUE, error_code="overdue", error="no end in sight")
    problem = Problem("shots.csv", 4, 5, "prompt", "E5", "missing_prompt", "There is no prompt.", "Write one.")
    till.take_in(
        job("done", cells={"campaign": "spring"}), job("twice", "reworded", price=8), "two-films", "no-film",
        job("edited", "edited after it was bought"),
        InvalidRow("shots.csv", 4, 5, "bad", {"prompt": ""}, (problem,), {"model": "m1"}),
        "back", "no", "runs", "doubt", "lost", "given-up", "refused", "waits", "late",
        job("new-name", "prompt of old-name"),
    )  # fmt: skip
    till.buy("twice", "twice-2")
    asyncio.run(till.ledger.set_meta(columns=["prompt", "campaign"], taken_in=None))
    till.begin("waits")  # and then it is killed: this is in doubt from the next start on


def fetch(till: Till, job_id: str, n: int, *, sha256: str = "", trouble: str = "") -> None:
    number = next(one.task_id for one in till.results() if one.job_id == job_id)
    task_no = till.ledger.read(
        lambda c: c.exec_driver_sql("SELECT task_no FROM task WHERE task_id = ?", (number,)).scalar_one()
    )
    path = f"videos/{job_id}.mp4" if n == 1 else f"videos/{job_id}+{n}.mp4"
    size = 1000 if sha256 else 0
    file = Fetched(task_no, n, path, bytes=size, sha256=sha256, seconds=5.0 if size else None, trouble=trouble)
    asyncio.run(till.ledger.fetched(file))


def said(till: Till) -> dict[str, object]:
    """What the code of that time makes of it, before the next start finds the open attempt."""
    read = till.ledger.read
    return {
        "credits": asdict(till.credits()),
        "results": [asdict(one) for one in till.results()],
        "row_states": read(views.row_states),
        "selected_states": read(lambda c: views.job_states(c, selected_only=True)),
        "estimated": read(views.estimated),
        "files_missing": read(views.files_missing),
        "own_files_missing": read(lambda c: views.files_missing(c, selected_only=True)),
        "without_output": read(views.without_output),
        "urls_die_at": read(views.urls_die_at),
        "money_lost": read(leftovers.money_lost),
        "refund_expected": read(leftovers.refund_expected),
        "trouble": read(leftovers.download_trouble),
    }


def main(folder: Path) -> None:
    out = Path(tempfile.mkdtemp())
    with Till(out) as till:
        till.ledger.owner = "desk:1:1700000000"
        asyncio.run(till.ledger.set_meta(owner={"pid": 1, "host": "desk", "since": START}))
        work(till)
        told = json.dumps(said(till), indent=1, sort_keys=True, default=str) + "\n"
    shutil.copy(out / "ledger.sqlite3", folder / "format-1.sqlite3")
    (folder / "format-1.json").write_text(told)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
