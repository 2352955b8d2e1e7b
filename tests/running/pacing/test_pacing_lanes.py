"""Where limits belong to a model, each waits by itself; one that takes nothing is parked, the others go on."""

import random
from typing import Any

from batchgen.running.pacing import Lanes, Rate, SlotClock, SubmitPacer


def make(_saved: Any) -> SubmitPacer:
    return SubmitPacer(rate=None, max_in_flight=None, now=0.0, wall=1.8e9, rng=random.Random(1))


def lanes(**settings: Any) -> Lanes:
    return Lanes(make, by_model=True, **settings)


def test_a_throttled_model_holds_up_no_other() -> None:
    both = lanes()
    both.throttled(1.0, "rate", 60.0, {}, both.begin(0.0, "a"))
    assert both.wait(1.0, "a") >= 59
    assert both.wait(1.0, "b") == 0


def test_with_limits_of_the_account_all_models_wait() -> None:
    one = Lanes(make)
    one.throttled(1.0, "rate", 60.0, {}, one.begin(0.0, "a"))
    assert one.wait(1.0, "b") >= 59


def test_a_model_that_answers_nothing_but_429_is_parked_after_the_set_time() -> None:
    both = lanes(park_after=600.0)
    for at in (0.0, 200.0, 599.0):
        both.throttled(at + 1, "rate", 1.0, {}, both.begin(at, "a"))
        assert not both.parked
    both.throttled(601.0, "rate", 1.0, {}, both.begin(600.0, "a"))
    assert list(both.parked) == ["a"]


def test_what_is_accepted_in_between_starts_the_count_anew() -> None:
    both = lanes(park_after=600.0)
    both.throttled(1.0, "rate", 1.0, {}, both.begin(0.0, "a"))
    both.accepted(301.0, {}, both.begin(300.0, "a"))
    both.ended(302.0, "a")
    both.throttled(601.0, "rate", 1.0, {}, both.begin(600.0, "a"))
    assert not both.parked


def test_a_model_whose_own_tasks_run_may_wait_for_them() -> None:
    both = lanes(park_after=600.0)
    both.accepted(1.0, {}, both.begin(0.0, "a"))
    for at in (10.0, 700.0, 1400.0):
        both.throttled(at + 1, "concurrency", 1.0, {}, both.begin(at, "a"))
    assert not both.parked


def test_a_wait_of_more_than_five_minutes_parks_the_model_at_once() -> None:
    both = lanes()
    both.throttled(1.0, "rate", 3600.0, {}, both.begin(0.0, "a"))
    assert "3600 s" in both.parked["a"]


def test_a_told_rate_and_a_told_number_hold_over_all_models() -> None:
    told = lanes(clock=SlotClock(Rate(1, 10.0), burst=1, begun=[]), most=2)
    told.begin(0.0, "a")
    assert told.wait(0.1, "b") > 9
    told.begin(20.0, "b")
    assert told.wait(100.0, "c") is None, "two are in flight"


def test_what_was_learned_of_each_model_is_kept() -> None:
    both = lanes()
    both.throttled(1.0, "rate", 60.0, {}, both.begin(0.0, "a"))
    again = Lanes(
        lambda saved: SubmitPacer(rate=None, max_in_flight=None, saved=saved, now=0.0, wall=1.8e9 + 1),
        by_model=True,
        saved=both.state(1.0, 1.8e9 + 1),
    )
    assert again.wait(0.0, "a") > 50
    assert again.wait(0.0, "b") == 0
