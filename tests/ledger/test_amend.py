"""What a person settled may be put right by the id of the task: no credits move, and no task goes to two jobs."""

import time

import pytest
from till import SERVICE, Till, outcome

from batchgen.errors import UsageError
from batchgen.job import GIVEN_UP, TASK_NOT_FOUND, OutcomeKind, State
from batchgen.ledger import Person, amend, decisions

WHO = Person("somebody", time.time())


@pytest.fixture
def lost(till: Till) -> Till:
    """A job `a` that was paid for and lost, and a job `b` with a task that is waited for."""
    till.take_in("a", "b")
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    doubt = till.doubt("a")
    till.ledger.write(lambda c: decisions.paid_lost(c, doubt, WHO))
    till.buy("b", "task-b")
    return till


@pytest.fixture
def mistaken(till: Till) -> Till:
    """A job `a` in doubt for which a person named a task that the service does not know."""
    till.take_in("a", "b")
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    doubt = till.doubt("a")
    till.ledger.write(lambda c: decisions.adopt(c, doubt, "task-of-nobody", SERVICE, WHO))
    till.see(till.task("a"), State.OVERDUE, error_code=TASK_NOT_FOUND)
    return till


def name(till: Till, job: str, task: str) -> None:
    till.ledger.write(lambda c: amend.name_task(c, job, task, SERVICE, WHO))


def test_what_was_lost_may_be_found(lost: Till) -> None:
    name(lost, "a", "task-a")
    assert (lost.state("a"), lost.task("a").task_id) == (State.SUBMITTED, "task-a")
    assert (lost.credits().charged, lost.credits().in_doubt) == (12, 0)
    assert lost.see(lost.task("a"), State.SUCCEEDED, video_urls=("https://f/1.mp4",))
    assert lost.take_in("a", "b").to_submit.jobs == 0


def test_what_was_lost_is_found_only_once_and_never_as_the_task_of_another(lost: Till) -> None:
    with pytest.raises(UsageError, match="belongs to job b"):
        name(lost, "a", "task-b")
    assert lost.state("a") is State.FAILED
    name(lost, "a", "task-a")
    for task in ("task-a", "task-c"):
        with pytest.raises(UsageError, match="not in doubt"):
            name(lost, "a", task)


def test_a_loss_that_was_bought_again_stays_lost(lost: Till) -> None:
    """The job has another task by now; two can't be waited for at once."""
    (ended,) = lost.ledger.read(lambda c: decisions.ended_jobs(c, job_ids=["a"]))
    lost.ledger.write(lambda c: decisions.buy_again(c, [ended], WHO))
    with pytest.raises(UsageError, match="not in doubt"):
        name(lost, "a", "task-a")
    assert lost.names() == ["a"]


def test_a_task_that_was_given_up_is_waited_for_again(lost: Till) -> None:
    lost.ledger.write(lambda c: decisions.give_up(c, "b", WHO))
    name(lost, "b", "task-b")
    assert (lost.state("b"), lost.task("b").task_id) == (State.SUBMITTED, "task-b")
    assert lost.see(lost.task("b"), State.SUCCEEDED, video_urls=("https://f/1.mp4",))
    assert lost.credits().charged == 12


@pytest.mark.parametrize("given_up", [False, True])
def test_a_wrong_task_id_of_a_person_is_replaced_while_the_service_has_never_shown_it(
    mistaken: Till, given_up: bool
) -> None:
    if given_up:
        mistaken.ledger.write(lambda c: decisions.give_up(c, "a", WHO))
    name(mistaken, "a", "task-a")
    assert (mistaken.state("a"), mistaken.task("a").task_id) == (State.SUBMITTED, "task-a")
    assert mistaken.credits().charged == 6
    mistaken.see(mistaken.task("a"), State.OVERDUE, error_code=TASK_NOT_FOUND)
    name(mistaken, "a", "task-a-again")
    assert mistaken.task("a").task_id == "task-a-again"


def test_an_id_that_the_service_gave_is_never_replaced(lost: Till) -> None:
    for _ in range(2):
        with pytest.raises(UsageError, match="not in doubt"):
            name(lost, "b", "another")
    lost.see(lost.task("b"), State.OVERDUE, error_code=TASK_NOT_FOUND)
    with pytest.raises(UsageError, match="The service itself named task task-b"):
        name(lost, "b", "another")
    lost.ledger.write(lambda c: decisions.give_up(c, "b", WHO))
    with pytest.raises(UsageError, match="The service itself named task task-b"):
        name(lost, "b", "another")


def test_an_id_that_the_service_has_shown_is_never_replaced(mistaken: Till) -> None:
    mistaken.see(mistaken.task("a"), State.RUNNING, word="running")
    mistaken.see(mistaken.task("a"), State.OVERDUE, error_code=TASK_NOT_FOUND)
    with pytest.raises(UsageError, match="no other takes its place"):
        name(mistaken, "a", "task-a")


def test_what_the_service_ended_itself_stays_ended(lost: Till) -> None:
    lost.see(lost.task("b"), State.EXPIRED, error_code="generation_timeout")
    with pytest.raises(UsageError, match="not in doubt"):
        name(lost, "b", "task-b")
    with pytest.raises(UsageError, match="not in doubt"):
        name(lost, "nobody", "task-b")
    assert GIVEN_UP not in [one.error_code for one in lost.results()]
