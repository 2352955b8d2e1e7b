"""What the ledger says: the lines of results.csv are a function of it, and its sums add up."""

from pathlib import Path
from typing import Any

import pytest
from till import SERVICE, Till, accepted, job, outcome

from batchgen.job import WHOLE_CHARGE, OutcomeKind, State
from batchgen.ledger import decisions, views
from batchgen.ledger.rows import pending_page
from batchgen.ledger.status import Status
from batchgen.ledger.tasks import Fetched, videos_page


@pytest.fixture
def till(tmp_path: Path):
    """One job of every kind: bought twice, in doubt, lost, refunded, rejected, running, waiting."""
    with Till(tmp_path) as one:
        one.take_in("twice", "doubt", "lost", "back", "no", "runs", "waits")
        one.see(one.buy("twice", "t1"), State.FAILED)
        one.end(one.begin("doubt"), outcome(OutcomeKind.IN_DOUBT))
        one.end(one.begin("lost"), outcome(OutcomeKind.IN_DOUBT))
        lost = one.doubt("lost")
        one.ledger.write(lambda c: decisions.paid_lost(c, lost, one.ledger.person()))
        one.see(one.buy("back"), State.FAILED, refunded=WHOLE_CHARGE, error_code="nsfw", error="moderated")
        one.end(one.begin("no"), outcome(OutcomeKind.REJECTED))
        one.see(one.buy("runs"), State.RUNNING)
        one.take_in("runs", job("twice", "reworded", price=8), "doubt", "lost", "back", "no", "waits")
        one.see(one.buy("twice", "t2"), State.SUCCEEDED, video_urls=("https://f/1.mp4", "https://f/2.mp4"))
        yield one
        assert one.violations() == []


def test_charged_credits_add_up_to_the_account(till: Till) -> None:
    charged = {one.job_id: one.charged_credits for one in till.results()}
    assert charged == {"runs": 6, "twice": 14, "doubt": None, "lost": 6, "back": 6, "no": None, "waits": None}
    assert sum(amount or 0 for amount in charged.values()) == till.credits().charged
    assert sum(one.refunded_credits or 0 for one in till.results()) == till.credits().refunded == 6
    assert till.credits().in_doubt == 6


def test_lines_are_in_the_order_of_the_last_manifest_then_the_other_jobs(till: Till) -> None:
    till.take_in("waits", "runs")
    shown = [(one.job_id, one.row is not None) for one in till.results()]
    assert shown[:2] == [("waits", True), ("runs", True)]
    assert {name for name, _ in shown[2:]} == {"twice", "doubt", "lost", "back", "no"}
    assert not any(has_row for _, has_row in shown[2:])


def test_every_job_has_one_line_and_the_counts_say_the_same(till: Till) -> None:
    shown = till.results()
    assert len({one.job_id for one in shown}) == len(shown) == 7
    counts: dict[State, int] = {}
    for one in shown:
        counts[one.state] = counts.get(one.state, 0) + 1
    assert till.ledger.read(views.row_states) == counts


def test_a_changed_row_is_counted_as_changed(till: Till) -> None:
    till.take_in(job("twice", "a third wording"), "runs")
    assert till.state("twice") is State.CHANGED
    states = till.ledger.read(views.row_states)
    assert states[State.CHANGED] == 1
    assert State.SUCCEEDED not in states


def test_the_line_of_a_job_bought_twice_tells_of_the_last_task_and_of_all_the_money(till: Till) -> None:
    (line,) = [one for one in till.results() if one.job_id == "twice"]
    assert (line.task_id, line.attempts, line.estimated_credits, line.charged_credits) == ("t2", 2, 8, 14)
    assert line.video_urls == ("https://f/1.mp4", "https://f/2.mp4")
    assert line.request["prompt"] == "reworded"


def test_only_files_that_are_whole_on_disk_have_a_path(till: Till) -> None:
    (page, _) = till.ledger.read(lambda c: videos_page(c, 0, 10))
    assert [video.n for video in page] == [1, 2]
    task_no = page[0].task_no

    def fetch(*some: Fetched) -> None:
        from batchgen.ledger.tasks import fetched

        till.ledger.write(lambda c: fetched(c, some))

    fetch(
        Fetched(task_no, 1, "videos/twice.mp4", 10, "a" * 64),
        Fetched(task_no, 2, "videos/twice+2.mp4", trouble="x"),
    )
    (line,) = [one for one in till.results() if one.job_id == "twice"]
    assert line.video_paths == ("videos/twice.mp4",)
    assert till.ledger.read(views.files_missing) == 1
    fetch(Fetched(task_no, 2, "videos/twice+2.mp4", 10, "b" * 64))
    assert till.ledger.read(views.files_missing) == 0


def test_a_status_is_the_same_after_a_crash(till: Till) -> None:
    def status() -> Status:
        return till.ledger.read(lambda c: Status.of(c, till.out))

    before = status()
    till.crash()
    assert status() == before
    assert before.pending == 1


def test_results_are_the_same_twice(till: Till) -> None:
    assert till.results() == till.results()


def test_results_go_over_many_pages(tmp_path: Path) -> None:
    with Till(tmp_path) as till:
        names = [f"j{n:05}" for n in range(2_500)]
        till.take_in(*names)
        till.take_in(*names[1_200:])
        assert [one.job_id for one in till.results()] == [*names[1_200:], *names[:1_200]]


def test_a_task_belongs_to_the_ledgers_service(tmp_path: Path) -> None:
    with Till(tmp_path) as till:
        till.take_in("a")
        till.end(till.begin("a"), accepted("t"))
        assert till.ledger.read(lambda c: c.exec_driver_sql("SELECT service FROM task").scalar()) == SERVICE


@pytest.mark.parametrize(
    "view",
    [
        lambda connection: list(views.results(connection)),
        lambda connection: pending_page(connection, (-1, -1), 500),
        lambda connection: videos_page(connection, 0, 500),
    ],
    ids=["results", "jobs to submit", "videos to fetch"],
)
def test_a_page_is_looked_up_and_never_searched_for_among_all_attempts_and_tasks(till: Till, view: Any) -> None:
    """Else a million jobs, a page of some hundred after the other, would never be done."""
    scans = [one for one in till.scans(view) if "manifest" not in one.split(":")[0]]
    assert scans == []
