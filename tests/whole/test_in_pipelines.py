"""The GitHub Action, the pre-commit hook and the container: read, linted, and run where that needs no builder."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step.get("id", "install"): step for step in ACTION["runs"]["steps"]}
GOOD = "id,provider,model,scene,prompt\na,kie,m,text-to-video,x\n"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts of Linux runners")


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def do(step: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """One step's script, as a runner does it; `gh` writes down how it is called, and batchgen is this one."""
    temp = folder / "temp"
    script(temp / "bin" / "gh", f'printf "%s\\n" "$*" >>"{folder}/gh"; [ -z "$FOUND" ] || echo "$FOUND"')
    if not (temp / "batchgen/bin/batchgen").exists():
        script(temp / "batchgen/bin/batchgen", f'exec "{sys.executable}" -m batchgen "$@"')
    environment = dict.fromkeys(STEPS[step]["env"], "")
    environment |= {
        "PATH": f"{temp}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(temp),
        "GITHUB_WORKSPACE": str(folder / "work"),
        "GITHUB_REPOSITORY": "mia/films",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "FOUND": "",
        **inputs,
    }
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return subprocess.run(
        ["bash", "-c", STEPS[step]["run"]], cwd=work, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("step", STEPS)
def test_no_input_is_pasted_into_a_script(step: str) -> None:
    """What stands in `${{ }}` is pasted before the shell reads it: a file's name would be a command."""
    assert "${{" not in STEPS[step]["run"]
    assert all(inner["shell"] == "bash" for inner in STEPS.values())


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed on this machine")
@pytest.mark.parametrize("step", STEPS)
def test_the_scripts_are_clean(step: str, tmp_path: Path) -> None:
    path = tmp_path / "step.sh"
    path.write_text(f"#!/bin/bash\n{STEPS[step]['run']}", encoding="utf-8")
    done = subprocess.run(["shellcheck", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_job_of_a_pull_request_sees_no_secret() -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", str(STEPS["plan"]["env"])))
    assert used == {"manifest", "max-credits", "github-token"}
    assert "api-key" in str(STEPS["apply"]["env"])


def test_a_plan_becomes_a_comment_and_the_next_one_updates_it(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "m.csv").write_text(GOOD, encoding="utf-8")
    done = do("plan", tmp_path, MANIFEST="m.csv", MAX_CREDITS="20", NUMBER="7")
    assert done.returncode == 0, done.stderr
    comment = (tmp_path / "temp" / "batchgen-comment.md").read_text(encoding="utf-8")
    assert comment.startswith("<!-- batchgen: m.csv -->\n")
    assert "6 credits" in comment
    assert (tmp_path / "output").read_text(encoding="utf-8") == "exit=0\n"
    assert "--method POST repos/mia/films/issues/7/comments" in (tmp_path / "gh").read_text(encoding="utf-8")
    (tmp_path / "gh").unlink()
    assert do("plan", tmp_path, MANIFEST="m.csv", MAX_CREDITS="20", NUMBER="7", FOUND="41").returncode == 0
    told = (tmp_path / "gh").read_text(encoding="utf-8")
    assert "--method PATCH repos/mia/films/issues/comments/41" in told
    assert "POST" not in told


@pytest.mark.parametrize(("rows", "cap", "exit_", "says"), [
    (GOOD, "5", 4, "more than the cap of 5"), (GOOD + "b,kie,m,text-to-video,\n", "20", 3, "prompt is blank")
])  # fmt: skip
def test_a_plan_that_is_refused_says_so_in_the_comment_and_fails(
    rows: str, cap: str, exit_: int, says: str, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "m.csv").write_text(rows, encoding="utf-8")
    done = do("plan", tmp_path, MANIFEST="m.csv", MAX_CREDITS=cap)
    assert done.returncode == exit_
    assert says in (tmp_path / "summary").read_text(encoding="utf-8")
    assert (tmp_path / "output").read_text(encoding="utf-8") == f"exit={exit_}\n"


@pytest.mark.parametrize(
    ("inputs", "runs"),
    [
        ({"RUNNER_KIND": "github-hosted"}, False),
        ({"RUNNER_KIND": "github-hosted", "OUT": "/data/spring"}, False),
        ({"RUNNER_KIND": "self-hosted"}, False),
        ({"RUNNER_KIND": "self-hosted", "OUT": "outputs/spring"}, False),
        ({"RUNNER_KIND": "self-hosted", "OUT": "WORK/spring"}, False),
        ({"RUNNER_KIND": "self-hosted", "OUT": "/data/spring"}, True),
        ({"RUNNER_KIND": "github-hosted", "LEDGER": "postgresql://db/batchgen"}, True),
    ],
)
def test_only_where_the_ledger_stays_is_anything_bought_and_never_a_new_one_begun(
    inputs: dict[str, str], runs: bool, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    script(tmp_path / "temp/batchgen/bin/batchgen", f'echo "$BATCHGEN_LEDGER $BATCHGEN_OUT $*" >"{told}"')
    inputs = {name: value.replace("WORK", str(tmp_path / "work")) for name, value in inputs.items()}
    done = do("apply", tmp_path, MANIFEST="a.csv b.csv", MAX_CREDITS="500", **inputs)
    assert (done.returncode == 0, told.exists()) == (runs, runs)
    if runs:
        said = told.read_text(encoding="utf-8")
        assert "run --must-resume --yes --max-credits 500 -- a.csv b.csv" in said
        assert said.startswith(f"{inputs.get('LEDGER', '')} {inputs.get('OUT', '')} ")


def test_the_pre_commit_hook_checks_each_manifest_by_itself(tmp_path: Path) -> None:
    """The same ids in two manifests are two batches, and no problem."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert re.search(hook["files"], "manifests/spring.csv")
    assert not re.search(hook["files"], "manifests/README.md")
    for name, rows in (("a.csv", GOOD), ("b.csv", GOOD), ("bad.csv", GOOD + "a,kie,m,text-to-video,y\n")):
        (tmp_path / name).write_text(rows, encoding="utf-8")
    command, *arguments = shlex.split(hook["entry"])
    assert command == "python"

    def commit(*names: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        full = [sys.executable, *arguments, *names]
        return subprocess.run(full, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert commit("a.csv", "b.csv").returncode == 0
    refused = commit("bad.csv", "a.csv")
    assert refused.returncode == 3
    assert "line 3" in refused.stdout


def test_the_container_runs_as_nobody_in_particular_and_hears_sigterm() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in re.sub(r"\\\n", " ", text).splitlines() if line and not line.startswith("#")]
    told = [line.split(None, 1) for line in lines]
    last = dict(told)
    assert int(last["USER"].split(":")[0]) >= 1000
    assert last["ENTRYPOINT"] == '["batchgen"]', "a shell in between would keep SIGTERM to itself"
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert last["VOLUME"] == last["WORKDIR"] == "/data"
    images = [rest.split()[0] for word, rest in told if word == "FROM"]
    assert images
    assert all(re.fullmatch(r"python:3\.\d+-slim", image) for image in images)
    assert not [rest for word, rest in told if word in ("ENV", "ARG") and re.search("KEY|TOKEN|PASSWORD", rest)]
    copied = [name for word, rest in told if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert kept[0] == "*"
    assert {f"!{name}" for name in copied} <= set(kept)


def test_each_tool_of_the_contributors_hooks_is_one_that_make_installs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {shlex.split(hook["entry"])[0] for hook in hooks} <= {
        f".venv/bin/{n}" for n in ("ruff", "mypy", "python")
    }
