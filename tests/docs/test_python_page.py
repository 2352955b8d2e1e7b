"""docs/use/python.md is true: its examples run, two type checkers accept them, and it names all that is public."""

import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import batchgen

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "use" / "python.md"
BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return [(kind, text) for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]


def as_script() -> str:
    """The page as one program."""
    parts = [text if kind == "python" else doctest.script_from_examples(text) for kind, text in blocks()]
    return "\n".join(parts)


@pytest.mark.filterwarnings("ignore::batchgen.BatchgenWarning")
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    for kind, text in blocks():
        if kind == "python":
            exec(compile(text, str(PAGE), "exec"), names)
            continue
        runner.run(parser.get_doctest(text, names, "python.md", str(PAGE), 0), clear_globs=False)
    assert (runner.tries > 2, runner.failures) == (True, 0)


def test_mypy_accepts_the_examples(tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text(as_script(), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(script)],
        check=False, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert ran.stdout == ""


def test_pyright_accepts_the_examples(tmp_path: Path) -> None:
    pytest.importorskip("pyright", reason="pyright is not installed: `pip install 'pyright[nodejs]'`")
    script = tmp_path / "page.py"
    script.write_text(as_script(), encoding="utf-8")
    line = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(script)]
    ran = subprocess.run(line, check=False, capture_output=True, text=True, cwd=ROOT)
    assert "0 errors" in ran.stdout, ran.stdout


def test_every_function_is_on_the_page_and_has_a_docstring() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in batchgen.__all__:
        if name.startswith("_"):
            continue
        assert f"`{name}" in text or f"batchgen.{name}" in text, name
        assert getattr(batchgen, name).__doc__, name
