"""A disk that refuses: errors injected at each write, a tiny file system, a limit on file sizes.

Nothing may be paid twice, and each id that the client read must be kept somewhere: in the ledger, in the spill
file, or on the terminal.
"""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trials
from books import Verdict, compare, read_books
from figures import Figure
from processes import Zygote, attach
from world import World, make_world

#: SQLite's own calls, and those of all other files. `write` is what the terminal needs too.
LEDGER_CALLS = ("pwrite64", "fdatasync", "ftruncate")
OTHER_CALLS = ("fsync", "write", "rename", "openat", "mkdir")


def _kept(world: World, verdict: Verdict) -> Verdict:
    """The client lived, so an id that the service sent whole was read: it must be in some place."""
    audit, books, said = world.audit(), read_books(world.out), world.said().decode(errors="replace")
    known = set() if books is None else {one["task_id"] for one in books.tasks} | books.spilled
    lost = [
        task["task_id"]
        for task in audit["tasks"]
        if task["task_id"] not in known and f"is task {task['task_id']}." not in said
    ]
    if lost:
        verdict.violations.append(f"{len(lost)} ids that the client read are nowhere: {lost[:3]}")
    return verdict


def _end(world: World, figure: Figure, what: str, *, fired: bool, exit_code: int, hurts: bool = True) -> None:
    """The run with the bad disk ended; compare, then run with a good disk and compare again."""
    verdicts = [_kept(world, compare(world, ended=False))]
    if fired and hurts and exit_code == 0:
        books = read_books(world.out)
        done = books is not None and all(one["state"] == "succeeded" for one in books.jobs.values())
        if not done or len(books.jobs) < len(world.jobs):  # type: ignore[union-attr]
            verdicts[0].violations.append("the disk refused, jobs are left, and the run left with 0")
    verdicts += trials.finish(world, trials.CLEAN)
    figure.add(what, fired=int(fired), verdicts=tuple(verdicts))


def injected(zygote: Zygote, count: int, seed: int) -> Figure:
    """ENOSPC or EIO at the n-th call of a kind, once or from then on."""
    figure = Figure("disk-injected", seed)
    rng = random.Random(f"disk {seed}")
    ledger_spots = trials.spots(zygote, [trials.CLEAN], LEDGER_CALLS, 10_000, seed)
    other_spots = trials.spots(zygote, [trials.CLEAN], OTHER_CALLS, 10_000, seed)

    def cases() -> Iterator[tuple[str, int, str, str]]:
        for n in range(count):
            some = other_spots if n % 4 == 3 else ledger_spots
            _, call, nth = some[(n // 4 if n % 4 == 3 else n) % len(some)]
            # `write` from then on would silence the terminal too: no program can keep an id then.
            lasting = rng.random() < 0.5 and call not in ("write", "openat")
            yield call, nth, rng.choice(("ENOSPC", "EIO")), "+" if lasting else ""

    def trial(call: str, nth: int, error: str, plus: str) -> None:
        what = f"{error} at {call} {nth}{plus}"
        with make_world(zygote, f"{seed} {what}") as world:
            process = world.start(stopped=True)
            log = world.folder / "trace"
            tracer = attach(
                process, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={nth}{plus}", log=log
            )  # fmt: skip
            code = process.wait()
            trials.end_tracer(tracer)
            fired = b"(INJECTED)" in log.read_bytes()
            _end(world, figure, what, fired=fired, exit_code=code, hurts=call in LEDGER_CALLS and bool(plus))

    return trials.side_by_side(figure, trial, cases())


def limited(zygote: Zygote, count: int, seed: int) -> Figure:
    """No file may grow beyond a limit (RLIMIT_FSIZE): the ledger, its WAL, the spill, videos, results."""
    figure = Figure("disk-file-limit", seed)
    rng = random.Random(f"limit {seed}")

    def trial(limit: int) -> None:
        with make_world(zygote, f"{seed} {limit}") as world:
            process = world.start(fsize=limit)
            code = process.wait()
            fired = code != 0 or "large" in process.said() or b"download_failed" in _events(world)
            _end(world, figure, f"limit of {limit}", fired=fired, exit_code=code, hurts=False)

    return trials.side_by_side(figure, trial, [(rng.randrange(4_000, 160_000),) for _ in range(count)])


def _events(world: World) -> bytes:
    path = world.out / "events.jsonl"
    return path.read_bytes() if path.exists() else b""


@contextmanager
def tiny_disk(folder: Path, size: int) -> Iterator[Path]:
    """A tmpfs of so many bytes (root only)."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full(zygote: Zygote, count: int, seed: int) -> Figure:
    """A file system that is full after some 64 KB to 2 MB; then room is made, and the run goes on."""
    figure = Figure("disk-full", seed)
    rng = random.Random(f"full {seed}")

    def trial(size: int) -> None:
        with make_world(zygote, f"{seed} {size}") as world, tiny_disk(world.out, size):
            code = world.run()
            verdict = _kept(world, compare(world, ended=False))
            subprocess.run(["mount", "-o", "remount,size=256m", str(world.out)], check=True)
            verdicts = trials.finish(world, trials.CLEAN)
            figure.add(f"disk of {size}", fired=int(code != 0), verdicts=(verdict, *verdicts))

    sizes = [(rng.randrange(16, 400) * 4096,) for _ in range(count)]
    return trials.side_by_side(figure, trial, sizes)


def can_mount() -> str:
    """Why no file system can be mounted here; "" when one can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root can mount a file system"
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", name], check=False, capture_output=True)
        if done.returncode:
            return "this machine does not let root mount a file system"
        subprocess.run(["umount", name], check=True)
    return ""
