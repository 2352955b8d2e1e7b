"""The header of a table: which column is what, which are the user's own, and which are nearly known ones."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from batchgen.job import RESULT_COLUMNS, USD_COLUMNS, Problem
from batchgen.manifest.entry import Manifest, cell_name, shown
from batchgen.manifest.names import (
    KNOWN,
    OPTION_TYPES,
    bare,
    folded,
    is_another_input,
    is_film,
    meant,
    near,
    option_of,
)
from batchgen.manifest.source import Unreadable
from batchgen.results.formula import own_name, unguard

REQUIRED = ("provider", "model", "scene")
#: How pandas names the numbers of its rows.
_INDEX = re.compile(r"__index_level_[0-9]+__|Unnamed: 0(?:\.[0-9]+)?")
#: As many columns as the widest spreadsheet can have.
WIDEST = 16_384
_EDGE = " \t\r\n\u00a0\u200b\u200c\u200d\u2060\ufeff"


#: The columns of a results.csv of kind `told`.
TOLD = ("state", "error_code")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `kind`: key, option, own, task_id, told, variable (of a table), ignored, blank.

    `key` is the name of that key, option or variable.

    `told` are the columns of a results.csv that say whether a job without a task may have been paid for. `is_film`:
    a column of the user's own that is the video_input of a row that has no other.
    """

    index: int
    header: str
    kind: str
    key: str = ""
    as_type: str = "text"
    is_film: bool = False

    @property
    def shown_as(self) -> str:
        """The name under which results.csv shows the column again."""
        return self.key if self.kind in ("key", "own", "variable") else self.header

    @property
    def is_ratio(self) -> bool:
        """Whether it is an option for shapes such as 16:9, which spreadsheets take for times of day."""
        name = self.key.casefold().replace("duration", "")
        return self.kind in ("option", "variable") and self.as_type == "text" and "ratio" in name


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of one table, in order; `results` when it is a results.csv fed back.

    `guarded`: the file was written by us with apostrophes in front of what a spreadsheet could run.
    """

    columns: tuple[Column, ...]
    results: bool = False
    guarded: bool = False

    def find(self, key: str) -> Column | None:
        """The column of a known key."""
        return next((column for column in self.columns if column.kind == "key" and column.key == key), None)


def understand(
    names: Sequence[str], manifest: Manifest, *, own: Sequence[str] = (), line: int | None = 1, record: int = 1
) -> Header:
    """Decide for each header name what it is; problems, warnings and notes go to `manifest`."""
    clean = [name.strip(_EDGE) for name in names]
    last = max((index for index, name in enumerate(clean) if name), default=-1)
    if last >= WIDEST:
        raise Unreadable(
            "too_many_columns",
            f"The header has {last + 1:,} columns.",
            f"{WIDEST:,} are the most that a spreadsheet has. Is the separator right, and the header on a line?",
            line=line,
        )
    clean, all_names = clean[: WIDEST + 1], frozenset(clean)
    results = "job_id" in all_names
    guarded = results or (last >= 0 and clean[last] == "problem")
    if guarded:
        clean = [unguard(name) for name in clean]
    columns = []
    for index, name in enumerate(clean):
        if index == last and name == "problem":
            columns.append(Column(index, name, "ignored"))
        else:
            columns.append((of_results if results else one)(index, name, all_names, own))
    columns = _apart(columns)
    header = Header(tuple(columns), results, guarded)
    place = _Place(manifest, line, record)
    for column in columns:
        place.nearly_known(column, own)
        place.say(column)
    place.twice(columns)
    place.missing(columns)
    manifest.columns.update(
        (column.shown_as, None)
        for column in columns
        if column.kind in ("option", "own") or (column.kind == "key" and column.key not in ("id", *REQUIRED))
    )
    manifest.order = [c.shown_as for c in columns if c.kind in ("key", "option", "own", "task_id")]
    return header


def _apart(columns: Sequence[Column]) -> list[Column]:
    """Columns of the user's own that are called alike get names of their own: `note`, `note (2)`."""
    taken = {column.shown_as for column in columns}
    seen: set[str] = set()
    found = []
    for column in columns:
        if column.kind == "own" and column.key != "task_id" and column.key in seen:
            number = 2
            while f"{column.key} ({number})" in taken:
                number += 1
            column = replace(column, key=f"{column.key} ({number})")  # noqa: PLW2901 (the same one, renamed)
            taken.add(column.key)
        if column.kind == "own":
            seen.add(column.key)
        found.append(column)
    return found


def of_results(index: int, name: str, all_names: Collection[str], own: Sequence[str]) -> Column:
    """What a column of a results.csv is that was fed back: ours are ignored, the others are what they were."""
    if name == "job_id":
        return Column(index, name, "key", "id")
    if (name in RESULT_COLUMNS or name in USD_COLUMNS) and name not in REQUIRED:
        return Column(index, name, "task_id" if name == "task_id" else "told" if name in TOLD else "ignored")
    return one(index, own_name(unguard(name)), all_names, own)


def one(index: int, name: str, all_names: Collection[str], own: Sequence[str]) -> Column:
    """What a single column is, by its name and those beside it."""
    if not name:
        return Column(index, "", "blank")
    if _INDEX.fullmatch(name) and name not in own:
        return Column(index, name, "ignored")
    if name in own:
        return Column(index, name, "own", name)
    if name in KNOWN:
        return Column(index, name, "key", name)
    if name == "task_id":
        return Column(index, name, "own", name)
    option = re.fullmatch(r"(?:options?)\.(.+?)(?::([A-Za-z]+))?", name, re.IGNORECASE)
    if option and (option[2] is None or option[2].lower() in OPTION_TYPES):
        return Column(index, name, "option", option[1].strip(), (option[2] or "text").lower())
    key = meant(name)
    if key and key not in all_names:
        return Column(index, name, "key", key)
    key = meant(bare(name))
    if key and key != "id" and not any(key in (other, meant(other)) for other in all_names):
        return Column(index, name, "key", key)
    return Column(index, name, "own", name, is_film=is_film(name))


@dataclass(slots=True)
class _Place:
    """Where the header stands, to say what is wrong with it."""

    manifest: Manifest
    line: int | None
    record: int

    def _problem(self, column: Column | None, code: str, message: str, hint: str) -> Problem:
        header = column.header if column else None
        cell = cell_name(column.index, self.record) if column else None
        return Problem(self.manifest.name, None, self.line, header, cell, code, message, hint)

    def nearly_known(self, column: Column, own: Sequence[str]) -> None:
        """A column that is nearly a known one is a problem: what it says would not be sent."""
        if column.kind != "own" or column.header in own:
            return
        bad_type = re.fullmatch(r"options?\..+:([^:]*)", column.header, re.IGNORECASE)
        if bad_type:
            message = f'The column {shown(column.header)} asks for the type "{bad_type[1]}", which does not exist.'
            hint = "Types are int, float, bool and json; text needs none."
            self.manifest.problems.append(self._problem(column, "unknown_type", message, hint))
        elif guess := near(column.header):
            message = f'The column {shown(column.header)} is not known. Did you mean "{guess}"?'
            hint = f'Rename it, or keep it as a column of your own with --own "{column.header}".'
            self.manifest.problems.append(self._problem(column, "unknown_column", message, hint))
        elif option := option_of(column.header):
            message = f"The column {shown(column.header)} is kept as your own and is not sent to the model."
            hint = f'To send it as an option, name the column "options.{option}".'
            self.manifest.warnings.append(self._problem(column, "not_sent", message, hint))
        elif is_another_input(column.header):
            message = f"The column {shown(column.header)} is kept as your own and is not sent to the model."
            hint = "Several addresses stand in one cell of image_input or video_input, with a blank between."
            self.manifest.warnings.append(self._problem(column, "not_sent", message, hint))

    def say(self, column: Column) -> None:
        """A name that was accepted although it is not the column's own is said."""
        if column.kind == "key" and column.header not in (column.key, "job_id"):
            self.manifest.notes.append(f'The column "{column.header}" is read as "{column.key}".')

    def twice(self, columns: Sequence[Column]) -> None:
        """Two columns for one thing: nobody can know which is meant."""
        first: dict[tuple[str, str], Column] = {}
        for column in columns:
            if column.kind in ("blank", "ignored"):
                continue
            earlier = first.setdefault((column.kind, column.key or column.header), column)
            if earlier is not column:
                both = f"{cell_name(earlier.index, self.record)} and {cell_name(column.index, self.record)}"
                message = f"The columns {both} are both {shown(column.shown_as)}."
                hint = "Rename or delete one of them."
                self.manifest.problems.append(self._problem(column, "duplicate_column", message, hint))

    def missing(self, columns: Sequence[Column]) -> None:
        """provider, model and scene must have a column; their absence is said once."""
        have = {column.key for column in columns if column.kind == "key"}
        lacking = [key for key in REQUIRED if key not in have and key not in self.manifest.optional]
        self.manifest.missing = frozenset(lacking)
        own = [column.header for column in columns if column.kind == "own"]
        nearly = {
            near(problem.column or "") for problem in self.manifest.problems if problem.code == "unknown_column"
        }
        for key in lacking:
            if key in nearly:  # that column is named already
                continue
            like = next((name for name in own if key in folded(name)), None)
            message = f'The column "{key}" is missing.'
            hint = f"Is it {shown(like)}? Then rename that one." if like else f"Add a column {key} to every row."
            self.manifest.problems.append(self._problem(None, "missing_column", message, hint))
