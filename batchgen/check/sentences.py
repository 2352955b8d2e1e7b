"""Problems and counts as a person reads them. Pure text."""

from batchgen.job import Problem


def sentence(problem: Problem, *, many: bool = False) -> str:
    """Where, then what: `line 14, cell F14: image_input is not a web address: "C:\\pics\\x.png".`"""
    place = where(problem, many=many)
    return f"{place}: {visible(problem.message)}" if place else visible(problem.message)


def where(problem: Problem, *, many: bool = False) -> str:
    """The place of a problem in words; the manifest's name too when there are several or it is all there is."""
    parts = [visible(problem.manifest)] if many or (problem.row is None and problem.line is None) else []
    if problem.line is not None:
        parts.append(f"line {problem.line}")
    elif problem.row is not None and problem.cell is None:
        parts.append(f"row {problem.row}")
    if problem.cell is not None:
        parts.append(f"cell {problem.cell}")
    return ", ".join(part for part in parts if part)


def visible(text: str) -> str:
    """Text that a terminal shows and never obeys: control and invisible characters as their codes."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def count(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
