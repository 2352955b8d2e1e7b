"""Whatever the weather and whenever a process dies: nothing is paid twice, nothing paid is lost, all ends truly."""

from collections import Counter
from collections.abc import Iterator

import pytest
from virtual_disk import Disk
from virtual_service import FATAL, FAULTS, LOOK_FAULTS
from virtual_world import Story, imagined, simulate, told

SEEDS = 2_000
SHARE = 125


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    one = Disk()
    with imagined(one):
        yield one
    one.remove()


@pytest.mark.parametrize("first", range(0, SEEDS, SHARE))
def test_no_seed_breaks_a_promise(disk: Disk, first: int) -> None:
    stories = [simulate(seed, disk) for seed in range(first, first + SHARE)]
    broken = [story for story in stories if story.violations]
    assert not broken, "\n\n".join(told(story) for story in broken[:3])
    assert sum(story.killed for story in stories) >= sum(story.planned_kills for story in stories) > 0


def test_a_seed_is_always_the_same_story(disk: Disk) -> None:
    for seed in range(5):
        first, second = simulate(seed, disk), simulate(seed, disk)
        assert first == second
        assert first.log


def test_every_kind_of_trouble_happens(disk: Disk) -> None:
    """A harness that injects nothing looks green: each fault fires within the first seeds, many times in all."""
    fired: Counter[str] = Counter()
    stories: list[Story] = []
    for seed in range(250):
        stories.append(simulate(seed, disk))
        fired.update(stories[-1].fired)
    expected = {*FAULTS, *LOOK_FAULTS, *FATAL, "away", "too_many_at_once", "too_fast"}
    assert expected <= {name for name, count in fired.items() if count}
    assert sum(story.refused_commits for story in stories) > 10
    assert sum(story.doubts for story in stories) > 100
