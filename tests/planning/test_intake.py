"""Rows meet the ledger: who is who, what is bought, and what a run shows of each row."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from till import START, Till, accepted, job, outcome

from batchgen.job import InvalidRow, Job, Known, OutcomeKind, Problem, State
from batchgen.ledger import Person, decisions
from batchgen.ledger.sqlite.store import Store
from batchgen.planning import walk
from batchgen.planning.decide import RAISES, SUBMITS, Decision, Selection, decide


def bought(till: Till, *names: str, state: State = State.SUCCEEDED) -> None:
    till.take_in(*names)
    for name in names:
        till.see(till.buy(name), state, video_urls=(f"https://f/{name}.mp4",))


def invalid(job_id: str, row: int = 1) -> InvalidRow:
    problem = Problem("shots.csv", row, row + 1, "scene", None, "bad_scene", "There is no such scene.")
    return InvalidRow("shots.csv", row, row + 1, job_id, {"note": "kept"}, (problem,), {"scene": "opera"})


# -- deciding ------------------------------------------------------------------------------------------------------

ENDED = (State.FAILED, State.CANCELLED, State.EXPIRED, State.REJECTED)
WAITS = (State.SUBMITTED, State.QUEUED, State.RUNNING, State.OVERDUE)
TABLE = [
    # state, content the same?, resubmit_changed?, decision
    *((state, True, False, Decision.ENDED) for state in ENDED),
    *((state, False, False, Decision.EDITED) for state in ENDED),
    *((state, True, True, Decision.ENDED) for state in ENDED),
    *((state, same, again, Decision.IN_DOUBT) for state in (State.IN_DOUBT, State.SUBMITTING)
      for same in (True, False) for again in (True, False)),
    *((State.NOT_SUBMITTED, same, again, Decision.WAITING) for same in (True, False) for again in (True, False)),
    *((state, True, again, Decision.RUNNING) for state in WAITS for again in (True, False)),
    *((state, False, again, Decision.CHANGED) for state in WAITS for again in (True, False)),
    (State.SUCCEEDED, True, False, Decision.DONE),
    (State.SUCCEEDED, True, True, Decision.DONE),
    (State.SUCCEEDED, False, False, Decision.CHANGED),
    (State.SUCCEEDED, False, True, Decision.REBUY),
]  # fmt: skip


@pytest.mark.parametrize(("state", "same", "again", "decision"), TABLE)
def test_the_table_of_decisions(state: State, same: bool, again: bool, decision: Decision) -> None:
    known = Known(1, "a", "print" if same else "other", state, 1, 6)
    assert decide("print", known, resubmit_changed=again) is decision


def test_the_table_covers_every_state_of_a_job() -> None:
    assert {state for state, *_ in TABLE} == set(State) - {State.INVALID, State.CHANGED}


def test_a_row_that_the_ledger_does_not_know_is_new() -> None:
    assert decide("print", None) is Decision.NEW


def test_only_edited_and_asked_for_rows_raise_the_purchase() -> None:
    assert {Decision.EDITED, Decision.REBUY} == RAISES
    assert RAISES < SUBMITS


# -- once means once -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows", [("a", "b", "c"), ("c", "a", "b"), ("new", "c", "b", "a"), ("b",)],
    ids=["the same", "sorted", "one inserted", "two deleted"],
)  # fmt: skip
def test_sorting_inserting_and_deleting_rows_buys_nothing_again(till: Till, rows: tuple[str, ...]) -> None:
    bought(till, "a", "b", "c")
    till.take_in(*rows)
    assert till.names() == [name for name in rows if name == "new"]
    results = [one.job_id for one in till.results()]
    assert results[: len(rows)] == list(rows)
    assert set(results) == {*rows, "a", "b", "c"}, "what was paid never disappears"
    assert sum(one.charged_credits or 0 for one in till.results()) == 18


def test_a_row_deleted_and_put_back_is_the_same_job(till: Till) -> None:
    bought(till, "a", "b")
    till.take_in("b")
    till.take_in("a", "b")
    assert till.names() == []


@pytest.mark.parametrize("state", ENDED)
def test_an_edited_row_of_a_job_that_ended_without_a_video_is_bought(till: Till, state: State) -> None:
    till.take_in("a")
    if state is State.REJECTED:
        till.end(till.begin("a"), outcome(OutcomeKind.REJECTED))
    else:
        till.see(till.buy("a"), state)
    assert till.take_in(job("a", "reworded", price=8)).to_submit.credits == 8
    attempt = till.begin("a")
    assert (attempt.purchase_no, attempt.price, b"reworded" in attempt.body) == (2, 8, True)
    till.end(attempt, accepted("second"))


def test_an_edited_row_that_is_not_selected_stays_as_it_is(till: Till) -> None:
    bought(till, "a", state=State.FAILED)
    none = Selection((("id", "zzz"),))
    till.take_in(job("a", "reworded"), select=none)
    assert till.state("a") is State.FAILED
    assert till.take_in(job("a", "reworded")).sums[Decision.EDITED].jobs == 1


def test_a_row_edited_before_it_was_submitted_is_simply_another_request(till: Till) -> None:
    till.take_in("a")
    till.take_in(job("a", "better", price=8))
    attempt = till.begin("a")
    assert (attempt.purchase_no, attempt.price, b"better" in attempt.body) == (1, 8, True)


def test_many_rows_may_be_edited_at_once(till: Till) -> None:
    till.take_in("a", "b", "c")
    till.see(till.buy("a"), State.FAILED)
    plan = till.take_in(*(job(name, "reworded") for name in "abc"))
    assert (plan.to_submit.jobs, till.names()) == (3, ["a", "b", "c"])


def test_a_mended_price_holds_for_jobs_that_still_wait(till: Till) -> None:
    """After "the service charged 9, not 6" and a mended price table, what is reserved is what was shown."""
    till.take_in("a")
    plan = till.take_in(job("a", price=9))
    assert plan.to_submit.credits == till.begin("a").price == 9


def test_a_changed_row_is_shown_and_not_bought_without_being_asked(till: Till) -> None:
    bought(till, "a")
    plan = till.take_in(job("a", "another"))
    assert (plan.sums[Decision.CHANGED].jobs, till.names()) == (1, [])
    assert till.state("a") is State.CHANGED
    till.take_in(job("a", "another"), again=True)
    assert till.begin("a").purchase_no == 2


def test_a_changed_row_that_is_changed_back_is_done(till: Till) -> None:
    bought(till, "a")
    till.take_in(job("a", "another"))
    till.take_in("a")
    assert till.state("a") is State.SUCCEEDED


def test_a_doubt_is_never_bought_again_by_an_edit(till: Till) -> None:
    till.take_in("a")
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    plan = till.take_in(job("a", "another"), again=True)
    assert (plan.to_submit.jobs, plan.sums[Decision.IN_DOUBT].jobs) == (0, 1)
    assert till.state("a") is State.IN_DOUBT


# -- renamed -------------------------------------------------------------------------------------------------------


def test_a_renamed_row_takes_its_task_over(till: Till) -> None:
    bought(till, "a", "b")
    plan = till.take_in(job("neu", "prompt of a"), "b")
    assert plan.renamed == [("a", "neu")]
    assert plan.to_submit.jobs == 0
    assert [(one.job_id, one.task_id) for one in till.results()] == [("neu", "task-of-a"), ("b", "task-of-b")]


def test_the_same_content_under_a_second_id_is_a_second_video(till: Till) -> None:
    bought(till, "a")
    plan = till.take_in("a", job("more", "prompt of a"))
    assert (plan.renamed, plan.to_submit.jobs, till.names()) == ([], 1, ["more"])


def test_adding_an_id_column_later_buys_nothing_twice(till: Till) -> None:
    """Also when rows are the same: three videos were wanted and bought, and each gets one of the new ids."""
    first = [job(name, "the same prompt") for name in ("f00d", "f00d-2", "f00d-3")]
    till.take_in(*first)
    for one in first:
        till.buy(one.job_id)
    plan = till.take_in(*(job(name, "the same prompt") for name in ("one", "two", "three")))
    assert plan.to_submit.jobs == 0
    assert plan.renamed == [("f00d", "one"), ("f00d-2", "two"), ("f00d-3", "three")]
    assert [one.task_id for one in till.results()] == ["task-of-f00d", "task-of-f00d-2", "task-of-f00d-3"]


def test_one_more_row_than_was_bought_is_new(till: Till) -> None:
    first = [job(name, "same") for name in ("x", "x-2")]
    till.take_in(*first)
    for one in first:
        till.buy(one.job_id)
    plan = till.take_in(*(job(name, "same") for name in ("one", "two", "three")))
    assert (len(plan.renamed), till.names()) == (2, ["three"])


def test_a_doubt_goes_along_with_a_rename(till: Till) -> None:
    till.take_in("a")
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    plan = till.take_in(job("neu", "prompt of a"))
    assert (plan.to_submit.jobs, till.state("neu")) == (0, State.IN_DOUBT)


def test_a_job_that_was_never_bought_is_not_renamed(till: Till) -> None:
    till.take_in("a")
    plan = till.take_in(job("neu", "prompt of a"))
    assert (plan.renamed, till.names()) == ([], ["neu"])


def test_a_job_that_waits_to_be_bought_again_is_not_bought_behind_the_plans_back(till: Till) -> None:
    """Failed, `retry`, and renamed before it was submitted: the plan counts what is submitted."""
    bought(till, "a", state=State.FAILED)
    till.ledger.write(lambda c: decisions.buy_again(c, decisions.ended_jobs(c), Person("somebody", 0.0)))
    plan = till.take_in(job("neu", "prompt of a"))
    assert plan.to_submit.jobs == len(till.names()) == 1


# -- selection and invalid rows ------------------------------------------------------------------------------------


def test_only_selected_rows_are_submitted(till: Till) -> None:
    rows = [job(name, cells={"season": season}) for name, season in (("a", "spring"), ("b", "autumn"))]
    plan = till.take_in(*rows, select=Selection((("season", "spr*"),)))
    assert (till.names(), plan.unselected) == (["a"], 1)
    till.take_in(*rows)
    assert till.names() == ["a", "b"]


def test_a_job_whose_row_is_gone_is_not_submitted(till: Till) -> None:
    till.take_in("a", "b")
    till.take_in("b")
    assert till.names() == ["b"]


def test_an_invalid_row_is_in_the_results_with_its_problems(till: Till) -> None:
    till.take_in("a", invalid("x", 2), "b")
    shown = till.results()
    assert [(one.job_id, one.state) for one in shown] == [
        ("a", State.NOT_SUBMITTED), ("x", State.INVALID), ("b", State.NOT_SUBMITTED),
    ]  # fmt: skip
    assert (shown[1].error_code, shown[1].scene, shown[1].cells) == ("bad_scene", "opera", {"note": "kept"})


def test_a_bought_job_whose_row_became_invalid_is_still_there(till: Till) -> None:
    bought(till, "a")
    till.take_in(invalid("a"))
    assert [(one.state, one.task_id) for one in till.results()] == [
        (State.INVALID, ""), (State.SUCCEEDED, "task-of-a"),
    ]  # fmt: skip


def test_rows_of_earlier_runs_do_not_pile_up(till: Till) -> None:
    for _ in range(5):
        till.take_in("a", invalid("x"), "b")
    assert len(till.results()) == 3
    assert till.ledger.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM row").scalar()) == 3


def test_taking_in_is_all_or_nothing(till: Till) -> None:
    till.take_in("a")

    def broken() -> Iterator[Job]:
        yield job("b")
        raise RuntimeError("the file ended in the middle")

    with pytest.raises(RuntimeError):
        till.ledger.write(lambda c: walk.take_in(c, broken(), Selection(), till.ledger.person()))
    assert till.names() == ["a"]


# -- size ----------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Three times as many rows may not need more than a little more memory: nothing is kept for each row."""
    peaks = []
    for count in (10_000, 30_000):
        with Till(tmp_path / str(count)) as till:
            rows = (job(f"j{n}") for n in range(count))
            tracemalloc.start()
            till.ledger.write(lambda c, rows=rows: walk.take_in(c, rows, Selection(), till.ledger.person()))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert till.states() == {State.NOT_SUBMITTED: count}
    assert peaks[1] < peaks[0] + 1_000_000


def test_the_requests_of_renamed_rows_are_not_held_in_memory(tmp_path: Path) -> None:
    """Only at the end of the walk it is known who is renamed; until then the requests wait on the disk."""
    peaks = []
    for count in (2_500, 5_000):
        with Till(tmp_path / str(count)) as till:
            till.ledger.write(
                lambda c, n=count: walk.take_in(
                    c, (job(f"a{i}", f"{i:2000}") for i in range(n)), Selection(), till.ledger.person()
                )
            )
            till.ledger.write(lambda c: c.exec_driver_sql(BUY_ALL))
            till.ledger.write(lambda c: c.exec_driver_sql("UPDATE job SET state = 'succeeded'"))
            renamed = (job(f"b{i}", f"{i:2000}") for i in range(count))
            tracemalloc.start()
            plan = till.ledger.write(
                lambda c, rows=renamed: walk.take_in(c, rows, Selection(), till.ledger.person())
            )
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert len(plan.renamed) == count
    assert peaks[1] < peaks[0] + 2_500 * 1_500


BUY_ALL = """
INSERT INTO attempt (job_no, purchase_no, attempt_no, fingerprint, body, body_sha256, price, idempotency_key,
                     owner, begun_at, not_after, ended_at, outcome)
SELECT job_no, 1, 1, fingerprint, '', '', price, job_id, '', 1, 2, 3, 'accepted' FROM job
"""


def test_a_preview_without_a_ledger_writes_nothing(tmp_path: Path) -> None:
    plan = walk.preview(None, [job("a"), invalid("x"), job("b", price=8)], Selection())
    assert (plan.rows, plan.invalid, plan.to_submit.jobs, plan.to_submit.credits) == (3, 1, 2, 14)
    assert list(tmp_path.iterdir()) == []


def test_a_preview_leaves_the_ledger_as_it_is(tmp_path: Path) -> None:
    with Till(tmp_path) as till:
        till.take_in("a")
    with Store.read(tmp_path) as reader, reader.begin() as connection:
        assert walk.preview(connection, [job("b")], Selection()).to_submit.jobs == 1
    with Till(tmp_path) as till:
        assert till.names() == ["a"]


def test_an_attempt_keeps_the_bytes_that_were_sent_when_the_row_changes_later(till: Till) -> None:
    till.take_in("a")
    till.end(till.begin("a", now=START), outcome(OutcomeKind.REJECTED))
    till.take_in(job("a", "reworded"))
    kept = till.ledger.read(lambda c: c.exec_driver_sql("SELECT body FROM attempt").scalar())
    assert b"prompt of a" in kept


def test_each_row_is_looked_up_in_the_ledger_never_searched_for_in_all_of_it(till: Till) -> None:
    """Else a manifest whose rows are many and all renamed, or edited, would never be done."""
    bought(till, "a", "b")
    items = [job("c", "prompt of a"), job("b", "edited")]
    assert till.scans(lambda connection: walk.preview(connection, items, Selection())) == []
