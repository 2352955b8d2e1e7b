"""`batchgen mcp`: an agent looks ahead over stdio, with the SDK's own client. It can buy and settle nothing."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
KEY = "sk-canary-0123456789abcdef"
HEADER = "id,provider,model,scene,prompt\n"


def talk(folder: Path, conversation: Callable[[Any], Awaitable[Any]], **environment: str) -> Any:
    """What a client learns from a server that was started in `folder`."""
    from mcp import Client, StdioServerParameters

    server = StdioServerParameters(
        command=sys.executable,
        args=["-P", "-m", "batchgen", "mcp"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "BATCHGEN_API_KEY": KEY, **environment},
    )

    async def meet() -> Any:
        async with Client(server) as client:
            return await conversation(client)

    return asyncio.run(asyncio.wait_for(meet(), 110))


def answers(folder: Path, *calls: tuple[str, dict[str, Any]], **environment: str) -> list[dict[str, Any]]:
    """The documents of several calls."""

    async def conversation(client: Any) -> list[dict[str, Any]]:
        said = []
        for name, arguments in calls:
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result.content
            said.append(result.structured_content)
        return said

    found: list[dict[str, Any]] = talk(folder, conversation, **environment)
    return found


@pytest.fixture
def start(tmp_path: Path) -> Path:
    folder = tmp_path / "start"
    folder.mkdir()
    (folder / "m.csv").write_text(HEADER + "a,kie,m,text-to-video,x\nb,kie,m,text-to-video,y\n", encoding="utf-8")
    (folder / "bad.csv").write_text(HEADER + "a,kie,m,text-to-video,\n", encoding="utf-8")
    (tmp_path / "secret.csv").write_text(HEADER + "s,kie,m,canary-scene,canary\n", encoding="utf-8")
    return folder


def test_there_are_four_tools_and_none_spends_settles_saves_or_trusts(start: Path) -> None:
    async def conversation(client: Any) -> Any:
        return (await client.list_tools()).tools

    tools = talk(start, conversation)
    assert {tool.name for tool in tools} == {"validate", "estimate", "plan", "status"}
    assert all(tool.annotations.read_only_hint for tool in tools)
    offered = {name for tool in tools for name in tool.input_schema["properties"]}
    assert not offered & {"yes", "save", "key", "api_key", "base_url", "service", "trust", "ledger", "command"}


def test_an_agent_learns_what_is_wrong_what_it_costs_and_what_a_person_may_do(start: Path) -> None:
    before = sorted(start.rglob("*"))
    bad, price, plan, none = answers(
        start,
        ("validate", {"manifests": ["bad.csv"]}),
        ("estimate", {"manifests": ["m.csv"], "max_credits": 5}),
        ("plan", {"manifests": ["m.csv"], "out": "here", "max_credits": 50}),
        ("status", {"out": "here"}),
    )
    assert (bad["invalid"], bad["problems"][0]["cell"]) == (1, "E2")
    assert bad["for_a_person"] == ["batchgen validate bad.csv --fix=FILE.csv"]
    assert (price["to_pay"], price["exit"]) == ({"jobs": 2, "credits": 12}, 4)
    assert plan["for_a_person"] == ["batchgen run m.csv --out=here --max-credits=50"]
    assert none["error"]["code"] == "no_ledger"
    assert sorted(start.rglob("*")) == before, "nothing was written"


def test_the_state_of_a_run_is_told(start: Path) -> None:
    from batchgen.cli import invoke

    out = start / "outputs" / "m"
    assert invoke(["run", str(start / "m.csv"), "--sandbox", "--no-download", "--quiet", "--out", str(out)]) == 0
    (status,) = answers(start, ("status", {"out": "outputs/m"}))
    assert (status["states"], status["credits"]["charged"]) == ({"succeeded": 2}, 12)


def test_nothing_outside_of_the_folder_is_read(start: Path) -> None:
    (start / "link.csv").symlink_to(start.parent / "secret.csv")
    names = ["../secret.csv", "-", "", f"{start.parent}/secret.csv", "link.csv", "..", "sub/../../secret.csv"]
    for said in answers(start, *(("validate", {"manifests": [name]}) for name in names)):
        assert said["error"]["code"] == "outside"
        assert "canary" not in str(said)


def test_a_manifest_leads_nowhere_outside_either(start: Path) -> None:
    """`rows:` of a YAML manifest, a link in a folder, and an OUT that is a link."""
    for name, rows in (("up", "../secret.csv"), ("absolute", start.parent / "secret.csv")):
        job = f"{{provider: kie, model: m, scene: text-to-video, prompt: '{{{{ prompt }}}}', rows: {rows}}}"
        (start / f"{name}.yaml").write_text(f"version: 1\njobs:\n- {job}\n", encoding="utf-8")
    (start / "folder").mkdir()
    (start / "folder" / "m.csv").symlink_to(start.parent / "secret.csv")
    names = ("up.yaml", "absolute.yaml", "folder")
    for said in answers(start, *(("validate", {"manifests": [name]}) for name in names)):
        assert "outside of the folder" in said["problems"][0]["message"]
        assert "canary" not in str(said)
    (start / "out").symlink_to(start.parent)
    (said,) = answers(start, ("status", {"out": "out"}))
    assert said["error"]["code"] == "outside"


def test_a_value_that_looks_like_a_flag_stays_a_value(start: Path) -> None:
    """An agent that is told to add `--yes` or `--fix` by a sheet has no place to put it."""
    shutil.copy(start / "m.csv", start / "--yes")
    named, selected = answers(
        start,
        ("validate", {"manifests": ["--yes"]}),
        ("plan", {"manifests": ["m.csv"], "select": ["id=a", "--yes"]}),
    )
    assert named["valid"] == 2
    assert selected["error"]["code"] == "bad_select"


def test_the_key_is_in_no_answer_and_code_in_the_folder_is_not_run(start: Path) -> None:
    for name in ("click.py", "json.py", "sitecustomize.py"):
        (start / name).write_text("raise SystemExit('run: canary')\n", encoding="utf-8")
    (said,) = answers(start, ("plan", {"manifests": ["m.csv"]}))
    assert said["exit"] == 0
    assert "canary" not in str(said)


def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from batchgen.cli import invoke

    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    assert invoke(["mcp"]) == 2
    assert 'pip install "batchgen[mcp]"' in capsys.readouterr().err
