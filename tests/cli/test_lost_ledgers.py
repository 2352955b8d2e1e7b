"""A ledger that is gone, or older than the rest of OUT, or another service's: nothing is bought twice."""

import shutil
import sys
from typing import Any

import pytest
from desk import Desk

from batchgen.ledger import Ledger

RUN = ("run", "shots.csv", "--yes")


@pytest.mark.parametrize("left", ["results.csv", "events.jsonl"])
def test_when_the_ledger_is_removed_nothing_is_bought_again(desk: Desk, left: str) -> None:
    out = desk.folder / "outputs" / "shots"
    with desk.service() as server:
        desk.jobs("shots.csv", "a mug", "a cup")
        assert desk.give(*RUN).exit == 0
        for path in out.iterdir():
            if path.is_file() and path.name != left:
                path.unlink()
        before = (out / left).read_bytes()
        for command in (RUN, (*RUN, "--limit", "0"), (*RUN, "--dry-run"), ("collect", out), ("status", out)):
            said = desk.give(*command)
            assert said.exit == 2
            assert "is gone" in said.err
        said = desk.give("doctor", "--ledger", out)
        assert "is gone" in said.out
        assert said.exit != 0
        assert len(server.audit().tasks) == 2
    assert (out / left).read_bytes() == before


def test_when_an_older_ledger_is_put_back_nothing_is_bought_again(desk: Desk) -> None:
    out = desk.folder / "outputs" / "shots"
    with desk.service() as server:
        desk.jobs("shots.csv", "a mug", "a cup")
        assert desk.give(*RUN, "--limit", "1").exit == 7
        shutil.copy(out / "ledger.sqlite3", "older")
        assert desk.give(*RUN).exit == 0
        shutil.copy("older", out / "ledger.sqlite3")
        for command in (RUN, (*RUN, "--dry-run")):
            said = desk.give(*command, "--json")
            assert (said.exit, said.json["error"]["code"]) == (2, "ledger_behind")
        assert "older than events.jsonl" in desk.give("doctor", "--ledger", out).out
        assert len(server.audit().tasks) == 2


def test_a_dry_run_says_that_a_folder_belongs_to_another_service(desk: Desk) -> None:
    desk.jobs("shots.csv", "a mug")
    with desk.service() as server:
        assert desk.give(*RUN, "--sandbox", "--out", "o").exit == 0
        for more in ((), ("--dry-run",)):
            said = desk.give(*RUN, "--out", "o", *more)
            assert said.exit == 2
            assert "belongs to sandbox" in said.err
        assert server.audit().tasks == []


def test_the_sandbox_leaves_nothing_in_a_folder_of_the_real_service(desk: Desk) -> None:
    desk.jobs("shots.csv", "a mug")
    with desk.service():
        assert desk.give(*RUN, "--out", "o").exit == 0
    assert desk.give(*RUN, "--out", "o", "--sandbox").exit == 2
    assert not (desk.folder / "o" / "sandbox").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file can't be moved away there")
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "moved"])
def test_a_run_whose_folder_goes_away_stops_paying_and_says_what_it_paid(
    desk: Desk, deleted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = desk.folder / "outputs" / "shots"
    end = Ledger.end

    async def end_and_lose_the_folder(self: Ledger, *given: Any) -> Any:
        done = await end(self, *given)
        if out.exists():
            shutil.rmtree(out) if deleted else out.rename(desk.folder / "elsewhere")
        return done

    monkeypatch.setattr(Ledger, "end", end_and_lose_the_folder)
    with desk.service() as server:
        desk.jobs("shots.csv", *(f"film {n}" for n in range(8)))
        said = desk.give(*RUN, "--max-in-flight", "1", "--json")
        assert (said.exit, said.json["error"]["code"]) == (7, "ledger_gone")
        tasks = server.audit().tasks
    assert len(tasks) == 1
    assert tasks[0].task_id in said.err
