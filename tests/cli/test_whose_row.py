"""A row is the job of its task, whatever became of its id; of several with one task, one is the job."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk

PLAN = "id,provider,model,scene,prompt\n001,kie,m,text-to-video,A cat\n002,kie,m,text-to-video,A dog\n"


def _edited(source: str, target: str, change: Callable[[list[dict[str, str]]], None]) -> None:
    with Path(source).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with Path(target).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _bought(desk: Desk) -> None:
    Path("plan.csv").write_text(PLAN)
    assert desk.give("run", "plan.csv", "--yes").exit == 0


@pytest.mark.parametrize("ids", [("1", "2"), ("1.0", "2.0"), ("", ""), ("x", "y"), ("0001", "0002")])
def test_an_edited_row_whose_id_lost_its_zeros_is_changed_and_not_bought_again(
    desk: Desk, ids: tuple[str, str]
) -> None:
    def change(rows: list[dict[str, str]]) -> None:
        rows[0]["prompt"] = "A cat, asleep"
        for row, job_id in zip(rows, ids, strict=True):
            row["job_id"] = job_id

    with desk.service() as server:
        _bought(desk)
        _edited("outputs/plan/results.csv", "outputs/plan/edited.csv", change)
        desk.give("run", "outputs/plan/edited.csv", "--yes")
        states = desk.give("status", "outputs/plan", "--json").json["states"]
        assert states == {"changed": 1, "succeeded": 1}
        assert len(server.audit().tasks) == 2


def test_of_several_rows_with_one_task_the_one_that_agrees_is_the_job(desk: Desk) -> None:
    def copy_first(rows: list[dict[str, str]]) -> None:
        rows.insert(0, rows[0] | {"job_id": "new", "prompt": "A cat in the rain"})

    with desk.service() as server:
        _bought(desk)
        _edited("outputs/plan/results.csv", "outputs/plan/edited.csv", copy_first)
        said = desk.give("run", "outputs/plan/edited.csv", "--yes", "--json")
        assert said.exit == 3
        assert [(problem["code"], problem["row"]) for problem in said.json["problems"]] == [("copied_task_id", 1)]
        assert len(server.audit().tasks) == 2


def test_a_paid_row_is_never_mended_away_by_one_that_is_not(desk: Desk) -> None:
    """`run m.csv B/results.csv` once bought again what B had bought."""
    with desk.service() as server:
        _bought(desk)
        shutil.copy("plan.csv", "m.csv")
        shutil.copy("outputs/plan/results.csv", "b.csv")
        for order in (("m.csv", "b.csv"), ("b.csv", "m.csv")):
            said = desk.give("run", *order, "--out", "other", "--yes", "--json")
            assert said.exit == 3
            assert "paid_elsewhere" in {problem["code"] for problem in said.json["problems"]}
        assert len(server.audit().tasks) == 2
