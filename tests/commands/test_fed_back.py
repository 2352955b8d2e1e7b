"""A results.csv is a manifest, too; fed to another folder, what was bought before is not bought again unseen."""

import shutil

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
