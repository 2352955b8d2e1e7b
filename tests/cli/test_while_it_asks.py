"""While the question "Submit …?" stands, the world goes on: only what was shown is bought, or nothing."""

import sys
from collections.abc import Callable

import click
import pytest
from desk import Desk, Said


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Somebody at a terminal who does something else first, and then says yes."""

    def does(first: Callable[[], object]) -> None:
        def yes(*_question: object, **_how: object) -> bool:
            first()
            return True

        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(click, "confirm", yes)

    return does


def _refused(said: Said, code: str) -> None:
    assert said.exit == 3
    assert said.json["problems"][0]["code"] == code
    assert "nothing was submitted" in said.err


def test_a_yes_to_one_job_buys_no_doubts_that_were_settled_meanwhile(
    desk: Desk, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    """One job waits and three are in doubt; another terminal says that these were not charged."""
    with desk.service(faults=("drop-before:#1-3",)) as server:
        desk.jobs("shots.csv", "one", "two", "three", "four")
        pace = ("--max-in-flight", "1")
        assert desk.give("run", "shots.csv", "--yes", "--limit", "3", *pace).exit == 5
        assert desk.give("run", "shots.csv", "--yes", "--limit", "0").exit == 5
        desk.change_ledger("outputs/shots", "UPDATE attempt SET not_after = 0")
        settled: list[int] = []
        resolve = ("resolve", "outputs/shots", "--all", "--not-charged", "--yes")
        meanwhile(lambda: settled.append(desk.give(*resolve).exit))
        _refused(desk.give("run", "shots.csv", "--json"), "plan_changed")
        assert settled == [0]
        assert not server.audit().tasks
        meanwhile(lambda: None)
        assert desk.give("run", "shots.csv").exit == 0, "four are shown now, and bought"
        assert len(server.audit().tasks) == 4


@pytest.mark.parametrize(
    "prompts",
    [("one", "two", "another text"), ("one", "two"), ("one", "two", "three", "four")],
    ids=["another text", "a row less", "a row more"],
)
def test_a_manifest_that_is_edited_meanwhile_is_not_bought_unseen(
    desk: Desk, meanwhile: Callable[[Callable[[], object]], None], prompts: tuple[str, ...]
) -> None:
    with desk.service() as server:
        desk.jobs("shots.csv", "one", "two", "three")
        meanwhile(lambda: desk.jobs("shots.csv", *prompts))
        _refused(desk.give("run", "shots.csv", "--json"), "manifest_changed")
        assert not server.audit().tasks


def test_an_id_that_is_made_twice_meanwhile_is_said_in_one_sentence(
    desk: Desk, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    with desk.service() as server:
        desk.jobs("shots.csv", "one", "two", "three")
        rows = ("j1,kie,m,text-to-video,one", "j1,kie,m,text-to-video,two", "j3,kie,m,text-to-video,three")
        meanwhile(lambda: desk.write("shots.csv", *rows))
        said = desk.give("run", "shots.csv", "--json")
        _refused(said, "manifest_changed")
        assert "Traceback" not in said.err
        assert not server.audit().tasks


def test_a_table_of_a_yaml_manifest_that_is_edited_meanwhile_is_not_bought_unseen(
    desk: Desk, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    (desk.folder / "shots.yaml").write_text(
        "version: 1\njobs:\n  - rows: texts.csv\n    provider: kie\n    model: m\n    scene: text-to-video\n"
        '    prompt: "{{ text }}"\n',
        encoding="utf-8",
    )
    desk.write("texts.csv", "a cat", header="text")
    with desk.service() as server:
        meanwhile(lambda: desk.write("texts.csv", "a dog", header="text"))
        _refused(desk.give("run", "shots.yaml", "--json"), "manifest_changed")
        assert not server.audit().tasks
