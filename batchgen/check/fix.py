"""`validate --fix FILE`: the bad rows alone, with what is wrong with each, ready to be mended and run.

The columns are the manifest's own in its order, then `problem`, which a reader of the file ignores: by it, it knows
that apostrophes were put in front of what a spreadsheet could run, and takes them away. Texts under
no header stand in a column without a name before it, where they are a problem until they are moved. A row
without an id gets the one under which it is known as invalid, so that a run with both files sees that the
mended row is the same one. A CSV file has the manifest's separator: it is opened in the same program.
"""

import csv
import filecmp
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from batchgen.check.prices import PriceTable
from batchgen.check.sentences import sentence
from batchgen.check.survey import Paths, ReadOptions, Survey, survey, verdicts
from batchgen.check.verdict import Verdict
from batchgen.errors import UsageError
from batchgen.files import whole_file
from batchgen.job import Owner, Problem, Row
from batchgen.manifest import Unreadable, sniff
from batchgen.manifest.csv import Sheet
from batchgen.results.export.xlsx import write_text_sheet
from batchgen.results.formula import guard

_FIRST = ("id", "provider", "model", "scene")
#: The header of the column for texts that have none.
_UNNAMED = ""


def write_fix(
    paths: Paths,
    options: ReadOptions,
    target: Path,
    prices: PriceTable | None = None,
    *,
    knows: Callable[[Row], Owner | bool] | None = None,
    surveyed: Survey | None = None,
) -> int:
    """Write the bad rows to `target` (CSV, or XLSX by its ending) and say how many there are.

    UsageError for another ending, when `target` is one of the manifests, and when it exists and holds anything
    else: that may be somebody's corrections.
    """
    ending = target.suffix.lower()
    if ending not in (".csv", ".xlsx"):
        raise UsageError(f"--fix {target}: the file must end in .csv or .xlsx.", code="bad_fix_file")
    for path in paths:
        with suppress(OSError):
            if str(path) != "-" and target.exists() and target.samefile(path):
                hint = f"Name another file, for example {target.stem}.fix{ending}."
                raise UsageError(f"--fix {target} would overwrite the manifest.", code="bad_fix_file", hint=hint)
    prices = prices or PriceTable.load()
    surveyed = surveyed or survey(paths, options, prices, knows=knows)
    names = _columns(surveyed)
    header = [guard(name) for name in names]
    said: set[str] = set()
    rows = (
        _record(verdict, names, said)
        for verdict in verdicts(paths, options, prices, knows, surveyed)
        if verdict.request is None
    )
    if not target.exists():
        return _write(target, header, rows, paths, options)
    with TemporaryDirectory() as folder:
        count = _write(Path(folder) / target.name, header, rows, paths, options)
        if not filecmp.cmp(target, Path(folder) / target.name, shallow=False):
            hint = "It may hold corrections: run it, name another file, or remove it."
            raise UsageError(f"--fix {target}: there is such a file already.", code="bad_fix_file", hint=hint)
    return count


def _write(target: Path, header: list[str], rows: Iterator[list[str]], paths: Paths, options: ReadOptions) -> int:
    ending = target.suffix.lower()
    with whole_file(target) as file:
        if ending == ".xlsx":
            try:
                return write_text_sheet(file, header, rows)
            except ValueError as error:
                hint = "Write them to a .csv file."
                raise UsageError(f"--fix {target}: {error}.", code="bad_fix_file", hint=hint) from None
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        writer = csv.writer(text, delimiter=_delimiter(paths, options))
        writer.writerow(header)
        count = 0
        for count, record in enumerate(rows, 1):  # noqa: B007 (the count is the answer)
            writer.writerow(record)
        text.flush()
        text.detach()
    return count


def _delimiter(paths: Paths, options: ReadOptions) -> str:
    """The separator of the first CSV manifest; a comma where there is none."""
    for path in paths:
        with suppress(Unreadable):
            if sniff(path) == "csv":
                return Sheet(path, options, titled=True).delimiter
    return ","


def _record(verdict: Verdict, header: list[str], said: set[str]) -> list[str]:
    cells = _cells(verdict)
    return [guard(text) for text in (*(cells.get(name, "") for name in header[:-1]), reasons(verdict, said))]


def _cells(verdict: Verdict) -> dict[str, str]:
    """A row's cells by column name, as the person wrote them."""
    row = verdict.row
    cells = {name: row.text(name) for name in _FIRST if name != "id"}
    cells["id"] = row.text("id") or verdict.job_id
    if row.task_id:
        cells["task_id"] = row.task_id
    return {**cells, **row.cells, _UNNAMED: " ; ".join(row.unnamed)}


def _columns(surveyed: Survey) -> list[str]:
    """All columns: those of the manifests in their order, what they lack of the required ones in front."""
    names: dict[str, None] = {}
    for order in surveyed.orders.values():
        names.update(dict.fromkeys(order))
    unnamed = [_UNNAMED] if {"long_row", "missing_header"} & surveyed.problem_codes.keys() else []
    return [*(name for name in _FIRST if name not in names), *names, *unnamed, "problem"]


def reasons(verdict: Verdict, said: set[str] | None = None) -> str:
    """Everything that is wrong with a row, in one cell; of the whole file only what is not `said` yet."""
    said = set() if said is None else said
    found = [_reason(problem) for problem in verdict.problems]
    whole = [_reason(problem) for problem in verdict.file_problems]
    new = [reason for reason in whole if reason not in said]
    said.update(new)
    return " ".join([*new, *found]) or "See the first row: that is wrong with the whole file."


def _reason(problem: Problem) -> str:
    return f"{sentence(problem)} {problem.hint}".strip()
