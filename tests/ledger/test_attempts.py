"""Money in the ledger: an attempt is durable and its price reserved before it is sent, and ends once."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from till import SERVICE, START, Till, accepted, outcome

from batchgen.errors import LedgerWriteError
from batchgen.job import WHOLE_CHARGE, OutcomeKind, State
from batchgen.ledger import CapReached, Ledger
from batchgen.ledger.rows import pending_page


def test_begin_reserves_the_price_and_survives_a_crash(till: Till) -> None:
    till.take_in("a")
    till.begin("a")
    assert till.credits().reserved == 6
    till.crash()
    assert (till.credits().reserved, till.credits().in_doubt) == (0, 6)


@pytest.mark.parametrize(
    ("kind", "state", "reserved_goes_to"),
    [
        (OutcomeKind.ACCEPTED, State.SUBMITTED, "charged"),
        (OutcomeKind.IN_DOUBT, State.IN_DOUBT, "in_doubt"),
        (OutcomeKind.REJECTED, State.REJECTED, None),
        (OutcomeKind.THROTTLED, State.NOT_SUBMITTED, None),
        (OutcomeKind.NOT_SENT, State.NOT_SUBMITTED, None),
        (OutcomeKind.REFUSED, State.NOT_SUBMITTED, None),
    ],
)
def test_each_outcome_settles_the_reservation(
    till: Till, kind: OutcomeKind, state: State, reserved_goes_to: str | None
) -> None:
    till.take_in("a")
    till.end(till.begin("a"), outcome(kind))
    account = till.credits()
    held = {name for name in ("charged", "reserved", "in_doubt") if getattr(account, name)}
    assert held == ({reserved_goes_to} if reserved_goes_to else set())
    assert till.state("a") is state
    assert till.names() == (["a"] if state is State.NOT_SUBMITTED else [])


def test_every_outcome_has_a_rule() -> None:
    from batchgen.ledger.attempts import RELEASED

    assert set(OutcomeKind) == {*RELEASED, OutcomeKind.ACCEPTED, OutcomeKind.IN_DOUBT}


@pytest.mark.parametrize("second", list(OutcomeKind))
def test_an_attempt_ends_once(till: Till, second: OutcomeKind) -> None:
    till.take_in("a")
    attempt = till.begin("a")
    till.end(attempt, accepted("t1"))
    with pytest.raises(LedgerWriteError, match="ended twice"):
        till.end(attempt, outcome(second))
    assert till.credits().charged == 6


@pytest.mark.parametrize("first", [OutcomeKind.ACCEPTED, OutcomeKind.IN_DOUBT, None])
def test_the_store_refuses_a_second_attempt_that_could_pay_twice(till: Till, first: OutcomeKind | None) -> None:
    """The unique index stands even where the code above it is wrong about the job's state."""
    till.take_in("a")
    attempt = till.begin("a")
    again = Ledger.new_attempt  # a second attempt for the same job and purchase, as a faulty caller would make it
    pending = _pending_of(attempt)
    if first is not None:
        till.end(attempt, outcome(first))
    till.ledger.write(lambda c: c.exec_driver_sql("UPDATE job SET state = 'not_submitted'"))
    with pytest.raises(sa.exc.IntegrityError):
        asyncio.run(till.ledger.begin(again(till.ledger, pending, b"{}", now=START, post_timeout=1.0)))
    assert till.credits().counted == 6
    state = {None: "submitting", OutcomeKind.ACCEPTED: "submitted", OutcomeKind.IN_DOUBT: "in_doubt"}[first]
    till.ledger.write(lambda c: c.exec_driver_sql(f"UPDATE job SET state = '{state}'"))


def _pending_of(attempt):
    from batchgen.ledger.rows import Pending

    return Pending(attempt.job_no, attempt.job_id, attempt.fingerprint, {}, attempt.price, 1, 1, 1)


def test_a_job_that_is_not_waiting_can_not_begin(till: Till) -> None:
    till.take_in("a")
    attempt = till.begin("a")
    till.end(attempt, outcome(OutcomeKind.REJECTED))
    with pytest.raises(RuntimeError, match="not waiting"):
        asyncio.run(
            till.ledger.begin(till.ledger.new_attempt(_pending_of(attempt), b"{}", now=START, post_timeout=1.0))
        )
    assert till.credits().reserved == 0


def test_a_task_id_that_is_known_already_is_a_doubt(till: Till) -> None:
    till.take_in("a", "b")
    till.buy("a", "t1")
    said = till.end(till.begin("b"), accepted("t1"))
    assert (said.kind, said.code) == (OutcomeKind.IN_DOUBT, "known_task_id")
    assert "t1" in said.message
    assert till.state("b") is State.IN_DOUBT


@pytest.mark.parametrize("stated", [0, 5, 6, 9])
def test_a_stated_charge_is_what_counts(till: Till, stated: int) -> None:
    till.take_in("a")
    till.buy("a", charged=stated)
    assert till.credits().charged == stated


def test_a_charge_beyond_the_cap_is_written_down_all_the_same(till: Till) -> None:
    """The service took the money: losing the task as well would be worse than a cap that it broke."""
    till.take_in("a", "b")
    till.cap(12)
    till.buy("a", charged=20)
    assert till.credits().charged == 20
    with pytest.raises(CapReached):
        till.begin("b")


# -- the cap ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [0, 5, 6, 599, 600, 601, 1199, 1200, 5000])
def test_the_cap_is_exact_with_200_coroutines_in_one_commit(tmp_path: Path, cap: int) -> None:
    with Till(tmp_path, inline=False) as till:
        till.take_in(*(f"job{n}" for n in range(200)))
        till.cap(cap)
        waiting = till.ledger.read(lambda connection: pending_page(connection, (-1, -1), 999))
        attempts = [till.ledger.new_attempt(one, b"{}", now=START, post_timeout=1.0) for one in waiting]

        async def all_at_once():
            return await asyncio.gather(*map(till.ledger.begin, attempts), return_exceptions=True)

        said = asyncio.run(all_at_once())
        assert said.count(None) == min(200, cap // 6)
        assert all(isinstance(one, CapReached) for one in said if one is not None)
        assert till.credits().reserved == 6 * min(200, cap // 6)
        assert till.violations() == []


def test_what_is_in_doubt_counts_against_the_cap(till: Till) -> None:
    till.take_in("a", "b")
    till.cap(11)
    till.end(till.begin("a"), outcome(OutcomeKind.IN_DOUBT))
    with pytest.raises(CapReached):
        till.begin("b")


def test_a_price_released_gives_room_again(till: Till) -> None:
    till.take_in("a", "b")
    till.cap(6)
    till.end(till.begin("a"), outcome(OutcomeKind.REJECTED))
    till.begin("b")


def test_only_a_stated_refund_gives_room_again(till: Till) -> None:
    till.take_in("a", "b", "c")
    till.cap(12)
    for name, stated in (("a", None), ("b", WHOLE_CHARGE)):
        task = till.buy(name)
        till.see(task, State.FAILED, refunded=stated)
    assert (till.credits().charged, till.credits().refunded) == (12, 6)
    till.begin("c")


def test_a_cap_below_what_is_spent_is_refused(till: Till) -> None:
    till.take_in("a")
    till.buy("a")
    with pytest.raises(CapReached):
        till.cap(5)
    till.cap(6)
    assert till.credits().cap == 6


def test_the_cap_stays_for_later_runs_and_none_lifts_it(till: Till) -> None:
    till.take_in("a", "b")
    till.cap(6)
    till.crash()
    assert till.credits().cap == 6
    till.begin("a")
    with pytest.raises(CapReached):
        till.begin("b")
    till.cap(None)
    till.begin("b")


# -- after a crash -----------------------------------------------------------------------------------------------


def test_open_attempts_of_a_dead_process_are_in_doubt_and_never_submitted_again(till: Till) -> None:
    till.take_in("a", "b")
    till.begin("a")
    till.crash()
    assert till.ledger.recovered == 1
    assert till.state("a") is State.IN_DOUBT
    assert till.names() == ["b"]
    assert till.take_in("a", "b").to_submit.jobs == 1
    till.crash()
    assert till.ledger.recovered == 0


def test_attempts_are_numbered_on_after_a_crash(till: Till) -> None:
    till.take_in("a", "b")
    first = till.begin("a")
    till.crash()
    assert till.begin("b").attempt_id == first.attempt_id + 1


def test_the_idempotency_key_belongs_to_the_purchase(till: Till) -> None:
    """The same for each attempt of one purchase, also after a crash; another one for everything else."""
    till.take_in("a", "b")
    first = till.begin("a")
    till.end(first, outcome(OutcomeKind.THROTTLED))
    till.crash()
    second = till.begin("a")
    assert second.idempotency_key == first.idempotency_key
    assert second.attempt_no == first.attempt_no + 1
    assert till.begin("b").idempotency_key != first.idempotency_key


def test_a_ledger_in_another_folder_makes_other_keys(tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        with Till(tmp_path / name, service=SERVICE) as till:
            till.take_in("a")
            keys.add(till.begin("a").idempotency_key)
    assert len(keys) == 2
