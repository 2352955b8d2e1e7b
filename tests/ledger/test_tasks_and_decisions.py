"""What became of tasks, and what only a person decides."""

import asyncio
import time

import pytest
from till import SERVICE, START, Till, accepted, job, outcome

from batchgen.errors import UsageError
from batchgen.job import ENDED_WITHOUT_VIDEO, TERMINAL, WHOLE_CHARGE, OutcomeKind, State
from batchgen.ledger import CapReached, Person, decisions
from batchgen.ledger.tables import decision
from batchgen.ledger.tasks import Seen
from batchgen.ledger.views import overdue_reasons

WHO = Person("somebody", time.time())


@pytest.fixture
def doubtful(till: Till) -> Till:
    """A job `a` in doubt since long ago, and a job `b` that is bought."""
    till.take_in("a", "b")
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    till.buy("b", "task-b")
    return till


def decided(till: Till) -> list[tuple[str, str, str]]:
    query = decision.select().order_by(decision.c.decision_no)
    return [(one.who, one.what, one.job_id) for one in till.ledger.read(lambda c: c.execute(query).all())]


# -- tasks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", sorted(TERMINAL))
@pytest.mark.parametrize("then", [*sorted(TERMINAL), State.RUNNING, State.OVERDUE])
def test_terminal_states_absorb(till: Till, first: State, then: State) -> None:
    till.take_in("a")
    task = till.buy("a")
    assert till.see(task, first, video_urls=("https://f/1.mp4",))
    assert not till.see(task, then, refunded=WHOLE_CHARGE, charged_credits=99)
    assert till.state("a") is first
    assert (till.credits().charged, till.credits().refunded) == (6, 0)


def test_states_may_go_backwards_until_the_end(till: Till) -> None:
    till.take_in("a")
    task = till.buy("a")
    for state in (State.RUNNING, State.QUEUED, State.OVERDUE, State.RUNNING, State.SUCCEEDED):
        assert till.see(task, state)
        assert till.state("a") is state


def test_an_overdue_task_is_waited_for_by_the_next_run(till: Till) -> None:
    till.take_in("a")
    till.see(till.buy("a"), State.OVERDUE, error_code="overdue")
    till.crash()
    assert till.task("a").state is State.OVERDUE
    assert till.names() == []


def test_what_went_wrong_at_an_overdue_task_s_last_poll_is_kept_until_it_ends(till: Till) -> None:
    till.take_in("a", "b", "c")
    for name, trouble in (("a", "HTTP 401"), ("b", "HTTP 401"), ("c", "")):
        task, code = till.buy(name), "poll_refused" if trouble else "overdue"
        seen = Seen(task, State.OVERDUE, START + 60, 3, error_code=code, error="words", trouble=trouble)
        assert asyncio.run(till.ledger.see(seen))
    assert till.ledger.read(overdue_reasons) == [("poll_refused", "HTTP 401", 2), ("overdue", "", 1)]
    assert till.see(till.task("a"), State.SUCCEEDED)
    assert till.ledger.read(overdue_reasons) == [("overdue", "", 1), ("poll_refused", "HTTP 401", 1)]


def test_a_charge_stated_at_the_end_replaces_the_price(till: Till) -> None:
    till.take_in("a")
    till.see(till.buy("a"), State.SUCCEEDED, charged_credits=9)
    assert till.credits().charged == 9


def test_a_refund_is_of_the_charge_that_the_same_answer_states(till: Till) -> None:
    till.take_in("a")
    till.see(till.buy("a"), State.FAILED, charged_credits=9, refunded=WHOLE_CHARGE)
    assert (till.credits().charged, till.credits().refunded) == (9, 9)


@pytest.mark.parametrize("end", [State.FAILED, State.SUCCEEDED])
def test_a_part_that_was_given_back_gives_room_for_that_part_only(till: Till, end: State) -> None:
    till.take_in("a", "b")
    till.cap(9)
    till.see(till.buy("a"), end, refunded=2)
    assert (till.credits().charged, till.credits().refunded) == (6, 2)
    with pytest.raises(CapReached):
        till.begin("b")


def test_no_more_is_given_back_than_was_charged(till: Till) -> None:
    till.take_in("a")
    till.see(till.buy("a"), State.FAILED, refunded=7)
    assert till.credits().refunded == 6


# -- resolve -----------------------------------------------------------------------------------------------------


def test_a_doubt_can_be_adopted_as_a_task(doubtful: Till) -> None:
    doubt = doubtful.doubt("a")
    doubtful.ledger.write(lambda c: decisions.adopt(c, doubt, "task-a", SERVICE, WHO))
    assert doubtful.task("a").task_id == "task-a"
    assert (doubtful.credits().charged, doubtful.credits().in_doubt) == (12, 0)
    assert decided(doubtful) == [(WHO.name, "resolve: task", "a")]


def test_a_task_is_adopted_once(doubtful: Till) -> None:
    doubt = doubtful.doubt("a")
    with pytest.raises(UsageError, match="belongs to job b"):
        doubtful.ledger.write(lambda c: decisions.adopt(c, doubt, "task-b", SERVICE, WHO))
    assert doubtful.state("a") is State.IN_DOUBT


def test_not_charged_frees_the_credits_and_the_job(doubtful: Till) -> None:
    doubt = doubtful.doubt("a")
    doubtful.ledger.write(lambda c: decisions.not_charged(c, doubt, WHO))
    assert doubtful.credits().in_doubt == 0
    assert doubtful.names() == ["a"]
    doubtful.buy("a")


def test_not_charged_is_refused_while_the_request_may_still_arrive(till: Till) -> None:
    till.take_in("a")
    till.end(till.begin("a", now=time.time()), outcome(OutcomeKind.IN_DOUBT))
    doubt = till.doubt("a")
    with pytest.raises(UsageError, match="may still arrive"):
        till.ledger.write(lambda c: decisions.not_charged(c, doubt, WHO))
    assert till.state("a") is State.IN_DOUBT


def test_paid_lost_counts_as_spent_and_is_not_bought_again_by_itself(doubtful: Till) -> None:
    doubt = doubtful.doubt("a")
    doubtful.ledger.write(lambda c: decisions.paid_lost(c, doubt, WHO))
    assert (doubtful.credits().charged, doubtful.state("a")) == (12, State.FAILED)
    assert doubtful.take_in("a", "b").to_submit.jobs == 0


@pytest.mark.parametrize("settle", ["adopt", "not_charged", "paid_lost"])
def test_a_doubt_is_settled_once(doubtful: Till, settle: str) -> None:
    doubt = doubtful.doubt("a")
    doubtful.ledger.write(lambda c: decisions.paid_lost(c, doubt, WHO))
    arguments = ("task-new", SERVICE, WHO) if settle == "adopt" else (WHO,)
    with pytest.raises(UsageError, match="not in doubt any more"):
        doubtful.ledger.write(lambda c: getattr(decisions, settle)(c, doubt, *arguments))


def test_giving_up_ends_waiting_and_counts_as_spent(doubtful: Till) -> None:
    doubtful.ledger.write(lambda c: decisions.give_up(c, "b", WHO))
    assert (doubtful.state("b"), doubtful.credits().charged) == (State.EXPIRED, 6)
    with pytest.raises(UsageError, match="no task that is still waited for"):
        doubtful.ledger.write(lambda c: decisions.give_up(c, "b", WHO))
    with pytest.raises(UsageError, match="no task"):
        doubtful.ledger.write(lambda c: decisions.give_up(c, "a", WHO))


# -- retry -------------------------------------------------------------------------------------------------------


def again(till: Till, *names: str) -> None:
    till.ledger.write(lambda c: decisions.buy_again(c, decisions.ended_jobs(c, job_ids=names), WHO))


@pytest.mark.parametrize("state", sorted(ENDED_WITHOUT_VIDEO - {State.REJECTED}))
def test_retry_buys_again_in_a_new_purchase(till: Till, state: State) -> None:
    till.take_in("a", "b")
    till.see(till.buy("a", "t1"), state)
    again(till, "a")
    assert till.names() == ["a"], "only the chosen jobs are submitted"
    second = till.begin("a")
    assert second.purchase_no == 2
    till.end(second, accepted("t2"))
    assert till.credits().charged == 12
    assert decided(till) == [(WHO.name, "buy again: retry", "a")]


def test_retry_of_a_rejected_job_costs_once(till: Till) -> None:
    till.take_in("a")
    till.end(till.begin("a"), outcome(OutcomeKind.REJECTED))
    again(till, "a")
    till.buy("a")
    assert till.credits().charged == 6


def test_retry_never_takes_a_job_in_doubt_or_running(doubtful: Till) -> None:
    assert doubtful.ledger.read(lambda c: decisions.ended_jobs(c, job_ids=["a", "b"])) == []
    assert doubtful.ledger.read(decisions.ended_jobs) == []


def test_retry_refuses_a_job_that_changed_since_the_price_was_shown(till: Till) -> None:
    till.take_in("a")
    till.end(till.begin("a"), outcome(OutcomeKind.REJECTED))
    chosen = till.ledger.read(decisions.ended_jobs)
    till.take_in(job("a", "reworded"))
    till.buy("a")
    with pytest.raises(UsageError, match="changed meanwhile"):
        till.ledger.write(lambda c: decisions.buy_again(c, chosen, WHO))
    assert till.credits().charged == 6


def test_a_doubt_of_an_earlier_purchase_is_not_lost_by_a_later_one(till: Till) -> None:
    """paid_lost, bought again, in doubt again: both purchases are in the account."""
    till.take_in("a")
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    first = till.doubt("a")
    till.ledger.write(lambda c: decisions.paid_lost(c, first, WHO))
    again(till, "a")
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    assert (till.credits().charged, till.credits().in_doubt) == (6, 6)


def test_start_is_long_ago() -> None:
    assert time.time() > START + 150
