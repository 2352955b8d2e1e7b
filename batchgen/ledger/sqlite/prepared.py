"""A statement compiled once and executed with many value sets, for the few that run for every attempt.

SQLAlchemy prepares each value set anew, which costs more than SQLite's own work; here that happens once a
dialect, and a value set is only put in order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa


class Prepared:
    """`statement` with bind parameters; for an insert, `keys` are the columns that the value sets have."""

    def __init__(self, statement: sa.Executable, keys: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._keys = list(keys) if keys is not None else None
        self._compiled: dict[str, tuple[str, list[str], dict[str, Any]]] = {}

    def execute(self, connection: sa.Connection, values: Sequence[Mapping[str, Any]]) -> int:
        """Execute for each value set; returns how many lines were touched."""
        sql, order, fixed = self._compiled.get(connection.dialect.name) or self._compile(connection)
        lines = [tuple(one[name] if name in one else fixed[name] for name in order) for one in values]
        return int(connection.exec_driver_sql(sql, lines).rowcount)

    def insert(self, connection: sa.Connection, lines: Sequence[tuple[Any, ...]]) -> None:
        """Execute an insert for lines whose values are in the order of the keys."""
        if lines:
            sql, order, _ = self._compiled.get(connection.dialect.name) or self._compile(connection)
            if order != self._keys:
                raise RuntimeError(f"the columns of an insert come in the order {order}")
            connection.exec_driver_sql(sql, list(lines))

    def _compile(self, connection: sa.Connection) -> tuple[str, list[str], dict[str, Any]]:
        compiled: Any = self._statement.compile(dialect=connection.dialect, column_keys=self._keys)  # type: ignore[attr-defined]
        order = list(compiled.positiontup or [])
        entry = (str(compiled), order, dict(compiled.params))
        self._compiled[connection.dialect.name] = entry
        return entry
