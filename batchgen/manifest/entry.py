"""What every reader hands on: entries, and what is wrong with the manifest as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from batchgen.job import Problem, Row
from batchgen.manifest import words


@dataclass(frozen=True, slots=True)
class Entry:
    """One row as read, with what its reader found wrong and worth a warning."""

    row: Row
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(slots=True)
class Manifest:
    """One manifest while it is read. `entries` fills the rest; all of it is complete when `entries` ends.

    `problems` are of the whole file (row None). Where one is there, none of the rows can be trusted, so that
    all of them are invalid. `missing` are known columns that the header lacks: their absence is one problem
    of the file, not one for each row. `notes` say what was understood kindly (aliases, ignored columns).
    `columns` are the columns that results.csv shows again, in order; `order` is all of them (tables only).
    `sources` are the further files read, `optional` the known columns that the header need not have.
    """

    name: str
    entries: Iterator[Entry]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: frozenset[str] = frozenset()
    columns: dict[str, None] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    optional: tuple[str, ...] = ()


def read_scene(text: str, manifest: Manifest) -> str:
    """The scene that a cell names; one that is spelled in another way is said, once for each spelling."""
    scene = words.scene_of(text)
    if scene != text:
        note = f'The scene "{text}" is read as "{scene}".'
        if len(manifest.notes) < 100 and note not in manifest.notes:
            manifest.notes.append(note)
    return scene


def shown(text: object, limit: int = 60) -> str:
    """A value in quotes for a message: one line, cut in the middle where it is long."""
    flat = " ".join(str(text).split())
    if len(flat) > limit:
        flat = f"{flat[: limit - 20]}…{flat[-15:]}"
    return f'"{flat}"'


def cell_name(column: int, record: int) -> str:
    """The spreadsheet's name of a cell: column 0 and record 4 is A4, column 27 is AB."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{record}"


def column_number(letters: str) -> int:
    """The column that letters name: A is 0, AB is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
