"""Looks come when a task is likely done; none is forgotten; what was learned is kept."""

import json
import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pacing_submit import load

from batchgen.running.pacing import Durations, PollPacer, PollSchedule, Rate
from batchgen.running.pacing.durations import STEPS, TOGETHER, edge, step_of
from batchgen.running.pacing.looks import Looks

polling = load("polling")
GROUP = ("veo", "text-to-video")


def schedule(durations: Durations | None = None) -> PollSchedule:
    return PollSchedule(durations or Durations(), rng=random.Random(1))


def taught(draw: Callable[[random.Random], float], count: int) -> Durations:
    rng, durations = random.Random(2), Durations()
    for _ in range(count):
        durations.observe(GROUP, draw(rng))
    return durations


def alive_at(durations: Durations, group: tuple[str, str], age: float) -> float:
    """The share of a group's tasks that are expected to run longer than `age` seconds."""
    return math.exp(-sum(durations.hazards(group)[: step_of(age)]))


def cost(done: list[tuple[int, float]]) -> float:
    return sum(looks * polling.PRICE + late for looks, late in done) / len(done)


# -- when --------------------------------------------------------------------------------------------------


def test_before_anything_is_known_looks_come_early_and_then_with_growing_gaps() -> None:
    """A stand-in on one's own machine takes 3 s, the real thing two minutes: both are served."""
    one = schedule()
    one.add("t", GROUP, 0.0, 0.0)
    ages = []
    while len(ages) < 40:
        now = one.next_at()
        assert now is not None
        assert one.due(now) == "t"
        ages.append(now)
        one.seen("t", now)
    assert ages[0] < 6
    assert sum(1 for age in ages if age < 60) <= 8
    assert all(after <= 2.6 * before for before, after in pairwise(ages))


def test_once_durations_are_known_nobody_looks_before_the_first_task_can_be_done() -> None:
    one = schedule(taught(lambda rng: rng.uniform(90, 110), 200))
    one.add("t", GROUP, 0.0, 0.0)
    assert 80 < (one.next_at() or 0) < 100


def test_a_new_group_starts_from_what_all_groups_together_took() -> None:
    one = schedule(taught(lambda rng: rng.uniform(90, 110), 200))
    one.add("t", ("other", "image-to-video"), 0.0, 0.0)
    at = [one.next_at() or 0]
    while at[-1] < 80 and len(at) < 20:
        one.due(at[-1])
        one.seen("t", at[-1])
        at.append(one.next_at() or 0)
    assert len(at) <= 6


@pytest.mark.parametrize(
    "name", ["uniform 83-253 s", "as measured 83-253 s", "bimodal 60/200 s", "lognormal 105 s"]
)
def test_after_50_tasks_the_schedule_costs_at_most_a_quarter_more_than_the_best_possible(name: str) -> None:
    draw = polling.DURATIONS[name]
    done = [one for seed in range(6) for one in polling.run(draw, 200, seed=seed)[50:]]
    assert cost(done) <= 1.25 * polling.limit(draw)


@pytest.mark.parametrize("name", ["uniform 83-253 s", "as measured 83-253 s", "bimodal 60/200 s"])
def test_at_equal_lateness_half_the_looks_of_a_fixed_interval_are_enough(name: str) -> None:
    draw = polling.DURATIONS[name]
    done = polling.run(draw, 1500, seed=5)[50:]
    late = sum(lateness for _, lateness in done) / len(done)
    fixed = polling.fixed(draw, 2 * late, 3000)
    assert sum(n for n, _ in done) / len(done) <= 0.5 * sum(n for n, _ in fixed) / len(fixed)


def test_the_first_of_many_to_end_do_not_make_all_look_quick() -> None:
    """A thousand tasks at once, 60 to 200 s: after the first tenth ended, the median is not 65 s."""
    durations, rng = Durations(), random.Random(4)
    one = PollSchedule(durations, rng=rng)
    ends = {str(i): rng.uniform(60, 200) for i in range(1000)}
    for task in ends:
        one.add(task, GROUP, 0.0, 0.0)
    ended = 0
    while ended < 100:
        now = one.next_at() or 0.0
        task = one.due(now)
        if task and ends[task] <= now:
            one.finished(task, now)
            ended += 1
        elif task:
            one.seen(task, now)
    assert alive_at(durations, GROUP, 90.0) > 0.5


def test_a_task_from_hours_ago_is_looked_at_now() -> None:
    one = schedule(taught(lambda rng: rng.uniform(90, 110), 60))
    one.add("old", GROUP, -7200.0, 0.0, polls=12)
    assert (one.next_at() or 0.0) <= 0.0
    assert one.due(0.0) == "old"
    one.seen("old", 0.0)
    assert 0 < (one.next_at() or 0) <= 300.0


# -- fairness and bookkeeping ------------------------------------------------------------------------------


def test_when_looks_are_scarce_the_likeliest_to_be_done_goes_first() -> None:
    durations = taught(lambda rng: rng.uniform(55, 65), 200)
    for _ in range(200):
        durations.observe(("slow", "text-to-video"), random.Random(_).uniform(500, 700))
    one = schedule(durations)
    for i in range(50):
        one.add(f"slow{i}", ("slow", "text-to-video"), 0.0, 0.0)
        one.add(f"quick{i}", GROUP, 450.0, 450.0)
    first = [one.due(515.0) for _ in range(50)]
    assert all(task and task.startswith("quick") for task in first)


def test_ten_thousand_tasks_on_a_short_allowance_are_all_looked_at_in_turn() -> None:
    """20 looks a second: every task gets its first look before any gets its fifth, and none starves."""
    one, looks = schedule(), {}
    for i in range(3000):
        one.add(str(i), GROUP, 0.0, 0.0)
        looks[str(i)] = 0
    now = 60.0
    for _ in range(9000):
        now += 0.05
        task = one.due(now)
        if task is not None:
            looks[task] += 1
            one.seen(task, now)
    assert min(looks.values()) >= 1
    assert max(looks.values()) <= 5


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "due", "seen", "trouble", "finished", "forget", "wait"]),
                          st.integers(0, 4), st.floats(0, 400)), max_size=80))  # fmt: skip
def test_no_task_is_ever_lost_or_handed_out_twice(steps: list[tuple[str, int, float]]) -> None:
    one, now, out, known = schedule(), 0.0, set(), set()
    for what, which, span in steps:
        task = str(which)
        if what == "add" and task not in known:
            one.add(task, GROUP, now - span, now)
            known.add(task)
        elif what == "wait":
            now += span
        elif what == "due":
            got = one.due(now)
            assert got not in out
            if got is not None:
                assert got in known
                out.add(got)
        elif what in ("seen", "trouble", "finished") and task in out:
            getattr(one, what)(*((task, now, None) if what == "trouble" else (task, now)))
            out.discard(task)
            known -= {task} if what == "finished" else set()
        elif what == "forget":
            one.forget(task)
            out.discard(task)
            known.discard(task)
        assert len(one) == len(known)
        assert (one.next_at() is None) == (known <= out)
    now += 10_000
    left = {one.due(now) for _ in range(len(known - out))}
    assert left == known - out


def test_trouble_backs_off_and_obeys_retry_after() -> None:
    one = schedule()
    one.add("t", GROUP, 0.0, 0.0)
    now, gaps = one.next_at() or 0.0, []
    for _ in range(12):
        one.due(now)
        one.trouble("t", now, None)
        gaps.append((one.next_at() or 0.0) - now)
        now = one.next_at() or 0.0
    assert max(gaps) <= 60
    assert sum(gaps[6:]) > 4 * sum(gaps[:3])
    one.due(now)
    one.trouble("t", now, 90.0)
    assert one.next_at() == pytest.approx(now + 90.0)


# -- what is learned ---------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0.1, 5000), st.floats(0, 1)), max_size=8))
@settings(max_examples=12, deadline=None)
def test_what_was_learned_goes_through_json_and_back(seen: list[tuple[float, float]]) -> None:
    durations = Durations()
    for seconds, part in seen:
        durations.alive(GROUP, 0.0, seconds * part)
        durations.observe(GROUP, seconds, since=seconds * part)
    state = json.loads(json.dumps(durations.state(), allow_nan=False))
    again = Durations()
    again.restore(state, faded=1.0)
    for group in (GROUP, TOGETHER, ("new", "x")):
        for until in (5.0, 60.0, 120.0, 1000.0):
            assert alive_at(again, group, until) == pytest.approx(alive_at(durations, group, until), abs=0.01)


def test_an_unreadable_state_of_another_version_teaches_nothing() -> None:
    durations = Durations()
    durations.restore({"version": 99, "learned": [1, 2, 3]})
    assert durations.count(GROUP) == 0


def test_a_service_that_becomes_slower_is_followed() -> None:
    durations = taught(lambda rng: rng.uniform(50, 60), 1000)
    rng = random.Random(3)
    for _ in range(600):
        durations.observe(GROUP, rng.uniform(150, 160))
    assert alive_at(durations, GROUP, 100.0) > 0.6


def test_steps_cover_all_ages_without_gaps() -> None:
    assert step_of(0.0) == 0
    assert step_of(10.0**9) == STEPS - 1
    for step in range(STEPS - 1):
        middle = (edge(step) + edge(step + 1)) / 2
        assert step_of(middle) == step


def test_the_best_looks_for_an_even_spread_are_those_of_the_formula() -> None:
    """Uniform on 0..100 with a price of 2: the gaps shrink by one price from look to look (k*c apart)."""
    ages = [i / 4 for i in range(401)]
    looks = Looks(ages, [1 - age / 100 for age in ages], price=2.0)
    at, times = 0.0, []
    while at < 100:
        at = looks.after(at)
        times.append(at)
    gaps = [b - a for a, b in zip([0.0, *times], times, strict=False)]
    assert gaps == sorted(gaps, reverse=True)
    assert all(first - second == pytest.approx(2.0, abs=1.0) for first, second in pairwise(gaps))
    assert looks.after(100.0) == math.inf


# -- how many looks a second -------------------------------------------------------------------------------


def use(pacer: PollPacer, now: float, seconds: float) -> int:
    end, looks = now + seconds, 0
    while now < end:
        now += pacer.wait(now)
        pacer.begin(now)
        looks += 1
    return looks


def test_looks_start_at_20_a_second_and_double_while_they_are_used() -> None:
    pacer = PollPacer(rate=None, now=0.0)
    assert 18 <= use(pacer, 0.0, 1.0) <= 23
    assert use(pacer, 1.0, 3.0) >= 150


def test_unused_looks_do_not_raise_the_rate() -> None:
    pacer = PollPacer(rate=None, now=0.0)
    for second in range(100):
        pacer.begin(float(second))
    assert pacer.rate == 20


def test_a_throttled_look_halves_the_rate_once_a_second_and_waits_as_told() -> None:
    pacer = PollPacer(rate=None, now=0.0)
    for _ in range(10):
        pacer.throttled(5.0, 3.0)
    assert pacer.rate == 10
    assert pacer.wait(5.0) == pytest.approx(3.0)
    pacer.unanswered(9.0)
    assert pacer.rate == 5


def test_a_told_poll_rate_is_kept() -> None:
    pacer = PollPacer(rate=Rate(5, 1), now=0.0)
    assert 48 <= use(pacer, 0.0, 10.0) <= 51
    assert PollPacer(rate=None, now=0.0, saved=json.loads(json.dumps(pacer.state()))).rate <= 20
