"""The long forms: `python tests/whole/proof/long.py [PART …] [--count N] [--seed N] [--save DIR]`.

Prints a line for each figure and ends with 1 when one is void or broken. Without a part it runs all of them: less
than an hour on two cores. Parts that this machine can't do are said and left out. `--save` writes each figure as
its part ends; when the run is cut short (Ctrl-C), also what the parts that had begun did until then.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import clean
import disk
import figures
import money
import power
import scoreboard
import signals
import submit_faults
import trials
from figures import Figure, table
from processes import Zygote, can_trace

from batchgen.ledger import failpoint


@dataclass(frozen=True)
class Part:
    """`run(zygote, count, seed)`. `why_not`: why it can't run here. `idle`: it mostly waits, so it runs beside."""

    count: int
    run: Callable[[Zygote, int, int], list[Figure]]
    why_not: Callable[[], str] = lambda: ""
    idle: bool = False


def _outages(zygote: Zygote, count: int, seed: int) -> list[Figure]:
    """`count` is the seconds of each outage."""
    faults = ("error@503", "accept-page@502", "drop-before", "hang-before")
    with ThreadPoolExecutor(len(faults)) as pool:
        return list(pool.map(lambda fault: signals.outage(fault, zygote, seed, 400, count), faults))


#: 1,028 kills in the first three, 300 disk errors in `disk`, `limits` and `full`, 2,144 faults of a POST.
PARTS: dict[str, Part] = {
    "failpoints": Part(3, lambda z, n, s: [trials.failpoints(z, failpoint.NAMES, s, n)]),
    "kills": Part(400, lambda z, n, s: [trials.kills(z, n, s)]),
    "syscalls": Part(400, lambda z, n, s: [trials.syscall_kills(z, n, s, trials.BEHAVIOURS)], can_trace),
    "power": Part(500, lambda z, n, s: [power.losses(z, n, s)], power.can_lose_power),
    "disk": Part(200, lambda z, n, s: [disk.injected(z, n, s)], can_trace),
    "limits": Part(50, lambda z, n, s: [disk.limited(z, n, s)]),
    "full": Part(50, lambda z, n, s: [disk.full(z, n, s)], disk.can_mount),
    "faults": Part(16, lambda z, n, s: [submit_faults.faults(z, n, s)]),
    "caps": Part(1000, lambda z, n, s: [money.caps(z, n, s)]),
    "clean": Part(10_000, lambda z, n, s: [clean.clean(z, n, s)]),
    "signals": Part(120, lambda z, n, s: [signals.interruptions(z, n, s)]),
    "two": Part(50, lambda z, n, s: [signals.two_processes(z, n, s)]),
    "readers": Part(200, lambda z, n, s: [signals.readers(z, n, s)]),
    "trace": Part(200, lambda z, n, s: [signals.write_before_send(z, s, n)], can_trace),
    "zombies": Part(100, lambda z, n, s: [signals.zombies(z, n, s)], can_trace),
    "outage": Part(660, _outages, idle=True),
    "scoreboard": Part(400, lambda z, n, s: [one for one, _ in scoreboard.scoreboard(z, n, s)]),
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
    figures.say_every = 30.0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    zygote = Zygote()
    names = list(given.parts or PARTS)
    good: list[bool] = []

    def run(some: list[str]) -> None:
        for name in some:
            good.append(_run(zygote, name, given.count, given.seed, given.save))

    beside = threading.Thread(target=run, args=([name for name in names if PARTS[name].idle],), daemon=True)
    try:
        beside.start()
        run([name for name in names if not PARTS[name].idle])
        while beside.is_alive():
            beside.join(1)
    except KeyboardInterrupt:
        figures.stopping.set()
        print("Cut short. What had begun, and did not end:")
        for figure in list(figures.unfinished):
            figure.end()
            if figure.planned:
                _judge(figure)
                _save(figure, given.save)
        return 130
    finally:
        zygote.close()
    return 0 if len(good) == len(names) and all(good) else 1


def _run(zygote: Zygote, name: str, count: int | None, seed: int, save: Path | None) -> bool:
    """Run one part; whether all of its figures are good."""
    part = PARTS[name]
    if reason := part.why_not():
        print(f"{name}: not run: {reason}")
        return True
    good = True
    for figure in part.run(zygote, count or part.count, seed):
        good &= _judge(figure)
        _save(figure, save)
    return good


def _save(figure: Figure, folder: Path | None) -> None:
    if folder:
        figure.save(folder)


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
