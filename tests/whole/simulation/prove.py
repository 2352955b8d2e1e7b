"""The long form of the simulation, with its figures.

    python tests/whole/simulation/prove.py --seeds 100000 [--first 0] [--jobs 2] [--minutes 10]

Prints seeds, processes, kills planned and fired, faults fired by kind, refused commits, POSTs, and violations.
A seed that breaks a promise is printed with its story; `--only SEED` tells one story.
"""

import argparse
import contextlib
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
SHARE = 250
PROGRESS_EVERY = 5_000


@dataclass
class Figures:
    """Sums over stories."""

    sums: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def share(first: int, count: int, until: float) -> Figures:
    """The stories of `count` seeds from `first` on, as long as there is time."""
    from virtual_disk import Disk
    from virtual_world import imagined, simulate, told

    figures, disk = Figures(), Disk()
    with imagined(disk):
        for seed in range(first, first + count):
            if time.time() > until:
                break
            story = simulate(seed, disk)
            for name in (
                "processes",
                "planned_kills",
                "killed",
                "refused_commits",
                "posts",
                "looks",
                "doubts",
                "jobs",
            ):
                figures.sums[name] += getattr(story, name)
            figures.sums["seeds"] += 1
            figures.sums["virtual_hours"] += round(story.seconds / 3600)
            figures.fired.update(story.fired)
            if story.violations:
                figures.broken.append(told(story))
    disk.remove()
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop beginning seeds after so long")
    parser.add_argument("--only", type=int, help="tell the story of one seed")
    args = parser.parse_args()
    if args.only is not None:
        from virtual_disk import Disk
        from virtual_world import imagined, simulate, told

        disk = Disk()
        with imagined(disk):
            story = simulate(args.only, disk)
        print(told(story, lines=10_000))
        disk.remove()
        return bool(story.violations)
    began, until = time.time(), time.time() + 60 * args.minutes
    total = Figures()
    firsts = range(args.first, args.first + args.seeds, SHARE)
    with ProcessPoolExecutor(args.jobs) as pool, contextlib.suppress(KeyboardInterrupt):
        for done in pool.map(share, firsts, [SHARE] * len(firsts), [until] * len(firsts)):
            total.sums.update(done.sums)
            total.fired.update(done.fired)
            total.broken += done.broken
            if total.sums["seeds"] % PROGRESS_EVERY < SHARE:
                seconds = time.time() - began
                print(f"{total.sums['seeds']:,} seeds in {seconds:,.0f} s", file=sys.stderr, flush=True)
    took = time.time() - began
    for story in total.broken[:5]:
        print(story, end="\n\n")
    for name, count in total.sums.items():
        print(f"{name:<18}{count:>12,}")
    print("faults fired")
    for name, count in sorted(total.fired.items()):
        print(f"  {name:<22}{count:>10,}")
    print(f"{total.sums['seeds'] / took:.1f} seeds a second; {len(total.broken)} seeds broke a promise")
    return bool(total.broken)


if __name__ == "__main__":
    sys.exit(main())
