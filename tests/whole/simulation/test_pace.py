"""As fast as allowed, through the real submitter and ledger: told limits hold exactly, untold ones are found."""

import random
from collections.abc import Iterator

import pytest
from virtual_disk import Disk
from virtual_pace import Steady, run
from virtual_world import imagined

from batchgen.running.pacing import Rate
from batchgen.running.settings import Config

#: Seconds to an answer. Where the way there varies by more than a few milliseconds, a service that counts to the
#: number that was told sees one too many now and then, however evenly they leave.
NEAR = (0.050, 0.052)


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    one = Disk()
    with imagined(one, learning=True):
        yield one
    one.remove()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("count", "seconds"), [(20, 1.0), (40, 2.0), (2, 1.0)])
def test_a_told_rate_holds_exactly_and_is_used_to_the_full(
    disk: Disk, count: int, seconds: float, seed: int
) -> None:
    service = Steady(random.Random(seed), window=seconds, most=count, answers_in=NEAR)
    run(disk, service, 400 if count > 2 else 100, Config(rate=Rate(count, seconds)), seed)
    assert service.fullest(seconds) <= count
    assert service.throttled == 0
    assert service.used() >= 0.99 * count / seconds


@pytest.mark.parametrize("seed", range(2))
def test_a_way_that_squeezes_posts_together_costs_little(disk: Disk, seed: int) -> None:
    """Where the way there varies by 15 ms, slots are widened by just about that, after two or three refusals."""
    service = Steady(random.Random(seed), window=1.0, most=20, answers_in=(0.020, 0.050))
    run(disk, service, 400, Config(rate=Rate(20, 1.0)), seed)
    assert service.throttled <= 4
    assert service.used() >= 0.96 * 20


@pytest.mark.parametrize("seed", range(3))
def test_an_untold_rate_is_found(disk: Disk, seed: int) -> None:
    """A sliding window of 40 in 2 s, 429 with Retry-After: 90 % of it used, at most 2 % of the POSTs refused."""
    service = Steady(random.Random(seed), window=2.0, most=40, answers_in=(0.002, 0.012))
    run(disk, service, 800, Config(), seed)
    assert service.used() >= 0.90 * 20
    assert service.throttled <= 0.02 * len(service.left)


@pytest.mark.parametrize("seed", range(3))
def test_an_untold_number_of_tasks_at_once_is_found(disk: Disk, seed: int) -> None:
    service = Steady(random.Random(seed), at_once=3, seconds=(8.0, 12.0))
    loop = run(disk, service, 60, Config(), seed)
    assert service.most_running == 3
    assert loop.time() <= 1.25 * 60 * 10 / 3
    assert service.throttled <= 8


def test_a_told_number_of_tasks_at_once_is_never_passed(disk: Disk) -> None:
    service = Steady(random.Random(1), at_once=3, seconds=(8.0, 12.0))
    loop = run(disk, service, 60, Config(max_in_flight=3))
    assert (service.most_running, service.throttled) == (3, 0)
    assert loop.time() <= 1.2 * 60 * 10 / 3
