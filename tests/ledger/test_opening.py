"""Opening a ledger: one writer, any number of readers, one service, one format, no network drive."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from filelock import FileLock
from till import SERVICE, Till

from batchgen.errors import LedgerBusy, LedgerError
from batchgen.ledger import Ledger, Store, views
from batchgen.ledger.sqlite import lock, store


def test_a_ledger_of_another_service_is_refused(tmp_path: Path) -> None:
    Till(tmp_path).ledger.close()
    with pytest.raises(LedgerError, match=r"belongs to https://service\.test") as told:
        Ledger.open(tmp_path, "https://other.test")
    assert told.value.code == "other_service"
    Till(tmp_path).ledger.close()


@pytest.mark.parametrize("opened", ["to write", "to read"])
def test_a_newer_format_is_refused(tmp_path: Path, opened: str) -> None:
    with Till(tmp_path) as till:
        till.ledger.store.set_meta(format_version=99)
    with pytest.raises(LedgerError, match="format 99") as told:
        Ledger.open(tmp_path, SERVICE) if opened == "to write" else Store.read(tmp_path)
    assert told.value.code == "other_format"


def test_a_ledger_that_a_killed_start_left_half_made_is_no_ledger(tmp_path: Path) -> None:
    half = tmp_path / "ledger.sqlite3.new"
    half.write_bytes(b"SQLite format 3\0 and no more")
    half.with_name(f"{half.name}-journal").write_bytes(b"of something else")
    with pytest.raises(LedgerError) as told:
        Store.read(tmp_path)
    assert told.value.code == "no_ledger"
    with Till(tmp_path) as till:
        assert till.ledger.credits().charged == 0
    assert not half.exists()


def test_a_second_process_is_told_who_holds_the_ledger(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from batchgen.errors import LedgerBusy
from batchgen.ledger import Ledger
try:
    Ledger.open(Path({str(tmp_path)!r}), {SERVICE!r})
except LedgerBusy as busy:
    print(busy.message, int(busy.exit))
"""
    with Till(tmp_path) as till:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        pid = till.meta("owner")["pid"]
    assert f"process {pid}" in done.stdout
    assert done.stdout.split()[-1] == "75"


def test_the_lock_is_free_after_a_failed_opening(tmp_path: Path) -> None:
    Till(tmp_path).ledger.close()
    for _ in range(2):
        with pytest.raises(LedgerError) as told:
            Ledger.open(tmp_path, "https://other.test")
        assert not isinstance(told.value, LedgerBusy)


def test_anyone_may_read_while_a_run_writes_and_sees_only_what_is_committed(tmp_path: Path) -> None:
    with Till(tmp_path, inline=False) as till, Store.read(tmp_path) as reader:
        till.take_in("a")
        with reader.begin() as before:
            assert views.credits(before).reserved == 0
            till.begin("a")
            assert views.credits(before).reserved == 0, "a reader's moment does not move"
        with reader.begin() as after:
            assert views.credits(after).reserved == 6
            assert lock.is_running(tmp_path)


def test_a_reader_can_not_write(tmp_path: Path) -> None:
    Till(tmp_path).ledger.close()
    with Store.read(tmp_path) as reader, reader.begin() as connection, pytest.raises(sa.exc.OperationalError):
        connection.exec_driver_sql("UPDATE account SET charged = 0")


def test_no_ledger_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger in"):
        Store.read(tmp_path)


@pytest.mark.parametrize("opened", ["to write", "to read"])
def test_a_file_that_is_no_ledger_is_said_in_a_sentence(tmp_path: Path, opened: str) -> None:
    (tmp_path / store.FILE).write_bytes(b"no database at all " * 100)
    with pytest.raises(LedgerError) as told:
        Ledger.open(tmp_path, SERVICE) if opened == "to write" else Store.read(tmp_path)
    assert told.value.code == "ledger_unreadable"


def test_a_ledger_with_a_damaged_page_is_said_in_a_sentence(tmp_path: Path) -> None:
    with Till(tmp_path) as till:
        till.take_in("a", "b")
    path = tmp_path / store.FILE
    with closing(sqlite3.connect(path)) as plain:
        (page,) = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = 'job_count'").fetchone()
        (size,) = plain.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with Store.read(tmp_path) as reader, pytest.raises(LedgerError) as told, reader.begin() as connection:
        views.job_states(connection)
    assert told.value.code == "ledger_unreadable"
    with Till(tmp_path) as till, pytest.raises(LedgerError, match="malformed"):
        till.take_in("c")


def test_a_copy_in_a_folder_that_may_only_be_read_is_read_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Till(tmp_path).ledger.close()
    monkeypatch.setattr(store.os, "access", lambda path, _mode: path != tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with Store.read(tmp_path) as reader, reader.begin() as connection:
        assert views.credits(connection).charged == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_look_at_the_lock_keeps_no_run_from_starting(tmp_path: Path) -> None:
    Till(tmp_path).ledger.close()
    look = FileLock(str(tmp_path / lock.LOCK), thread_local=False)
    look.acquire()
    threading.Timer(0.1, look.release).start()
    Till(tmp_path).ledger.close()


def test_a_commit_is_synchronous_and_in_wal_mode(tmp_path: Path) -> None:
    with Till(tmp_path) as till:
        asked = [
            till.ledger.read(lambda c, name=name: c.exec_driver_sql(f"PRAGMA {name}").scalar())
            for name in ("synchronous", "journal_mode", "foreign_keys")
        ]
    assert asked == [2, "wal", 1], "2 is FULL: a commit that returned survives a power loss"


@pytest.mark.parametrize("name", ["50%?#", "späße", "a b"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    with Till(tmp_path / name) as till:
        till.take_in("a")
    with Till(tmp_path / name) as till:
        assert till.names() == ["a"]
