"""A results.csv is a manifest, too; fed to another folder, what was bought before is not bought again unseen."""

import shutil

import pytest
from desk import Desk, Said


def _paid_elsewhere(said: Said) -> None:
    assert said.exit == 3
    assert {problem["code"] for problem in said.json["problems"]} == {"paid_elsewhere"}


def test_a_folder_without_a_ledger_knows_no_task_and_its_dry_run_says_so(desk: Desk) -> None:
    """The plan and the real run say the same: these rows were bought elsewhere."""
    with desk.service() as server:
        desk.jobs("shots.csv", "one", "two")
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        shutil.copy("outputs/shots/results.csv", "fed.csv")
        _paid_elsewhere(desk.give("run", "fed.csv", "--out", "other", "--dry-run", "--json"))
        _paid_elsewhere(desk.give("run", "fed.csv", "--out", "other", "--yes", "--json"))
        assert len(server.audit().tasks) == 2
        assert not (desk.folder / "other").exists()


def test_an_estimate_for_a_folder_says_which_rows_were_bought_elsewhere(desk: Desk) -> None:
    with desk.service():
        desk.jobs("shots.csv", "one", "two")
        desk.jobs("other.csv", "three")
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        assert desk.give("run", "other.csv", "--yes").exit == 0
    shutil.copy("outputs/shots/results.csv", "fed.csv")
    _paid_elsewhere(desk.give("estimate", "fed.csv", "--out", "outputs/other", "--json"))
    assert desk.give("estimate", "fed.csv", "--out", "outputs/shots", "--json").json["to_pay"]["jobs"] == 0
    assert desk.give("estimate", "fed.csv").exit == 0, "what the whole manifest is worth"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("settled", [False, True], ids=["in doubt", "paid and lost"])
def test_a_doubt_is_not_bought_again_in_a_folder_that_does_not_know_it(
    desk: Desk, form: str, settled: bool
) -> None:
    """It has no task id, but it may have been paid for: only its own folder, or a person, may buy it."""
    with desk.service(faults=("drop-before:#1",)) as server:
        desk.jobs("shots.csv", "one")
        assert desk.give("run", "shots.csv", "--yes").exit == 5
        if settled:
            assert desk.give("resolve", "outputs/shots", "j1", "--paid-lost", "--yes").exit == 0
        fed = f"fed.{form}"
        assert desk.give("export", "outputs/shots", "--format", form, "--to", fed).exit == 0
        _paid_elsewhere(desk.give("run", fed, "--out", "other", "--dry-run", "--json"))
        _paid_elsewhere(desk.give("run", fed, "--out", "other", "--yes", "--json"))
        at_home = desk.give("run", fed, "--out", "outputs/shots", "--yes", "--json")
        assert at_home.exit == (1 if settled else 5)
        assert not server.audit().tasks


def test_a_row_that_waits_or_was_refused_may_be_bought_in_another_folder(desk: Desk) -> None:
    """Nothing was paid for it."""
    with desk.service(faults=("kie-422:#1",)) as server:
        desk.jobs("shots.csv", "one", "two")
        assert desk.give("run", "shots.csv", "--yes", "--limit", "1").exit in (1, 7)
        shutil.copy("outputs/shots/results.csv", "fed.csv")
        assert desk.give("run", "fed.csv", "--out", "other", "--yes").exit == 0
        assert len(server.audit().tasks) == 2
