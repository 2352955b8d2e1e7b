"""The rows of a run's manifests as they were decided, on disk: read from the manifests once, in bulk.

The ledger takes them in from here, in pieces; a run that was killed meanwhile finds them again and goes on. No part
of the ledger: it goes when they are taken in.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from batchgen.check.line import Line, json_text

#: Where a run keeps it, beside the ledger.
FILE = "ledger.rows"
_COLUMNS = ", ".join(Line._fields)
_MARKS = ", ".join("?" * len(Line._fields))
_LEFT_OUT = {"cells": "''", "request": "''", "problems": "substr(problems, 1, 0)"}
_LIGHT = ", ".join(_LEFT_OUT.get(name, name) for name in Line._fields)
_AT_ONCE = 2000


class Spool:
    """Rows by their position, from 0. `path` is a file, or None for rows that are few."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        if path is not None:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._file = sqlite3.connect(path or ":memory:", isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE"):
            self._file.execute(f"PRAGMA {pragma}")

    def fill(self, lines: Iterable[Line], mark: Any = None) -> None:
        """Keep these rows and no others; `mark` says, at the end, what they were made from."""
        run = self._file.execute
        run("DROP TABLE IF EXISTS renamed")
        run("DROP TABLE IF EXISTS whole")
        run("DROP TABLE IF EXISTS line")
        run(f"CREATE TABLE line (position INTEGER PRIMARY KEY, {_COLUMNS})")
        run("CREATE TABLE renamed (position INTEGER PRIMARY KEY, job_no INTEGER)")
        run("CREATE TABLE whole (mark)")
        run("BEGIN")
        self._file.executemany(f"INSERT INTO line ({_COLUMNS}) VALUES ({_MARKS})", lines)  # noqa: S608 - our names
        run("INSERT INTO whole VALUES (?)", (json_text(mark),))
        run("COMMIT")

    def holds(self, mark: Any) -> bool:
        """Whether it was filled, to the end, from this."""
        try:
            found: tuple[str] | None = self._file.execute("SELECT mark FROM whole").fetchone()
        except sqlite3.DatabaseError:  # it was killed while it was filled
            return False
        return found == (json_text(mark),)

    def __iter__(self) -> Iterator[Line]:
        """The rows in order, as a plan needs them: without requests, cells and words."""
        for line in self._file.execute(f"SELECT {_LIGHT} FROM line ORDER BY position"):  # noqa: S608 - our names
            yield Line._make(line)

    def page(self, after: int, most: int) -> list[tuple[Line, int | None]]:
        """Rows from a position on, each with the number of the job that it takes over (None: of none)."""
        found = self._file.execute(
            f"SELECT {_COLUMNS}, job_no FROM line LEFT JOIN renamed USING (position) "  # noqa: S608 - our names
            "WHERE position > ? ORDER BY position LIMIT ?",
            (after, most),
        )
        return [(Line._make(line), job_no) for *line, job_no in found]

    def stretch(self, after: int, most: int) -> tuple[str, int]:
        """The manifest of the next rows, and the position behind the last of them (at most so many)."""
        some = "SELECT position, manifest FROM line WHERE position > ? ORDER BY position LIMIT ?"
        found = self._file.execute(some, (after, 1)).fetchone()
        if found is None:
            return "", after
        query = f"SELECT max(position), min(CASE WHEN manifest <> ? THEN position END) FROM ({some})"  # noqa: S608
        last, other = self._file.execute(query, (found[1], after, most)).fetchone()
        return found[1], last if other is None else other - 1

    def jobs(self, after: int, last: int, first_job: int, first: int) -> list[tuple[Any, ...]]:
        """New jobs as `rows.insert_jobs` wants them, numbered from `first_job`, their rows from `first`."""
        query = """SELECT ? - 1 + row_number() OVER (ORDER BY position), job_id, fingerprint, request, provider,
            model, scene, price, 'not_submitted', ? - 1 + position, selected
            FROM line WHERE position > ? AND position <= ? AND problems IS NULL ORDER BY position"""
        return self._file.execute(query, (first_job, first, after, last)).fetchall()

    def rows(self, after: int, last: int, first_job: int, first: int, manifest_no: int) -> list[tuple[Any, ...]]:
        """Their rows, and those that are invalid, as `rows.insert_rows` wants them."""
        query = """SELECT ? - 1 + position, ?, number, line,
            CASE WHEN problems IS NULL THEN ? - 1 + sum(problems IS NULL) OVER (ORDER BY position) END,
            job_id, 0, cells, problems
            FROM line WHERE position > ? AND position <= ? ORDER BY position"""
        return self._file.execute(query, (first, manifest_no, first_job, after, last)).fetchall()

    def sums(self) -> list[tuple[bool, bool, str, int, int]]:
        """The rows counted: (invalid, selected, scene, price, how many)."""
        query = """SELECT problems IS NOT NULL, selected, scene, price, count(*) FROM line GROUP BY 1, 2, 3, 4
            ORDER BY min(position)"""
        return self._file.execute(query).fetchall()

    def rename(self, renamed: Iterable[tuple[int, int]]) -> None:
        """(position, job number): rows whose content was bought under an id that no row has any more."""
        self._file.execute("BEGIN")
        self._file.execute("DELETE FROM renamed")
        left = iter(renamed)
        while some := list(islice(left, _AT_ONCE)):
            self._file.executemany("INSERT INTO renamed VALUES (? + 1, ?)", some)
        self._file.execute("COMMIT")

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """It is taken in."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
