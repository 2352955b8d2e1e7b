"""Jobs that come from the rows of a table: what is wrong is said at the table's own line and cell."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchgen.files import spelled
from batchgen.job import Problem, Row
from batchgen.manifest import values
from batchgen.manifest.entry import shown
from batchgen.manifest.filling import Unfilled
from batchgen.manifest.source import Unreadable
from batchgen.manifest.table import Table, TableRow


def check_table(table: Table, used: Collection[str], body: Mapping[str, Any]) -> None:
    """BadValue where a text uses a column that is there twice, or where columns are taken for keys."""
    for name in sorted(used & table.twins.keys()):
        raise InTable(table.twins[name])
    columns: list[str] = [key for key in ("provider", "model", "scene") if key not in body and key in table.names]
    if "prompt" not in body and "prompt" in table.names and (columns or body.get("scene") == "text-to-video"):
        columns.append("prompt")
    if columns:
        lines = ", ".join(f'{key}: "{{{{ {key} }}}}"' for key in columns)
        message = f"The columns of rows are variables: {columns[0]} is in the table, and not in the job."
        raise values.BadValue("not_filled_in", message, f"Write {lines} into the job.")


class InTable(values.BadValue):
    """Something that is wrong in a table as a whole, at its own place."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code, problem.message, problem.hint)
        self.problem = problem


def of_table(trouble: Unreadable, path: Path, name: str) -> values.BadValue:
    """Why a table can't be read: at its own line where it has one, else where it is named."""
    message = trouble.message.replace(spelled(path), name)
    if trouble.line is not None:
        return InTable(Problem(spelled(path), None, trouble.line, None, None, trouble.code, message, trouble.hint))
    return values.BadValue("bad_rows_file", f"rows: {message}", trouble.hint)


def read(table: Table | None) -> Iterator[TableRow | None]:
    """The rows as long as they can be read; one that is None without a table."""
    if table is None:
        yield None
        return
    try:
        yield from table.rows
    except Unreadable as trouble:
        path = Path(table.manifest.name)
        raise of_table(trouble, path, path.name) from None


def unfilled(row: TableRow, bad: Unfilled) -> Problem:
    """What can't be worked out in a row, at the cell of the variable that it hangs on."""
    place = row.entry.row
    column, cell = place.places.get(bad.variable, (bad.variable, None)) if bad.variable else (None, None)
    return Problem(place.manifest, None, place.line, column, cell, bad.code, bad.message, bad.hint)


def hole(row: Row, key: str, name: str, text: str) -> Problem:
    column, cell = row.places.get(name, (name, None))
    message = f"{name} is blank in this row: {key} is {shown(text)}."
    hint = f"Fill the cell, or say what stands there instead: {{{{ {name} | default('…') }}}}."
    return Problem(row.manifest, None, row.line, column, cell, "blank_variable", message, hint)


def placed(row: Row, place: Row, keys: Mapping[str, tuple[str, ...]]) -> Row:
    """The row with the places of its keys in the table: the cell of the first variable of each."""
    places, lines = dict(row.places), dict(row.lines)
    for key, names in keys.items():
        name = next((name for name in names if name in place.places), None)
        if name is not None:
            places[key] = place.places[name]
            if place.line is not None:
                lines[key] = place.line
    return replace(row, places=places, lines=lines, source=place.manifest)
