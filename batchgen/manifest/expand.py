"""One entry of a YAML list -> the jobs that it stands for: defaults, rows, matrix, templates, repeat."""

import difflib
import itertools
import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchgen.job import REQUEST_KEYS, Problem, Row
from batchgen.manifest import tabled, templates, values, words
from batchgen.manifest.entry import Entry, Manifest, read_scene, shown
from batchgen.manifest.filling import Unfilled, fill, is_templated, names_of, uses, value_of
from batchgen.manifest.filters import Blank
from batchgen.manifest.source import ReadOptions, Unreadable
from batchgen.manifest.table import Table, TableRow, open_table
from batchgen.manifest.yaml_events import Keyed

JOB_KEYS = ("id", *REQUEST_KEYS, "own", "matrix", "repeat", "rows")
DEFAULT_KEYS = (*REQUEST_KEYS, "own")
_SENT = ("id", *REQUEST_KEYS)
_EXPANDERS = frozenset({"matrix", "repeat", "rows"})
#: More combinations or copies than this are a mistake.
MOST = 10_000_000


class Expander:
    """Makes entries of a manifest's list items; `number` counts the rows made so far."""

    def __init__(self, path: Path | str, manifest: Manifest, options: ReadOptions, defaults: Keyed | None) -> None:
        self._folder = Path(path).parent
        self._manifest = manifest
        self._options = options
        self.defaults = defaults or Keyed(None)
        self.number = 0
        self.defaults, wrong = _known_defaults(self.defaults)
        self._templated = is_templated(self.defaults)
        for line, key, message, hint in wrong:
            manifest.problems.append(Problem(manifest.name, None, line, key, None, "unknown_key", message, hint))

    def expand(self, item: Keyed) -> Iterator[Entry]:
        """The entries of one item, in the order rows, matrix, repeat; what is to say of all stands at the first."""
        cuts = item.cuts
        for entry in self._entries(item):
            name, number = self._manifest.name, entry.row.number
            said = (Problem(name, number, line, None, None, *what) for line, *what in cuts)
            yield replace(entry, warnings=(*said, *entry.warnings)) if cuts else entry
            cuts = ()

    def _entries(self, item: Keyed) -> Iterator[Entry]:
        try:
            if not self._templated and not item.keys() & _EXPANDERS and not is_templated(item):
                yield self._entry(item, self._merged(item))
                return
            yield from self._expanded(item)
        except values.BadValue as bad:
            yield self._bad(item, bad)

    def _bad(self, item: Keyed, bad: values.BadValue) -> Entry:
        self.number += 1
        name = self._manifest.name
        found = Problem(name, self.number, item.line, None, None, bad.code, bad.message, bad.hint)
        if isinstance(bad, tabled.InTable):
            found = replace(bad.problem, row=self.number)
        return Entry(Row(name, self.number, item.line, {}), (found,))

    def _merged(self, item: Keyed) -> dict[str, Any]:
        """The item over the defaults; options and own merge key by key, null takes a default away."""
        if not self.defaults:
            return item
        merged = {**self.defaults, **item}
        for key in ("options", "own"):
            below, above = self.defaults.get(key), item.get(key)
            if isinstance(below, dict) and isinstance(above, dict):
                merged[key] = {**below, **above}
        return merged

    def _expanded(self, item: Keyed) -> Iterator[Entry]:
        body = {key: value for key, value in self._merged(item).items() if key not in _EXPANDERS}
        repeat = item.get("repeat", 1)
        if not (isinstance(repeat, str) and "{{" in repeat):
            _times(repeat)
        matrix = _matrix(item.get("matrix"))
        if not isinstance(item.get("rows"), str | None):
            raise values.BadValue("wrong_type", "rows must name one file.", "For example rows: products.csv")
        if ("rows" in item or matrix) and "id" in body and not names_of(body["id"]):
            raise values.BadValue(
                "same_id",
                f"All jobs of this entry would have the id {shown(body['id'])}.",
                'Put a variable into it, for example id: "banner-{{ product }}".',
            )
        used = names_of([body, repeat])
        table = self._table(item, used - matrix.keys())
        templates.check_names(used, (*(table.names if table else ()), *matrix))
        if table is not None:
            tabled.check_table(table, used, body)
        yield from self._of_rows(item, body, repeat, matrix, table)

    def _of_rows(
        self,
        item: Keyed,
        body: Mapping[str, Any],
        repeat: Any,
        matrix: Mapping[str, list[Any]],
        table: Table | None,
    ) -> Iterator[Entry]:
        """The jobs of each row of the table (or of the entry itself), in each combination."""
        blanks = {name: Blank(name) for name in table.names} if table else {}
        keys = uses(body)
        for row in tabled.read(table):
            if row is not None and row.entry.problems:
                yield self._bad_row(item, row, row.entry.problems)
                continue
            said = row.entry.warnings if row else ()
            for combination in itertools.product(*matrix.values()):
                chosen = dict(zip(matrix, combination, strict=True))
                variables = {**blanks, **(row.variables if row else {}), **chosen}
                for entry in self._copies(item, body, repeat, variables, row, keys):
                    about = (*(replace(warning, row=entry.row.number) for warning in said), *entry.warnings)
                    yield replace(entry, warnings=about) if about else entry
                    said = ()
        if table is not None:
            self._manifest.warnings.extend(table.manifest.warnings)

    def _copies(
        self,
        item: Keyed,
        body: Mapping[str, Any],
        repeat: Any,
        variables: Mapping[str, Any],
        row: TableRow | None,
        keys: Mapping[str, tuple[str, ...]],
    ) -> Iterator[Entry]:
        """The jobs of one row and one combination."""
        try:
            filled = fill(body, variables)
            times = repeat if isinstance(repeat, int) else _repeat(repeat, variables)
        except Unfilled as bad:
            yield self._bad(item, bad) if row is None else self._bad_row(item, row, [tabled.unfilled(row, bad)])
            return
        if filled.holes and row is not None and row.lonely is not None:
            yield self._bad_row(item, row, [row.lonely])
            return
        holes = [tabled.hole(row.entry.row, *hole) for hole in filled.holes if hole[0] != "own"] if row else []
        for copy in range(1, times + 1):
            made = self._entry(item, filled.job if copy == 1 else _copy(filled.job, copy), copy)
            if row is not None:
                made = replace(made, row=tabled.placed(made.row, row.entry.row, keys))
            if holes and copy == 1:
                made = replace(made, warnings=tuple(replace(hole, row=self.number) for hole in holes))
            yield made

    def _bad_row(self, item: Keyed, row: TableRow, problems: Sequence[Problem]) -> Entry:
        """A row of a table that makes no job; its problems stand in the table."""
        self.number += 1
        found = tuple(replace(problem, row=self.number) for problem in problems)
        said = tuple(replace(warning, row=self.number) for warning in row.entry.warnings)
        return Entry(Row(self._manifest.name, self.number, item.line, {}), found, said)

    def _table(self, item: Keyed, used: Collection[str]) -> Table | None:
        """The table under `rows`, open; None without it."""
        name = item.get("rows")
        if not name:
            return None
        path = self._folder / name
        if name not in self._manifest.sources:
            self._manifest.sources.append(name)
        try:
            return open_table(path, self._options, used)
        except Unreadable as trouble:
            raise tabled.of_table(trouble, path, name) from None

    def _entry(self, item: Keyed, job: Mapping[str, Any], copy: int = 1) -> Entry:
        self.number += 1
        if self.number > MOST:
            hint = "Is repeat, matrix or the table larger than it was meant to be?"
            raise Unreadable("too_large", f"The manifest makes more than {MOST:,} jobs.", hint, line=item.line)
        name, number = self._manifest.name, self.number
        found: dict[str, Any] = {}
        cells: dict[str, str] = {}
        for key in _SENT:
            if key in job:
                _take(key, job[key], found, cells, self._manifest)
        found.update((key, value) for key, value in job.items() if key not in JOB_KEYS)
        own = job.get("own")
        wrong = [
            Problem(name, number, line, None, None, code, message, hint)
            for line, code, message, hint in item.troubles
        ]
        if isinstance(own, dict):
            cells.update((str(key), _text(value)) for key, value in own.items())
        elif own is not None:
            message = f"own is {shown(own)}, but it must be a group of your own keys."
            wrong.append(Problem(name, number, item.line, "own", None, "wrong_type", message))
        for key in cells:
            self._manifest.columns.setdefault(key)
        row = Row(
            manifest=name,
            number=number,
            line=item.line,
            values=found,
            cells=cells,
            repeat_of=f"{item.line}" if copy > 1 else "",
            lines=item.lines,
        )
        return Entry(row, tuple(wrong))


def _take(key: str, value: Any, found: dict[str, Any], cells: dict[str, str], manifest: Manifest) -> None:
    """One known key into the row's values (blank is absent) and its cells."""
    if value is None or (isinstance(value, str) and words.is_blank(value)):
        return
    if key in ("image_input", "video_input"):
        cells[key] = _text(value)
        if isinstance(value, str):
            value = values.urls(value) if not value.lstrip().startswith("[") else [value.strip()]
        elif isinstance(value, list):
            value = values.listed_urls(value)
        found[key] = value
    elif key in ("prompt", "options"):
        cells[key] = _text(value)
        found[key] = value
    else:
        bare = value.strip() if isinstance(value, str) else value
        found[key] = read_scene(bare, manifest) if key == "scene" and isinstance(bare, str) else bare


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _known_defaults(defaults: Keyed) -> tuple[Keyed, list[tuple[int | None, str, str, str]]]:
    """The defaults without keys that can't stand there, and what is wrong with those."""
    known, wrong = Keyed(defaults.line), []
    for key, value in defaults.items():
        if key in DEFAULT_KEYS:
            known[key] = value
            continue
        close = difflib.get_close_matches(key, DEFAULT_KEYS, 1, 0.6)
        guess = f' Did you mean "{close[0]}"?' if close else ""
        message = f"{shown(key)} can't stand in defaults.{guess}"
        wrong.append((defaults.lines.get(key), key, message, f"Known are {', '.join(DEFAULT_KEYS)}."))
    return known, wrong


def _matrix(matrix: Any) -> dict[str, list[Any]]:
    """The lists that multiply; BadValue where one is none, is empty, or there are too many combinations."""
    if matrix is None:
        return {}
    if not isinstance(matrix, dict):
        raise values.BadValue("bad_matrix", "matrix must be a group of names, each with a list.", "")
    size = 1
    for name, choices in matrix.items():
        if not unicodedata.normalize("NFC", name).isidentifier():
            hint = "Use letters, digits and _."
            raise values.BadValue("bad_matrix", f"{shown(name)} can't be the name of a variable.", hint)
        if not isinstance(choices, list) or not choices:
            hint = f"Write {name}: [one, another]."
            raise values.BadValue("bad_matrix", f"The matrix variable {shown(name)} needs a list of values.", hint)
        size *= len(choices)
    if size > MOST:
        raise values.BadValue("bad_matrix", f"The matrix makes {size:,} jobs.", f"At most {MOST:,} are possible.")
    return {unicodedata.normalize("NFC", name): choices for name, choices in matrix.items()}


def _times(repeat: Any) -> int:
    """A number of copies; BadValue for anything else."""
    if not isinstance(repeat, int) or isinstance(repeat, bool) or not 1 <= repeat <= MOST:
        raise values.BadValue(
            "bad_repeat", f"repeat is {shown(repeat)}.", f"It is a whole number from 1 to {MOST:,}."
        )
    return repeat


def _repeat(repeat: str, variables: Mapping[str, Any]) -> int:
    """How often a row is made: what its variable says, once where that is blank."""
    value = value_of(repeat, variables)
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}(?:\.0+)?\s*", value):
        value = int(value.strip().partition(".")[0])
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return 1 if value is None else _times(value)
    except values.BadValue as bad:
        names = tuple(names_of(repeat))
        raise Unfilled(bad, names[0] if len(names) == 1 else None) from None


def _copy(job: Mapping[str, Any], copy: int) -> Mapping[str, Any]:
    """The same job once more: `a` becomes `a-2`."""
    return {**job, "id": f"{str(job['id']).strip()}-{copy}"} if job.get("id") else job
