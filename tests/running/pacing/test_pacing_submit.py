"""When a POST may begin: never before the service said, never more than told, and never not at all."""

import importlib.util
import json
import random
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.running.pacing import Rate, SubmitPacer


def load(name: str) -> ModuleType:
    """A benchmark, for its simulated services."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[3] / "benchmarks" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


sim = load("pacing_sim")


def pacer(**settings: Any) -> SubmitPacer:
    settings = {"rate": None, "max_in_flight": None, "now": 0.0, "wall": 1.8e9, "rng": random.Random(1), **settings}
    return SubmitPacer(**settings)


def accept(pacer: SubmitPacer, count: int, now: float = 0.0) -> float:
    """So many POSTs are accepted one after the other; returns the instant of the last."""
    for _ in range(count):
        wait = pacer.wait(now)
        assert wait is not None
        now += wait
        pacer.accepted(now, {}, pacer.begin(now))
    return now


# -- what the service says ---------------------------------------------------------------------------------


def test_retry_after_holds_for_everybody() -> None:
    one = pacer()
    now = accept(one, 5)
    one.throttled(now, "rate", 7.0, {}, one.begin(now))
    assert one.wait(now) == pytest.approx(7.0)
    assert one.wait(now + 6.9) > 0
    assert one.wait(now + 7.5) == 0


def told_and_throttled(after: int) -> SubmitPacer:
    """20 a second as told; the service throttles the POST that follows `after` accepted ones."""
    one = pacer(rate=Rate(20, 1.0))
    now = accept(one, after)
    now += one.wait(now) or 0.0
    one.throttled(now + 0.01, "rate", 1.0, {}, one.begin(now))
    return one


def pace(pacer: SubmitPacer, now: float, count: int = 41) -> float:
    """Begins a second from the first to the last of so many accepted POSTs."""
    first = accept(pacer, 1, now)
    return (count - 1) / (accept(pacer, count - 1, first) - first)


def test_posts_squeezed_together_on_their_way_do_not_slow_a_told_rate() -> None:
    """Just as many were sent as told, and the service saw one too many: slots are widened, by little."""
    one = told_and_throttled(after=60)
    assert one.wait(3.2) == pytest.approx(1.0, abs=0.3), "Retry-After holds all the same"
    assert 0.98 * 20 <= pace(one, 10.0) < 0.994 * 20


def test_a_service_that_takes_less_than_told_is_believed() -> None:
    """The eleventh POST of a second is throttled where 20 were told: about ten are sent from then on."""
    assert pace(told_and_throttled(after=10), 10.0) <= 10.5


def test_a_told_limit_counts_from_when_a_post_really_left() -> None:
    """The first of two a second leaves 200 ms late: the third follows a second after that, not after the plan."""
    one = pacer(rate=Rate(2, 1.0))
    first = one.begin(0.0)
    one.left(0.2, first)
    second = one.wait(0.2)
    assert second is not None
    one.left(0.2 + second, one.begin(0.2 + second))
    third = one.wait(0.9)
    assert third is not None
    assert 0.9 + third >= 0.2 + 1.0


def test_many_throttled_answers_at_once_are_one_event() -> None:
    """Eight POSTs under way together, all throttled: the rate falls as after one."""
    rates = []
    for together in (1, 8):
        one = pacer()
        now = accept(one, 30)
        tickets = [one.begin(now) for _ in range(together)]
        for ticket in tickets:
            one.throttled(now + 0.1, "rate", 2.0, {}, ticket)
        rates.append(one.state(now, now)["found"]["rate"])
    assert rates[1] == pytest.approx(rates[0], rel=0.05)


def test_wake_ups_after_a_wait_are_spread_by_slots() -> None:
    one = pacer()
    now = accept(one, 40)
    one.throttled(now, "rate", 3.0, {}, one.begin(now))
    now += 3.0
    begins = []
    while len(begins) < 10:
        now += one.wait(now)
        one.begin(now)
        begins.append(now)
    gaps = [after - before for before, after in pairwise(begins)]
    assert min(gaps) > 0.01


def test_a_policy_in_a_header_is_kept_like_a_told_rate() -> None:
    one = pacer()
    one.accepted(0.0, {"ratelimit-policy": '"default";q=10;w=1'}, one.begin(0.0))
    now = accept(one, 100, 0.0)
    assert 100 / 10 * 0.99 <= now <= 100 / 10 * 1.06
    assert one.binding() == "service"


def test_nothing_left_waits_for_the_reset() -> None:
    one = pacer()
    one.accepted(0.0, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "8"}, one.begin(0.0))
    assert one.wait(0.0) == pytest.approx(8.0)


def test_a_daily_quota_is_no_pace() -> None:
    one = pacer()
    one.accepted(0.0, {"ratelimit-policy": '"daily";q=1000;w=86400'}, one.begin(0.0))
    assert accept(one, 50) < 10


def test_too_many_at_once_lowers_what_is_in_flight_and_not_the_rate() -> None:
    one = pacer()
    now = accept(one, 3)
    one.throttled(now, "concurrency", None, {}, one.begin(now))
    assert one.wait(now + 5) == pytest.approx(55, abs=6)  # the next try for one more
    assert one.binding() == "in_flight"
    one.ended(now + 5)
    assert one.wait(now + 5) == 0
    assert "found" not in one.state(now, now)


def test_one_more_at_once_is_tried_now_and_then_and_found() -> None:
    one = pacer()
    now = accept(one, 3)
    one.throttled(now, "concurrency", None, {}, one.begin(now))
    now += 61
    assert one.wait(now) == 0
    one.accepted(now, {}, one.begin(now))
    assert one.wait(now + 1) == 0


def test_unavailable_waits_and_keeps_the_rate() -> None:
    one = pacer()
    now = accept(one, 10)
    one.throttled(now, "unavailable", 4.0, {}, one.begin(now))
    assert one.wait(now) == pytest.approx(4.0)
    assert one.binding() == "finding"


# -- what the user says ------------------------------------------------------------------------------------


def test_told_in_flight_is_a_wall() -> None:
    one = pacer(rate=Rate(100, 1), max_in_flight=2)
    now = accept(one, 2)
    assert one.wait(now + 1000) is None
    one.ended(now)
    assert one.wait(now + 1) == 0


def test_tasks_of_an_earlier_run_count_in_flight() -> None:
    one = pacer(max_in_flight=5)
    one.tasks_in_flight(5)
    assert one.wait(0.0) is None


def test_what_was_never_sent_or_judged_takes_no_place_in_flight() -> None:
    one = pacer(max_in_flight=1)
    one.cancel_begin(0.0, one.begin(0.0))
    one.not_sent(1.0, one.begin(1.0))
    one.rejected(40.0, {}, one.begin(40.0))
    one.in_doubt(41.0, one.begin(41.0))
    assert one.wait(42.0) == 0


def test_a_told_rate_gives_way_to_a_slower_service() -> None:
    service = sim.SlidingWindow(10, 2)
    score = sim.simulate(sim.Paced(Rate(20, 1)), service, 300, sim.latencies("5 ms", 1))
    assert score.throttled / score.posts < 0.05
    assert score.goodput(service.limit) > 0.85


# -- always ------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["accepted", "rate", "concurrency", "", "unavailable", "rejected", "not_sent",
                         "in_doubt", "cancel", "ended", "open"]),
        st.sampled_from([0.0, 0.0, 0.001, 0.1, 3.0]),
        st.sampled_from([None, 0.0, 1.0, 12.0]),
    ),
    max_size=120,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, told=st.sampled_from([None, Rate(3, 1), Rate(20, 10)]), most=st.sampled_from([None, 1, 4]))
def test_the_rules_hold_for_any_sequence_of_answers(steps: list[Any], told: Rate | None, most: int | None) -> None:
    """No window above the told rate, nothing before Retry-After, no more in flight than told, no starvation."""
    one = pacer(rate=told, max_in_flight=most)
    now, gate, tasks, begun, tickets = 0.0, 0.0, 0, [], []
    for what, late, told_wait in steps:
        if what == "ended":
            if tasks:
                one.ended(now)
                tasks -= 1
            continue
        wait = one.wait(now)
        if wait is None:
            assert tasks + len(tickets) > 0, "nothing in flight, and still no POST may begin"
            one.ended(now) if tasks else one.rejected(now, {}, tickets.pop())
            tasks = max(0, tasks - 1)
            continue
        assert wait < 1000
        now += wait + late
        assert now >= gate
        begun.append(now)
        tickets.append(one.begin(now))
        assert most is None or tasks + len(tickets) <= most
        if what == "open":
            continue
        ticket = tickets.pop(0)
        if what == "cancel":
            one.cancel_begin(now, ticket)
        elif what in ("accepted", "rejected"):
            getattr(one, what)(now, {}, ticket)
            tasks += what == "accepted"
        elif what in ("not_sent", "in_doubt"):
            getattr(one, what)(now, ticket)
        else:
            one.throttled(now, what, told_wait, {}, ticket)
            gate = max(gate, now + (told_wait or 0.0))
        json.dumps(one.state(now, now), allow_nan=False)
        one.binding(), one.sentence(now)
    if told and not any(what == "cancel" for what, *_ in steps):
        for index, start in enumerate(begun):
            assert sum(1 for at in begun[index:] if at < start + told.seconds) <= told.count


def test_state_survives_a_restart() -> None:
    """A crash loop does not burst: told windows, waits, found rates and limits go on where they were."""
    told = pacer(rate=Rate(5, 60))
    for _ in range(5):
        now = accept(told, 1, told.wait(0.0) or 0.0)
    saved = json.loads(json.dumps(told.state(now, 1.8e9 + now)))
    again = pacer(rate=Rate(5, 60), saved=saved, now=500.0, wall=1.8e9 + now + 1)
    assert again.wait(500.0) > 5

    found = pacer()
    now = accept(found, 60)
    found.throttled(now, "rate", 30.0, {}, found.begin(now))
    found.throttled(now, "concurrency", None, {}, None)
    state = json.loads(json.dumps(found.state(now, 1.8e9 + now)))
    again = pacer(saved=state, now=9.0, wall=1.8e9 + now + 10)
    assert again.wait(9.0) == pytest.approx(20.0, abs=0.1)
    assert again.state(9.0, 1.8e9 + now + 10)["found"]["rate"] == pytest.approx(state["found"]["rate"], rel=0.05)


def test_attempts_in_the_ledger_count_though_no_state_was_saved() -> None:
    one = pacer(rate=Rate(3, 60), begun=[1.8e9 - 10, 1.8e9 - 9, 1.8e9 - 8], now=77.0)
    assert one.wait(77.0) == pytest.approx(50, abs=0.5)


# -- rates that nobody told --------------------------------------------------------------------------------


@pytest.mark.parametrize("latency", ["5 ms", "50 ms", "200 ms"])
def test_an_untold_limit_of_40_in_2_s_is_found_and_used(latency: str) -> None:
    """At least 90 % of it over 800 jobs, and at most 2 % of the POSTs throttled."""
    for seed in range(3):
        score = sim.simulate(sim.Paced(seed=seed), sim.SlidingWindow(40, 2), 800, sim.latencies(latency, seed))
        assert score.goodput(20) >= 0.90
        assert score.throttled <= 0.02 * score.posts
        assert score.early == 0


@pytest.mark.parametrize(
    "service",
    ["window 20/10s silent", "window 60/60s", "fixed 60/60s", "fixed 100/10s", "bucket 1/s b1", "bucket 5/s b5",
     "bucket 20/s b20", "bucket 50/s b50", "bucket 10/s b10 silent", "active 3", "active 30"],
)  # fmt: skip
def test_other_services_limits_are_used_to_90_percent(service: str) -> None:
    build, jobs = sim.SERVICES[service]
    score = sim.simulate(sim.Paced(seed=2), build(), jobs, sim.latencies("50 ms", 2))
    assert score.goodput(build().limit) >= 0.90
    assert score.throttled <= 0.05 * len(score.created)
    assert score.early == 0


def test_where_nothing_limits_a_thousand_a_second_are_reached_in_5_s() -> None:
    score = sim.simulate(sim.Paced(), sim.Unlimited(), 8000, sim.latencies("5 ms", 0))
    assert any(after - before <= 1.0 for before, after in zip(score.created, score.created[1000:], strict=False)
               if before < 4.0)  # fmt: skip


def test_a_limit_that_rises_is_found_again() -> None:
    """10/s for a minute, then 40/s: five minutes later most of it is used."""
    service = sim.TokenBucket(10, 10)

    class Rising:
        limit = 10.0

        def post(self, now: float) -> Any:
            service.limit = 10.0 if now < 60 else 40.0
            return service.post(now)

    score = sim.simulate(sim.Paced(), Rising(), 9000, sim.latencies("50 ms", 3))
    late = [at for at in score.created if at > 300]
    assert len(late) / (late[-1] - late[0]) > 30


def test_a_limit_that_falls_is_obeyed() -> None:
    service = sim.TokenBucket(40, 10)

    class Falling:
        limit = 40.0

        def post(self, now: float) -> Any:
            service.limit = 40.0 if now < 30 else 4.0
            return service.post(now)

    score = sim.simulate(sim.Paced(), Falling(), 1800, sim.latencies("50 ms", 3))
    assert score.throttled / score.posts < 0.03


def test_a_slow_batch_does_not_talk_itself_into_a_high_rate() -> None:
    """A limit that is never reached, because few tasks may run at once, is not taken for refuted."""
    one = pacer()
    now = accept(one, 60)
    one.throttled(now, "rate", 1.0, {}, one.begin(now))
    now = accept(one, 20, now + 1.0)
    found = one.state(now, now)["found"]["rate"]
    for _ in range(200):
        now = accept(one, 1, now + 20.0)
    assert one.state(now, now)["found"]["rate"] <= 1.5 * found
