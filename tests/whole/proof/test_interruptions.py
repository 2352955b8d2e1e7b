"""People and other programs get in the way: signals, a second run, readers, an outage of the service."""

import pytest
import signals
from books import compare
from processes import Zygote, can_trace
from world import make_world

SEED = 20263
needs_trace = pytest.mark.skipif(bool(can_trace()), reason=can_trace() or "-")


@pytest.mark.timeout(300)
def test_a_signal_stops_gently_and_the_second_at_once(zygote: Zygote) -> None:
    signals.interruptions(zygote, 12, SEED).check()


@pytest.mark.timeout(300)
def test_a_second_run_leaves_with_75_and_says_who_works(zygote: Zygote) -> None:
    signals.two_processes(zygote, 3, SEED).check()


@pytest.mark.timeout(300)
def test_results_csv_is_whole_whenever_it_is_read(zygote: Zygote) -> None:
    signals.readers(zygote, 200, SEED).check()


@needs_trace
@pytest.mark.timeout(300)
def test_an_attempt_is_on_disk_before_the_first_byte_of_its_post(zygote: Zygote) -> None:
    signals.write_before_send(zygote, SEED).check()


@needs_trace
@pytest.mark.timeout(300)
def test_a_run_that_stands_still_keeps_others_out(zygote: Zygote) -> None:
    signals.zombies(zygote, 4, SEED, pause=0.5).check()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["error@503", "drop-after"])
def test_a_service_that_answers_gets_and_loses_posts_costs_few_doubts(zygote: Zygote, fault: str) -> None:
    signals.outage(fault, zygote, SEED, jobs=40, seconds=6).check()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("torn", [b'{"at": 1795373278.5, "ev', b"x" * 200_000], ids=["short", "long"])
def test_an_event_that_was_half_written_is_gone_after_the_next_run(zygote: Zygote, torn: bytes) -> None:
    """A kill, a full disk and a power loss may end events.jsonl anywhere; each of its lines must stay readable."""
    with make_world(zygote, SEED, jobs=3) as world:
        assert world.run() == 0
        events = world.out / "events.jsonl"
        whole = events.read_bytes()
        events.write_bytes(whole + torn)
        assert compare(world, ended=False).violations == []
        assert world.run() == 0
        assert compare(world).violations == []
        assert events.read_bytes().startswith(whole)
