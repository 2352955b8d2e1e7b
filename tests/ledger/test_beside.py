"""What lies beside an OUT is asked by content before money is spent, and nothing there is touched or trusted."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from till import Till, job, outcome

from batchgen.job import OutcomeKind, State
from batchgen.ledger.sqlite.beside import Beside, LedgersBeside


def other(root: Path, name: str, *prompts: str, service: str = "https://sseedance.com") -> None:
    """A ledger that bought these prompts, each under an id of its own."""
    with Till(root / name) as till:
        till.take_in(*(job(f"{name}-{n}", prompt) for n, prompt in enumerate(prompts)))
        for n, _ in enumerate(prompts):
            till.see(till.buy(f"{name}-{n}", f"{name}-task-{n}"), State.SUCCEEDED)
    with closing(sqlite3.connect(root / name / "ledger.sqlite3")) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'service'", (f'"{service}"',))


def bought_beside(out: Path, fingerprints: list[str], **limits: Any) -> Beside:
    with closing(LedgersBeside(out)) as beside:
        for fingerprint in fingerprints:
            beside.want(fingerprint)
        return beside.ask(**limits)


def wanted(*prompts: str) -> list[str]:
    return [job("x", prompt).fingerprint for prompt in prompts]


def told(found: Beside) -> list[tuple[str, int, int]]:
    return [(one.out.name, one.jobs, one.amount) for one in found.bought]


def test_the_same_requests_under_other_ids_are_found_with_their_amount(tmp_path: Path) -> None:
    other(tmp_path, "sheet", "a cat", "a dog", "a bird")
    found = bought_beside(tmp_path / "sheet (1)", wanted("a cat", "a bird", "a fish"))
    assert told(found) == [("sheet", 2, 12)]
    assert found.unread == ()


def test_other_requests_with_the_same_ids_are_nobodys(tmp_path: Path) -> None:
    other(tmp_path, "sheet", "a cat")
    assert told(bought_beside(tmp_path / "new", wanted("another film"))) == []


def test_a_sandboxs_out_and_the_out_itself_do_not_count(tmp_path: Path) -> None:
    other(tmp_path, "rehearsal", "a cat", service="sandbox")
    other(tmp_path, "mine", "a cat")
    assert told(bought_beside(tmp_path / "mine", wanted("a cat"))) == []


def test_what_was_never_charged_or_given_back_whole_does_not_count_and_a_doubt_does(tmp_path: Path) -> None:
    with Till(tmp_path / "sheet") as till:
        till.take_in(*(job(name, f"prompt of {name}") for name in ("waits", "refused", "back", "doubt")))
        till.end(till.begin("refused"), outcome(OutcomeKind.REJECTED))
        till.see(till.buy("back", "t1"), State.FAILED, refunded=6)
        till.begin("doubt")
    prompts = [f"prompt of {name}" for name in ("waits", "refused", "back", "doubt")]
    assert told(bought_beside(tmp_path / "new", wanted(*prompts))) == [("sheet", 1, 6)]


@pytest.mark.parametrize("content", [b"", b"no ledger at all", b"SQLite format 3\0" + bytes(200)])
def test_a_ledger_that_cant_be_read_is_named_and_stops_nothing(tmp_path: Path, content: bytes) -> None:
    other(tmp_path, "good", "a cat")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "ledger.sqlite3").write_bytes(content)
    found = bought_beside(tmp_path / "new", wanted("a cat"))
    assert told(found) == [("good", 1, 6)]
    assert [path.name for path, _ in found.unread] == ["bad"]
    assert (tmp_path / "bad" / "ledger.sqlite3").read_bytes() == content


def test_a_schema_that_somebody_prepared_is_not_trusted(tmp_path: Path) -> None:
    """A view in the place of a table may call functions: they are not called."""
    other(tmp_path, "odd", "a cat")
    with closing(sqlite3.connect(tmp_path / "odd" / "ledger.sqlite3")) as connection, connection:
        connection.execute("ALTER TABLE meta RENAME TO kept")
        connection.execute("CREATE VIEW meta AS SELECT key, load_extension('x') AS value FROM kept")
    found = bought_beside(tmp_path / "new", wanted("a cat"))
    assert found.bought == ()
    assert [path.name for path, _ in found.unread] == ["odd"]


def test_looking_beside_ends_when_its_time_is_up(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        other(tmp_path, name, "a cat")
    times = iter([0.0, *([6.0] * 1_000)])
    found = bought_beside(tmp_path / "new", wanted("a cat"), clock=lambda: next(times))
    assert found.bought == ()
    assert len(found.unread) == 3
    assert "5 seconds" in found.unread[0][1]


def test_nothing_beside_is_written(tmp_path: Path) -> None:
    other(tmp_path, "sheet", "a cat")
    before = {path.name: path.read_bytes() for path in (tmp_path / "sheet").iterdir()}
    bought_beside(tmp_path / "new", wanted("a cat"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "sheet").iterdir()} == before
    assert not (tmp_path / "new").exists()
