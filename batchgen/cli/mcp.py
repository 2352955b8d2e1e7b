"""`batchgen mcp`: what an agent may ask: validate, estimate, plan, status. None of it spends or decides.

Each tool is a command of batchgen in a process of its own (`fence`), which reads only below the folder that the
server was started in, has no key and opens no connection. Its answer is the command's JSON document, with the
commands that a person may give next: buying, settling and trusting are a person's.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchgen import __version__
from batchgen.errors import Exit, UsageError

if TYPE_CHECKING:
    pass

#: As many problems and warnings stand in an answer; their totals say how many there are.
LISTED = 50
#: A command takes so many seconds at most.
PATIENCE = 600

INSTRUCTIONS = """batchgen turns a manifest of video jobs (CSV, XLSX, JSONL, Parquet, YAML) into videos that cost
money. These tools look ahead: they need no key, open no connection and write nothing. None of them buys, settles a
doubt, saves a plan or trusts a host. Where that is wanted, show a person the command under `for_a_person`: only a
person gives it. Files are named relative to the folder that this server was started in; nothing outside is read."""

Strings = tuple[str, ...]


@click.command("mcp")
def mcp_command() -> int:
    """Let an agent validate, estimate, plan and see the status, over stdio; it can buy nothing.

    Reads only below the current folder. Needs the extra: pip install "batchgen[mcp]".
    """
    try:
        server = make_server(Path.cwd())
    except ImportError:
        raise UsageError(
            "The library for this is not installed.", code="no_mcp", hint='Install it: pip install "batchgen[mcp]".'
        ) from None
    server.run("stdio")
    return int(Exit.OK)


def make_server(folder: Path) -> Any:
    """The server with its four tools, all of them about `folder`."""
    from mcp.server.mcpserver import MCPServer
    from mcp_types import ToolAnnotations

    server: Any = MCPServer("batchgen", version=__version__, instructions=INSTRUCTIONS)
    reads = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )

    async def validate(
        manifests: Strings, select: Strings = (), own: Strings = (), sheet: str = "", encoding: str = ""
    ) -> dict[str, Any]:
        """Every problem of every row of the manifests, with line, cell and what to do. Costs nothing.

        `select` are COLUMN=GLOB conditions, `own` columns that are the user's own.
        """
        flags = _reading(select, own, sheet, encoding)
        said = await ask(folder, "validate", manifests, flags)
        fix = [_command("validate", manifests, [*flags, "--fix=FILE.csv"])] if said.get("invalid") else []
        return {**said, "for_a_person": fix}

    async def estimate(
        manifests: Strings,
        by: str = "",
        out: str = "",
        max_credits: int | None = None,
        select: Strings = (),
        sheet: str = "",
    ) -> dict[str, Any]:
        """What the manifests cost by scene, provider, model and column `by`; `out` counts what is paid there."""
        flags = [*_reading(select, (), sheet, ""), *_flags(by=by, out=out, max_credits=max_credits)]
        return await ask(folder, "estimate", manifests, flags)

    async def plan(
        manifests: Strings,
        out: str = "",
        max_credits: int | None = None,
        limit: int | None = None,
        select: Strings = (),
        sheet: str = "",
        only_valid: bool = False,
        fill_cap: bool = False,
    ) -> dict[str, Any]:
        """What a run would buy, keep and leave, and its price. Buys nothing; a person runs `for_a_person`."""
        flags = [*_reading(select, (), sheet, ""), *_flags(out=out, max_credits=max_credits, limit=limit)]
        flags += _flags(only_valid=only_valid, fill_cap=fill_cap)
        said = await ask(folder, "run", manifests, [*flags, "--dry-run"])
        runs = [_command("run", manifests, flags)] if said.get("exit") == 0 else []
        return {**said, "for_a_person": runs}

    async def status(out: str) -> dict[str, Any]:
        """Counts, credits, doubts and how a run in the folder `out` stands."""
        said = await ask(folder, "status", [out], [])
        doubts = [_command("resolve", [out], [])] if said.get("states", {}).get("in_doubt") else []
        waits = [_command("collect", [out], [])] if said.get("exit") == int(Exit.UNFINISHED) else []
        return {**said, "for_a_person": [*doubts, *waits]}

    for tool in (validate, estimate, plan, status):
        server.add_tool(tool, annotations=reads)
    return server


async def ask(folder: Path, command: str, paths: Sequence[str], flags: Sequence[str]) -> dict[str, Any]:
    """The JSON document of one command, given in `folder` and fenced into it."""
    import anyio

    if trouble := _outside(
        folder, [*paths, *(flag.partition("=")[2] for flag in flags if flag.startswith("--out="))]
    ):
        return trouble
    process = [
        sys.executable,
        "-P",
        "-m",
        "batchgen.cli.fence",
        str(folder),
        command,
        "--json",
        *flags,
        "--",
        *paths,
    ]
    with anyio.fail_after(PATIENCE):
        done = await anyio.run_process(
            process, stdin=subprocess.DEVNULL, cwd=folder, env=_environment(), check=False
        )
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return _refusal(
            "unexpected", "The command gave no document.", done.stderr.decode("utf-8", "replace")[-2000:]
        )
    for name in ("problems", "warnings"):
        if isinstance(said.get(name), list):
            said[name] = said[name][:LISTED]
    return said


def _outside(folder: Path, paths: Iterable[str]) -> dict[str, Any] | None:
    """A refusal where a path leads out of the folder; the fence would find it too, with a less good sentence."""
    root = folder.resolve()
    for path in paths:
        real = (root / path).resolve()
        if path == "-" or not path.strip() or not (real == root or root in real.parents):
            return _refusal(
                "outside",
                f'"{path}" is not below the folder that batchgen mcp was started in.',
                "Name a file or a folder in it, relative to it.",
            )
    return None


def _refusal(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "hint": hint}, "plan": None, "exit": int(Exit.USAGE)}


def _environment() -> dict[str, str]:
    """What the command needs to run, and none of the keys, ledgers and places that are elsewhere."""
    elsewhere = ("KEY", "LEDGER", "VIDEOS", "METRICS")
    return {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "SYSTEMROOT", "USERPROFILE")
        or name.startswith("LC_")
        or (name.startswith("BATCHGEN_") and not any(word in name for word in elsewhere))
    }


def _reading(select: Strings, own: Strings, sheet: str, encoding: str) -> list[str]:
    return [
        *(f"--select={each}" for each in select),
        *(f"--own={each}" for each in own),
        *_flags(sheet=sheet, encoding=encoding),
    ]


def _flags(**values: object) -> list[str]:
    """`max_credits=5` -> `--max-credits=5`; what is not given is left out."""
    flags = []
    for name, value in values.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            flags.append(flag)
        elif value not in (None, False, ""):
            flags.append(f"{flag}={value}")
    return flags


def _command(name: str, paths: Sequence[str], flags: Sequence[str]) -> str:
    return shlex.join(["batchgen", name, *paths, *flags])
