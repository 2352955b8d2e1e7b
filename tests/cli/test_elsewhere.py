"""Once, for people: a sheet downloaded twice, and two sheets of one name, are said before money is spent."""

import shutil
from pathlib import Path

import pytest
from desk import Desk

FIRST = Path("Campaign - Videos.csv")
AGAIN = Path("Campaign - Videos (1).csv")


def bought(desk: Desk, name: Path | str = FIRST) -> Path:
    manifest = desk.jobs(str(name), "take 1", "take 2", "take 3")
    assert desk.give("run", manifest.name, "--yes", "--no-download").exit == 0
    return manifest


def test_a_sheet_downloaded_twice_is_not_bought_twice_without_a_word(desk: Desk) -> None:
    with desk.service() as server:
        shutil.copy(bought(desk), AGAIN)
        plan = desk.give("run", AGAIN, "--dry-run")
        assert (
            'warning: 3 of these requests were bought already in "outputs/Campaign - Videos" (18 credits)'
            in plan.out
        )
        said = desk.give("run", AGAIN, "--yes", "--json")
        assert (said.exit, said.json["error"]["code"]) == (2, "bought_elsewhere")
        assert len(server.audit().posts) == 3
        for out in ("outputs/Campaign - Videos", "outputs/Campaign - Videos (1)"):
            assert f'batchgen run "Campaign - Videos (1).csv" --out "{out}"' in said.json["error"]["hint"]
        document = desk.give("run", AGAIN, "--dry-run", "--json").json
        assert document["already_bought_in"] == [{"out": "outputs/Campaign - Videos", "jobs": 3, "amount": 18}]


def test_an_explicit_folder_is_a_persons_word(desk: Desk) -> None:
    with desk.service() as server:
        shutil.copy(bought(desk), AGAIN)
        there = desk.give("run", AGAIN, "--yes", "--no-download", "--out", "outputs/Campaign - Videos")
        assert (there.exit, len(server.audit().posts)) == (0, 3)
        anew = desk.give("run", AGAIN, "--yes", "--no-download", "--out", "outputs/anew")
        assert (anew.exit, len(server.audit().posts)) == (0, 6)
        assert "bought already" in anew.err, "it is said all the same"


def test_one_row_that_was_bought_is_enough_and_its_id_does_not_count(desk: Desk) -> None:
    with desk.service() as server:
        bought(desk)
        desk.write("v2.csv", "new,kie,m,text-to-video,take 9", "x7,kie,m,text-to-video,take 2")
        assert desk.give("run", "v2.csv", "--yes", "--json").json["error"]["code"] == "bought_elsewhere"
        desk.write("other.csv", *(f"j{n},kie,m,text-to-video,another {n}" for n in (1, 2, 3)))
        assert desk.give("run", "other.csv", "--yes", "--no-download").exit == 0
        assert len(server.audit().posts) == 6


def test_two_clients_sheets_of_one_name_do_not_end_on_one_page(desk: Desk) -> None:
    with desk.service() as server:
        for client, prompt in (("a", "city at sunrise"), ("b", "city at sunset")):
            (desk.folder / client).mkdir()
            desk.write(f"{client}/plan.csv", f"x{client},kie,m,text-to-video,{prompt}")
        assert desk.give("run", "a/plan.csv", "--yes", "--no-download").exit == 0
        assert desk.give("run", "a/plan.csv", "--yes", "--no-download").exit == 0
        said = desk.give("run", "b/plan.csv", "--yes", "--json")
        assert (said.exit, said.json["error"]["code"]) == (2, "out_of_another")
        assert "batchgen run b/plan.csv --out" in said.json["error"]["hint"]
        assert "belongs to manifests in another folder" in desk.give("run", "b/plan.csv", "--dry-run").out
        assert len(server.audit().posts) == 1
        assert desk.give("run", "b/plan.csv", "--yes", "--no-download", "--out", "outputs/plan-b").exit == 0


def test_a_project_that_moved_goes_on_and_so_does_its_fed_back_results_file(desk: Desk) -> None:
    with desk.service() as server:
        (desk.folder / "one").mkdir()
        manifest = desk.jobs("one/plan.csv", "take 1")
        assert desk.give("run", manifest, "--yes", "--no-download", "--out", "one/outputs/plan").exit == 0
        shutil.move(desk.folder / "one", desk.folder / "two")
        said = desk.give("run", "two/plan.csv", "--dry-run", "--out", "two/outputs/plan")
        assert "another folder" not in said.out
        assert desk.give("run", "two/outputs/plan/results.csv", "--yes", "--no-download").exit == 0
        assert len(server.audit().posts) == 1


def test_a_ledger_of_an_earlier_version_is_nobody_elses(desk: Desk) -> None:
    with desk.service():
        bought(desk, "plan.csv")
        desk.change_ledger("outputs/plan", "DELETE FROM meta WHERE key = 'manifest_folders'")
        (desk.folder / "b").mkdir()
        shutil.move(desk.folder / "plan.csv", desk.folder / "b" / "plan.csv")
        assert desk.give("run", "b/plan.csv", "--yes", "--no-download").exit == 0


def test_a_rehearsal_in_the_sandbox_asks_nobody_and_counts_for_nobody(desk: Desk) -> None:
    shutil.copy(desk.jobs("plan.csv", "take 1"), "plan (1).csv")
    assert desk.give("run", "plan.csv", "--sandbox", "--no-download").exit == 0
    assert desk.give("run", "plan (1).csv", "--sandbox", "--no-download").exit == 0
    with desk.service():
        assert desk.give("run", "plan.csv", "--yes", "--no-download").exit == 0
        assert desk.give("run", "plan (1).csv", "--sandbox", "--no-download").exit == 0


@pytest.mark.parametrize("content", [b"", b"damaged"])
def test_a_ledger_beside_that_cant_be_read_is_named_and_stops_nothing(desk: Desk, content: bytes) -> None:
    with desk.service():
        (desk.folder / "outputs" / "old").mkdir(parents=True)
        (desk.folder / "outputs" / "old" / "ledger.sqlite3").write_bytes(content)
        manifest = desk.jobs("plan.csv", "take 1")
        said = desk.give("run", manifest, "--yes", "--no-download")
        assert said.exit == 0
        assert 'the ledger in "outputs/old" could not be asked' in said.err
