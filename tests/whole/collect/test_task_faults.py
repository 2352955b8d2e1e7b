"""What becomes of a task is told as it is; trouble with asking is never a job's failure; nothing is sent again."""

import pytest
from batch import PRICE, Start, row

from batchgen.running import poll
from batchgen.running.pacing import schedule

#: Faults after which the video is there all the same.
HARMLESS = (
    "late-404@0.3", "empty-success@0.6", "contradictory", "stale-data", "odd-end", "no-status", "number-status",
    "upper-case", "decoys", "odd-urls", "slow-task@3",
)  # fmt: skip


def test_odd_ways_of_saying_that_a_video_is_there_lose_none(start: Start) -> None:
    batch = start(duration="0.2", faults=tuple(f"{name}:*{name}*" for name in HARMLESS))
    batch.write(*(row(f"job-{n}", f"A {name} film") for n, name in enumerate(HARMLESS)))
    ended = batch.run()
    assert ended.states == {"succeeded": len(HARMLESS)}
    assert ended.exit == 0
    assert len(list(batch.out.glob("videos/*.mp4"))) == len(HARMLESS)
    assert [name for name, count in batch.audit.faults.items() if not count.fired] == []
    batch.check()


def test_words_that_go_backwards_or_mean_nothing_are_waited_through(start: Start) -> None:
    batch = start(2, duration="1.6", faults=("backwards:*number 1", "odd-word:*number 2"))
    assert batch.run().exit == 0
    assert [name for name, count in batch.audit.faults.items() if not count.fired] == []
    batch.check()


def test_a_part_of_the_videos_counts_as_success_and_says_so(start: Start) -> None:
    batch = start(1, faults=("partial:#1",))
    assert batch.run().exit == 0
    assert batch.line()["error_code"] == "partial"
    batch.check()


def test_success_without_a_video_is_looked_at_again_and_then_says_so(start: Start) -> None:
    batch = start(2, faults=("no-output:*number 1",))
    ended = batch.run()
    assert ended.exit == 1, "a job without a video is not done"
    assert ended.states == {"succeeded": 2}
    assert batch.line()["error_code"] == "no_output"
    assert next(task.gets for task in batch.audit.tasks if task.fault) > len(poll.EMPTY_WAITS)
    assert "named no video" in batch.command("status", batch.out).out
    batch.check()


def test_a_video_that_is_named_only_later_is_fetched_by_collect(start: Start) -> None:
    batch = start(2, faults=("empty-success@900:*number 1", "several-urls@2:*number 2"))
    assert batch.run().exit == 1
    assert batch.collect().exit == 1
    batch.sandbox.change(advance=1000)
    assert batch.collect().exit == 0
    assert batch.line()["error_code"] == ""
    assert batch.line()["video_path"] == "videos/job-1.mp4"
    assert batch.posts == 2
    batch.check()


CODES = (
    "generation_failed", "invalid_parameters", "image_processing_error", "image_dimension_mismatch",
    "file_download_error", "generation_failed_no_content", "generation_timeout", "resource_exhausted",
    "quota_exceeded", "service_error", "service_unavailable", "unknown_error", "content_policy_violation",
)  # fmt: skip


@pytest.mark.parametrize("style", ["documented", "evolink", "kie"])
def test_each_failure_keeps_its_code_and_is_not_bought_again(start: Start, style: str) -> None:
    batch = start(style=style, faults=tuple(f"failed@{code}:{code}" for code in CODES))
    batch.write(*(row(f"job-{code}", code) for code in CODES))
    ended = batch.run()
    assert ended.exit == 1
    assert ended.states == {"failed": len(CODES)}
    assert [line["error_code"] for line in batch.lines()] == list(CODES)
    assert all(line["error"] for line in batch.lines())
    assert batch.run().exit == 1
    assert batch.posts == len(CODES)
    batch.check()


def test_a_refused_prompt_is_reworded_in_its_row_and_run_again(start: Start) -> None:
    batch = start(2, faults=("moderation:*tiger*",))
    batch.write(row("job-1", "A tiger"), row("job-2", "A cat"))
    assert batch.run().exit == 1
    assert batch.line()["error_code"] == "content_policy_violation"
    batch.write(row("job-1", "A lion"), row("job-2", "A cat"))
    ended = batch.run()
    assert ended.exit == 0
    assert ended.json["credits"]["charged"] == 3 * PRICE
    batch.check()


@pytest.mark.parametrize(("fault", "state"), [("cancelled", "cancelled"), ("expired", "expired")])
def test_a_task_that_ends_without_a_video_says_how(start: Start, fault: str, state: str) -> None:
    batch = start(2, faults=(f"{fault}:*number 1",))
    ended = batch.run()
    assert ended.exit == 1
    assert ended.states == {state: 1, "succeeded": 1}
    batch.check()


def test_a_task_that_never_ends_is_overdue_and_the_next_run_goes_on_with_it(start: Start) -> None:
    batch = start(2, faults=("never-ends:*number 1",))
    ended = batch.run("--deadline", "0.5s")
    assert ended.exit == 7
    assert ended.states == {"overdue": 1, "succeeded": 1}
    looks = batch.audit.tasks[0].gets
    assert looks
    assert batch.run("--deadline", "0.5s").exit == 7
    assert batch.audit.tasks[0].gets > looks
    assert batch.posts == 2
    batch.check()


def test_an_overdue_task_that_ends_later_is_fetched_by_the_next_run(start: Start) -> None:
    batch = start(1, faults=("slow-task@15:#1",))
    assert batch.run("--deadline", "0.3s").exit == 7
    assert batch.status().states == {"overdue": 1}
    assert batch.run().exit == 0
    assert batch.posts == 1
    batch.check()


def test_waiting_ends_when_it_should_though_the_next_look_is_far_away(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "LONGEST_TROUBLE", 60.0)
    monkeypatch.setattr(schedule, "FIRST_TROUBLE", 60.0)
    batch = start(1, faults=("get-error:#1-",))
    assert batch.run("--deadline", "0.3s").exit == 7
    begun, overdue = batch.events("accepted")[0]["at"], batch.events("overdue")[0]["at"]
    assert overdue - begun < 3.0, "the deadline is looked at only with the next look"
    batch.check()


def test_a_status_that_is_an_error_for_ever_is_overdue_and_never_failed(start: Start) -> None:
    batch = start(2, faults=("stuck:*number 1",))
    ended = batch.run("--deadline", "0.8s")
    assert ended.exit == 7
    assert ended.states == {"overdue": 1, "succeeded": 1}
    assert batch.audit.tasks[0].gets > 1
    batch.check()


def test_a_task_that_vanished_is_overdue_and_named_so(start: Start) -> None:
    batch = start(2, faults=("vanishes:*number 1",))
    ended = batch.run()
    assert ended.exit == 7
    assert ended.states == {"overdue": 1, "succeeded": 1}
    assert batch.line()["error_code"] == "task_not_found"
    assert batch.posts == 2
    batch.check()


def test_a_slow_answer_holds_up_no_other_video(start: Start) -> None:
    batch = start(6, faults=("slow-get@1.2:*number 1",))
    assert batch.run().exit == 0
    order = [event["job_id"] for event in batch.events("downloaded")]
    assert order[-1] == "job-1"
    took = {event["job_id"]: event["at"] for event in batch.events("succeeded")}
    assert max(at for job, at in took.items() if job != "job-1") < took["job-1"] - 0.4
    batch.check()


POLL_TROUBLE = (
    "get-error@500", "get-page@502", "get-cloudflare@524", "get-throttle@0.1", "get-404", "get-reset", "get-drop",
    "get-truncated", "get-empty", "get-html", "get-not-json", "get-query-failed", "get-record-null",
)  # fmt: skip


def test_trouble_with_asking_never_fails_a_job_and_never_sends_one_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "NOT_FOUND_GRACE", 90.0)
    faults = tuple(f"{name}:#{n}" for n, name in enumerate(POLL_TROUBLE, start=1))
    batch = start(6, faults=faults)
    assert batch.run().exit == 0
    assert all(batch.audit.faults[name].fired for name in POLL_TROUBLE)
    assert batch.posts == 6
    batch.check()


def test_a_service_that_answers_nothing_but_errors_leaves_the_jobs_overdue_and_recovers(start: Start) -> None:
    batch = start(4, faults=("get-page@502:#1-",))
    ended = batch.run("--deadline", "0.8s")
    assert ended.exit == 7
    assert ended.states == {"overdue": 4}
    batch.sandbox.change(faults=())
    ended = batch.collect()
    assert ended.exit == 0
    assert ended.states == {"succeeded": 4}
    assert batch.posts == 4
    batch.check()


def test_too_many_questions_are_asked_more_slowly(start: Start) -> None:
    batch = start(12, poll_rate="8/0.5s", retry_after="float")
    assert batch.run().exit == 0
    audit = batch.audit
    assert audit.get_statuses[429] <= 8
    batch.check()


def test_a_key_that_dies_while_tasks_run_ends_with_6_and_another_key_goes_on(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = start(3, duration="0.5")
    batch.run("--no-wait")
    batch.sandbox.change(keys=["sk-new-0123456789abcdef"])
    ended = batch.collect("--deadline", "1s")
    assert ended.exit == 6
    assert "API key" in ended.err
    assert set(ended.states) <= {"submitted", "queued", "running", "overdue"}, "a look that is refused fails no job"
    monkeypatch.setenv("BATCHGEN_API_KEY", "sk-new-0123456789abcdef")
    assert batch.collect().exit == 0
    batch.check()


def test_a_single_refused_look_is_no_reason_when_everything_came_to_its_end(start: Start) -> None:
    """One 401 among good answers: every job has its video, so the run ends with 0 and says nothing of the key."""
    batch = start(3, faults=("get-401:#2",))
    assert batch.run("--no-wait").exit == 0
    ended = batch.collect()
    assert batch.audit.get_statuses[401] == 1
    assert ended.states == {"succeeded": 3}
    assert ended.exit == 0
    assert "API key" not in ended.err
    batch.check()
