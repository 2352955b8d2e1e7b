"""A run that is killed while it takes rows in: the ledger is whole at every moment, and the next run goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from till import SERVICE, Till

from batchgen.check.prices import PriceTable
from batchgen.job import State
from batchgen.ledger import decisions, views
from batchgen.ledger.rows import pending_sum
from batchgen.planning import preview, walk
from batchgen.planning import take_in as writing
from batchgen.planning.decide import Cap
from batchgen.planning.spool import FILE, Spool

PRICES = PriceTable.load({})
HEADER = "id,provider,model,scene,prompt\n"


class Killed(BaseException):
    """As by `kill -9`: nothing is tidied up."""


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "CHUNK", 2)
    monkeypatch.setattr(walk, "PIECE", 2)


def manifest(folder: Path, name: str, **rows: str) -> Path:
    path = folder / name
    lines = [
        f"{job_id},kie,m1,{'opera' if text == 'bad' else 'text-to-video'},{text}" for job_id, text in rows.items()
    ]
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def take_in(path: Path, till: Till) -> None:
    """What a run does before it submits."""
    options = preview.PlanOptions(only_valid=True)
    till.ledger.close()
    seen = preview.look_ahead([path], till.out, SERVICE, PRICES, Cap(), options)
    till.ledger = till.ledger.open(till.out, SERVICE, inline=True)
    writing.take_in(till.ledger, [path], seen, PRICES, Cap(True, 500), options)


def first(folder: Path) -> Path:
    """Twelve rows that no ledger knows."""
    return manifest(folder, "first.csv", **{f"a{n}": f"a film of {n}" if n != 5 else "bad" for n in range(12)})


def second(folder: Path) -> Path:
    """Rows that are the same, edited, gone, renamed, bad and new."""
    rows = {f"a{n}": f"a film of {n}" for n in (0, 7, 8, 9)}
    rows |= {"a1": "edited one", "a2": "edited two", "b3": "a film of 3", "b4": "a film of 4", "bad": "bad"}
    return manifest(folder, "second.csv", **rows, **{f"c{n}": f"another film of {n}" for n in range(9)})


def buy(till: Till) -> None:
    """a1 fails, a2 to a4 succeed, a7 runs; the rest waits."""
    till.see(till.buy("a1"), State.FAILED)
    for name in ("a2", "a3", "a4"):
        till.see(till.buy(name), State.SUCCEEDED, video_urls=(f"https://f/{name}.mp4",))
    till.buy("a7")


def told(till: Till) -> list[tuple[Any, ...]]:
    """What the ledger says of every row and job, but for its own numbers."""
    lines = [
        (one.job_id, one.row, one.manifest, one.state, one.task_id, one.charged_credits, one.request.get("prompt"))
        for one in till.results()
    ]
    jobs = "SELECT job_id, state, purchase_no, selected, changed, price FROM job ORDER BY job_id"
    decided = "SELECT what, job_id FROM decision ORDER BY what, job_id"
    waits = till.ledger.read(pending_sum)
    return [
        *lines, waits, tuple(till.names()), till.credits(),
        *(tuple(line) for query in (jobs, decided) for line in till.ledger.read(
            lambda c, query=query: c.exec_driver_sql(query).all())),
    ]  # fmt: skip


def whole(till: Till) -> None:
    """No promise is broken, and every job has one line."""
    assert till.violations() == []
    lines = [one.job_id for one in till.results() if one.state is not State.INVALID]
    assert sorted(lines) == sorted(set(lines))
    assert len(till.results()) == sum(till.ledger.read(views.row_states).values())


def kill_at(monkeypatch: pytest.MonkeyPatch, nth: int, act: Callable[[], None]) -> bool:
    """Whether it was killed: at the nth failpoint, or in the middle of what follows it."""
    left = nth

    def reached(_name: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(writing.failpoint, "reached", reached)
        patch.setattr(Spool, "remove", Spool.close)
        try:
            act()
        except Killed:
            return True
    return False


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose first manifest was taken in, and partly bought."""
    out = tmp_path_factory.mktemp("before") / "out"
    with Till(out) as till:
        take_in(first(out), till)
        buy(till)
    return out


@pytest.mark.parametrize("nth", range(1, 11))
def test_the_first_run_goes_on_where_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    with Till(tmp_path / "never killed") as till:
        take_in(first(tmp_path), till)
        right = told(till)
    with Till(tmp_path / "killed") as till:
        assert kill_at(monkeypatch, nth, lambda: take_in(first(tmp_path), till))
        whole(till)
        take_in(first(tmp_path), till)
        whole(till)
        assert told(till) == right
        assert not (till.out / FILE).exists()


@pytest.mark.parametrize("nth", range(1, 14))
def test_a_later_run_goes_on_where_it_was_killed(
    tmp_path: Path, before: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    for name in ("right", "killed"):
        shutil.copytree(before, tmp_path / name)
    with Till(tmp_path / "right") as till:
        take_in(second(tmp_path), till)
        right = told(till)
    with Till(tmp_path / "killed") as till:
        assert kill_at(monkeypatch, nth, lambda: take_in(second(tmp_path), till))
        whole(till)
        till.crash()
        take_in(second(tmp_path), till)
        whole(till)
        assert told(till) == right


@pytest.mark.parametrize("nth", [3, 4, 6, 9])
def test_a_killed_run_and_then_another_manifest_leave_each_job_once(
    tmp_path: Path, before: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    out = tmp_path / "out"
    shutil.copytree(before, out)
    with Till(out) as till:
        assert kill_at(monkeypatch, nth, lambda: take_in(second(tmp_path), till))
        other = manifest(tmp_path, "third.csv", c0="another film of 0", d1="a third film")
        assert kill_at(monkeypatch, 4, lambda: take_in(other, till))
        whole(till)
        take_in(other, till)
        whole(till)
        assert till.names() == ["c0", "d1"]
        assert [one.job_id for one in till.results() if one.row] == ["c0", "d1"]


def test_what_a_killed_run_entered_is_not_submitted_by_a_retry(
    tmp_path: Path, before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(before, out)
    with Till(out) as till:
        assert kill_at(monkeypatch, 6, lambda: take_in(second(tmp_path), till))
        failed = till.ledger.read(lambda c: decisions.ended_jobs(c, states=[State.FAILED]))
        till.ledger.write(lambda c: decisions.buy_again(c, failed, till.ledger.person()))
        assert till.names() == [one.job_id for one in failed]
        take_in(second(tmp_path), till)
        whole(till)
