"""One entry of a YAML list -> the jobs that it stands for: defaults, rows, matrix, templates, repeat."""

import difflib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from batchgen.files import spelled
from batchgen.job import REQUEST_KEYS, Problem, Row
from batchgen.manifest import templates, values, words
from batchgen.manifest.entry import Entry, Manifest, read_scene, shown
from batchgen.manifest.source import ReadOptions, Unreadable
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
        self._templated = _templated(self.defaults)
        for line, key, message, hint in wrong:
            manifest.problems.append(Problem(manifest.name, None, line, key, None, "unknown_key", message, hint))

    def expand(self, item: Keyed) -> Iterator[Entry]:
        """The entries of one item, in the order rows, matrix, repeat."""
        try:
            if not self._templated and not item.keys() & _EXPANDERS and not _templated(item):
                yield self._entry(item, self._merged(item))
                return
            yield from self._expanded(item)
        except values.BadValue as bad:
            yield self._bad(item, bad)

    def _bad(self, item: Keyed, bad: values.BadValue) -> Entry:
        self.number += 1
        name = self._manifest.name
        found = Problem(name, self.number, item.line, None, None, bad.code, bad.message, bad.hint)
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
        merged = self._merged(item)
        repeat = item.get("repeat", 1)
        if not isinstance(repeat, int) or isinstance(repeat, bool) or not 1 <= repeat <= MOST:
            raise values.BadValue(
                "bad_repeat", f"repeat is {shown(repeat)}.", f"It is a whole number from 1 to {MOST:,}."
            )
        matrix = _matrix(item.get("matrix"))
        if not isinstance(item.get("rows"), str | None):
            raise values.BadValue("wrong_type", "rows must name one file.", "For example rows: products.csv")
        body = {key: value for key, value in merged.items() if key not in _EXPANDERS}
        names = _names_of(body)
        if ("rows" in item or matrix) and "id" in body and not _names_of({"id": body["id"]}):
            raise values.BadValue(
                "same_id",
                f"All jobs of this entry would have the id {shown(body['id'])}.",
                'Put a variable into it, for example id: "banner-{{ product }}".',
            )
        checked = False
        for row in self._rows(item):
            for combination in itertools.product(*matrix.values()):
                variables = {**row, **dict(zip(matrix, combination, strict=True))}
                if not checked:
                    templates.check_names(names, variables)
                    checked = True
                try:
                    made = _rendered(body, variables)
                except values.BadValue as bad:
                    yield self._bad(item, bad)
                    continue
                for copy in range(1, repeat + 1):
                    yield self._entry(item, made if copy == 1 else _copy(made, copy), copy)

    def _rows(self, item: Keyed) -> Iterator[dict[str, Any]]:
        """The variables of each row of the file under `rows`; one empty set without it."""
        name = item.get("rows")
        if not name:
            yield {}
            return
        path = self._folder / name
        if name not in self._manifest.sources:
            self._manifest.sources.append(name)
        from batchgen.manifest.table import read_table

        try:
            rows = read_table(path, self._options)
            yield from rows
        except Unreadable as trouble:
            message = f"rows: {trouble.message.replace(spelled(path), name)}"
            raise values.BadValue("bad_rows_file", message, trouble.hint) from None

    def _entry(self, item: Keyed, job: Mapping[str, Any], copy: int = 1) -> Entry:
        self.number += 1
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
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            hint = "Use letters, digits and _."
            raise values.BadValue("bad_matrix", f"{shown(name)} can't be the name of a variable.", hint)
        if not isinstance(choices, list) or not choices:
            hint = f"Write {name}: [one, another]."
            raise values.BadValue("bad_matrix", f"The matrix variable {shown(name)} needs a list of values.", hint)
        size *= len(choices)
    if size > MOST:
        raise values.BadValue("bad_matrix", f"The matrix makes {size:,} jobs.", f"At most {MOST:,} are possible.")
    return matrix


def _templated(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, dict):
        return any(_templated(item) for item in value.values())
    return isinstance(value, list) and any(_templated(item) for item in value)


def _names_of(value: Any) -> frozenset[str]:
    """The variables that the texts of a value use."""
    if isinstance(value, str):
        return templates.compiled(value).names if "{{" in value else frozenset()
    if isinstance(value, dict):
        value = list(value.values())
    return frozenset().union(*map(_names_of, value)) if isinstance(value, list) else frozenset()


def _rendered(value: Any, variables: Mapping[str, Any], *, text: bool = False) -> Any:
    """The value with its templates filled in. Outside options, what comes out is always text."""
    if isinstance(value, str):
        if "{{" not in value:
            return value
        made = templates.compiled(value).render(variables)
        return templates.spoken(made) if text else made
    if isinstance(value, dict):
        return {key: _rendered(item, variables, text=text or key in _TEXTS) for key, item in value.items()}
    if isinstance(value, list):
        return [_rendered(item, variables, text=text) for item in value]
    return value


_TEXTS = frozenset({"id", "provider", "model", "scene", "prompt", "image_input", "video_input", "own"})


def _copy(job: Mapping[str, Any], copy: int) -> Mapping[str, Any]:
    """The same job once more: `a` becomes `a-2`."""
    return {**job, "id": f"{str(job['id']).strip()}-{copy}"} if job.get("id") else job
