"""The docs say what the code does: help texts, commands, links, examples."""

import doctest
import re
import sys
from pathlib import Path

import pytest

from batchgen.cli import COMMANDS
from batchgen.errors import Exit
from batchgen.job import RESULT_COLUMNS, State

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(Path(__file__).parent))

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("manifests/*.md")])


def test_the_help_texts_in_the_docs_are_those_of_the_commands() -> None:
    from help_pages import page

    assert (ROOT / "docs" / "use" / "commands.md").read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_the_pages_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_the_docs_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?:^|`|\$ )batchgen ([a-z]+)\b", text, flags=re.MULTILINE):
        if name not in COMMANDS:
            assert not re.search(rf"(`|^    |^\$ )batchgen {name}\b", text, flags=re.MULTILINE), f"batchgen {name}"


def test_the_readme_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = text[text.index("```") : text.index("```", text.index("```") + 3)]
    assert "make demo" in first
    assert "make test" in first


def test_every_state_column_and_exit_code_is_explained() -> None:
    results = (ROOT / "docs" / "use" / "results.md").read_text(encoding="utf-8")
    pipeline = (ROOT / "docs" / "use" / "pipeline.md").read_text(encoding="utf-8")
    for name in (*RESULT_COLUMNS, *State):
        assert f"`{name}`" in results, name
    for code in Exit:
        assert re.search(rf"^\| {int(code)} \|", pipeline, flags=re.MULTILINE), code


def test_the_examples_of_the_python_face_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from batchgen.running import before, python_words

    monkeypatch.chdir(ROOT)
    for module in (before, python_words):
        for example in doctest.DocTestFinder().find(module):
            assert doctest.DocTestRunner().run(example).failed == 0


def test_no_page_or_module_names_a_machine_or_a_registry_host() -> None:
    hosts = ["py" + "pi.org", "npm" + "js.org", "python" + "hosted.org", "/" + "work/", "/" + "root/"]
    for path in [*PAGES, *ROOT.glob("batchgen/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob(".ci/*")]:
        text = path.read_text(encoding="utf-8")
        assert not [host for host in hosts if host in text], path
