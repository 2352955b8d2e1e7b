"""Power loss: a run on an ext4 file system that is shut down without writing anything more, then mounted again.

Only what was synced survives (EXT4_IOC_SHUTDOWN without a flush of the journal). Root only.
"""

import errno
import fcntl
import os
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trials
from figures import Figure
from processes import Zygote, attach
from world import make_world

_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = (2).to_bytes(4, "little")
_mounting = threading.Lock()


class PowerDisk:
    """A small ext4 file system in a file, mounted at `place`."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(256 << 20)  # sparse; downloads want 100 MB to spare
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True, capture_output=True)
        self.mount()

    def mount(self) -> None:
        with _mounting:  # two `mount -o loop` at once may take the same device
            subprocess.run(["mount", "-o", "loop,commit=60", str(self.image), str(self.place)], check=True)

    def unmount(self) -> None:
        for _ in range(200):
            done = subprocess.run(["umount", str(self.place)], check=False, capture_output=True)
            if done.returncode == 0:
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.place} can't be unmounted: {done.stderr!r}")

    def lose_power(self) -> None:
        """From this moment on nothing reaches the disk: not even the journal."""
        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(handle)

    def is_off(self) -> bool:
        """Whether the file system refuses everything now."""
        try:
            (self.place / "probe").write_bytes(b"x")
        except OSError as error:
            return error.errno in (errno.EIO, errno.EUCLEAN)
        return False


@contextmanager
def power_disk() -> Iterator[PowerDisk]:
    with tempfile.TemporaryDirectory(prefix="batchgen-power-") as name:
        disk = PowerDisk(Path(name))
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", str(disk.place)], check=False, capture_output=True)


def losses(zygote: Zygote, count: int, seed: int) -> Figure:
    """kill -9 and power loss together: at random moments, and at every kind of system call in turn."""
    figure = Figure("power-loss", seed)
    at_calls = trials.spots(zygote, [trials.CLEAN], ("pwrite64", "fdatasync", "sendto", "recvfrom"), 10_000, seed)

    def trial(n: int) -> None:
        rng = random.Random(f"power {seed} {n}")
        behaviour = rng.choice(trials.BEHAVIOURS) if n % 2 else trials.CLEAN
        with (
            power_disk() as disk,
            make_world(zygote, f"power {seed} {n}", *behaviour.options, out=disk.place / "out") as world,
        ):
            if n % 2:
                process = world.start()
                what = trials.wait_for_moment(world, process, rng)
                process.signal(9)
                code = process.wait()
            else:
                _, call, nth = at_calls[(n // 2) % len(at_calls)]
                what = f"{call} {nth}"
                process = world.start(stopped=True)
                inject = f"inject={call}:signal=KILL:when={nth}"
                tracer = attach(process, "-e", f"trace={call}", "-e", inject, log=world.folder / "trace")
                code = process.wait()
                trials.end_tracer(tracer)
            disk.lose_power()
            off = disk.is_off()
            disk.unmount()
            disk.mount()
            verdicts = list(trials.finish(world, behaviour))
            # results.csv and report.html are replaced whole, also across a power loss
            figure.add(f"{n} at {what} ({behaviour.name})", fired=int(off and code == -9), verdicts=tuple(verdicts))

    return trials.side_by_side(figure, trial, [(n,) for n in range(count)], at_once=4)


def can_lose_power() -> str:
    """Why power loss can't be tried here; "" when it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root can shut a file system down"
    try:
        with power_disk() as disk:
            disk.lose_power()
            return "" if disk.is_off() else "the file system does not shut down"
    except (OSError, subprocess.CalledProcessError) as error:
        return f"this machine has no loop-mounted ext4 ({type(error).__name__})"
