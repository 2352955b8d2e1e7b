"""How long, how many polls, how much memory: the real stations on a virtual clock, with many jobs.

    python benchmarks/scale.py                 20,000 jobs at 20/s
    python benchmarks/scale.py --jobs 1000000

The service, the network and the disk are imagined (`tests/whole/simulation`), so that hours pass in minutes;
submitting, polling, pacing, learning and the ledger are the real ones. Videos are not fetched.
"""

import argparse
import random
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "whole" / "simulation"))

from virtual_disk import Disk
from virtual_pace import Steady, run
from virtual_world import imagined

from batchgen.running.pacing import Rate
from batchgen.running.settings import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rate", type=Rate.parse, default=Rate(20, 1.0))
    parser.add_argument("--task-seconds", type=float, nargs=2, default=(80.0, 250.0))
    args = parser.parse_args()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    service = Steady(random.Random(1), seconds=tuple(args.task_seconds), answers_in=(0.05, 0.06))
    disk, began = Disk(), time.perf_counter()
    with imagined(disk, learning=True):
        loop = run(disk, service, args.jobs, Config(rate=args.rate))
    took = time.perf_counter() - began
    database = disk.rows("PRAGMA page_count")[0][0] * disk.rows("PRAGMA page_size")[0][0] / 2**20
    disk.remove()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    running = args.rate.per_second * sum(args.task_seconds) / 2
    print(f"jobs              {args.jobs:>12,} at {args.rate}, about {running:,.0f} running at once")
    least = args.jobs / args.rate.per_second / 3600
    print(f"virtual time      {loop.time() / 3600:>12.2f} hours ({least:.2f} at least)")
    print(f"rate used         {service.used() / args.rate.per_second:>12.1%}")
    print(f"looks             {service.looks:>12,} ({service.looks / args.jobs:.2f} a task)")
    print(f"real time         {took:>12.1f} s ({1000 * took / args.jobs:.2f} ms a job, all in one process)")
    print(f"memory            {(peak - before) / 1024:>12.0f} MB, of which the ledger in memory {database:.0f} MB")


if __name__ == "__main__":
    main()
