"""What only the user may read: the ledger with its evidence, its log, the spill, the events."""

import os
import stat
import sys
from pathlib import Path

import pytest
from till import Till

from batchgen.running.events import Events

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file modes")


def modes(out: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in out.iterdir() if path.is_file()}


def test_ledger_spill_and_events_are_for_the_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        with Till(tmp_path, inline=False) as till:
            till.take_in("a")
            till.buy("a", "t1")
            events = Events(tmp_path)
            events("run", {"jobs": 1})
            events.close()
            seen = modes(tmp_path)
    finally:
        os.umask(before)
    private = {name: mode for name, mode in seen.items() if name != "ledger.lock"}
    assert {"ledger.sqlite3", "ledger.sqlite3-wal", "ledger.spill", "events.jsonl"} <= private.keys()
    assert set(private.values()) == {0o600}, private


def test_files_of_an_earlier_version_are_taken_from_others(tmp_path: Path) -> None:
    Till(tmp_path).ledger.close()
    (tmp_path / "events.jsonl").touch()
    for name in ("ledger.sqlite3", "events.jsonl"):
        (tmp_path / name).chmod(0o644)
    Till(tmp_path).ledger.close()
    Events(tmp_path).close()
    assert {modes(tmp_path)[name] for name in ("ledger.sqlite3", "events.jsonl")} == {0o600}
