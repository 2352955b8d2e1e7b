"""A cap, a limit and a selection mean the same together as each alone."""

import json

import pytest
from desk import Desk


def test_a_limit_is_compared_with_the_cap_and_not_the_whole_plan(desk: Desk) -> None:
    """Ten jobs of 6 credits, two of them in this run: 12 credits are enough, 11 are not."""
    manifest = desk.jobs("shots.csv", *(f"take {n}" for n in range(10)))
    run = ("run", manifest, "--dry-run", "--limit", 2, "--json")
    assert desk.give(*run, "--max-credits", 12).exit == 0
    refused = desk.give(*run, "--max-credits", 11)
    assert refused.exit == 4
    assert refused.json["error"]["code"] == "over_cap"


def test_a_limit_that_the_cap_allows_is_submitted_to_the_end(desk: Desk) -> None:
    manifest = desk.jobs("shots.csv", *(f"take {n}" for n in range(5)))
    with desk.service() as service:
        done = desk.give("run", manifest, "--yes", "--limit", 2, "--max-credits", 12, "--json", "--no-download")
        assert len(service.audit().tasks) == 2
    assert done.exit == 7, "three jobs are left"
    begun = json.loads((desk.folder / "outputs" / "shots" / "events.jsonl").read_text().splitlines()[0])
    assert (begun["jobs"], begun["credits"]) == (2, 12), "what this run may buy, not the whole plan"


def test_a_run_of_a_selection_that_no_row_fits_says_so(desk: Desk) -> None:
    """Like validate and estimate do: exit 3, and nothing is submitted."""
    manifest = desk.jobs("shots.csv", "take 1")
    said = desk.give("run", manifest, "--sandbox", "--yes", "--select", "id=zzz")
    assert said.exit == 3
    assert "No row fits --select id=zzz" in said.err


def test_a_finished_manifest_runs_under_any_cap_that_holds_what_is_spent(desk: Desk) -> None:
    """Nothing is left to buy: a cap of just what was spent refuses nothing, one below it says what is spent."""
    manifest = desk.jobs("shots.csv", "take 1", "take 2")
    with desk.service():
        assert desk.give("run", manifest, "--yes", "--no-download").exit == 0
        assert desk.give("run", manifest, "--yes", "--no-download", "--max-credits", 12).exit == 0
        below = desk.give("run", manifest, "--yes", "--no-download", "--max-credits", 11)
    assert below.exit == 4
    assert "12 credits are spent" in below.err
    assert "`batchgen collect` gets what is paid for" in below.err


def test_a_cap_that_the_environment_raises_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag set the cap of this OUT; a variable that lifts it is not passed over in silence."""
    manifest = desk.jobs("shots.csv", "take 1", "take 2")
    with desk.service():
        assert desk.give("run", manifest, "--yes", "--no-download", "--max-credits", 12).exit == 0
        for written, told in (("100", "raises to 100"), ("none", "takes away"), ("12", ""), ("13", "raises to 13")):
            monkeypatch.setenv("BATCHGEN_MAX_CREDITS", written)
            said = desk.give("run", manifest, "--dry-run")
            note = f"Note: max_credits (BATCHGEN_MAX_CREDITS) {told} the cap of 12 credits"
            assert (note in said.err) == bool(told)
            assert ("Note" in said.err) == bool(told)
        assert "Note" not in desk.give("run", manifest, "--dry-run", "--max-credits", 50).err


def test_a_cap_that_refuses_says_that_it_is_not_kept(desk: Desk) -> None:
    """A refused run stores nothing, its cap neither: the next run must not be believed to have one."""
    manifest = desk.jobs("shots.csv", "take 1", "take 2")
    words = "The cap was not stored"
    assert words in desk.give("run", manifest, "--yes", "--max-credits", 11).err
    with desk.service():
        assert desk.give("run", manifest, "--yes", "--limit", 1, "--no-download", "--max-credits", 11).exit == 7
        assert words not in desk.give("run", manifest, "--yes").err


def test_what_a_limited_run_may_spend_is_never_less_than_its_dearest_jobs(desk: Desk) -> None:
    """Two jobs of 100 credits among eight of 6: one of them is not bought for the mean of all, first or later."""
    (desk.folder / "batchgen.toml").write_text('[prices."kie/veo3"]\ntext-to-video = 100\n', encoding="utf-8")
    models = ("veo3",) * 2 + ("m",) * 8
    manifest = desk.write(
        "shots.csv", *(f"j{n},kie,{model},text-to-video,take {n}" for n, model in enumerate(models))
    )
    limited = ("run", manifest, "--limit", 1, "--no-download", "--no-wait")
    for room in (50, 99):
        assert desk.give(*limited, "--dry-run", "--max-credits", room).exit == 4
    assert "100 credits at most" in desk.give(*limited, "--dry-run", "--max-credits", 100).out
    with desk.service():
        assert desk.give(*limited, "--yes", "--max-credits", 106).exit == 7
        assert desk.give(*limited, "--dry-run", "--max-credits", 106).exit == 4, "the other one at 100 is next"
        assert "100 credits at most" in desk.give(*limited, "--dry-run", "--max-credits", 200).out


def test_changes_that_a_limit_left_waiting_are_still_shown_as_bought_again(desk: Desk) -> None:
    """--resubmit-changed said so for three rows, --limit bought one: the next plan calls two no news."""
    with desk.service():
        desk.jobs("shots.csv", "one", "two", "three")
        assert desk.give("run", "shots.csv", "--yes", "--no-download").exit == 0
        desk.jobs("shots.csv", "one bluer", "two bluer", "three bluer")
        again = desk.give("run", "shots.csv", "--yes", "--no-download", "--resubmit-changed", "--limit", "1")
        assert again.exit == 7
        same = desk.give("run", "shots.csv", "--dry-run").out
        with (desk.folder / "shots.csv").open("a", encoding="utf-8") as file:
            file.write("j4,kie,m,text-to-video,four\n")
        more = desk.give("run", "shots.csv", "--dry-run").out
    for plan in (same, more):
        assert "of these 2 again" in plan
        assert "12 credits" in plan
