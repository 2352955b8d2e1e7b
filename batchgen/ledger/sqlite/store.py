"""Opening a ledger: one writer under a run lock, any number of readers.

SQLite in WAL mode with `synchronous=FULL`: a commit that returned survives a power loss. One process holds
the run lock and the only read-write connection (SQLite below 3.51.3 can corrupt a WAL that two connections
write and checkpoint at once); everyone else opens the file read-only, also while a run goes on.
"""

import json
import os
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.pool import StaticPool

from batchgen.amount import CREDITS, Unit
from batchgen.errors import LedgerError, LedgerWriteError
from batchgen.files import replace_durably, take_from_others
from batchgen.ledger.sqlite.counters import TRIGGERS
from batchgen.ledger.sqlite.history import ledger_missing
from batchgen.ledger.sqlite.migrate import migrate, show_as_new
from batchgen.ledger.tables import FORMAT_VERSION, account, meta, metadata

FILE = "ledger.sqlite3"


def ledger_path(out: Path) -> Path:
    """Where the ledger of the folder `out` lives."""
    return out / FILE


def _engine(path: Path, *, read_only: bool, journal: str = "WAL") -> sa.Engine:
    name = path.resolve().as_posix()
    uri = "file:" + name.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    if read_only:
        uri += "?mode=ro"
        # A copy in a folder that we may not write: a reader can't make the files beside it, and needs none.
        if not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists():
            uri += "&immutable=1"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA busy_timeout=30000")
        if not read_only:
            connection.execute(f"PRAGMA journal_mode={journal}")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            # Keeps the WAL of a million-row ingest out of the way of the small commits that follow.
            connection.execute("PRAGMA journal_size_limit=67108864")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=StaticPool)
    # The driver must not open transactions by itself: each begins where `begin` says, as a writer.
    sa.event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE"))
    return engine


class Store:
    """One connection to a ledger file. Use `write` (under the run lock) or `read`."""

    def __init__(self, path: Path, engine: sa.Engine, *, read_only: bool) -> None:
        self.path = path
        self.engine = engine
        self.read_only = read_only

    @classmethod
    def write(cls, out: Path, service: str, now: float, unit: Unit = CREDITS) -> "Store":
        """Open the ledger of `out` for `service`, or make it (`now`) where nothing was paid yet; one of an older
        format is brought to this one. The caller holds the run lock.
        """
        path = ledger_path(out)
        try:
            if not path.exists():
                if lost := ledger_missing(out):
                    raise lost
                _make(path, service, now, unit)
            take_from_others(*(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")))
            store = cls(path, _engine(path, read_only=False), read_only=False)
            try:
                with store.begin() as connection:
                    check_service(connection, out, service)
                    if _format(connection, path) < FORMAT_VERSION:
                        migrate(connection)
            except BaseException:
                store.close()
                raise
        except (sa.exc.DatabaseError, OSError) as error:
            raise LedgerError(
                f"The ledger {path} can't be opened: {_cause(error)}.",
                code="ledger_unreadable",
                hint="Is the disk full? Is the folder read-only? Keep the ledger: it knows what was paid.",
            ) from error
        return store

    @classmethod
    def read(cls, out: Path) -> "Store":
        """Open the ledger of `out` read-only; one of an older format is read as it is."""
        path = ledger_path(out)
        if not path.exists():
            raise ledger_missing(out) or LedgerError(
                f'There is no ledger in the folder "{out}".',
                code="no_ledger",
                hint="Name the folder that a run wrote to, for example outputs/examples.",
            )
        store = cls(path, _engine(path, read_only=True), read_only=True)
        try:
            with store.begin() as connection:
                if _format(connection, path) < FORMAT_VERSION:
                    show_as_new(connection)
        except sa.exc.DatabaseError as error:
            store.close()
            raise unreadable(path, error) from error
        except LedgerError:
            store.close()
            raise
        return store

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction. A commit that the disk refuses raises LedgerWriteError, and nothing is written; reading
        a file that is damaged raises LedgerError.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except sa.exc.DatabaseError as error:
            if self.read_only:
                raise unreadable(self.path, error) from error
            if not isinstance(error, sa.exc.OperationalError):
                raise  # a constraint that holds: the caller's matter
            raise LedgerWriteError(
                f"The ledger {self.path} could not be written: {_cause(error)}.",
                code="ledger_write",
                hint="Make room on the disk, then run again: nothing that was paid is lost.",
            ) from error

    @contextmanager
    def in_bulk(self) -> Iterator[None]:
        """Commits wait for no disk meanwhile, and more of the file stays in memory. The commit after it is durable,
        and with it everything before: the log keeps the order.
        """
        plain = self.engine.raw_connection()
        try:
            for pragma in ("synchronous=NORMAL", "cache_size=-65536", "wal_autocheckpoint=16384"):
                plain.cursor().execute(f"PRAGMA {pragma}")
            yield
        finally:
            for pragma in ("synchronous=FULL", "cache_size=-2000", "wal_autocheckpoint=1000"):
                plain.cursor().execute(f"PRAGMA {pragma}")
            plain.close()

    def get_meta(self, key: str) -> Any:
        with self.begin() as connection:
            return meta_value(connection, key)

    def set_meta(self, **values: Any) -> None:
        with self.begin() as connection:
            for key, value in values.items():
                set_meta_value(connection, key, value)

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def reading(out: Path) -> Iterator[sa.Connection]:
    """One moment of the ledger of `out`, read-only; it works while a run goes on."""
    with Store.read(out) as store, store.begin() as connection:
        yield connection


def _make(path: Path, service: str, now: float, unit: Unit) -> None:
    """A ledger appears whole or not at all: it is made under another name, and renamed when it is on disk."""
    new = path.with_name(f"{path.name}.new")
    for suffix in ("", "-journal", "-wal", "-shm"):
        new.with_name(new.name + suffix).unlink(missing_ok=True)
    new.touch(0o600)
    engine = _engine(new, read_only=False, journal="DELETE")
    with Store(new, engine, read_only=False) as store, store.begin() as connection:
        metadata.create_all(connection)
        for trigger in TRIGGERS:
            connection.exec_driver_sql(trigger)
        connection.execute(account.insert().values(account_no=1))
        for key, value in (
            ("format_version", FORMAT_VERSION),
            ("ledger_id", str(uuid.uuid4())),
            ("service", service),
            ("created_at", now),
            ("unit", unit.name),
            ("unit_scale", unit.scale),
        ):
            set_meta_value(connection, key, value)
    # To WAL while nobody else sees the file: a switch that a crash cuts off can't be undone by a reader.
    with closing(sqlite3.connect(new)) as plain:
        plain.execute("PRAGMA journal_mode=WAL")
    replace_durably(new, path)


def check_service(connection: sa.Connection, out: Path, service: str) -> None:
    """Raise LedgerError when the ledger of `out` has a newer format, or belongs to another service."""
    _format(connection, ledger_path(out))
    known = meta_value(connection, "service")
    if known != service:
        same = _same(known)
        if service.startswith("sandbox") and not known.startswith("sandbox"):
            same = "Leave --sandbox out"
        raise LedgerError(
            f"The ledger in {out} belongs to {known}, not to {service}.",
            code="other_service",
            hint=f"{same} to go on there, or name another folder with --out.",
        )


def _same(known: str) -> str:
    """What to add to a command, so that it is about the service by which a ledger goes."""
    first, _, rest = known.partition(" ")
    if first == "sandbox":
        return f"Add --service {rest} --sandbox" if rest else "Add --sandbox"
    if "://" in first:
        return f"Add --base-url {known}"
    return f"Add --service {first}" + (f" --base-url {rest}" if rest else "")


def unit_of(connection: sa.Connection) -> Unit:
    """What the ledger counts in."""
    return Unit(meta_value(connection, "unit") or "credits", meta_value(connection, "unit_scale") or 1)


def meta_value(connection: sa.Connection, key: str) -> Any:
    found = connection.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar()
    return None if found is None else json.loads(found)


def set_meta_value(connection: sa.Connection, key: str, value: Any) -> None:
    text = json.dumps(value)
    statement = upsert(meta).values(key=key, value=text)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": text}))


def _format(connection: sa.Connection, path: Path) -> int:
    """The format of the ledger, this one or an older. Raises LedgerError for a newer."""
    found = meta_value(connection, "format_version")
    if not isinstance(found, int) or not 1 <= found <= FORMAT_VERSION:
        raise LedgerError(
            f"The ledger {path} has format {found}; this batchgen knows formats up to {FORMAT_VERSION}.",
            code="other_format",
            hint="A newer batchgen wrote it: use that one, or a newer one still. Nothing was changed.",
        )
    return found


def unreadable(path: Path, error: BaseException) -> LedgerError:
    """What to raise for a ledger that SQLite can't make sense of."""
    return LedgerError(
        f"The ledger {path} can't be read: {_cause(error)}.",
        code="ledger_unreadable",
        hint="Is this a ledger of batchgen? `batchgen doctor --ledger` looks closer.",
    )


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__ or error
    return str(getattr(error, "orig", None) or cause).rstrip(".")


def warn_old_sqlite() -> str:
    """A sentence for `doctor` where SQLite has the WAL-reset bug; "" where it does not."""
    if sqlite3.sqlite_version_info >= (3, 51, 3):
        return ""
    return (
        f"SQLite {sqlite3.sqlite_version} has a bug with two writers of one file; batchgen never has two, "
        f"so this is only worth knowing. Python {sys.version.split()[0]} brought it."
    )
