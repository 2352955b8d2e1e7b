"""Every manifest among the cases gives exactly the jobs, problems and warnings that stand beside it."""

import importlib.util
import json
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("manifest_cases", Path(__file__).with_name("cases.py"))
assert _spec is not None and _spec.loader is not None
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

FILES = cases.case_files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_case_gives_what_stands_beside_it(path: Path) -> None:
    expected = json.loads(cases.expectation_file(path).read_text(encoding="utf-8"))
    found = json.loads(json.dumps(cases.outcome(path, expected["options"])))
    for key, value in found.items():
        assert value == expected[key], f"{path.name}: {key} ({expected['about']})"


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.parent.name != "cases"],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_valid_files_have_no_problem_and_invalid_ones_have(path: Path) -> None:
    expected = json.loads(cases.expectation_file(path).read_text(encoding="utf-8"))
    assert bool(expected["problems"]) == (path.parent.name == "invalid")
    assert bool(expected["jobs"]) or path.parent.name == "invalid"


def test_there_are_many_cases() -> None:
    assert len(FILES) >= 80
