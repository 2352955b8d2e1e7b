"""The functions of the library: what they take, give, say and refuse."""

import asyncio
import inspect
import logging
import re
import warnings
from pathlib import Path
from typing import Any

import click
import pytest
from desk import Desk

import batchgen
from batchgen.cli import COMMANDS, cli
from batchgen.running.python_words import in_python

PACKAGE = Path(batchgen.__file__).parent


def test_every_keyword_is_named_and_none_is_anything() -> None:
    for name in (
        "run",
        "arun",
        "plan",
        "estimate",
        "validate",
        "collect",
        "acollect",
        "retry",
        "resolve",
        "status",
    ):
        kinds = {one.kind for one in inspect.signature(getattr(batchgen, name)).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, name
        assert inspect.Parameter.VAR_POSITIONAL not in kinds, name
    taken = inspect.signature(batchgen.run).parameters
    assert {"out", "sandbox", "dry_run", "confirm", "select", "limit", "max_credits", "rate", "grace", "wait",
            "own", "stop", "on_event", "progress"} <= taken.keys()  # fmt: skip
    assert inspect.signature(batchgen.arun).parameters.keys() == taken.keys()


@pytest.mark.parametrize(
    "select", ["prompt=two", ["prompt=two"], [("prompt", "two")], {"prompt": "two"}, (("prompt", "t*o"),)]
)
def test_a_selection_is_a_text_a_list_or_a_dict(desk: Desk, select: Any) -> None:
    desk.jobs("m.csv", "one", "two")
    assert batchgen.plan("m.csv", sandbox=True, select=select).to_pay == (1, 6)
    assert batchgen.estimate("m.csv", select=select).credits == 6


def test_a_selection_that_is_none_says_how_it_is_written(desk: Desk) -> None:
    desk.jobs("m.csv", "one")
    with pytest.raises(batchgen.UsageError, match="is not COLUMN=GLOB") as told:
        batchgen.plan("m.csv", sandbox=True, select="two")
    assert "--" not in told.value.message + told.value.hint


@pytest.mark.parametrize("call", [batchgen.estimate, batchgen.plan])
def test_a_missing_or_unreadable_manifest_has_no_price(desk: Desk, call: Any) -> None:
    (desk.folder / "broken.json").write_text("[{")
    for name in ("nope.csv", "broken.json"):
        with pytest.raises(batchgen.ManifestError) as told:
            call(name)
        assert told.value.problems


def test_an_estimate_of_rows_with_problems_is_not_complete(desk: Desk) -> None:
    desk.write("m.csv", "a,kie,m,text-to-video,one", "b,kie,m,nonsense,two")
    estimate = batchgen.estimate("m.csv")
    assert (estimate.complete, estimate.credits, estimate.jobs) == (False, 6, 1)
    assert [problem.code for problem in estimate.problems] == ["unknown_scene"]
    with pytest.raises(batchgen.ManifestError):
        batchgen.plan("m.csv")
    assert batchgen.plan("m.csv", only_valid=True).to_pay == (1, 6)


def test_an_estimate_sums_by_columns_names_them_and_knows_what_is_paid(desk: Desk) -> None:
    desk.jobs("m.csv", "one", "two")
    with desk.service():
        batchgen.run("m.csv", out="out", limit=1)
        estimate = batchgen.estimate("m.csv", by="prompt", out="out")
    assert estimate.by is not None
    assert estimate.by["one"] == (1, 6, 6)
    assert (estimate.by["one"].jobs, estimate.by_scene["text-to-video"].credits) == (1, 12)
    assert (estimate.already_paid, estimate.to_pay) == ((1, 6), (1, 6))
    with pytest.raises(batchgen.UsageError) as told:
        batchgen.estimate("m.csv", by="zzz")
    assert told.value.code == "no_such_column"
    assert told.value.message.startswith("by= names")
    with pytest.raises(batchgen.CapError):
        batchgen.estimate("m.csv", max_credits=6)


@pytest.mark.parametrize("odd", [b"m.csv", 7, 1.5, None, True, object(), {"prompt": "x"}])
def test_what_is_no_manifest_is_a_type_error_and_never_a_file_of_that_name(desk: Desk, odd: Any) -> None:
    for call in (batchgen.validate, batchgen.estimate, batchgen.plan, batchgen.run):
        with pytest.raises(TypeError):
            call(odd)


def test_an_open_file_and_a_mix_are_type_errors(desk: Desk) -> None:
    path = desk.jobs("m.csv", "one")
    with path.open() as file, pytest.raises(TypeError):
        batchgen.run(file, out="out")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        batchgen.run(["m.csv", {"prompt": "x"}], out="out")  # type: ignore[list-item]


ROWS = [
    {
        "id": 7.0,
        "provider": "kie",
        "model": "m",
        "scene": "text-to-video",
        "prompt": "one",
        "options": {"duration": 10},
    },
    {"id": "b", "provider": "kie", "model": "m", "scene": "text-to-video", "prompt": "two", "campaign": "spring"},
]


def frame(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)


def table(rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist([{**row, "id": str(row["id"]).removesuffix(".0")} for row in rows])


@pytest.mark.parametrize("form", [list, iter, frame, table], ids=["list", "generator", "pandas", "arrow"])
def test_rows_in_memory_are_a_manifest(desk: Desk, form: Any) -> None:
    assert batchgen.validate(form(ROWS)).valid == 2
    assert batchgen.estimate(form(ROWS)).credits == 12
    run = batchgen.run(form(ROWS), sandbox=True, out="out")
    assert (run.exit, run.credits) == (0, 12)
    lines = run.results()
    assert list(lines.job_id) == ["7", "b"]
    assert set(lines.manifest) == {"rows"}
    again = batchgen.run(form(ROWS), sandbox=True, out="out", dry_run=True)
    assert again.to_pay == (0, 0)


@pytest.mark.parametrize("call", [batchgen.plan, batchgen.run])
def test_rows_without_a_folder_are_refused_also_in_the_sandbox(desk: Desk, call: Any) -> None:
    with pytest.raises(batchgen.UsageError) as told:
        call(ROWS, sandbox=True)
    assert (told.value.code, "out=" in told.value.hint) == ("no_out", True)


def test_arun_reads_a_generator_once(desk: Desk) -> None:
    run = asyncio.run(batchgen.arun((row for row in ROWS), sandbox=True, out="out"))
    assert (run.exit, run.credits) == (0, 12)


def test_confirm_is_asked_with_the_plan_and_a_no_buys_nothing(desk: Desk) -> None:
    desk.jobs("m.csv", "one")
    asked: list[batchgen.Plan] = []
    with desk.service() as service:
        with pytest.raises(batchgen.UsageError) as told:
            batchgen.run("m.csv", out="out", confirm=lambda plan: bool(asked.append(plan)))
        assert (told.value.code, asked[0].to_pay) == ("declined", (1, 6))
        assert service.audit().posts == []


def test_warnings_reach_the_caller_before_money_is_spent(desk: Desk) -> None:
    desk.write(
        "m.csv",
        "a,kie,m,text-to-video,one",
        "b,kie,m,text-to-video,two,x",
        header="id,provider,model,scene,prompt,campaign",
    )
    found = batchgen.validate("m.csv").warnings
    assert found
    with desk.service() as service:
        with pytest.warns(batchgen.BatchgenWarning, match=re.escape(found[0].message)):
            run = batchgen.run("m.csv", out="out", limit=0)
        assert [one.message for one in run.warnings] == [one.message for one in found]
        with warnings.catch_warnings(), pytest.raises(batchgen.BatchgenWarning):
            warnings.simplefilter("error", batchgen.BatchgenWarning)
            batchgen.run("m.csv", out="out")
        assert service.audit().posts == []


def test_status_resolve_retry_report_and_export_are_those_of_the_commands(desk: Desk) -> None:
    desk.jobs("m.csv", "one", "two")
    with desk.service(faults=("drop-after:#1", "failed:#2")) as service:
        run = batchgen.run("m.csv", out="out", rate="2/s")
        assert run.exit == 5
        status = batchgen.status("out")
        assert (status.jobs, status.exit, status.states["in_doubt"], status.credits.in_doubt) == (2, 5, 1, 6)
        assert "--" not in status.next_step
        assert "batchgen.resolve(" in status.next_step or "task_id=" in status.next_step
        (lost,) = {str(task.task_id) for task in service.audit().tasks if task.post == 1}
        job = run.results().query("state == 'in_doubt'").job_id.item()
        assert batchgen.resolve("out", job, task_id=lost).states.get("in_doubt") is None
        collected = batchgen.collect("out")
        assert collected.status.states == {"succeeded": 1, "failed": 1}
        assert batchgen.report("out").read_text(encoding="utf-8").startswith("<!")
        assert batchgen.export("out", "jsonl", to="x.jsonl").read_text().count("\n") == 2
        assert batchgen.retry("out", dry_run=True).to_pay == (1, 6)
        assert batchgen.retry("out", state="failed").exit == 0
        assert batchgen.retry("out").exit == 0
        assert len(service.audit().tasks) == 3
    with pytest.raises(batchgen.LedgerError):
        batchgen.status("nowhere")


def test_what_happens_is_logged_and_the_key_is_not(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.jobs("m.csv", "one")
    with desk.service() as service, caplog.at_level(logging.DEBUG):
        batchgen.run("m.csv", out="out")
    names = {record.name for record in caplog.records if record.name.startswith("batchgen")}
    assert names == {"batchgen.run"}
    text = caplog.text
    assert "accepted" in text
    assert service.key not in text
    assert [type(handler) for handler in logging.getLogger("batchgen").handlers] == [logging.NullHandler]


def test_progress_is_drawn_on_stderr_and_only_when_it_is_asked_for(
    desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    desk.jobs("m.csv", "one")
    batchgen.run("m.csv", sandbox=True)
    quiet = capfd.readouterr()
    batchgen.run("m.csv", sandbox=True, out="again", progress=True)
    drawn = capfd.readouterr()
    assert (quiet.out, quiet.err, drawn.out) == ("", "", "")
    assert "submitted" in drawn.err


def test_no_error_speaks_of_an_option_of_the_command_line() -> None:
    """Every sentence of the package that names an option has words for it in Python."""
    options = {name for path in PACKAGE.rglob("*.py") if "cli" not in path.parts and "sandbox" not in path.parts
               for name in re.findall(r"--[a-z]+(?:-[a-z]+)*", path.read_text(encoding="utf-8"))}  # fmt: skip
    commands = [cli.get_command(click.Context(cli), name) for name in COMMANDS]
    known = {option for command in commands if command for each in command.params for option in each.opts}
    for option in options & known:
        said = in_python(f"Add {option} to it.")
        assert "--" not in said
        assert "=" in said
