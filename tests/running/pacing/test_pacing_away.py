"""A service that does not answer is paused for, probed gently, and given up for now."""

import random

import pytest

from batchgen.running.pacing import Away, Failures, MaxFailures


def away() -> Away:
    return Away(rng=random.Random(3))


def fail(one: Away, times: int, now: float = 0.0) -> float:
    for _ in range(times):
        one.connection_failed(now)
        now += 0.5
    return now


def test_five_connection_failures_in_a_row_pause() -> None:
    one = away()
    fail(one, 4)
    assert not one.paused
    fail(one, 1)
    assert one.paused
    assert "away" in one.sentence(2.0)


def test_an_answer_in_between_starts_the_count_again() -> None:
    one = away()
    fail(one, 4)
    one.answered(3.0)
    fail(one, 4)
    assert not one.paused


def test_ten_doubts_in_a_row_pause_and_an_answer_opens_again() -> None:
    one = away()
    for _ in range(10):
        assert not one.paused
        one.doubt(0.0)
    assert one.paused
    one.answered(5.0)
    assert not one.paused
    assert one.sentence(5.0) == ""


def test_after_doubts_an_answered_probe_opens_for_one_post_on_trial() -> None:
    one = away()
    for _ in range(10):
        one.doubt(0.0)
    one.probe_answered(5.0)
    assert (one.paused, one.on_trial) == (False, True)
    one.answered(6.0)
    assert (one.paused, one.on_trial) == (False, False)
    one.doubt(7.0)
    assert not one.paused


def test_a_service_that_answers_gets_and_loses_posts_costs_few_doubts_and_parks_after_10_minutes() -> None:
    one, now, doubts = away(), 0.0, 10
    for _ in range(10):
        one.doubt(now)
    while not one.parked(now):
        now += one.wait(now)
        if not one.parked(now):
            one.probe_answered(now)
            assert one.on_trial
            one.doubt(now)
            doubts += 1
        assert one.paused
    assert now == 600
    assert doubts <= 20


def test_after_connection_failures_an_answered_probe_opens_wholly() -> None:
    one = away()
    now = fail(one, 5)
    one.probe_answered(now)
    assert (one.paused, one.on_trial) == (False, False)


def test_probes_back_off_up_to_30_s_at_random_and_the_run_parks_after_10_minutes() -> None:
    one = away()
    now = fail(one, 5)
    waits = []
    while not one.parked(now):
        waits.append(one.wait(now))
        now += waits[-1] + 0.1
        one.probe_failed(now)
    assert 600 <= now <= 640
    assert max(waits) <= 30
    assert 20 <= len(waits) <= 80
    assert len({round(wait, 3) for wait in waits}) > len(waits) / 2
    assert "10 minutes" in one.sentence(now)


def test_parked_stays_parked() -> None:
    one = away()
    one.throttled(0.0, "rate", 301.0)
    one.answered(1.0)
    assert one.paused
    assert one.parked(1.0)


def test_a_retry_after_over_5_minutes_parks_and_says_when_to_come_back() -> None:
    one = away()
    one.answered(0.0)
    one.throttled(0.0, "rate", 3600.0)
    assert one.parked(0.0)
    assert one.come_back_at == 3600.0
    assert "60 minutes" in one.sentence(0.0)
    other = away()
    other.throttled(0.0, "rate", 300.0)
    assert not other.paused


def test_unavailable_is_waited_for_three_times_in_a_row() -> None:
    one, now = away(), 0.0
    for _ in range(3):
        one.answered(now)
        one.throttled(now, "unavailable", 5.0)
        assert not one.paused
        now += 6.0
    one.answered(now)
    one.throttled(now, "unavailable", 5.0)
    assert one.parked(now)


def test_unavailable_answers_to_posts_under_way_together_count_once() -> None:
    one = away()
    for _ in range(8):
        one.answered(0.0)
        one.throttled(0.0, "unavailable", 5.0)
    assert not one.paused


def test_another_answer_starts_the_count_of_unavailable_again() -> None:
    one, now = away(), 0.0
    for _ in range(6):
        one.answered(now)
        one.throttled(now, "unavailable", 5.0)
        one.answered(now + 6)  # a POST was accepted
        now += 12.0
    assert not one.paused


@pytest.mark.parametrize(
    ("text", "limit"),
    [("20", MaxFailures(count=20)), ("50%", MaxFailures(share=0.5)), ("12.5 %", MaxFailures(share=0.125)),
     ("none", MaxFailures())],
)  # fmt: skip
def test_max_failures_reads_as_people_write_it(text: str, limit: MaxFailures) -> None:
    assert MaxFailures.parse(text) == limit


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "half", "-3", "5%%", "1e2"])
def test_other_max_failures_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="50%"):
        MaxFailures.parse(text)


def test_half_of_the_last_fifty_trips_and_not_before_fifty_ended() -> None:
    failures = Failures()
    for _ in range(49):
        failures.ended(ok=False)
        assert not failures.tripped
    failures.ended(ok=False)
    assert failures.tripped
    assert failures.sentence() == "50 of the last 50 jobs ended without a video."


def test_only_the_last_fifty_count_for_a_share() -> None:
    failures = Failures(MaxFailures.parse("50%"))
    for ok in [True] * 500 + [False] * 24:
        failures.ended(ok=ok)
    assert not failures.tripped
    failures.ended(ok=False)
    assert failures.tripped


def test_a_number_trips_at_that_many_and_none_never() -> None:
    few, never = Failures(MaxFailures.parse("3")), Failures(MaxFailures.parse("none"))
    for ok in (False, True, False, True, False):
        assert not few.tripped
        few.ended(ok=ok)
        never.ended(ok=False)
    assert few.tripped
    for _ in range(200):
        never.ended(ok=False)
    assert not never.tripped
