"""The one table of faults: documentation, `--list-faults`, rules and the service all read it."""

from .broken_answers import BROKEN
from .fault import Fault
from .file_faults import FILE_FAULTS
from .get_faults import GET_FAULTS
from .refusals import REFUSALS
from .task_faults import TASK_FAULTS

#: Of a POST: refusals before acceptance, and what becomes of the answer after it.
POST_FAULTS = {**REFUSALS, **BROKEN}
FAULTS: dict[str, Fault] = {**POST_FAULTS, **TASK_FAULTS, **GET_FAULTS, **FILE_FAULTS}

_TITLES = {
    "post": "POST: what happens to a submission",
    "task": "Task: what becomes of it after acceptance",
    "get": "GET: what happens to a status call",
    "file": "File: what happens to a download",
}


def list_faults() -> str:
    """The table as Markdown: what `sandbox --list-faults` prints and docs/use/sandbox.md shows."""
    parts = []
    for on, title in _TITLES.items():
        charged = on == "post"
        head = ["fault", "what it does"] + (["charged"] if charged else [])
        lines = [f"### {title}", "", _row(head), _row(["---"] * len(head))]
        for fault in FAULTS.values():
            if fault.on != on:
                continue
            usage = fault.usage.replace("|", "\\|")
            lines.append(_row([f"`{usage}`", fault.does] + ([fault.charged] if charged else [])))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
