"""The picture of the house is that of the imports; the contributor's pages name what there is."""

import importlib.util
import re
import subprocess
from pathlib import Path

from batchgen.cli import COMMANDS

ROOT = Path(__file__).parents[2]
#: What a path on a contributor's page begins with.
FOLDERS = "batchgen|tests|docs|tools|running|service|ledger|check|planning|manifest|videos|results|cli"


def test_the_picture_of_the_house_is_current() -> None:
    spec = importlib.util.spec_from_file_location("house", ROOT / "tools" / "house.py")
    assert spec
    assert spec.loader
    house = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(house)
    assert (ROOT / "docs" / "how" / "house.svg").read_text(encoding="utf-8") == house.picture(), "run `make docs`"


def test_every_room_stands_in_the_table_of_the_house() -> None:
    page = (ROOT / "docs" / "how" / "architecture.md").read_text(encoding="utf-8")
    for path in (ROOT / "batchgen").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"| `{path.name}/` |" in page, path.name
        elif path.suffix == ".py" and not path.name.startswith("__"):
            assert f"`{path.name}`" in page, path.name


def test_every_file_that_the_contributors_pages_name_is_there() -> None:
    for name in ("CONTRIBUTING.md", "docs/how/architecture.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]*\w)`", text):
            here = any((ROOT / folder / path).exists() for folder in ("", "batchgen", "tests"))
            assert here, f"{name} names {path}"


def test_every_page_has_its_line_in_the_list_of_pages() -> None:
    page = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "docs").glob("*/*.md"):
        assert f"]({path.relative_to(ROOT / 'docs').as_posix()})" in page, path.name


def test_make_alone_says_what_there_is_to_make() -> None:
    done = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in ("demo", "quick", "test", "proof", "fix", "lint"):
        assert f"make {name} " in done.stdout
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"make {name}" in page for name in ("quick", "test", "proof", "fix"))


def test_every_command_is_on_a_page_for_people() -> None:
    text = "".join(
        path.read_text(encoding="utf-8") for path in ROOT.glob("docs/use/*.md") if path.name != "commands.md"
    )
    text += (ROOT / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert re.search(rf"(`|batchgen ){name}\b", text), name
