"""`retry` says what it buys and for how much, and buys just that: at today's prices, and twice only on demand."""

import json

import pytest
from desk import Desk

from batchgen.running import poll


def ledger_prices(desk: Desk) -> list[int]:
    return [
        price for (price,) in desk.read_ledger("outputs/shots", "SELECT price FROM attempt ORDER BY attempt_id")
    ]


def mend_price(desk: Desk, price: int) -> None:
    (desk.folder / "batchgen.toml").write_text(f"[prices]\ntext-to-video = {price}\n", encoding="utf-8")


def test_retry_buys_at_the_price_that_it_shows_which_is_that_of_the_table_in_force(desk: Desk) -> None:
    with desk.service(faults=("failed:#1",)):
        desk.jobs("shots.csv", "one")
        assert desk.give("run", "shots.csv", "--yes").exit == 1
        mend_price(desk, 9)
        shown = desk.give("retry", "outputs/shots", "--dry-run", "--json")
        assert "Buy 1 job again for 9 credits." in shown.err
        assert shown.json["plan"]["credits"] == 9
        assert desk.give("retry", "outputs/shots", "--yes", "--max-credits", "14").exit == 4
        said = desk.give("retry", "outputs/shots", "--yes", "--max-credits", "15", "--json")
        assert (said.exit, said.json["credits"]["charged"]) == (0, 15)
        assert ledger_prices(desk) == [6, 9]


def test_a_retry_that_was_stopped_is_bought_by_the_next_run_at_the_price_of_that_day(desk: Desk) -> None:
    with desk.service(faults=("failed:#1",)) as server:
        desk.jobs("shots.csv", "one")
        assert desk.give("run", "shots.csv", "--yes").exit == 1
        server.change(keys=["sk-another-0123456789abcdef"])
        assert desk.give("retry", "outputs/shots", "--yes").exit == 6
        server.change(keys=["sk-sandbox-0123456789abcdef"])
        mend_price(desk, 9)
        said = desk.give("run", "shots.csv", "--yes")
        assert "9 credits" in said.err
        assert (said.exit, ledger_prices(desk)[-1]) == (0, 9)


def test_a_success_without_a_video_is_bought_again_only_on_demand_and_the_price_is_said_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "EMPTY_WAITS", (0.05,))
    with desk.service(faults=("no-output:#1",)) as server:
        desk.jobs("shots.csv", "one", "two")
        assert desk.give("run", "shots.csv", "--yes").exit == 1
        said = desk.give("retry", "outputs/shots", "--code", "no_output", "--yes")
        assert said.exit == 2
        assert "j1 was paid for already (no_output)" in said.err
        assert "--buy-again" in said.err
        assert "6 credits" in said.err
        said = desk.give("retry", "outputs/shots", "--yes")
        assert (said.exit, len(server.audit().tasks)) == (0, 2)
        assert "--buy-again pays once more, 6 credits" in said.err
        said = desk.give("retry", "outputs/shots", "--code", "no_output", "--buy-again", "--yes")
        assert "Buy 1 job again for 6 credits." in said.err
        assert (said.exit, len(server.audit().tasks)) == (0, 3)
        results = desk.give("status", "outputs/shots", "--json").json
        assert results["states"] == {"succeeded": 2}
        assert results["credits"]["charged"] == 18


def test_lost_money_is_found_by_its_code_and_spent_again_only_on_demand(desk: Desk) -> None:
    with desk.service(faults=("drop-after:#1",)) as server:
        desk.jobs("shots.csv", "one")
        assert desk.give("run", "shots.csv", "--yes").exit == 5
        assert desk.give("resolve", "outputs/shots", "j1", "--paid-lost").exit == 0
        for chosen in (("--code", "paid_lost"), ("--state", "failed"), ("--job", "j1")):
            said = desk.give("retry", "outputs/shots", *chosen, "--yes", "--json")
            assert (said.exit, json.loads(said.out)["error"]["code"]) == (2, "paid")
        desk.jobs("shots.csv", "other words")
        assert "changed after it was bought" in desk.give("run", "shots.csv", "--dry-run").out
        assert (desk.give("run", "shots.csv", "--yes").exit, len(server.audit().tasks)) == (1, 1)
        assert desk.give("retry", "outputs/shots", "--code", "paid_lost", "--buy-again", "--yes").exit == 1
        assert desk.give("status", "outputs/shots", "--json").json["states"] == {"changed": 1}
        assert [task.prompt for task in server.audit().tasks] == ["one", "one"]


def test_an_edited_row_whose_money_was_lost_is_bought_by_the_word_for_changed_rows(desk: Desk) -> None:
    with desk.service(faults=("drop-after:#1",)) as server:
        desk.jobs("shots.csv", "one")
        assert desk.give("run", "shots.csv", "--yes").exit == 5
        assert desk.give("resolve", "outputs/shots", "j1", "--paid-lost").exit == 0
        desk.jobs("shots.csv", "other words")
        said = desk.give("run", "shots.csv", "--yes", "--resubmit-changed")
        assert (said.exit, [task.prompt for task in server.audit().tasks]) == (0, ["one", "other words"])


@pytest.mark.parametrize("code", ["paid_lost", "given_up"])
def test_what_is_said_of_lost_money_helps(desk: Desk, code: str) -> None:
    """Word for word: the command that the status names buys, and there is none that would buy nothing."""
    fault = "drop-after:#1" if code == "paid_lost" else "never-ends:#1"
    with desk.service(faults=(fault,)) as server:
        desk.jobs("shots.csv", "one")
        desk.give("run", "shots.csv", "--yes", "--deadline", "1s")
        word = "--paid-lost" if code == "paid_lost" else "--give-up"
        assert desk.give("resolve", "outputs/shots", "j1", word).exit == 0
        said = desk.give("status", "outputs/shots").out
        assert "or `batchgen retry outputs/shots` buys the same again" not in said
        (command,) = [part for part in said.split("`") if part.startswith("batchgen retry")]
        assert desk.give(*command.split()[1:], "--yes").exit == 0
        assert len(server.audit().tasks) == 2
