"""What OUT itself says was paid is never bought again because the ledger is gone, or older than the rest."""

import json
from pathlib import Path

import pytest
from till import SERVICE, Till, accepted

from batchgen.errors import LedgerError
from batchgen.ledger import Ledger, Store
from batchgen.ledger.sqlite import spill
from batchgen.ledger.sqlite.history import TAIL

HEAD = "job_id,manifest,row,state,task_id\r\n"


def refused(out: Path) -> LedgerError:
    """A run is refused, and nothing is made in OUT but the lock."""
    with pytest.raises(LedgerError) as told:
        Ledger.open(out, SERVICE)
    assert not (out / "ledger.sqlite3").exists() or told.value.code == "ledger_behind"
    assert int(told.value.exit) == 2
    return told.value


def event(name: str, **fields: object) -> str:
    return json.dumps({"at": 1.0, "event": name, **fields}) + "\n"


def spill_line(attempt_id: int, task_id: str) -> str:
    return json.dumps({"attempt_id": attempt_id, "task_id": task_id, "charged": 6, "at": 1.0}) + "\n"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("results.csv", HEAD + "a,s.csv,1,not_submitted,\r\nb,s.csv,2,failed,t-7\r\n", "task t-7 of job b"),
        ("results.csv", "\ufeff" + HEAD + "b,s.csv,2,in_doubt,\r\n", "job b is in_doubt"),
        ("results.csv", HEAD + "'=b,s.csv,2,queued,'-t\r\n", "task -t of job =b"),
        ("events.jsonl", event("run") + 'torn {"task_id"\n' + event("accepted", job_id="b", task_id="t-7"), "t-7"),
        (spill.FILE, spill_line(3, "t-7") + " " * 99, "t-7"),
    ],
)
def test_no_new_ledger_is_made_where_out_tells_of_a_purchase(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    told = refused(tmp_path)
    assert told.code == "ledger_missing"
    assert says in told.message
    assert name in told.message
    with pytest.raises(LedgerError, match="is gone"):
        Store.read(tmp_path)
    assert (tmp_path / name).read_text(encoding="utf-8") == text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("results.csv", HEAD + "a,s.csv,1,not_submitted,\r\nb,s.csv,2,rejected,\r\n,s.csv,3,invalid,\r\n"),
        ("results.csv", "my own,table\n1,2\n"),
        ("results.csv", "\0\n\n\xff"),
        ("events.jsonl", event("run", jobs=1) + event("rejected", job_id="a") + "[]\n3\nx\n"),
        ("events.jsonl", event("in_doubt", job_id="a", task_id="t")),
        (spill.FILE, " " * 4096),
    ],
)
def test_where_nothing_was_paid_a_ledger_is_made(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    Ledger.open(tmp_path, SERVICE).close()


def bought(out: Path, *names: str) -> None:
    with Till(out) as till:
        till.take_in(*names)
        for name in names:
            till.buy(name)


def test_a_ledger_that_does_not_know_a_task_of_the_events_is_older_than_they(tmp_path: Path) -> None:
    bought(tmp_path, "a")
    events = event("accepted", job_id="a", task_id="task-of-a") + event("accepted", job_id="b", task_id="t-b")
    (tmp_path / "events.jsonl").write_text(events + '{"task_id": 3, "event": "accepted"}\n{"torn "task_id"\n')
    told = refused(tmp_path)
    assert told.code == "ledger_behind"
    assert "a task that the ledger does not know (task t-b of job b)" in told.message
    (tmp_path / "events.jsonl").rename(tmp_path / "events.old")
    Ledger.open(tmp_path, SERVICE).close()


def test_the_end_of_the_events_is_enough(tmp_path: Path) -> None:
    """A file of a million lines is not read from its beginning."""
    bought(tmp_path, "a")
    lines = event("accepted", job_id="old", task_id="old") + event("downloaded", path="x" * TAIL)
    (tmp_path / "events.jsonl").write_text(lines + event("running", job_id="a", task_id="task-of-a"))
    Ledger.open(tmp_path, SERVICE).close()
    (tmp_path / "events.jsonl").write_text(lines + event("running", job_id="b", task_id="t-b"))
    assert refused(tmp_path).code == "ledger_behind"


def test_a_task_that_is_in_the_spill_is_known(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    till.take_in("a")
    attempt = till.begin("a")
    (till.out / spill.FILE).write_text(spill_line(attempt.attempt_id, "t-a"))
    (till.out / "events.jsonl").write_text(event("accepted", job_id="a", task_id="t-a"))
    till.crash()
    assert till.task("a").task_id == "t-a"


@pytest.mark.parametrize("attempt_id", [1, 2], ids=["one that ended otherwise", "one it never had"])
def test_a_spilled_id_of_an_attempt_that_this_ledger_does_not_know_is_kept(tmp_path: Path, attempt_id: int) -> None:
    """An older ledger was put back: the spill is the only place that has the id."""
    bought(tmp_path, "a")
    path = tmp_path / spill.FILE
    path.write_text(spill_line(attempt_id, "t-9"))
    told = refused(tmp_path)
    assert told.code == "ledger_behind"
    assert "t-9" in told.message
    assert path.read_text() == spill_line(attempt_id, "t-9")


def test_what_a_run_writes_itself_is_no_reason_to_refuse_the_next(till: Till) -> None:
    """Tasks adopted, spilled, ended: all that the events can tell of is in the ledger."""
    till.take_in("a", "b")
    till.buy("a")
    till.end(till.begin("b"), accepted("task-of-a"))
    told = event("accepted", job_id="a", task_id="task-of-a") + event("in_doubt", job_id="b", task_id="task-of-a")
    (till.out / "events.jsonl").write_text(told)
    till.crash()
