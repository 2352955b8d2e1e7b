"""Ledgers of older formats: brought forward by who writes, read as they are by who only looks.

New tables, columns and indexes are added as `tables` has them. Here stands what older lines hold in them where that
is not the column's default. Nothing is copied: a copy that somebody puts back would buy again.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from batchgen.ledger.sqlite import counters
from batchgen.ledger.tables import FORMAT_VERSION, metadata

_FIRST = "coalesce((SELECT CAST(value AS INTEGER) FROM main.meta WHERE key = 'first_position'), 0)"

#: What older lines have in a new column, as SQL over the other columns; the rest have the default.
OF_OLD_LINES = {
    "account.refund_expected": counters.REFUND_EXPECTED,
    "task.files_missing": counters.TASK_FILES_MISSING,
    "job.changed": f"""EXISTS (SELECT 1 FROM row WHERE row.job_no = job.job_no AND row.changed = 1
        AND row.position >= {_FIRST})""",
    "job.files_missing": counters.JOB_FILES_MISSING,
}
#: What a new table holds for the older ones.
OF_OLD_TABLES = {"job_count": counters.COUNT}
#: Single values that older ledgers do not have, as SQL of their JSON.
OF_OLD_META = {
    "unit": "'\"credits\"'",
    "unit_scale": "'1'",
    "invalid_rows": f"(SELECT CAST(count(*) AS TEXT) FROM row WHERE job_no IS NULL AND position >= {_FIRST})",
}


def migrate(connection: sa.Connection) -> None:
    """Bring a ledger of an older format to this one, within the caller's transaction."""
    for statement in (*steps(connection), *counters.TRIGGERS):
        connection.exec_driver_sql(statement)
    for key, value in OF_OLD_META.items():
        connection.exec_driver_sql(f"INSERT INTO meta (key, value) SELECT '{key}', {value}")
    connection.exec_driver_sql(f"UPDATE meta SET value = '{FORMAT_VERSION}' WHERE key = 'format_version'")


def steps(connection: sa.Connection) -> Iterator[str]:
    """The statements that are missing between the tables of a file and ours."""
    there = _columns(connection)
    for table in metadata.sorted_tables:
        if table.name not in there:
            yield str(CreateTable(table).compile(connection))
        for column in _new(table, there):
            described = CreateColumn(column).compile(connection)
            yield f"ALTER TABLE {table.name} ADD COLUMN {described}"
        for column in _new(table, there):
            if value := OF_OLD_LINES.get(f"{table.name}.{column.name}"):
                yield f"UPDATE {table.name} SET {column.name} = {value}"
    indexes = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index'").scalars())
    for table in metadata.sorted_tables:
        yield from (str(CreateIndex(one).compile(connection)) for one in table.indexes if one.name not in indexes)
    for name, lines in OF_OLD_TABLES.items():
        if name not in there:
            yield f"INSERT INTO {name} {lines}"


def show_as_new(connection: sa.Connection) -> None:
    """For a connection that only reads an older file: temporary views that look like our tables.

    They stand before the file's own tables under the same names, so that `views` reads every format.
    """
    there = _columns(connection)
    for table in metadata.sorted_tables:
        if table.name not in there:
            lines = OF_OLD_TABLES.get(table.name) or f"SELECT {_defaults(list(table.columns))} WHERE 0"
            connection.exec_driver_sql(f"CREATE TEMP VIEW {table.name} AS {lines}")
        elif added := _new(table, there):
            connection.exec_driver_sql(
                f"CREATE TEMP VIEW {table.name} AS SELECT *, {_defaults(added)} FROM main.{table.name}"
            )
    values = " ".join(f"UNION ALL SELECT '{key}', {value}" for key, value in OF_OLD_META.items())
    connection.exec_driver_sql(f"CREATE TEMP VIEW meta AS SELECT key, value FROM main.meta {values}")


def _columns(connection: sa.Connection) -> dict[str, set[str]]:
    """The file's tables and their columns."""
    lines = connection.exec_driver_sql(
        "SELECT m.name, c.name FROM main.sqlite_master AS m JOIN pragma_table_info(m.name, 'main') AS c "
        "WHERE m.type = 'table'"
    )
    found: dict[str, set[str]] = {}
    for table, column in lines:
        found.setdefault(table, set()).add(column)
    return found


def _new(table: sa.Table, there: dict[str, set[str]]) -> list[sa.Column[object]]:
    """The columns of a table that the file has, which it has without them."""
    return [one for one in table.columns if table.name in there and one.name not in there[table.name]]


def _defaults(columns: list[sa.Column[object]]) -> str:
    """For each column what an older line has there."""
    return ", ".join(f"{_default(one)} AS {one.name}" for one in columns)


def _default(column: sa.Column[object]) -> str:
    if value := OF_OLD_LINES.get(f"{column.table.name}.{column.name}"):
        return value
    default = column.server_default
    if not isinstance(default, sa.DefaultClause):
        return "NULL"
    return str(default.arg) if isinstance(default.arg, sa.TextClause) else f"'{default.arg}'"
