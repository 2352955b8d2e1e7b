"""A told rate is kept exactly, and used to the full."""

import random
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.running.pacing import Rate
from batchgen.running.pacing.rate import SlotClock, thinned


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [("2/s", 2, 1), ("20/10s", 20, 10), ("60/min", 60, 60), ("0.5/s", 1, 2), ("2.5/s", 5, 2), ("100/h", 100, 3600),
     (" 3 / s ", 3, 1), ("10 per minute", 10, 60), ("5/2sec", 5, 2), ("1/500ms", 1, 0.5), ("4/m", 4, 60)],
)  # fmt: skip
def test_a_rate_reads_as_people_write_it(text: str, count: int, seconds: float) -> None:
    assert Rate.parse(text) == Rate(count, seconds)


@pytest.mark.parametrize("text", ["", "2", "fast", "2/", "/s", "0/s", "2/0s", "-1/s", "2/week", "1e3/s", "2/s/s"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"2/s|1/h"):
        Rate.parse(text)


def most_in_any_window(begun: list[float], seconds: float) -> int:
    return max(bisect_left(begun, start + seconds) - index for index, start in enumerate(begun))


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(1, 30),
    seconds=st.sampled_from([1.0, 2.0, 10.0]),
    burst=st.integers(1, 12),
    idle=st.lists(st.one_of(st.just(0.0), st.floats(0, 0.003), st.floats(0, 12)), min_size=1, max_size=90),
)
def test_no_window_ever_holds_more_than_told(count: int, seconds: float, burst: int, idle: list[float]) -> None:
    """Whatever the caller's delays and the burst, no stretch of the stated length holds more."""
    clock, now, begun = SlotClock(Rate(count, seconds), burst=burst), 0.0, []
    for late in idle:
        now = max(now, clock.ready_at()) + late
        clock.begin(now)
        begun.append(now)
    assert most_in_any_window(begun, seconds) <= count


def test_99_percent_of_a_told_rate_is_used_though_wake_ups_come_late() -> None:
    rng, clock, now, begun = random.Random(1), SlotClock(Rate(20, 1)), 0.0, 0
    while now < 60:
        now = max(now, clock.ready_at()) + rng.choice([0.0003, 0.001, 0.003] * 33 + [0.03])
        clock.begin(now)
        begun += 1
    assert begun / 60 >= 0.99 * 20


def test_without_a_burst_slots_are_even_also_after_idle_time() -> None:
    clock = SlotClock(Rate(20, 10))
    clock.begin(0.0)
    clock.begin(30.0)
    assert clock.ready_at() == pytest.approx(30.5, abs=0.01)


def test_with_a_burst_some_follow_at_once_after_idle_time() -> None:
    clock = SlotClock(Rate(20, 10), burst=3)
    for _ in range(3):
        assert clock.ready_at() <= 100.0
        clock.begin(100.0)
    assert clock.ready_at() > 100.1


def test_a_start_after_a_crash_does_not_burst() -> None:
    """Begins known from before the crash count in the window."""
    clock = SlotClock(Rate(5, 60), begun=[10.0, 11.0, 12.0, 13.0, 14.0])
    assert clock.ready_at() >= 70.0


@given(st.lists(st.floats(0, 1e6), max_size=300).map(sorted), st.integers(1, 64))
def test_a_saved_window_is_never_more_lenient_than_the_true_one(begun: list[float], most: int) -> None:
    pairs = thinned(begun, most)
    restored = [instant for instant, count in pairs for _ in range(count)]
    assert len(pairs) <= most
    assert len(restored) == len(begun)
    assert all(later >= true for later, true in zip(restored, begun, strict=True))


def test_a_huge_limit_is_kept_in_shorter_windows() -> None:
    """A million an hour needs no million instants in memory, and is still used to 99 %."""
    clock, now = SlotClock(Rate(1_000_000, 3600)), 0.0
    for _ in range(30_000):
        now = max(now, clock.ready_at())
        clock.begin(now)
    assert len(clock.begun()) <= 10_000
    assert now <= 30_000 * 3.6e-3 / 0.99
