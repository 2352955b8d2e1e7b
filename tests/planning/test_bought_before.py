"""What a job bought once is not bought for it again by editing its row to and fro: the job goes back to it."""

import time

import pytest
from till import Till, accepted, job, outcome

from batchgen.job import ENDED_WITHOUT_VIDEO, OutcomeKind, State
from batchgen.ledger import Person, decisions
from batchgen.ledger.tasks import videos_page
from batchgen.planning.decide import Decision, Selection

WHO = Person("somebody", time.time())


def bought(
    till: Till, item: object = "a", state: State = State.SUCCEEDED, task: str = "t1", **said: object
) -> None:
    """The first job that waits is bought, and its task ends."""
    till.take_in(item, again=True)  # type: ignore[arg-type]
    till.see(till.buy("a", task), state, video_urls=(f"https://f/{task}.mp4",), **said)


def line(till: Till) -> object:
    (one,) = till.results()
    return one


def paid_lost(till: Till) -> None:
    till.take_in("a")
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    doubt = till.doubt("a")
    till.ledger.write(lambda c: decisions.paid_lost(c, doubt, WHO))


def given_up(till: Till) -> None:
    till.take_in("a")
    till.buy("a")
    till.ledger.write(lambda c: decisions.give_up(c, "a", WHO))


# -- a change that was asked for, was not bought yet, and is taken back ----------------------------------------


def test_a_changed_row_that_is_changed_back_before_it_was_bought_is_done(till: Till) -> None:
    bought(till)
    till.take_in(job("a", "another"), again=True)
    assert till.names() == ["a"], "asked for, and stopped before its POST"
    plan = till.take_in("a")
    assert (plan.sums[Decision.DONE].jobs, till.names()) == (1, [])
    assert (till.state("a"), line(till).task_id, till.credits().charged) == (State.SUCCEEDED, "t1", 6)


@pytest.mark.parametrize("kind", [OutcomeKind.THROTTLED, OutcomeKind.NOT_SENT, OutcomeKind.REFUSED])
def test_also_when_its_post_was_tried_in_vain(till: Till, kind: OutcomeKind) -> None:
    bought(till)
    till.take_in(job("a", "another"), again=True)
    till.end(till.begin("a"), outcome(kind))
    till.take_in("a")
    assert (till.names(), till.state("a"), line(till).error_code) == ([], State.SUCCEEDED, "")


def test_also_when_it_was_in_doubt_and_not_charged(till: Till) -> None:
    bought(till)
    till.take_in(job("a", "another"), again=True)
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    doubt = till.doubt("a")
    till.take_in("a")
    assert till.state("a") is State.IN_DOUBT, "a doubt stays with a person"
    till.ledger.write(lambda c: decisions.not_charged(c, doubt, WHO))
    till.take_in("a")
    assert (till.names(), till.state("a")) == ([], State.SUCCEEDED)


@pytest.mark.parametrize("state", sorted(ENDED_WITHOUT_VIDEO - {State.REJECTED}))
def test_a_reworded_failure_that_is_worded_back_is_the_failure_that_it_was(till: Till, state: State) -> None:
    bought(till, state=state, error_code="moderation", error="a knife")
    till.take_in(job("a", "reworded"))
    assert till.names() == ["a"]
    plan = till.take_in("a")
    assert (plan.sums[Decision.ENDED].jobs, till.names()) == (1, [])
    assert (line(till).state, line(till).error_code, line(till).error) == (state, "moderation", "a knife")


def test_a_rejected_content_was_never_bought_and_is_tried_again(till: Till) -> None:
    till.take_in("a")
    till.end(till.begin("a"), outcome(OutcomeKind.REJECTED))
    till.take_in(job("a", "reworded"))
    till.take_in("a")
    assert till.names() == ["a"]


def test_what_retry_asked_for_is_bought_although_it_is_the_same(till: Till) -> None:
    bought(till, state=State.FAILED)
    till.ledger.write(lambda c: decisions.buy_again(c, decisions.ended_jobs(c), WHO))
    till.take_in("a")
    assert till.names() == ["a"]


# -- a change that was bought, and is taken back ---------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("end", [State.SUCCEEDED, State.FAILED])
def test_a_row_goes_back_to_the_video_that_it_had(till: Till, end: State, again: bool) -> None:
    bought(till)
    bought(till, job("a", "another"), end, "t2")
    plan = till.take_in("a", again=again)
    assert (plan.sums[Decision.DONE].jobs, till.names()) == (1, [])
    assert (line(till).state, line(till).task_id) == (State.SUCCEEDED, "t1")
    assert line(till).video_urls == ("https://f/t1.mp4",)
    assert line(till).charged_credits == till.credits().charged == 12


def test_and_forth_again_buys_nothing(till: Till) -> None:
    bought(till)
    bought(till, job("a", "another"), State.FAILED, "t2", error_code="moderation")
    till.take_in("a")
    till.take_in(job("a", "another"))
    assert (line(till).state, line(till).task_id, line(till).error_code) == (State.FAILED, "t2", "moderation")
    till.take_in(job("a", "a third"))
    assert till.begin("a").purchase_no == 3


def test_a_row_that_went_back_is_bought_again_by_retry_alone(till: Till) -> None:
    bought(till)
    bought(till, job("a", "another"), State.SUCCEEDED, "t2")
    till.take_in("a")
    till.ledger.write(lambda c: decisions.buy_again(c, decisions.ended_jobs(c, job_ids=["a"]), WHO))
    attempt = till.begin("a")
    assert (attempt.purchase_no, b"prompt of a" in attempt.body) == (3, True)
    till.end(attempt, accepted("t3"))
    assert line(till).task_id == "t3"


def test_a_running_job_goes_nowhere(till: Till) -> None:
    bought(till)
    till.take_in(job("a", "another"), again=True)
    till.buy("a", "t2")
    plan = till.take_in("a", again=True)
    assert (plan.sums[Decision.CHANGED].jobs, line(till).task_id) == (1, "t2")


def test_what_was_paid_for_and_lost_stays_lost_when_its_row_comes_back(till: Till) -> None:
    paid_lost(till)
    till.take_in(job("a", "another"), again=True)
    till.take_in("a")
    assert (till.names(), line(till).state, line(till).error_code) == ([], State.FAILED, decisions.PAID_LOST)


def test_what_was_given_up_stays_given_up_when_its_row_comes_back(till: Till) -> None:
    given_up(till)
    till.take_in(job("a", "another"), again=True)
    till.see(till.buy("a", "t2"), State.SUCCEEDED)
    till.take_in("a")
    assert (till.names(), line(till).state, line(till).error_code) == ([], State.EXPIRED, decisions.GIVEN_UP)


def test_a_video_that_never_came_is_still_asked_for_when_its_row_comes_back(till: Till) -> None:
    till.take_in("a")
    till.see(till.buy("a", "t1"), State.SUCCEEDED, error_code="no_output")
    bought(till, job("a", "another"), State.SUCCEEDED, "t2")

    def asked() -> list[str]:
        return [one.task_id for one in till.ledger.read(lambda c: videos_page(c, 0, 10))[0] if not one.url]

    assert asked() == []
    till.take_in("a")
    assert (asked(), line(till).error_code) == (["t1"], "no_output")


def test_each_going_back_is_written_down(till: Till) -> None:
    bought(till)
    till.take_in(job("a", "another"), again=True)
    till.take_in("a", select=Selection((("id", "a"),)))
    said = till.ledger.read(lambda c: c.exec_driver_sql("SELECT what, job_id FROM decision").all())
    assert [tuple(one) for one in said] == [("buy again: rebuy", "a"), ("back to what was bought", "a")]


# -- money that was lost ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lose", [paid_lost, given_up])
def test_an_edited_row_whose_money_was_lost_is_bought_only_when_asked_for(till: Till, lose: object) -> None:
    lose(till)  # type: ignore[operator]
    plan = till.take_in(job("a", "another"))
    assert (plan.sums[Decision.CHANGED].jobs, till.names()) == (1, [])
    plan = till.take_in(job("a", "another"), again=True)
    assert (plan.sums[Decision.REBUY].jobs, till.begin("a").purchase_no) == (1, 2)


def test_what_was_lost_at_a_price_of_nothing_was_charged_all_the_same(till: Till) -> None:
    till.take_in(job("a", price=0))
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    doubt = till.doubt("a")
    till.ledger.write(lambda c: decisions.paid_lost(c, doubt, WHO))
    assert line(till).charged_credits == 0
