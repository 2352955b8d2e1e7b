"""What `validate` and `estimate` say: a survey as JSON, as Markdown for a pull request, and as plain text.

Pure: each function gives text or a dictionary, one place prints it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from batchgen.amount import CREDITS, Unit
from batchgen.check.sentences import count, sentence, visible, where
from batchgen.check.survey import Survey
from batchgen.check.tally import Group
from batchgen.errors import BatchgenError
from batchgen.job import Problem

#: As many problems of one kind are shown; the others are counted.
SHOWN = 5
#: As many problems, and as many warnings, stand in a comment on a pull request.
IN_A_COMMENT = 50
#: As many lines of a table that a person reads.
LINES = 15

Amount = tuple[int, int]  # jobs, credits


def validate_json(survey: Survey) -> dict[str, Any]:
    """The document of `validate --json`, and of any command that ends with 3. Lists stop at 1,000."""
    return {
        "rows": survey.rows,
        "valid": survey.valid,
        "invalid": survey.invalid,
        "problems": [asdict(problem) for problem in survey.problems],
        "problems_total": survey.problems_total,
        "warnings": [asdict(warning) for warning in survey.warnings],
        "warnings_total": survey.warnings_total,
    }


def manifest_error_json(error: BatchgenError) -> dict[str, Any]:
    """The same document where no row was read: a folder without manifests, a file that changed meanwhile."""
    problem = Problem("", None, None, None, None, error.code, error.message, error.hint)
    return {
        "rows": 0,
        "valid": 0,
        "invalid": 0,
        "problems": [asdict(problem)],
        "problems_total": 1,
        "warnings": [],
        "warnings_total": 0,
    }


def validate_text(survey: Survey, *, hint: bool = True) -> str:
    """What `validate` says: notes, problems and warnings by kind, and one line that sums up."""
    parts = [f"Note: {note}" for note in survey.notes[:LINES]]
    many = _many(survey)
    if survey.problems:
        parts.append("\nProblems\n" + listing(survey.problems, survey.problem_codes, many=many))
    if survey.warnings:
        parts.append("\nWarnings\n" + listing(survey.warnings, survey.warning_codes, many=many))
    parts.append(("\n" if parts else "") + summary(survey))
    if survey.invalid and hint:
        parts.append(
            "Nothing is submitted while a row has a problem. Correct it and check again; "
            "--fix FILE.csv writes the bad rows to a file of their own."
        )
    return "\n".join(parts) + "\n"


def validate_markdown(survey: Survey) -> str:
    """The same as Markdown, for a pull request: the verdict first, then what is to be mended."""
    lines = [f"### {'Not ready' if survey.problems_total or not survey.rows else 'Ready'}: {summary(survey)}", ""]
    found = (
        ("Problem", survey.problems, survey.problems_total),
        ("Warning", survey.warnings, survey.warnings_total),
    )
    many = _many(survey)
    for title, listed, total in found:
        if not listed:
            continue
        lines += [f"| Where | {title} | What to do |", "|---|---|---|"]
        for problem in listed[:IN_A_COMMENT]:
            cells = (where(problem, many=many), problem.message, problem.hint)
            lines.append("| " + " | ".join(_escaped(cell) for cell in cells) + " |")
        if total > IN_A_COMMENT:
            lines.append(f"\n… and {total - IN_A_COMMENT:,} more.")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _many(survey: Survey) -> bool:
    """Whether lines of several files are named: of several manifests, or of a table under `rows:`."""
    named = {problem.manifest for problem in (*survey.problems, *survey.warnings)}
    return len(survey.columns) > 1 or not named <= survey.columns.keys()


def summary(survey: Survey) -> str:
    """One sentence: how many rows, how many of them are good, what they cost."""
    if not survey.rows:
        return "No rows were read."
    if survey.invalid:
        return (
            f"{count(survey.rows, 'row')}: {survey.valid:,} good, {survey.invalid:,} with problems. "
            f"The good ones cost {survey.unit.count(survey.credits)}."
        )
    good = "all good" if survey.rows > 1 else "good"
    verdict = f"{good}, {survey.unit.count(survey.credits)}" if not survey.problems_total else "not usable yet"
    return f"{count(survey.rows, 'row')}: {verdict}."


def listing(
    problems: Sequence[Problem], totals: Mapping[str, int], *, many: bool = False, shown: int = SHOWN
) -> str:
    """Problems by kind, the first few of each kind in file order, the others counted."""
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.code, []).append(problem)
    lines = []
    for code, found in kinds.items():
        last = ""
        for problem in found[:shown]:
            lines.append(f"  {sentence(problem, many=many)}")
            if problem.hint and problem.hint != last:
                lines.append(f"      {visible(problem.hint)}")
            last = problem.hint
        more = totals.get(code, len(found)) - min(len(found), shown)
        if more > 0:
            lines.append(f"  … and {more:,} more like {'it' if shown == 1 else 'these'} ({code})")
    unlisted = sum(number for code, number in totals.items() if code not in kinds)
    if unlisted:
        lines.append(f"  … and {unlisted:,} of other kinds, further down")
    return "\n".join(lines)


def estimate_json(survey: Survey, *, already_paid: Amount = (0, 0), to_pay: Amount | None = None) -> dict[str, Any]:
    """The document of `estimate --json`. `to_pay` is all that is valid where nothing is known of an OUT."""
    pay = to_pay if to_pay is not None else (survey.valid, survey.credits)
    document: dict[str, Any] = {
        "jobs": survey.valid,
        "credits": survey.credits,
        "by_scene": _groups("scene", survey.by_scene),
        "by_provider": _groups("provider", survey.by_provider),
        "by_model": _groups("model", survey.by_model),
    }
    if survey.by is not None:
        document["by"] = _groups(survey.by_column or "value", survey.by)
    document["already_paid"] = {"jobs": already_paid[0], "credits": already_paid[1]}
    document["to_pay"] = {"jobs": pay[0], "credits": pay[1]}
    document["complete"] = not survey.problems_total
    return document


def _groups(name: str, groups: Mapping[str, Group]) -> list[dict[str, Any]]:
    return [
        {name: value, "jobs": jobs, "price": price, "credits": credits_}
        for value, (jobs, price, credits_) in groups.items()
    ]


def _tables(survey: Survey) -> Iterable[tuple[str, Mapping[str, Group]]]:
    yield "scene", survey.by_scene
    if len(survey.by_provider) > 1:
        yield "provider", survey.by_provider
    yield "model", survey.by_model
    if survey.by is not None:
        yield survey.by_column or "value", survey.by


def estimate_text(
    survey: Survey, *, already_paid: Amount = (0, 0), to_pay: Amount | None = None, unit: Unit = CREDITS
) -> str:
    """What `estimate` says on a terminal."""
    lines = []
    for name, groups in _tables(survey):
        rows = [_cells(value, group, unit) for value, group in _shortened(groups)]
        rows = [(name, "jobs", f"{unit.word} each", unit.word), *rows]
        widths = [max(len(row[index]) for row in rows) for index in range(4)]
        for row in rows:
            first = visible(row[0]).ljust(widths[0])
            lines.append("  ".join([first, *(cell.rjust(widths[i + 1]) for i, cell in enumerate(row[1:]))]))
        lines.append("")
    lines.append(_total(survey, already_paid, to_pay, unit))
    return "\n".join(lines) + "\n"


def estimate_markdown(
    survey: Survey, *, already_paid: Amount = (0, 0), to_pay: Amount | None = None, unit: Unit = CREDITS
) -> str:
    """The estimate as Markdown tables, for a pull request."""
    lines = [f"### Estimated {unit.word}", ""]
    for name, groups in _tables(survey):
        lines.append(f"| {_escaped(name)} | jobs | {unit.word} each | {unit.word} |")
        lines.append("|---|---:|---:|---:|")
        for value, group in _shortened(groups):
            cells = (_escaped(cell) for cell in _cells(value, group, unit))
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    lines.append(f"**{_total(survey, already_paid, to_pay, unit)}**")
    return "\n".join(lines) + "\n"


def _cells(value: str, group: Group, unit: Unit) -> tuple[str, str, str, str]:
    jobs, price, credits_ = group
    return value or "(blank)", f"{jobs:,}", "varies" if price is None else unit.text(price), unit.text(credits_)


def _shortened(groups: Mapping[str, Group]) -> Iterable[tuple[str, Group]]:
    """The dearest groups, and all others as one."""
    items = list(groups.items())
    if len(items) <= LINES:
        return items
    rest = items[LINES - 1 :]
    others = (sum(group[0] for _, group in rest), None, sum(group[2] for _, group in rest))
    return [*items[: LINES - 1], (f"{len(rest):,} others", others)]


def _total(survey: Survey, already_paid: Amount, to_pay: Amount | None, unit: Unit) -> str:
    total = f"{count(survey.valid, 'job')}, {unit.count(survey.credits)}"
    if already_paid[0] and to_pay is not None:
        total += (
            f": {count(already_paid[0], 'job')} paid already with {unit.count(already_paid[1])}, "
            f"{count(to_pay[0], 'job')} to pay for with {unit.count(to_pay[1])}"
        )
    if survey.problems_total:
        total += f" (not complete: {count(survey.invalid, 'row')} with problems left out)"
    return total + "."


def _escaped(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
