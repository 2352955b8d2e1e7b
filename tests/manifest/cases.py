"""What `valid/`, `invalid/` and `cases/` are expected to give, written beside each file as NAME.expected.json.

`cases/` holds what real files, people and programs did: one small example of each kind that once went wrong.

`python tests/manifest/cases.py` writes the expectations of new files (and with --all those of old ones):
read what it wrote before you commit it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, jobs, survey
from batchgen.job import Job, Problem

HERE = Path(__file__).parent
FOLDERS = ("valid", "invalid", "cases")


def case_files() -> list[Path]:
    """All manifests that are cases; tables that others name in `rows:` are none."""
    return sorted(
        path
        for folder in FOLDERS
        for path in (HERE / folder).iterdir()
        if path.is_file() and not path.name.endswith(".expected.json") and not _is_table(path)
    )


def _is_table(path: Path) -> bool:
    """Whether a file is the table that a YAML manifest of the same name takes its rows from."""
    return path.parent.name == "cases" and path.suffix != ".yaml" and path.with_suffix(".yaml").exists()


def expectation_file(path: Path) -> Path:
    return path.with_name(path.name + ".expected.json")


def options_of(given: dict[str, Any]) -> ReadOptions:
    known = {key: tuple(map(tuple, value)) if key == "select" else value for key, value in given.items()}
    return ReadOptions(**{**known, **({"own": tuple(known["own"])} if "own" in known else {})})


def told(problem: Problem, path: Path) -> str:
    """A problem as one line: `row 1, line 2, D2, unknown_scene: There is no scene …`."""
    place = [
        *([f"row {problem.row}"] if problem.row is not None else []),
        *([f"line {problem.line}"] if problem.line is not None else []),
        *([problem.cell] if problem.cell else []),
        problem.code,
    ]
    return f"{', '.join(place)}: {problem.message}".replace(str(path), path.name)


def outcome(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """What reading a case gives: requests, problems, warnings, notes."""
    options, prices = options_of(given), PriceTable.load()
    found = survey([path], options, prices)
    made = [row for row in jobs([path], options, prices, surveyed=found) if isinstance(row, Job)]
    return {
        "jobs": [
            {"id": job.job_id if job.job_id.split("-")[0] != job.fingerprint else None, **job.request}
            for job in made
        ],
        "own": [
            {name: text for name, text in job.cells.items() if name not in ("prompt", "image_input", "video_input")}
            for job in made
        ],
        "invalid": found.invalid,
        "problems": [told(problem, path) for problem in found.problems],
        "warnings": [told(warning, path) for warning in found.warnings],
        "notes": list(found.notes),
    }


def main(everything: bool) -> None:
    for path in case_files():
        file = expectation_file(path)
        had = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if had.get("jobs") is not None and not everything:
            continue
        given = had.get("options", {})
        written = {"about": had.get("about", ""), "options": given, **outcome(path, given)}
        file.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path.name)


if __name__ == "__main__":
    main("--all" in sys.argv)
