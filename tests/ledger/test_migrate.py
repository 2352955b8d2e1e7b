"""A ledger of an older format: brought forward by who writes, with all of its money; read as it is by who looks."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from till import SERVICE, Till

from batchgen.errors import LedgerError
from batchgen.job import State
from batchgen.ledger import Store, views
from batchgen.ledger.audit import violations
from batchgen.ledger.sqlite.store import FILE, meta_value, reading
from batchgen.ledger.tables import FORMAT_VERSION, mark, metadata

KEPT = Path(__file__).parent / "kept"
TOLD = json.loads((KEPT / "format-1.json").read_text())

#: What the code of format 1 said of the kept ledger, and who says it now.
SAYS: dict[str, Callable[[sa.Connection], Any]] = {
    "results": lambda c: [asdict(one) for one in views.results(c)],
    "row_states": views.row_states,
    "selected_states": lambda c: views.job_states(c, selected_only=True),
    "estimated": views.estimated,
    "files_missing": views.files_missing,
    "own_files_missing": lambda c: views.files_missing(c, selected_only=True),
    "without_output": views.without_output,
    "urls_die_at": views.urls_die_at,
    "money_lost": views.money_lost,
    "refund_expected": views.refund_expected,
    "trouble": views.download_trouble,
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with the kept ledger of format 1, whose process was killed with a request on its way."""
    shutil.copy(KEPT / "format-1.sqlite3", tmp_path / FILE)
    return tmp_path


def tables(path: Path) -> dict[str, object]:
    """The columns (in any order), indexes and triggers of a ledger file."""
    with closing(sqlite3.connect(path)) as plain:
        named = plain.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        columns = {
            name: sorted(column[1:] for column in plain.execute(f"PRAGMA table_info({name})"))
            for kind, name, _ in named
            if kind == "table"
        }
        others = {name: " ".join(sql.split()) for kind, name, sql in named if kind in ("index", "trigger") and sql}
    return {**columns, **others}


def now_says(connection: sa.Connection, name: str) -> Any:
    """The same as JSON, without what the older code did not have."""
    said = json.loads(json.dumps(SAYS[name](connection), default=str))
    if name == "results":
        return [{key: line[key] for key in was} for line, was in zip(said, TOLD["results"], strict=True)]
    return said


def test_a_migrated_ledger_has_the_tables_of_a_new_one(out: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    new = tmp_path_factory.mktemp("new")
    Till(new).ledger.close()
    Till(out).ledger.close()
    assert tables(out / FILE) == tables(new / FILE)


@pytest.mark.parametrize("name", SAYS)
def test_who_only_reads_an_older_ledger_is_told_what_its_own_code_told(out: Path, name: str) -> None:
    with reading(out) as connection:
        assert now_says(connection, name) == TOLD[name]


def test_reading_an_older_ledger_changes_nothing_in_it_and_leaves_nothing_beside_it(out: Path) -> None:
    before = (out / FILE).read_bytes()
    with reading(out) as connection:
        assert violations(connection, running=True) == []
        assert connection.execute(sa.select(mark)).all() == []
        assert [meta_value(connection, name) for name in ("unit", "unit_scale")] == ["credits", 1]
        for table in metadata.sorted_tables:
            connection.execute(sa.select(table)).all()
    assert (out / FILE).read_bytes() == before
    with closing(sqlite3.connect(out / FILE)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert plain.execute("SELECT value FROM meta WHERE key = 'format_version'").fetchone() == ("1",)


def test_all_of_the_money_of_a_migrated_ledger_is_where_it_was(out: Path) -> None:
    with Till(out) as till:
        assert till.ledger.recovered == 1
        was, now = TOLD["credits"], asdict(till.credits())
        assert now == {**was, "reserved": 0, "in_doubt": was["in_doubt"] + was["reserved"]}
        assert till.violations() == []
        lines = {line["job_id"]: line for line in TOLD["results"]}
        for line in till.results():
            old = lines[line.job_id]
            assert (line.task_id, line.charged_credits) == (old["task_id"], old["charged_credits"])
            assert line.state == ("in_doubt" if old["state"] == "submitting" else old["state"])
        assert till.meta("unit") == "credits"
    assert sorted(path.name for path in out.iterdir() if "sqlite" in path.name) == [FILE]


def test_a_migrated_ledger_goes_on_as_any_other(out: Path) -> None:
    with Till(out) as till:
        till.cap(None)
        till.take_in("another", "done")
        till.see(till.buy("another"), State.SUCCEEDED, video_urls=("https://f/1.mp4",))
        assert till.violations() == []
        assert till.ledger.read(views.files_missing) == TOLD["files_missing"] + 1
    with Till(out) as till:
        assert till.meta("format_version") == FORMAT_VERSION


KILLED_AT = """
import os, signal, sys
from pathlib import Path
import sqlalchemy as sa
from batchgen.ledger import Ledger
left = int(sys.argv[2])

@sa.event.listens_for(sa.Engine, "after_cursor_execute")
def count(connection, cursor, statement, *_):
    global left
    left -= statement.strip().startswith(("ALTER", "CREATE", "UPDATE meta"))
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

Ledger.open(Path(sys.argv[1]), sys.argv[3])
"""


@pytest.mark.parametrize("statement", [1, 5, 12, 18, 24])
def test_a_migration_that_is_killed_has_not_begun(out: Path, statement: int) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(out), str(statement), SERVICE], check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    with reading(out) as connection:
        assert meta_value(connection, "format_version") == 1
        assert now_says(connection, "results") == TOLD["results"]
    with Till(out) as till:
        assert till.credits().charged == TOLD["credits"]["charged"]
        assert till.violations() == []


def test_a_run_with_another_service_leaves_an_older_ledger_as_it_is(out: Path) -> None:
    with pytest.raises(LedgerError) as told:
        Till(out, service="https://other.test")
    assert told.value.code == "other_service"
    with Store.read(out) as store:
        assert store.get_meta("format_version") == 1
