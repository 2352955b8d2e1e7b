"""What a command shows before money is spent, and where: the document on stdout, the rest on stderr."""

import pytest
from desk import Desk


@pytest.mark.parametrize("command", [("validate",), ("run", "--out", "out"), ("estimate",)])
def test_every_command_that_ends_with_3_prints_the_document_of_validate(
    desk: Desk, command: tuple[str, ...]
) -> None:
    (desk.folder / "empty").mkdir()
    said = desk.give(*command, "empty", "--json")
    assert said.exit == 3
    assert (said.json["rows"], said.json["problems_total"]) == (0, 1)
    assert said.json["problems"][0]["code"] == "no_manifests"
    assert said.json["problems"][0]["row"] is None


def test_an_estimate_over_the_cap_is_one_document_with_the_estimate_and_the_refusal(desk: Desk) -> None:
    desk.jobs("shots.csv", "one", "two")
    said = desk.give("estimate", "shots.csv", "--max-credits", "6", "--json")
    assert said.exit == said.json["exit"] == 4
    assert said.json["to_pay"] == {"jobs": 2, "credits": 12}
    assert said.json["error"]["code"] == "over_cap"


def test_what_is_paid_already_is_told_apart_from_what_is_to_pay(desk: Desk) -> None:
    with desk.service():
        desk.jobs("shots.csv", "one", "two")
        desk.give("run", "shots.csv", "--yes")
        desk.jobs("shots.csv", "one", "two", "three")
        said = desk.give("estimate", "shots.csv", "--out", "outputs/shots")
    assert "2 jobs paid already with 12 credits, 1 job to pay for with 6 credits." in said.out


def test_resolving_all_says_when_nothing_is_in_doubt(desk: Desk) -> None:
    with desk.service():
        desk.jobs("shots.csv", "one")
        desk.give("run", "shots.csv", "--yes")
        assert (
            desk.give("resolve", "outputs/shots", "--all", "--paid-lost", "--yes").out == "Nothing is in doubt.\n"
        )


def test_what_a_dry_run_says_is_its_output(desk: Desk) -> None:
    with desk.service(faults=("error@400:#1",)):
        desk.jobs("shots.csv", "one")
        assert "6 credits" in desk.give("run", "shots.csv", "--dry-run").out
        desk.give("run", "shots.csv", "--yes")
        assert desk.give("retry", "outputs/shots", "--dry-run").out == "Buy 1 job again for 6 credits.\n"


def test_texts_begin_and_end_without_blank_lines(desk: Desk) -> None:
    desk.jobs("shots.csv", "one")
    desk.write("bad.csv", "j1,kie,m,text-to-video,")
    for command in (
        "validate shots.csv",
        "estimate shots.csv",
        "estimate shots.csv --format markdown",
        "validate bad.csv",
    ):
        out = desk.give(*command.split()).out
        assert out == out.strip("\n") + "\n", command
