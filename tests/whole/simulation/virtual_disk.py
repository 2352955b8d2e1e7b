"""A disk in memory under the real ledger: commits may fail, or be the last thing that a process does."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool
from virtual_time import Killed

from batchgen.ledger import Ledger
from batchgen.ledger.sqlite import spill, store
from batchgen.ledger.sqlite.writer import _Waiting, write_group

SERVICE = "https://service.test"
_ROOT = "/dev/shm" if Path("/dev/shm").is_dir() else None


class _Connection(sqlite3.Connection):
    """The database of one seed. It outlives every process that opens it."""

    disk: "Disk"

    def commit(self) -> None:
        self.disk.before_commit()
        super().commit()
        self.disk.after_commit()

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()


class _Found:
    def __init__(self, names: list[str], rows: list[Any]) -> None:
        self._names, self._rows = names, rows

    def all(self) -> list[Any]:
        return self._rows

    def mappings(self) -> "_Found":
        return _Found(self._names, [dict(zip(self._names, row, strict=True)) for row in self._rows])

    def one(self) -> Any:
        (row,) = self._rows
        return row

    def scalar_one(self) -> Any:
        ((value,),) = self._rows
        return value


class Disk:
    """One OUT. `dies_at` is the number of the commit at which the process is killed, `dies_after` that it is
    killed right after it; `full` refuses commits, `lies` reports one that was written as refused.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="batchgen-simulation-", dir=_ROOT))
        self.connection = _open()
        self.engine = sa.create_engine("sqlite://", creator=self._connect, poolclass=StaticPool)
        sa.event.listen(self.engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))
        self._template = _template(self.folder)
        self.reset()

    def reset(self) -> None:
        """An empty OUT again."""
        self.connection = _open()
        self.connection.deserialize(self._template)
        self.connection.disk = self
        self.connection.row_factory = None
        (self.folder / store.FILE).touch()
        (self.folder / spill.FILE).unlink(missing_ok=True)
        self.calm()
        self.writing = False
        self.dead = False
        self.refused = 0

    def calm(self) -> None:
        self.commits = 0
        self.dies_at: int | None = None
        self.dies_after = False
        self.full = False
        self.lies = False

    def __call__(self, path: Path, *, read_only: bool, journal: str = "WAL") -> sa.Engine:
        """In the place of `store._engine`."""
        assert not read_only
        self.engine.dispose()
        return self.engine

    def _connect(self) -> sqlite3.Connection:
        if self.dead:
            raise sqlite3.OperationalError("the process is dead")
        return self.connection

    def before_commit(self) -> None:
        if not self.writing:
            return
        self.commits += 1
        if self.commits == self.dies_at and not self.dies_after:
            raise Killed
        if self.full and not self.lies:
            self.refused += 1
            raise sqlite3.OperationalError("database or disk is full")

    def after_commit(self) -> None:
        if not self.writing:
            return
        if self.commits == self.dies_at and self.dies_after:
            raise Killed
        if self.full and self.lies:
            self.refused += 1
            raise sqlite3.OperationalError("disk I/O error")

    def rows(self, query: str, *values: Any) -> list[Any]:
        """What is committed, looked at from outside."""
        return self.connection.execute(query, values).fetchall()

    def exec_driver_sql(self, query: str, values: tuple[Any, ...] = ()) -> "_Found":
        """As much of a connection of SQLAlchemy's as the audit asks for."""
        cursor = self.connection.execute(query, values)
        return _Found([column for column, *_ in cursor.description], cursor.fetchall())

    def remove(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """While this lasts, ledgers are opened here."""
        kept = store._engine, spill._SIZE
        store._engine, spill._SIZE = self, 4096
        try:
            yield
        finally:
            store._engine, spill._SIZE = kept


def _open() -> _Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=_Connection)


def _template(folder: Path) -> bytes:
    """A new ledger, made by the real code, once."""
    place = folder / "template"
    Ledger.open(place, SERVICE, inline=True).close()
    kept = sqlite3.connect(place / store.FILE)
    kept.execute("PRAGMA journal_mode=DELETE")
    data = kept.serialize()
    kept.close()
    shutil.rmtree(place)
    return data


class GroupWriter:
    """The ledger's writer without a thread: what comes within some milliseconds is committed together."""

    def __init__(self, disk: Disk, of: store.Store, loop: Any, took: Any) -> None:
        self._disk = disk
        self._store = of
        self._loop = loop
        self._took = took
        self._waiting: list[_Waiting] = []

    async def write(self, handler: Any, payload: Any) -> Any:
        if self._disk.dead:
            raise RuntimeError("the process is dead")
        waiting = _Waiting(handler, payload, self._loop, self._loop.create_future())
        if not self._waiting:
            self._loop.call_later(self._took(), self._flush)
        self._waiting.append(waiting)
        return await waiting.future

    def _flush(self) -> None:
        group, self._waiting = self._waiting, []
        if self._disk.dead or not group:
            return
        self._disk.writing = True
        try:
            write_group(self._store, group)
        finally:
            self._disk.writing = False
        self._loop.call_soon(lambda: [waiting.answer() for waiting in group])

    def close(self) -> None:
        if not self._disk.dead:
            self._flush()
