"""Problems and warnings as GitHub shows them beside the lines of a pull request. Pure text."""

from collections.abc import Iterator

from batchgen.check.sentences import count, visible
from batchgen.check.survey import Survey
from batchgen.job import Problem


def annotations(survey: Survey) -> str:
    """A workflow command for each problem and warning (1,000 of each at most): `::error file=m.csv,line=3::…`."""
    return "".join(f"{line}\n" for line in _lines(survey))


def _lines(survey: Survey) -> Iterator[str]:
    for kind, listed, total in (
        ("error", survey.problems, survey.problems_total),
        ("warning", survey.warnings, survey.warnings_total),
    ):
        for problem in listed:
            yield _command(kind, problem)
        if (more := total - len(listed)) > 0:
            yield f"… and {count(more, 'more ' + kind)}"


def _command(kind: str, problem: Problem) -> str:
    place = []
    if problem.manifest not in ("", "-"):
        place.append("file=" + _property(problem.manifest))
    if problem.line is not None:
        place.append(f"line={problem.line}")
    where = f"cell {problem.cell}: " if problem.cell else ""
    if not where and problem.row is not None and problem.line is None:
        where = f"row {problem.row}: "
    text = where + " ".join(visible(part) for part in (problem.message, problem.hint) if part)
    return f"::{kind}{' ' if place else ''}{','.join(place)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")
