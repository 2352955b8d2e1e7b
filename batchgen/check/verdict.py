"""One entry -> Verdict: a request with its price, or everything that is wrong; and what is worth a warning."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from batchgen.check.at_service import SAID_BY_DATA, offer
from batchgen.check.identity import Name, same_id
from batchgen.check.made import made_already
from batchgen.check.oddities import wrong_address, wrong_text
from batchgen.check.prices import PriceTable
from batchgen.check.schema import at, check, request_of
from batchgen.check.warnings import cautions
from batchgen.job import InvalidRow, Job, Owner, Problem, Row, fingerprint
from batchgen.manifest import Entry, Manifest
from batchgen.manifest.entry import shown


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided about one row. `request` is None when it can't become a job.

    `problems` are the row's own; `file_problems` those of its manifest. `lacking` are inputs that the row needs and
    for which its table has no column at all: that is said once for the file.
    """

    row: Row
    request: dict[str, Any] | None
    price: int
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    file_problems: tuple[Problem, ...] = ()
    job_id: str = ""
    same_as: tuple[str, int, int | None] | None = None
    lacking: tuple[str, ...] = ()
    #: Whether the row is a job of the ledger by its task id, and whether its own id or words say so too.
    owned: bool = False
    agrees: bool = True

    def named(self, name: Name) -> "Verdict":
        """With its job id; refused when another row has that id already."""
        row = self.row
        if name.clash is not None:
            other = _where(name.clash, row)
            if self.row.task_id and self.owned:
                message = f'The task "{row.task_id}" is that of {other}: this row is a copy of it.'
                hint = (
                    "Clear the task_id, and give the row an id of its own, if it is to be made too; else delete it."
                )
                copied = at(row, "task_id", "copied_task_id", message, hint)
                return self._with(name, None, (*self.problems, copied), self.warnings)
            message = f'The id "{name.job_id}" is already that of {other}.'
            hint = "Each row needs an id of its own. Give this one another, or delete one of the two."
            clash = at(row, "id", "duplicate_id", message, hint)
            return self._with(name, None, (*self.problems, clash), self.warnings)
        if name.same_as is not None:
            message = f"This row is the same as {_where(name.same_as, row)}: made again for {self.price} credits."
            hint = "Delete one of them if that is not meant; an id on each says that it is."
            same = Problem(row.manifest, row.number, row.line, None, None, "same_row", message, hint)
            return self._with(name, self.request, self.problems, (*self.warnings, same))
        return self._with(name, self.request, self.problems, self.warnings)

    def _with(
        self,
        name: Name,
        request: dict[str, Any] | None,
        problems: tuple[Problem, ...],
        warnings: tuple[Problem, ...],
    ) -> "Verdict":
        """Named; written out because dataclasses.replace is four times slower, and every row passes here."""
        return Verdict(
            self.row,
            request,
            self.price,
            problems,
            warnings,
            self.file_problems,
            name.job_id,
            name.same_as,
            self.lacking,
            self.owned,
            self.agrees,
        )

    def job(self) -> Job | InvalidRow:
        """The verdict as what the ledger stores."""
        row = self.row
        if self.request is None:
            shown: dict[str, Any] = {key: row.values[key] for key in _SHOWN if key in row.values}
            problems = (*self.file_problems, *self.problems)
            return InvalidRow(row.manifest, row.number, row.line, self.job_id, row.cells, problems, shown)
        return Job(
            job_id=self.job_id,
            request=self.request,
            price=self.price,
            manifest=row.manifest,
            row=row.number,
            line=row.line,
            cells=row.cells,
            fingerprint=fingerprint(self.request),
            task_id=row.task_id,
        )


_SHOWN = ("provider", "model", "scene")


def _where(place: tuple[str, int, int | None], row: Row) -> str:
    manifest, number, line = place
    at = f"row {number}" if line is None else f"row {number} (line {line})"
    return at if manifest == row.manifest else f"{at} of {manifest}"


def judge(
    entry: Entry,
    manifest: Manifest,
    prices: PriceTable,
    knows: Callable[[Row], Owner | bool] | None,
    *,
    wanted: bool = True,
) -> Verdict:
    """Decide about one entry. Pure but for asking whether OUT knows what a row says was bought.

    What the service does not sell is a problem of a row that is `wanted`; others may be another service's.
    """
    row = prices.catalogue.folded(entry.row)
    problems = list(entry.problems)
    unread = bool(problems) and not row.values  # nothing of the row could be read: that is said already
    off = any(problem.code in ("commented_row", "stray_row") for problem in problems)
    found = () if unread or off else check(row)
    if broken := tuple(_broken(row)):
        columns = {problem.column for problem in broken}
        found = (*broken, *(problem for problem in found if problem.column not in columns))
    lacking = tuple(problem for problem in found if _lacks_column(problem, manifest))
    if found:
        said = {problem.column for problem in (*problems, *lacking)}
        problems.extend(
            problem
            for problem in found
            if problem.column not in manifest.missing
            and not (problem.code.startswith("missing_") and problem.column in said)
        )
    known = knows(row) if knows is not None and (row.task_id or row.unsettled) else True
    if not known:
        problems.append(_paid_elsewhere(row))
    owner = known if isinstance(known, Owner) else None
    if owner is not None:
        row = replace(row, values={**row.values, "id": owner.job_id})
    whole = tuple(manifest.problems)
    if problems or whole or found:
        keys = tuple(str(problem.column) for problem in lacking)
        whole += tuple(_no_column(problem) for problem in lacking)
        verdict = Verdict(row, None, 0, tuple(problems), entry.warnings, whole, lacking=keys)
    else:
        verdict = _priced(entry, row, request_of(row.values), prices, wanted=wanted)
    if owner is None:
        return verdict
    agrees = same_id(entry.row.values.get("id"), owner.job_id) or (
        verdict.request is not None and fingerprint(verdict.request) == owner.fingerprint
    )
    return replace(verdict, owned=True, agrees=agrees)


def _priced(entry: Entry, row: Row, request: dict[str, Any], prices: PriceTable, *, wanted: bool) -> Verdict:
    """A row that holds to the schema: what it costs, and what is worth a warning or is not sold."""
    warnings = tuple(cautions(row, request))
    if prices.catalogue.is_gateway:
        price = prices.of(request) or 0
    else:
        offered = offer(row, request, prices, wanted=wanted)
        if offered.problems:
            return Verdict(row, None, 0, offered.problems, entry.warnings)
        price = offered.price
        warnings = (*(one for one in warnings if one.code not in SAID_BY_DATA), *offered.warnings)
    made = _made_already(row, request, prices.unit.count(price))
    return Verdict(row, request, price, (), (*entry.warnings, *made, *warnings))


def _lacks_column(problem: Problem, manifest: Manifest) -> bool:
    """Whether a row of a table is blank where there is no column."""
    missing = problem.code in ("missing_prompt", "missing_image_input", "missing_video_input")
    return missing and bool(manifest.order) and problem.column not in manifest.order


def _no_column(problem: Problem) -> Problem:
    message = f'The column "{problem.column}" is missing, and the row needs it.'
    return replace(problem, row=None, line=None, cell=None, message=message)


def _made_already(row: Row, request: dict[str, Any], price: str) -> Iterator[Problem]:
    """A row that says that its video is there; a result that was fed back is known by its task."""
    if row.task_id or row.unsettled or not row.cells:
        return
    film_is_input = request["scene"] == "video-to-video" and not row.cells.get("video_input")
    if found := made_already(row.cells, film_is_input=film_is_input):
        column, text = found
        message = f"{column} says {shown(text)}: made already? It is made again for {price}."
        hint = "Delete the row, or choose the others with --select, if it is not to be bought."
        yield at(row, column, "made_already", message, hint)


def _broken(row: Row) -> Iterator[Problem]:
    """Texts that can't be meant as what they say: error values, and two addresses in one word."""
    for key, value in row.values.items():
        if key in ("image_input", "video_input"):
            for url in value if isinstance(value, list) else [value]:
                if isinstance(url, str):
                    yield from (at(row, key, *wrong) for wrong in wrong_address(key, url))
        elif key == "options":
            for name, text in value.items() if isinstance(value, dict) else ():
                if isinstance(text, str):
                    yield from (at(row, f"options.{name}", *wrong) for wrong in wrong_text(text))
        elif isinstance(value, str):
            yield from (at(row, key, *wrong) for wrong in wrong_text(value))


def _paid_elsewhere(row: Row) -> Problem:
    if row.task_id:
        column, clear = "task_id", "task_id"
        message = f'The row was bought before, as task "{row.task_id}", and this output folder does not know it.'
    else:
        column, clear = "state", "state and error_code"
        message = (
            f"The row may have been paid for before ({row.unsettled}), and this output folder does not know it."
        )
    hint = f"Use the folder in which it was bought (--out), or clear the {clear} to buy it again."
    return Problem(row.manifest, row.number, row.line, column, None, "paid_elsewhere", message, hint)
