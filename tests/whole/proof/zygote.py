"""A process that has batchgen imported and forks: a fresh process in milliseconds instead of a second.

Each request is one JSON line on stdin: {"id", "program": "client" or "sandbox", "argv", "env", "stdout",
"stderr", and perhaps "cwd", "failpoint", "stopped" (wait for SIGCONT, so that a tracer can attach) and "fsize"
(limit of a file's size)}. Answers are JSON lines on stdout: {"id", "pid"} at once and {"id", "status"} at the end.
A child is a process like any other, with its own signals, descriptors and death.

The clients guess that a task takes half a second (a sandbox of the proofs needs less), not the minutes of a real
service: so they look at once. That is the only thing about them that is not as delivered, and no look can spend.
"""

import atexit
import encodings.idna
import encodings.utf_8_sig  # noqa: F401
import gc
import json
import os
import resource
import selectors
import signal
import sys
import threading

import aiohttp.web  # noqa: F401
import jinja2  # noqa: F401

import batchgen.check.survey
import batchgen.cli
import batchgen.cli.check_text
import batchgen.cli.doctor
import batchgen.cli.ledger
import batchgen.cli.run
import batchgen.manifest.csv
import batchgen.running.flow
import batchgen.running.outputs
import batchgen.running.progress
import batchgen.running.resolve
import batchgen.running.retry
import batchgen.sandbox.__main__
from batchgen.ledger import failpoint
from batchgen.running.pacing import durations


def _become(wish: dict) -> int:
    """In the child: take descriptors, environment and limits, and run the program."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for number, path, flags in ((0, "/dev/null", os.O_RDONLY), (1, wish["stdout"], 0), (2, wish["stderr"], 0)):
        opened = os.open(path, flags or os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - they live as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(wish["env"])
    os.chdir(wish.get("cwd", "."))
    if "failpoint" in wish:
        failpoint._wanted, _, nth = wish["failpoint"].partition(":")
        failpoint._left = int(nth or 1)
    if "fsize" in wish:
        resource.setrlimit(resource.RLIMIT_FSIZE, (wish["fsize"], resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if wish.get("unpaced"):
        _unpace(wish["unpaced"])
    if wish.get("stopped"):
        os.kill(os.getpid(), signal.SIGSTOP)
    sys.argv = ["batchgen", *wish["argv"]]
    if wish["program"] == "sandbox":
        return batchgen.sandbox.__main__.main(wish["argv"])
    batchgen.cli.heed_terminate()
    return batchgen.cli.invoke(wish["argv"])


def _unpace(most: int) -> None:
    """Submit without waiting, `most` POSTs at once, and never pause for doubts: two thousand faults in minutes."""
    from batchgen.running import stations as drive

    class Unpaced(drive.SubmitPacer):
        def wait(self, now: float) -> float | None:
            return 0.0 if len(self._open) < most else None

    class NeverAway(drive.Away):
        paused = False

    drive.SubmitPacer, drive.Away = Unpaced, NeverAway


def _guess_half_a_second() -> None:
    """Before anything is known of the durations: nearly all tasks end at about half a second."""
    near = [durations._bell(max(durations.edge(step), 0.1), 0.4, 0.3) for step in range(durations.STEPS)]
    wide = 0.1 / durations.STEPS
    durations.PRIOR = tuple(0.9 * share / sum(near) + wide for share in near)


def _leave(code: int) -> None:
    """End as the interpreter would, without taking its modules apart: that would copy every page they lie on."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> int:
    _guess_half_a_second()
    say = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    gc.collect()
    gc.freeze()
    awake, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    os.set_blocking(awake, False)
    signal.set_wakeup_fd(wakeup)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(0, False)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(awake, selectors.EVENT_READ)
    children: dict[int, int] = {}
    pending = b""
    while True:
        for key, _ in selector.select():
            if key.fd == awake:
                os.read(awake, 4096)
                continue
            data = os.read(0, 1 << 16)
            if not data:
                for pid in children:
                    os.kill(pid, signal.SIGKILL)
                return 0
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                wish = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    selector.close()
                    for fd in (awake, wakeup, say.fileno()):
                        os.close(fd)
                    _leave(_become(wish))
                children[pid] = wish["id"]
                say.write(json.dumps({"id": wish["id"], "pid": pid}) + "\n")
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            code = os.waitstatus_to_exitcode(status)
            say.write(json.dumps({"id": children.pop(pid), "status": code}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
