"""When the disk refuses an accepted task, its id is in the spill file, and the next start has it."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from till import Till, accepted, job

from batchgen.errors import LedgerWriteError
from batchgen.job import State
from batchgen.ledger.sqlite import spill


def refuse(till: Till):
    """From now on the disk is full, as SQLite says it."""

    def full(connection: sa.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    sa.event.listen(till.ledger.store.engine, "commit", full)
    return lambda: sa.event.remove(till.ledger.store.engine, "commit", full)


def spilled(till: Till, capsys: pytest.CaptureFixture[str], *task_ids: str) -> None:
    """Accept the jobs a, b, … while the disk is full."""
    attempts = [till.begin(name) for name, _ in zip("abcdef", task_ids, strict=False)]
    mend = refuse(till)
    for attempt, task_id in zip(attempts, task_ids, strict=True):
        with pytest.raises(LedgerWriteError):
            till.end(attempt, accepted(task_id))
        assert task_id in capsys.readouterr().err
    mend()


def test_a_spilled_id_is_in_the_ledger_after_the_next_start(till: Till, capsys) -> None:
    till.take_in("a", "b")
    spilled(till, capsys, "t1", "t2")
    till.crash()
    assert till.ledger.recovered == 0
    assert {till.task("a").task_id, till.task("b").task_id} == {"t1", "t2"}
    assert till.credits().charged == 12


def test_the_charge_that_the_service_stated_is_spilled_too(till: Till, capsys) -> None:
    till.take_in("a")
    attempt = till.begin("a")
    mend = refuse(till)
    with pytest.raises(LedgerWriteError):
        till.end(attempt, accepted("t1", charged=9))
    mend()
    till.crash()
    assert till.credits().charged == 9


def test_a_spill_is_imported_once_even_when_the_start_died_before_removing_it(till: Till, capsys) -> None:
    till.take_in("a")
    spilled(till, capsys, "t1")
    kept = (till.out / spill.FILE).read_bytes()
    till.crash()
    (till.out / spill.FILE).write_bytes(kept)
    till.crash()
    assert (till.credits().charged, till.task("a").task_id) == (6, "t1")


def test_a_spill_comes_in_time_for_an_attempt_that_is_in_doubt_already(till: Till, capsys) -> None:
    till.take_in("a")
    spilled(till, capsys, "t1")
    path = till.out / spill.FILE
    kept = path.read_bytes()
    path.unlink()
    till.crash()
    assert till.state("a") is State.IN_DOUBT
    path.write_bytes(kept)
    till.crash()
    assert till.state("a") is State.SUBMITTED


@pytest.mark.parametrize("keep", range(0, 64, 7))
def test_a_line_that_the_crash_cut_leaves_a_doubt_and_the_others_whole(till: Till, capsys, keep: int) -> None:
    till.take_in("a", "b")
    spilled(till, capsys, "t1", "t2")
    path = till.out / spill.FILE
    first, second, _ = path.read_bytes().split(b"\n", 2)
    assert len(second) > 64
    path.write_bytes(first + b"\n" + second[:keep].ljust(4096))
    till.crash()
    assert till.task("a").task_id == "t1"
    assert till.state("b") is State.IN_DOUBT


def test_garbage_in_the_spill_keeps_no_start_from_happening(till: Till, capsys) -> None:
    till.take_in("a")
    till.begin("a")
    (till.out / spill.FILE).write_bytes(b'\xff\xfe\x00\n[]\n3\n{"attempt_id": 77}\n{"attempt_id": 1}\n' + b" " * 99)
    till.crash()
    assert till.state("a") is State.IN_DOUBT


def test_a_task_id_that_is_known_already_stays_a_doubt_when_it_was_spilled(till: Till, capsys) -> None:
    till.take_in("a", "b", "c")
    till.buy("c", "t1")
    spilled(till, capsys, "t1", "t2")
    till.crash()
    assert till.state("a") is State.IN_DOUBT
    assert till.doubt("a").code == "known_task_id"
    assert till.task("b").task_id == "t2"


def test_the_same_new_id_spilled_twice_is_one_task_and_one_doubt(till: Till, capsys) -> None:
    till.take_in("a", "b")
    spilled(till, capsys, "t1", "t1")
    till.crash()
    assert till.task("a").task_id == "t1"
    assert till.state("b") is State.IN_DOUBT


def test_a_spill_after_a_spill_in_the_same_run_keeps_both(till: Till, capsys) -> None:
    till.take_in(*(job(name) for name in "abc"))
    spilled(till, capsys, "t1", "t2", "t3")
    lines = [line for line in (till.out / spill.FILE).read_bytes().splitlines() if line.strip()]
    assert [json.loads(line)["task_id"] for line in lines] == ["t1", "t2", "t3"]


def test_the_spill_file_takes_its_room_before_the_first_post(till: Till) -> None:
    till.take_in("a")
    till.begin("a")
    assert (till.out / spill.FILE).stat().st_size >= 1 << 20


def test_no_spill_file_is_left_after_a_run_that_needed_none(tmp_path: Path) -> None:
    with Till(tmp_path) as till:
        till.take_in("a")
        till.buy("a")
    assert not (tmp_path / spill.FILE).exists()


def test_a_full_disk_at_begin_means_that_nothing_may_be_sent(till: Till) -> None:
    till.take_in("a")
    attempt = till.attempt("a")
    mend = refuse(till)
    with pytest.raises(LedgerWriteError, match="disk is full"):
        asyncio.run(till.ledger.begin(attempt))
    mend()
    assert till.credits().reserved == 0
    assert till.names() == ["a"]


def test_where_the_spill_file_has_no_room_nothing_is_begun(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [4096]

    def write(fd: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        some, left[0] = min(left[0], len(data)), 0
        return some

    monkeypatch.setattr(spill.os, "write", write)
    till.take_in("a")
    with pytest.raises(LedgerWriteError, match="no room"):
        till.begin("a")
    assert till.ledger.credits().reserved == 0


def test_an_id_is_not_lost_when_a_second_run_took_the_open_attempt_for_a_doubt(till: Till, capsys) -> None:
    """Somebody removed the lock of a run that works, and a second run began: the first still reads its answer."""
    till.take_in("a", "b")
    attempt, first = till.begin("a"), till.ledger
    first._lock._path.unlink()
    with Till(till.out) as second:
        second.begin("b")
        assert second.state("a") is State.IN_DOUBT
        with pytest.raises(LedgerWriteError, match="ended twice"):
            asyncio.run(first.end(attempt, accepted("t1"), 1.0))
        assert "t1" in capsys.readouterr().err
    first.close()
    till.ledger = Till(till.out).ledger
    assert till.task("a").task_id == "t1"
    assert till.state("b") is State.IN_DOUBT
    assert till.credits().charged == 6
    assert list(till.out.glob("ledger.spill*")) == []


def test_whatever_keeps_the_ledger_from_writing_an_id_it_is_kept(till: Till, capsys) -> None:
    """Whatever keeps the ledger from writing an accepted task, its id is on disk and on the terminal."""
    till.take_in("a")
    attempt = till.begin("a")

    def broken(connection: sa.Connection) -> None:
        raise ValueError("something nobody thought of")

    sa.event.listen(till.ledger.store.engine, "commit", broken)
    with pytest.raises(LedgerWriteError, match="nobody thought of"):
        till.end(attempt, accepted("t1"))
    sa.event.remove(till.ledger.store.engine, "commit", broken)
    assert "t1" in capsys.readouterr().err
    till.crash()
    assert till.task("a").task_id == "t1"
