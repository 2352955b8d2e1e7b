"""What only a person may decide: settle a doubt, give a task up, buy again. Each is shown, and each is obeyed."""

import time
from pathlib import Path

import pytest
from batch import PRICE, Batch, Start, row

from batchgen.cli import ledger as cli_ledger


def _wait_out(batch: Batch) -> None:
    """The time in which a lost request may still arrive is over."""
    batch.write_ledger("UPDATE attempt SET not_after = 0")


def _doubtful(start: Start, jobs: int = 3, fault: str = "drop-after") -> Batch:
    """A batch whose jobs are all in doubt. The service charged them, or not, as the fault says."""
    batch = start(jobs, faults=(f"{fault}:#1-{jobs}",))
    ended = batch.run("--burst", "1")
    assert ended.exit == 5
    assert ended.states == {"in_doubt": jobs}
    batch.check()
    return batch


# -- resolve ---------------------------------------------------------------------------------------------------


def test_a_doubt_is_listed_with_what_helps_to_find_it(start: Start) -> None:
    batch = _doubtful(start, 1)
    listing = batch.resolve().out
    assert all(word in listing for word in ("1 job in doubt", "job-1", "Film number 1", "sandbox-1", "6 credits"))
    assert batch.run().exit == 5
    assert batch.posts == 1
    assert batch.collect().exit == 5
    batch.check()


def test_a_doubt_that_was_accepted_is_adopted_by_its_task_id_and_fetched(start: Start) -> None:
    batch = _doubtful(start, 2)
    task = next(task for task in batch.audit.tasks if task.prompt == "Film number 2")
    assert batch.resolve("job-2", "--task-id", task.task_id).exit == 0
    assert batch.collect().exit == 5
    assert batch.line("job-2")["state"] == "succeeded"
    other = next(task for task in batch.audit.tasks if task.prompt == "Film number 1")
    said = batch.resolve("job-1", "--task-id", task.task_id)
    assert said.exit == 2
    assert "belongs to job job-2" in said.err
    batch.resolve("job-1", "--task-id", other.task_id)
    assert batch.run().exit == 0
    assert batch.posts == 2
    batch.check()


def test_a_task_id_that_does_not_exist_becomes_overdue_not_failed(start: Start) -> None:
    batch = _doubtful(start, 1, "drop-before")
    batch.resolve("job-1", "--task-id", "no-such-task")
    batch.write_ledger("UPDATE task SET accepted_at = accepted_at - 100")
    ended = batch.collect()
    assert ended.exit == 7
    assert ended.states == {"overdue": 1}
    assert batch.posts == 1


def test_not_charged_is_refused_while_the_request_may_still_arrive(start: Start) -> None:
    batch = _doubtful(start, 1, "drop-before")
    said = batch.resolve("job-1", "--not-charged")
    assert said.exit == 2
    assert "may still arrive" in said.err
    assert batch.status().states == {"in_doubt": 1}
    batch.check()


def test_what_was_not_charged_is_submitted_again(start: Start) -> None:
    batch = _doubtful(start, 2, "drop-before")
    _wait_out(batch)
    assert batch.resolve("job-1", "job-2", "--not-charged").exit == 0
    assert batch.status().json["credits"]["in_doubt"] == 0
    assert batch.run().exit == 0
    assert batch.posts == 4
    assert batch.audit.charged == 2 * PRICE
    batch.check()


def test_a_doubt_made_under_a_wrong_clock_is_settled_by_a_person_and_by_nobody_else(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = _doubtful(start, 2, "drop-before")
    batch.write_ledger("UPDATE attempt SET begun_at = begun_at + 31536000, not_after = not_after + 31536000")
    for argument in ("--yes", ""):
        said = batch.resolve("job-1", "--not-charged", *filter(None, [argument]))
        assert said.exit == 2
        assert "seconds" not in said.err
        assert batch.status().states == {"in_doubt": 2}
    assert "clock" in batch.resolve("job-1", "--not-charged", "--yes").err
    asked: list[str] = []
    monkeypatch.setattr(cli_ledger, "_confirm", lambda question: len(asked.append(question) or asked) > 1)
    assert batch.resolve("job-1", "--not-charged").exit == 2, "a person may say no"
    assert batch.resolve("job-1", "--not-charged").exit == 0
    assert "wrong clock" in asked[0]
    assert batch.status().states == {"in_doubt": 1, "not_submitted": 1}
    batch.check()


@pytest.mark.parametrize(("ahead", "clock"), [(100.0, False), (440.0, False), (480.0, True), (10.0**9, True)])
def test_a_time_that_no_submission_can_take_is_told_from_one_that_it_may(
    start: Start, ahead: float, clock: bool
) -> None:
    batch = _doubtful(start, 1, "drop-before")
    batch.write_ledger(f"UPDATE attempt SET not_after = {time.time() + ahead}")
    said = batch.resolve("job-1", "--not-charged", "--yes")
    assert said.exit == 2
    assert ("clock was wrong" in said.err) is clock
    assert ("Look again in" in said.err) is not clock


def test_a_named_task_is_asked_about_and_the_answer_is_said(start: Start) -> None:
    batch = _doubtful(start, 2)
    task = next(task for task in batch.audit.tasks if task.prompt == "Film number 2")
    assert "The service knows it" in batch.resolve("job-2", "--task-id", task.task_id).out
    assert "The service knows no such task" in batch.resolve("job-1", "--task-id", "no-such-task").out
    assert batch.posts == 2


def test_not_charged_for_all_asks_twice(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = _doubtful(start, 3, "drop-before")
    _wait_out(batch)
    assert batch.resolve("--all", "--not-charged").exit == 2
    asked: list[str] = []
    monkeypatch.setattr(cli_ledger, "_confirm", lambda question: len(asked.append(question) or asked) < 2)
    assert batch.resolve("--all", "--not-charged").exit == 2
    assert len(asked) == 2
    assert "18 credits" in asked[1]
    assert batch.status().states == {"in_doubt": 3}
    assert batch.resolve("--all", "--not-charged", "--yes").exit == 0
    assert batch.status().states == {"not_submitted": 3}
    batch.check()


def test_paid_and_lost_counts_as_spent_and_is_bought_again_only_on_demand(start: Start) -> None:
    batch = _doubtful(start, 2)
    assert batch.resolve("--all", "--paid-lost").exit == 0
    status = batch.status()
    assert status.states == {"failed": 2}
    assert status.json["credits"]["charged"] == 2 * PRICE == batch.audit.charged
    assert batch.line()["charged_credits"] == str(PRICE)
    assert batch.run().exit == 1
    assert batch.retry().exit == 0
    assert batch.posts == 2
    assert batch.retry("--job", "job-1").exit == 2
    assert batch.retry("--job", "job-1", "--buy-again").exit == 0
    assert batch.posts == 3
    assert batch.line()["charged_credits"] == str(2 * PRICE)
    assert batch.status().json["credits"]["charged"] == 3 * PRICE
    batch.check()


def test_a_task_that_is_found_after_all_is_fetched_and_not_paid_twice(start: Start) -> None:
    """Nobody need leave a video at the service because somebody called it lost."""
    batch = _doubtful(start, 1)
    (task,) = batch.audit.tasks
    assert "--task-id still takes its task" in batch.resolve("job-1", "--paid-lost").out
    assert batch.resolve("job-1", "--task-id", task.task_id).exit == 0
    assert batch.collect().exit == 0
    assert (batch.line()["state"], batch.line()["charged_credits"]) == ("succeeded", str(PRICE))
    assert batch.status().json["credits"]["charged"] == PRICE == batch.audit.charged
    assert batch.posts == 1
    batch.check()


def test_a_wrong_task_id_is_put_right_when_the_service_does_not_know_it(start: Start) -> None:
    batch = _doubtful(start, 1)
    (task,) = batch.audit.tasks
    batch.resolve("job-1", "--task-id", f"{task.task_id}x")
    assert batch.resolve("job-1", "--task-id", task.task_id).exit == 2
    batch.write_ledger("UPDATE task SET accepted_at = accepted_at - 100")
    assert batch.collect().states == {"overdue": 1}
    assert batch.resolve("job-1", "--task-id", task.task_id).exit == 0
    assert batch.collect().states == {"succeeded": 1}
    batch.check()


def test_many_doubts_are_settled_by_a_table_of_task_ids(start: Start) -> None:
    batch = _doubtful(start, 3)
    ids = {task.prompt[-1]: task.task_id for task in batch.audit.tasks}
    table = batch.write(f"job-1,{ids['1']}", f"job-3,{ids['3']}", "job-2,", header="job_id,task_id",
                        path=batch.desk / "found.csv")  # fmt: skip
    assert batch.resolve("--from", table).exit == 0
    ended = batch.collect()
    assert ended.states == {"succeeded": 2, "in_doubt": 1}
    batch.check()


def test_results_csv_itself_with_task_ids_filled_in_settles_doubts(start: Start) -> None:
    batch = _doubtful(start, 2)
    ids = {task.prompt[-1]: task.task_id for task in batch.audit.tasks}
    path = batch.out / "results.csv"
    rows = [",".join([line["job_id"], ids[line["job_id"][-1]]]) for line in batch.lines()]
    path = batch.write(*rows, header="job_id,task_id", path=batch.desk / "mended.csv")
    assert batch.resolve("--from", path).exit == 0
    assert batch.collect().exit == 0
    batch.check()


def test_a_task_id_is_taken_without_the_blanks_that_came_with_it(start: Start) -> None:
    """So one task never goes to two jobs, however it was copied."""
    batch = _doubtful(start, 2)
    task = next(task.task_id for task in batch.audit.tasks if task.prompt == "Film number 1")
    assert batch.resolve("job-1", "--task-id", f"  {task} ").exit == 0
    assert [one["task_id"] for one in batch.rows_of("task")] == [task]
    said = batch.resolve("job-2", "--task-id", f"{task}\n")
    assert said.exit == 2
    assert "belongs to job job-1" in said.err
    batch.check()


@pytest.mark.parametrize("slip", ["", " ", "..", "one\ntwo", "https://service.test/tasks/one", "x" * 2000])
def test_what_can_be_no_task_id_is_not_taken_for_one(start: Start, slip: str) -> None:
    batch = _doubtful(start, 1)
    said = batch.resolve("job-1", "--task-id", slip)
    assert said.exit == 2
    assert "--task-id is no task id" in said.err
    assert len(said.err) < 500
    assert batch.status().states == {"in_doubt": 1}
    if slip.strip():
        table = batch.write(f'job-1,"{slip}"', header="job_id,task_id", path=batch.desk / "found.csv")
        said = batch.resolve("--from", table)
        assert said.exit == 2
        assert f"found.csv, line {2 + slip.count(chr(10))}, is no task id" in said.err
    assert batch.status().states == {"in_doubt": 1}


def test_a_table_with_two_task_ids_for_one_job_settles_nothing(start: Start) -> None:
    batch = _doubtful(start, 2)
    one, two = (task.task_id for task in batch.audit.tasks)
    lines = (f"job-1,{one}", f"job-2,{two}", f"job-1,{two}")
    table = batch.write(*lines, header="job_id,task_id", path=batch.desk / "found.csv")
    said = batch.resolve("--from", table)
    assert said.exit == 2
    assert f"two task ids for job job-1: {one} in line 2, {two} in line 4" in said.err
    assert batch.status().states == {"in_doubt": 2}
    batch.write(*lines[:2], lines[0], header="job_id,task_id", path=table)
    assert batch.resolve("--from", table).exit == 0


@pytest.mark.parametrize(
    "wish",
    [
        ("job-1", "--not-charged", "--paid-lost"),
        ("job-1", "job-2", "--task-id", "t"),
        ("--paid-lost",),
        ("job-1", "--all", "--paid-lost"),
        ("no-such-job", "--paid-lost"),
        ("--all", "--give-up"),
        ("--from", "no-such-file.csv"),
    ],
)
def test_a_wish_that_is_not_clear_changes_nothing(start: Start, wish: tuple[str, ...]) -> None:
    batch = _doubtful(start, 2)
    assert batch.resolve(*wish).exit == 2
    assert batch.status().states == {"in_doubt": 2}


def test_the_id_that_the_service_gave_before_leaves_the_second_job_in_doubt(start: Start) -> None:
    batch = start(3, faults=("same-id:#2",))
    ended = batch.run("--burst", "1", "--max-in-flight", "1")
    assert ended.exit == 5
    assert ended.states["in_doubt"] == 1
    assert batch.events("in_doubt")[0]["code"] == "known_task_id"
    assert len({line["task_id"] for line in batch.lines() if line["task_id"]}) == 2
    batch.check()


def test_a_task_that_never_ends_is_given_up_and_bought_again(start: Start) -> None:
    batch = start(2, faults=("never-ends:#1",))
    batch.run("--deadline", "0.4s", "--burst", "1")
    assert batch.resolve("job-1", "--give-up").exit == 0
    assert batch.line()["state"] == "expired"
    assert batch.line()["error_code"] == "given_up"
    looks = batch.audit.tasks[0].gets
    assert batch.run().exit == 1
    assert batch.audit.tasks[0].gets == looks
    assert batch.retry().exit == 0
    assert batch.posts == 2
    assert batch.retry("--code", "given_up", "--buy-again").exit == 0
    assert batch.posts == 3
    assert batch.line()["state"] == "succeeded"
    batch.check()


def test_only_a_task_that_is_waited_for_can_be_given_up(start: Start) -> None:
    batch = start(1)
    batch.run()
    assert batch.resolve("job-1", "--give-up").exit == 2
    assert batch.resolve("no-such-job", "--give-up").exit == 2
    batch.check()


# -- retry -----------------------------------------------------------------------------------------------------


def _failures(start: Start) -> Batch:
    """job-1 generation_failed, job-2 generation_timeout, job-3 cancelled, job-4 with a video."""
    faults = ("failed:*number 1", "failed@generation_timeout:*number 2", "cancelled:*number 3")
    batch = start(4, faults=faults)
    assert batch.run().states == {"failed": 2, "cancelled": 1, "succeeded": 1}
    batch.sandbox.change(faults=())
    return batch


@pytest.mark.parametrize(
    ("flags", "jobs"),
    [
        ((), ["job-1", "job-2", "job-3"]),
        (("--state", "failed"), ["job-1", "job-2"]),
        (("--code", "generation_timeout"), ["job-2"]),
        (("--job", "job-3", "--job", "job-1"), ["job-1", "job-3"]),
        (("--state", "expired"), []),
    ],
)
def test_retry_buys_what_is_asked_for_and_shows_the_price_first(
    start: Start, flags: tuple[str, ...], jobs: list[str]
) -> None:
    batch = _failures(start)
    said = batch.command("retry", batch.out, "--dry-run", *flags)
    assert batch.posts == 4
    price = len(jobs) * PRICE
    many = "1 job" if len(jobs) == 1 else f"{len(jobs)} jobs"
    assert (f"Buy {many} again for {price:,} credits" if jobs else "nothing to buy") in said.out
    batch.retry(*flags)
    assert batch.posts == 4 + len(jobs)
    again = [line["job_id"] for line in batch.lines() if line["attempts"] == "2"]
    assert again == jobs
    assert all(batch.line(job)["state"] == "succeeded" for job in jobs)
    batch.check()


def test_retry_prints_one_document_also_when_there_is_nothing_to_buy(start: Start) -> None:
    batch = _failures(start)
    said = batch.retry("--dry-run", "--code", "generation_timeout")
    assert said.json["plan"] == {"jobs": 1, "credits": PRICE, "job_ids": ["job-2"]}
    assert batch.retry("--state", "expired").json["plan"]["jobs"] == 0
    assert batch.posts == 4


def test_retry_asks_before_it_spends(start: Start) -> None:
    batch = _failures(start)
    said = batch.command("retry", batch.out, "--base-url", batch.sandbox.base_url)
    assert said.exit == 2
    assert batch.posts == 4
    batch.check()


def test_retry_obeys_the_stored_cap(start: Start) -> None:
    batch = start(3, faults=("failed:#1-3",))
    batch.run("--max-credits", "24")
    said = batch.retry()
    assert said.exit == 4
    assert "18 credits, but the cap leaves 6" in said.err
    assert batch.posts == 3
    batch.sandbox.change(faults=())
    batch.retry("--job", "job-2")
    assert batch.posts == 4
    assert batch.retry("--max-credits", "none").exit == 0
    batch.check()


def test_marks_from_the_report_page_buy_rejected_videos_again(start: Start) -> None:
    batch = start(3)
    batch.run()
    marks = batch.write("job-1,accept", "job-2,reject", header="job_id,mark", path=batch.desk / "films.marks.csv")
    assert batch.retry("--from", marks).exit == 2
    assert batch.posts == 3
    assert batch.retry("--from", marks, "--buy-again").exit == 0
    assert [post.prompt for post in batch.audit.posts[3:]] == ["Film number 2"]
    batch.check()


def test_a_job_that_runs_or_is_unknown_can_not_be_bought_again(start: Start) -> None:
    batch = start(1, faults=("never-ends:#1",))
    batch.run("--no-wait")
    assert batch.retry("--job", "job-1", "--buy-again").exit == 2
    assert batch.retry("--job", "job-9").exit == 2
    assert batch.retry("--state", "running").exit == 2
    assert batch.posts == 1
    batch.check()


def test_after_a_retry_the_manifest_runs_nothing_twice(start: Start) -> None:
    batch = _failures(start)
    batch.retry()
    assert batch.run().exit == 0
    assert batch.posts == 7
    batch.check()


# -- manifests that come back ----------------------------------------------------------------------------------


def test_results_fed_back_run_nothing_twice_and_edited_rows_once(start: Start) -> None:
    batch = start(3, faults=("moderation:*number 2",))
    batch.run()
    results = batch.out / "results.csv"
    assert batch.run(manifest=results).exit == 1
    assert batch.posts == 3
    results.write_text(
        results.read_text(encoding="utf-8-sig").replace("Film number 2", "A film of cats"), encoding="utf-8"
    )
    assert batch.run(manifest=results).exit == 0
    assert batch.posts == 4
    assert batch.audit.posts[-1].prompt == "A film of cats"
    batch.check()


def test_a_changed_row_is_shown_and_bought_only_on_demand(start: Start) -> None:
    batch = start(2)
    batch.run()
    batch.write(row("job-1", "Film number 1"), row("job-2", "Another film"))
    ended = batch.run()
    assert ended.exit == 1
    assert ended.states == {"succeeded": 1, "changed": 1}
    assert batch.posts == 2
    assert batch.run("--resubmit-changed").exit == 0
    assert batch.posts == 3
    assert batch.run().exit == 0
    batch.check()


def test_the_corrected_rows_go_to_the_folder_of_their_manifest(start: Start) -> None:
    batch = start()
    batch.write(row("job-1", "One"), "job-2,kie,sandbox-1,no-such-scene,Two", row("job-3", "Three"))
    fix = batch.desk / "films.fix.csv"
    assert batch.command("validate", batch.manifest, "--fix", fix).exit == 3
    ended = batch.run("--only-valid")
    assert ended.exit == 1
    assert ended.states == {"succeeded": 2, "invalid": 1}
    fix.write_text(fix.read_text(encoding="utf-8-sig").replace("no-such-scene", "text-to-video"), encoding="utf-8")
    ended = batch.run(manifest=fix)
    assert ended.exit == 0
    assert ended.json["out"] == "outputs/films"
    assert ended.states == {"succeeded": 3}
    assert batch.posts == 3
    batch.check()


def test_a_manifest_together_with_its_fix_is_whole(start: Start) -> None:
    batch = start()
    batch.write(row("job-1", "One"), "job-2,kie,sandbox-1,no-such-scene,Two")
    fix = batch.write(row("job-2", "Two"), path=batch.desk / "films.fix.csv")
    ended = batch.run("--only-valid", "--out", batch.out, manifest=[batch.manifest, fix])
    assert ended.states == {"succeeded": 2}
    assert ended.exit == 0
    batch.check()


def test_several_manifests_need_a_folder_and_share_it(start: Start) -> None:
    batch = start(2)
    second = batch.write(row("clip-1", "A clip"), path=batch.desk / "clips.csv")
    assert batch.run(manifest=[batch.manifest, second]).exit == 2
    assert batch.posts == 0
    assert batch.run("--out", batch.out, manifest=[batch.manifest, second]).exit == 0
    assert [Path(line["manifest"]).name for line in batch.lines()] == ["films.csv", "films.csv", "clips.csv"]
    batch.check()


def test_a_manifest_from_standard_input_needs_a_folder_and_runs(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = start(2)
    assert batch.run(manifest="-").exit == 2
    for _ in range(2):
        with batch.manifest.open(encoding="utf-8") as file:
            monkeypatch.setattr("sys.stdin", file)
            assert batch.run("--out", batch.out, manifest="-").exit == 0
    assert batch.posts == 2
    batch.check()


def test_the_list_of_doubts_is_whole(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchgen.running.pacing.away.DOUBTS", 1_000)  # ten in a row would pause the run
    batch = _doubtful(start, 22)
    assert "2 more (`batchgen resolve OUT --list` has all)" in batch.command("status", batch.out).out
    assert all(f"job-{n} " in batch.resolve("--list").out for n in range(1, 23))
