"""The long forms: `python tests/proof/long.py [PART …] [--count N] [--seed N] [--save DIR]`.

Prints a line for each figure and ends with 1 when one is void or broken. Without a part it runs all of them:
some two hours on two cores. Parts that this machine can't do are said and left out.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import disk
import power
import scoreboard
import signals
import submit_faults
import trials
from figures import Figure, table
from processes import Zygote, can_trace

from batchgen import failpoint

Part = Callable[[Zygote, int, int], list[Figure]]


def _outages(zygote: Zygote, count: int, seed: int) -> list[Figure]:
    """`count` is the seconds of each outage."""
    faults = ("error@503", "accept-page@502", "drop-before", "hang-before")
    return [signals.outage(fault, zygote, seed, 400, count) for fault in faults]


#: part -> (how many by default, what it runs, why it can't run here)
PARTS: dict[str, tuple[int, Part, Callable[[], str]]] = {
    "failpoints": (
        3,
        lambda z, n, s: [trials.failpoints(z, failpoint.NAMES, s + at) for at in range(n)],
        lambda: "",
    ),
    "kills": (400, lambda z, n, s: [trials.kills(z, n, s)], lambda: ""),
    "caps": (100, lambda z, n, s: [trials.caps(z, n, s)], lambda: ""),
    "syscalls": (400, lambda z, n, s: [trials.syscall_kills(z, n, s, trials.BEHAVIOURS)], can_trace),
    "power": (500, lambda z, n, s: [power.losses(z, n, s)], power.can_lose_power),
    "disk": (200, lambda z, n, s: [disk.injected(z, n, s)], can_trace),
    "limits": (50, lambda z, n, s: [disk.limited(z, n, s)], lambda: ""),
    "full": (50, lambda z, n, s: [disk.full(z, n, s)], disk.can_mount),
    "faults": (16, lambda z, n, s: [submit_faults.faults(z, n, s)], lambda: ""),
    "signals": (120, lambda z, n, s: [signals.interruptions(z, n, s)], lambda: ""),
    "two": (50, lambda z, n, s: [signals.two_processes(z, n, s)], lambda: ""),
    "readers": (200, lambda z, n, s: [signals.readers(z, n, s)], lambda: ""),
    "zombies": (100, lambda z, n, s: [signals.zombies(z, n, s)], can_trace),
    "trace": (200, lambda z, n, s: [signals.write_before_send(z, s, n)], can_trace),
    "outage": (660, _outages, lambda: ""),
    "scoreboard": (400, lambda z, n, s: [one for one, _ in scoreboard.scoreboard(z, n, s)], lambda: ""),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--count", type=int, help="another number of trials")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path, help="write each figure as JSON into this folder")
    parser.add_argument("--table", type=Path, help="only print the figures in this folder as a table")
    given = parser.parse_args()
    if given.table:
        print(table(given.table))
        return 0
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {sorted(unknown)[0]}")
    zygote, good = Zygote(), True
    try:
        for name in given.parts or PARTS:
            count, part, why_not = PARTS[name]
            if reason := why_not():
                print(f"{name}: not run: {reason}")
                continue
            for figure in part(zygote, given.count or count, given.seed):
                good &= _judge(figure)
                if given.save:
                    figure.save(given.save)
    finally:
        zygote.close()
    return 0 if good else 1


def _judge(figure: Figure) -> bool:
    if figure.name.startswith("scoreboard-") and "batchgen" not in figure.name:
        return True  # measured, not judged
    try:
        figure.check()
    except AssertionError as error:
        print(f"  BROKEN: {error}")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
