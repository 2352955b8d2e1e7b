"""The arrows between rooms go one way, heavy libraries load late, and the edges are where they should be."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "batchgen"

#: The way of the data. A room imports only rooms above it.
ORDER = [
    "amount",
    "job",
    "errors",
    "files",
    "results",
    "manifest",
    "check",
    "ledger",
    "planning",
    "service",
    "videos",
    "sandbox",
    "running",
    "cli",
    "__main__",
]

#: What decides without doing (no clock, no network, no file of ours below it), and what it may import.
PURE = {
    "amount": set(),
    "job": {"errors"},
    "errors": set(),
    "service/reply": {"job", "service/reply"},
    "running/pacing": {"running/pacing"},
    "planning/decide": {"amount", "job"},
    "results/formula": {"job"},
    "videos/names": set(),
    "videos/addresses": set(),
    "videos/mp4": set(),
}


def imports_of(path: Path) -> set[tuple[str, ...]]:
    """The modules of the package that a file imports, also late, as parts below the package."""
    here = ("batchgen", *path.relative_to(PACKAGE).with_suffix("").parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else ()
            whole = (*base, *(node.module or "").split(".")) if node.module else base
            if whole[:1] == ("batchgen",):
                found |= {(*whole[1:], alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {tuple(name.name.split(".")[1:]) for name in node.names if name.name.startswith("batchgen.")}
    return found - {("__version__",)}


def files_of(module: str) -> list[Path]:
    return (
        [PACKAGE / f"{module}.py"]
        if (PACKAGE / f"{module}.py").exists()
        else sorted((PACKAGE / module).rglob("*.py"))
    )


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert rooms - {"__init__"} == set(ORDER)


def test_a_room_imports_only_rooms_above_it() -> None:
    for place, room in enumerate(ORDER):
        for path in files_of(room):
            below = {parts[0] for parts in imports_of(path)} & set(ORDER[place + 1 :])
            assert not below, f"{path.relative_to(PACKAGE)} imports {sorted(below)}, which stand below it"


def modules() -> dict[str, Path]:
    """Every module by its name with slashes; a package goes by its folder's name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix()
        found[name.removesuffix("/__init__")] = path
    return found


def test_the_arrows_between_modules_make_no_circle() -> None:
    known = modules()
    arrows = {
        name: {"/".join(parts) if "/".join(parts) in known else "/".join(parts[:-1]) for parts in imports_of(path)}
        & known.keys() - {name, "__init__"}
        for name, path in known.items()
        if name != "__init__"
    }
    done: set[str] = set()
    while len(done) < len(arrows):
        ready = {module for module, needs in arrows.items() if module not in done and needs <= done}
        assert ready, f"a circle among {sorted(set(arrows) - done)}"
        done |= ready


def test_what_decides_imports_nothing_that_does() -> None:
    for module, allowed in PURE.items():
        for path in files_of(module):
            for parts in imports_of(path):
                name = "/".join(parts)
                assert any(name == a or name.startswith(f"{a}/") for a in allowed), f"{path} imports {name}"


def test_only_the_borders_import_httpx() -> None:
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        }
        assert "httpx" not in names or path.relative_to(PACKAGE).parts[0] in ("service", "videos"), path


def test_the_sandbox_knows_nothing_of_the_client() -> None:
    for path in files_of("sandbox"):
        assert {parts[0] for parts in imports_of(path)} <= {"sandbox"}, path


def test_only_submit_asks_the_service_for_a_video() -> None:
    users = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in ("sandbox", "service")
        and "api.submit(" in path.read_text(encoding="utf-8")
    ]
    assert users == ["submit.py"]


def test_help_loads_no_heavy_library() -> None:
    heavy = ("pandas", "pyarrow", "sqlalchemy", "aiohttp", "httpx", "jsonschema", "numpy", "jinja2")
    look = f"print([m for m in {heavy} if m in sys.modules])"
    code = f"import sys, batchgen.cli; batchgen.cli.invoke(['--help']); {look}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
