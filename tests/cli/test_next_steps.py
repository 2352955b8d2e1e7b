"""What a person reads at the end: every sentence is true, and what it says to do helps."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from batchgen.job import State
from batchgen.ledger.status import Status
from batchgen.ledger.views import Credits
from batchgen.running import poll
from batchgen.running import stations as drive
from batchgen.running.status_text import end_text, next_steps
from batchgen.videos.download import Limits, download


def status(states: dict[State, int], *, cap: int | None = None, charged: int = 0, **more: Any) -> Status:
    """A status with little in it; `more` are further fields."""
    some: dict[str, Any] = {
        "estimated": 0,
        "pending": 0,
        "pending_credits": 0,
        "files_missing": 0,
        "running": False,
    }
    return Status(Path("OUT"), states, states, Credits(cap, charged, 0, 0, 0, 0), **some | more)


IN_A_DAY = time.time() + 86400


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        pytest.param(status({State.SUCCEEDED: 3}), ["Everything is done."], id="all done"),
        pytest.param(status({}), ["Everything is done."], id="nothing to do"),
        pytest.param(
            status({State.SUBMITTED: 1, State.RUNNING: 2}), ["3 tasks not ended yet", "collect OUT"], id="no-wait"
        ),
        pytest.param(
            status({State.SUCCEEDED: 3}, files_missing=3, urls_die_at=IN_A_DAY),
            ["3 videos not on disk", "collect OUT` fetches them. The first URL dies at"],
            id="no-download",
        ),
        pytest.param(
            status({State.SUCCEEDED: 1}, files_missing=1, urls_die_at=1e9, trouble="not_a_video: a web page came"),
            ["1 video not on disk (a web page came): ", "fetches it. The first URL died at 2001"],
            id="a file host that gave something else",
        ),
        pytest.param(
            status({State.OVERDUE: 2}),
            ["2 tasks overdue", "goes on waiting", "JOB --give-up` ends it"],
            id="overdue",
        ),
        pytest.param(
            status(
                {State.OVERDUE: 3},
                overdue=(("another_task", "the answer is about another task", 2), ("overdue", "", 1)),
            ),
            ["3 tasks overdue", "2 of them: the answer is about another task. Asked about this task"],
            id="overdue, and why",
        ),
        pytest.param(
            status({State.NOT_SUBMITTED: 2, State.RUNNING: 1}, pending=2, pending_credits=12),
            ["1 task not ended yet", "2 jobs (12 credits) not submitted yet: run the manifest again."],
            id="interrupted",
        ),
        pytest.param(
            status({State.NOT_SUBMITTED: 2}, pending=2, pending_credits=12, cap=20, charged=12),
            ["the cap leaves 8", "run the manifest with --max-credits 24."],
            id="cap reached",
        ),
        pytest.param(
            status({State.NOT_SUBMITTED: 2}, pending=2, pending_credits=8, cap=20, charged=12),
            ["2 jobs (8 credits) not submitted yet: run the manifest again."],
            id="stopped for another reason under a cap",
        ),
        pytest.param(
            status({State.NOT_SUBMITTED: 28, State.SUCCEEDED: 2}),
            ["28 jobs not submitted, and not asked for last time: run the manifest without --select."],
            id="rows that --select or a retry of others left out",
        ),
        pytest.param(status({State.IN_DOUBT: 1}), ["1 job in doubt", "resolve OUT JOB --task-id T"], id="in doubt"),
        pytest.param(
            status({State.SUBMITTING: 1}),
            ["1 job was on the way to the service when the last run was killed", "collect OUT` takes stock"],
            id="killed",
        ),
        pytest.param(
            status({State.FAILED: 1, State.REJECTED: 1}, refund_expected=6),
            [
                "2 jobs ended without a video",
                "retry OUT",
                "6 credits charged for failed tasks: a refund is expected",
            ],
            id="some failed",
        ),
        pytest.param(
            status({State.SUCCEEDED: 1}, without_output=1),
            ["1 task succeeded, but named no video", "retry OUT --code no_output --buy-again` pays once more"],
            id="no output",
        ),
        pytest.param(
            status({State.FAILED: 3, State.EXPIRED: 1}, money_lost=2),
            [
                "2 jobs ended without a video: edit the rows and run again, or `batchgen retry OUT`",
                "2 jobs paid for, and lost or given up: `batchgen retry OUT --code paid_lost --code given_up",
                "--buy-again` pays once more",
            ],
            id="money lost",
        ),
        pytest.param(
            status({State.CHANGED: 2, State.INVALID: 1}),
            ["2 rows changed after the video was bought: --resubmit-changed buys new ones", "1 row with problems"],
            id="changed and invalid",
        ),
        pytest.param(status({State.RUNNING: 1}, running=True), ["A run works on it right now."], id="at work"),
    ],
)
def test_it_says_what_to_do_next(moment: Status, said: list[str]) -> None:
    """Each thing that is left has its sentence, and "done" is said only where nothing is left."""
    text = "\n".join(next_steps(moment))
    for words in said:
        assert words in text
    assert ("Everything is done." in text) == (said == ["Everything is done."])


def test_no_page_is_named_that_was_not_written(tmp_path: Path) -> None:
    (tmp_path / "results.csv").touch()
    one = status({State.SUCCEEDED: 1})
    text = end_text(Status(tmp_path, one.states, one.states, one.credits, 0, 0, 0, 0, running=False))
    assert "Results: " in text
    assert not any("Results: " in line and "Page: " in line for line in text.splitlines())
    assert "Page" not in text


def test_a_run_without_waiting_then_without_downloading_says_each_time_what_is_left(desk: Desk) -> None:
    desk.jobs("shots.csv", "a mug", "a cup")
    with desk.service():
        said = desk.give("run", "shots.csv", "--yes", "--no-wait")
        assert "2 tasks not ended yet" in said.out
        said = desk.give("collect", "outputs/shots", "--no-download")
        assert "2 videos not on disk: `batchgen collect outputs/shots` fetches them." in said.out
        assert "not ended" not in said.out
        said = desk.give("collect", "outputs/shots")
    assert said.out.splitlines()[-1] == "Everything is done."


def test_a_failed_task_without_a_stated_refund_is_shown_as_refund_expected(desk: Desk) -> None:
    """A price that was charged for nothing is not passed over, and not called refunded either."""
    desk.jobs("shots.csv", "a mug")
    with desk.service(faults=("failed:#1",)):
        said = desk.give("run", "shots.csv", "--yes")
    assert said.exit == 1
    assert "6 credits charged for failed tasks: a refund is expected" in said.out


def test_what_kept_a_video_away_is_said(desk: Desk) -> None:
    desk.jobs("shots.csv", "a mug")
    with desk.service(faults=("file-html:#1-",)):
        said = desk.give("run", "shots.csv", "--yes")
    assert said.exit == 7
    assert "1 video not on disk (the file host sent a web page (HTML) instead of a video)" in said.out


@pytest.mark.parametrize(
    "later", [("run", "shots.csv", "--select", "id=j2"), ("retry", "outputs/shots", "--job", "j2", "--buy-again")]
)
def test_a_paid_video_that_is_not_on_disk_is_never_passed_over(
    desk: Desk, later: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for last narrows the exit of that command only: what is paid for is still to be fetched."""
    monkeypatch.setattr(drive, "download", partial(download, limits=Limits(pauses=(0.01,))))
    desk.jobs("shots.csv", "nofile a mug", "a cup")
    with desk.service(faults=("file-error@500:*nofile*",)) as server:
        assert desk.give("run", "shots.csv", "--yes").exit == 7
        said = desk.give(*later, "--yes")
        assert said.exit == 0
        assert "1 video not on disk" in said.out
        said = desk.give("collect", "outputs/shots")
        assert said.exit == 7
        assert "1 video not on disk (" in said.out
        assert "The first URL dies at" in said.out
        assert desk.give("status", "outputs/shots", "--json").json["exit"] == 7
        said = desk.give("status", "outputs/shots")
        assert "Everything is done." not in said.out
        server.change(faults=())
        said = desk.give("collect", "outputs/shots")
        assert (said.exit, said.out.splitlines()[-1]) == (0, "Everything is done.")


def test_a_success_without_a_video_is_not_passed_over_after_a_selection(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "EMPTY_WAITS", (0.05,))
    desk.jobs("shots.csv", "a mug", "a cup")
    with desk.service(faults=("no-output:#1",)):
        assert desk.give("run", "shots.csv", "--yes").exit == 1
        assert desk.give("run", "shots.csv", "--yes", "--select", "id=j2").exit == 0
    assert desk.give("status", "outputs/shots", "--json").json["exit"] == 1
    assert "1 task succeeded, but named no video" in desk.give("status", "outputs/shots").out


def test_a_retry_says_of_the_others_only_what_is_true(desk: Desk) -> None:
    """Nobody said --select: the jobs that a limited run had left were just not asked for by the retry."""
    desk.jobs("shots.csv", "one", "two", "three", "four")
    with desk.service():
        assert desk.give("run", "shots.csv", "--yes", "--limit", "2").exit == 7
        said = desk.give("retry", "outputs/shots", "--job", "j1", "--buy-again", "--yes")
        assert said.exit == 0
        assert "2 jobs not submitted, and not asked for last time: run the manifest" in said.out
        assert "last run" not in said.out
        assert desk.give("run", "shots.csv", "--yes").exit == 0
