"""Before the money: the plan tells what it knows, and inputs are looked at where money is about to be spent."""

import json
from pathlib import Path

import pytest
from desk import Desk
from raw_host_thread import FileServer

HEADER = "id,provider,model,scene,prompt,image_input"


def odd(desk: Desk) -> Path:
    """A sheet with warnings that cost money, and one that does not."""
    desk.write(
        "plan.csv",
        "a,kei,m,image-to-video,x,https://drive.google.com/file/d/1AbC/view?usp=sharing",
        "b,kie,m,text-to-video,TODO,",
        "c,kie,m,text-to-video,TODO,",
        "d,kie,veo,text-to-video,fine,",
        header=HEADER,
    )
    return Path("plan.csv")


@pytest.mark.parametrize("command", [("plan",), ("run", "--dry-run")])
def test_the_plan_shows_what_validate_knows(desk: Desk, command: tuple[str, ...]) -> None:
    said = desk.give(*command, odd(desk))
    assert said.exit == 0
    for words in ("warnings:", "page of Google Drive", "TODO", "(and 1 more like it)", 'Did you mean "kie"?'):
        assert words in said.out, words
    known = desk.give("validate", "plan.csv", "--json").json
    document = desk.give(*command, odd(desk), "--json").json
    assert document["warnings"] == known["warnings"]
    assert document["warnings_total"] == known["warnings_total"] >= 4


def test_a_run_that_is_not_asked_says_the_warnings_on_stderr(desk: Desk) -> None:
    with desk.service():
        said = desk.give("run", odd(desk), "--yes", "--no-download", "--no-check-inputs", "--json")
        assert "page of Google Drive" in said.err
        assert said.json["exit"] == said.exit


def test_the_plans_document_has_its_keys_and_its_sums(desk: Desk) -> None:
    document = desk.give("plan", odd(desk), "--json", "--max-credits", 100).json
    assert list(document) == [
        "out", "service", "unit", "rows", "actions", "to_pay", "cap", "warnings", "warnings_total",
        "already_bought_in", "saved", "exit",
    ]  # fmt: skip
    assert (document["service"], document["unit"], document["rows"], document["cap"]) == (
        "gateway",
        "credits",
        4,
        100,
    )
    assert document["to_pay"] == {"jobs": 4, "amount": 26}
    assert document["actions"] == [
        {"action": "submit", "scene": "image-to-video", "model": "m", "jobs": 1, "amount": 8},
        {"action": "submit", "scene": "text-to-video", "model": "m", "jobs": 2, "amount": 12},
        {"action": "submit", "scene": "text-to-video", "model": "veo", "jobs": 1, "amount": 6},
    ]
    assert (document["saved"], document["exit"]) == (None, 0)
    assert not (desk.folder / "outputs").exists(), "a plan writes nothing"


def test_a_plan_over_the_cap_leaves_with_4_and_says_all_the_same_what_it_would_buy(desk: Desk) -> None:
    said = desk.give("plan", odd(desk), "--json", "--max-credits", 25)
    assert (said.exit, said.json["exit"], said.json["error"]["code"]) == (4, 4, "over_cap")
    assert said.json["to_pay"]["amount"] == 26


def test_a_plan_of_rows_that_were_bought_names_what_is_left(desk: Desk) -> None:
    manifest = desk.jobs("shots.csv", "take 1", "take 2")
    with desk.service():
        assert desk.give("run", manifest, "--yes", "--no-download").exit == 0
        desk.jobs("shots.csv", "take 1", "take 2 reworded", "take 3")
        actions = desk.give("plan", manifest, "--json").json["actions"]
    assert [(one["action"], one["jobs"], one["amount"]) for one in actions] == [
        ("changed", 1, 6), ("done", 1, 6), ("submit", 1, 6),
    ]  # fmt: skip


def test_the_markdown_of_a_plan_begins_with_the_verdict_and_shows_prompts(desk: Desk) -> None:
    text = desk.give("plan", odd(desk), "--format", "markdown", "--max-credits", 25).out
    assert text.startswith("**4 jobs for 26 credits does NOT fit under the cap of 25")
    assert "`plan.csv`" in text
    assert "| b | m | TODO | 6 |" in text
    many = desk.jobs("many.csv", *(f"take {n}" for n in range(30)))
    text = desk.give("plan", many, "--format", "markdown").out
    assert text.startswith("**30 jobs for 180 credits; there is no cap.**")
    assert "… and 10 more." in text


def test_markdown_and_json_of_bad_rows_are_no_empty_file(desk: Desk) -> None:
    bad = desk.write("bad.csv", "a,kie,m,text-to-video,")
    said = desk.give("plan", bad, "--format", "markdown")
    assert said.exit == 3
    assert "prompt is blank" in said.out
    assert desk.give("plan", bad, "--json").json["problems_total"] == 1


def test_what_a_prompt_holds_can_not_break_out_of_the_table(desk: Desk) -> None:
    hostile = desk.write("x.csv", '"a|b",kie,m,text-to-video,"x | y `z` <img src=x> @everyone [l](http://e)"')
    text = desk.give("plan", hostile, "--format", "markdown").out
    assert "<img" not in text
    assert "@everyone" not in text
    assert "x \\| y" in text


# -- inputs -----------------------------------------------------------------------------------------------


def pictures(desk: Desk, server: FileServer) -> Path:
    return desk.write(
        "plan.csv",
        f"good,kie,m,image-to-video,x,{server.url('/good.png')}",
        f"gone,kie,m,image-to-video,x,{server.url('/gone.png')}",
        f"page,kie,m,image-to-video,x,{server.url('/page.png')}",
        header=HEADER,
    )


def test_a_run_looks_at_its_inputs_and_buys_nothing_when_one_is_broken(desk: Desk) -> None:
    with desk.service() as service, FileServer() as server:
        manifest = pictures(desk, server)
        said = desk.give("run", manifest, "--yes", "--json", "--no-download")
        assert said.exit == 3
        assert [(p["code"], p["row"], p["cell"]) for p in said.json["problems"]] == [
            ("input_gone", 2, "F3"), ("input_is_page", 3, "F4"),
        ]  # fmt: skip
        assert service.audit().posts == []
        assert len(server.paths) == 3
        assert desk.give("run", manifest, "--yes", "--no-download", "--no-check-inputs").exit == 0
        assert len(server.paths) == 3


def test_with_only_valid_the_rows_with_broken_inputs_are_left_out_and_said(desk: Desk) -> None:
    with desk.service() as service, FileServer() as server:
        manifest = pictures(desk, server)
        said = desk.give("run", manifest, "--yes", "--only-valid", "--no-download", "--json")
        assert (said.exit, said.json["states"]) == (1, {"succeeded": 1, "invalid": 2})
        assert len(service.audit().posts) == 1
        asked = len(server.paths)
        server.fix("/gone.png")
        again = desk.give("run", manifest, "--yes", "--only-valid", "--no-download", "--json")
        assert again.json["states"] == {"succeeded": 2, "invalid": 1}
        assert "/good.png" not in server.paths[asked:], "what was bought already is not asked for"


def test_looking_ahead_and_rehearsing_look_at_no_input(desk: Desk) -> None:
    with FileServer() as server:
        manifest = pictures(desk, server)
        assert "no input was looked at" in desk.give("plan", manifest).out
        assert desk.give("estimate", manifest).exit == 0
        assert "no input was looked at" in desk.give("run", manifest, "--dry-run").out
        assert desk.give("validate", manifest).exit == 0
        assert desk.give("run", manifest, "--sandbox", "--no-download").exit == 0
        assert server.paths == []


def test_validate_looks_at_inputs_when_it_is_asked_to(desk: Desk) -> None:
    with FileServer() as server:
        said = desk.give("validate", pictures(desk, server), "--check-inputs", "--json")
        assert (said.exit, said.json["invalid"]) == (3, 2)
        assert json.loads(said.out)["problems"][0]["code"] == "input_gone"
