"""The arrows between modules go one way, heavy libraries load late, and the edges are where they should be."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "batchgen"

#: Modules that decide without doing: no clock, no network, no file of ours below them.
PURE = {
    "job": set(),
    "errors": set(),
    "reply": {"job", "reply"},
    "pacing": {"pacing"},
    "plan": {"job"},
    "formula": {"job"},
    "naming": set(),
    "addresses": set(),
    "mp4": set(),
}


def imports_of(path: Path) -> set[str]:
    """The batchgen modules (first part below the package) that a file imports, also late."""
    here = path.relative_to(PACKAGE).with_suffix("").parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level]
            parts = [*base, *(node.module or "").split(".")]
            found |= {parts[0]} if parts[0] else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "batchgen":
            rest = (node.module or "").split(".")[1:]
            found |= {rest[0]} if rest else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("batchgen.")}
    return found - {"__version__"}


def files_of(module: str) -> list[Path]:
    return (
        [PACKAGE / f"{module}.py"]
        if (PACKAGE / f"{module}.py").exists()
        else sorted((PACKAGE / module).rglob("*.py"))
    )


def graph() -> dict[str, set[str]]:
    modules = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    modules.discard("__init__")
    return {
        module: set().union(*(imports_of(path) for path in files_of(module))) & modules - {module}
        for module in modules
    }


def test_the_arrows_between_modules_make_no_circle() -> None:
    arrows, done = graph(), set()
    while len(done) < len(arrows):
        ready = {module for module, needs in arrows.items() if module not in done and needs <= done}
        assert ready, f"a circle among {sorted(set(arrows) - done)}"
        done |= ready


def test_what_decides_imports_nothing_that_does() -> None:
    for module, allowed in PURE.items():
        for path in files_of(module):
            assert imports_of(path) <= allowed, f"{path} imports {imports_of(path) - allowed}"


def test_only_the_border_imports_httpx() -> None:
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        }
        assert "httpx" not in names or path.parent.name == "api", path


def test_the_sandbox_knows_nothing_of_the_client() -> None:
    for path in files_of("sandbox"):
        assert imports_of(path) <= {"sandbox"}, path


def test_only_submit_asks_the_service_for_a_video() -> None:
    users = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if "sandbox" not in path.parts
        and "api" not in path.parts
        and "api.submit(" in path.read_text(encoding="utf-8")
    ]
    assert users == ["submit.py"]


def test_help_loads_no_heavy_library() -> None:
    heavy = ("pandas", "pyarrow", "sqlalchemy", "aiohttp", "httpx", "jsonschema", "numpy", "jinja2")
    look = f"print([m for m in {heavy} if m in sys.modules])"
    code = f"import sys, batchgen.cli; batchgen.cli.invoke(['--help']); {look}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
