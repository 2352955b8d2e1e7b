"""What the ledgers beside an OUT have bought of some requests: read only, by content, within a few seconds.

They may be somebody else's, damaged, of an older format, or busy: they are only read, nothing in their schema is
trusted, and one that can't be read is named and stops nothing.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from batchgen.amount import CREDITS, Unit

#: So long may all of them take together, in seconds.
SECONDS = 5.0
_FILE = "ledger.sqlite3"
#: A request counts as bought where an attempt may have been charged, unless the service said that it gave all back.
_BOUGHT = """
SELECT count(DISTINCT attempt.fingerprint), coalesce(sum(coalesce(task.charged - task.refunded, attempt.price)), 0)
FROM beside.attempt AS attempt
JOIN wanted ON wanted.fingerprint = attempt.fingerprint
LEFT JOIN beside.task AS task ON task.task_no = attempt.attempt_id
WHERE (attempt.outcome IS NULL OR attempt.outcome IN ('in_doubt', 'accepted', 'paid_lost'))
  AND (task.task_no IS NULL OR task.refunded < task.charged OR task.charged = 0)
"""


@dataclass(frozen=True, slots=True)
class BoughtIn:
    """Another OUT, how many of the requests were bought there, what was charged, and at which service."""

    out: Path
    jobs: int
    amount: int
    service: str
    unit: Unit = CREDITS


@dataclass(frozen=True, slots=True)
class Beside:
    """What was found beside an OUT. `unread` are ledgers that could not be read, with the reason."""

    bought: tuple[BoughtIn, ...] = ()
    unread: tuple[tuple[Path, str], ...] = ()


class LedgersBeside:
    """The ledgers in the folders beside `out`: tell them what is `want`ed, then `ask`. Close it at the end.

    Without an `out` there are none.
    """

    def __init__(self, out: Path | None) -> None:
        self._others = list(_ledgers_beside(out)) if out is not None else []
        self._connection = sqlite3.connect("", isolation_level=None, uri=True)  # a temporary file of its own
        self._connection.execute("PRAGMA trusted_schema = OFF")
        self._connection.execute("CREATE TABLE wanted (fingerprint TEXT PRIMARY KEY) WITHOUT ROWID")
        self._connection.execute("BEGIN")

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._others)

    def want(self, fingerprint: str) -> None:
        """Ask about this request, too."""
        if self._others:
            self._connection.execute("INSERT OR IGNORE INTO wanted VALUES (?)", (fingerprint,))

    def ask(self, *, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> Beside:
        """Which of them have bought what is wanted; `seconds` is how long all of them may take together."""
        self._connection.execute("COMMIT")
        until = clock() + seconds
        found: list[BoughtIn] = []
        unread: list[tuple[Path, str]] = []
        self._connection.set_progress_handler(lambda: int(clock() > until), 10_000)
        for other in self._others:
            if clock() > until:
                unread.append((other, f"looking beside took more than {seconds:g} seconds"))
                continue
            try:
                found += _look(self._connection, other)
            except (sqlite3.Error, ValueError, TypeError) as error:
                unread.append((other, str(error)))
        self._connection.set_progress_handler(None, 0)
        self._connection.execute("BEGIN")
        return Beside(tuple(found), tuple(unread))

    def close(self) -> None:
        self._connection.close()


def _ledgers_beside(out: Path) -> Iterator[Path]:
    here = out.resolve()
    try:
        folders = sorted(out.parent.iterdir())
    except OSError:
        return
    for folder in folders:
        if folder.resolve() != here and (folder / _FILE).is_file():
            yield folder


def _look(connection: sqlite3.Connection, out: Path) -> list[BoughtIn]:
    """What one ledger has of what is wanted. Raises sqlite3.Error or ValueError where it can't be read."""
    file = (out / _FILE).resolve()
    wal = file.with_name(f"{_FILE}-wal")
    # Without a log of its own the file is all there is: SQLite then need not make files beside it to read it.
    how = "mode=ro" if wal.exists() and wal.stat().st_size else "mode=ro&immutable=1"
    connection.execute("ATTACH ? AS beside", (f"file:{quote(str(file))}?{how}",))
    try:
        known = {
            key: json.loads(value)
            for key, value in connection.execute(
                "SELECT key, value FROM beside.meta WHERE key IN ('service', 'unit', 'unit_scale')"
            )
        }
        service = str(known.get("service", ""))
        if service.partition(" ")[0] == "sandbox":
            return []
        jobs, amount = connection.execute(_BOUGHT).fetchone()
        unit = Unit(str(known.get("unit") or "credits"), int(known.get("unit_scale") or 1))
        return [BoughtIn(out, jobs, amount, service, unit)] if jobs else []
    finally:
        connection.execute("DETACH beside")
