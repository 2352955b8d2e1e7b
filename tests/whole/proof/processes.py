"""Start, watch and end the processes of a proof: clients and sandboxes, forked from one zygote."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(os.environ.get("BATCHGEN_PROOF_ROOT") or Path(__file__).resolve().parents[3])
BASE_ENV = {
    "PATH": os.environ.get("PATH", ""),
    "HOME": os.environ.get("HOME", "/"),
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
}


@dataclass
class Process:
    """One forked process. `status` is its exit code, or minus the signal that killed it."""

    stdout: Path
    stderr: Path
    pid: int = 0
    status: int | None = None
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def signal(self, number: int) -> bool:
        """Send a signal; False when the process has ended already."""
        if self.ended.is_set():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait(self, seconds: float = 60.0) -> int:
        if not self.ended.wait(seconds):
            self.signal(signal.SIGKILL)
            self.ended.wait(5)
            raise AssertionError(f"the process did not end in {seconds} s\n{self.said()}")
        assert self.status is not None
        return self.status

    def said(self) -> str:
        return "".join(path.read_text(errors="replace") for path in (self.stdout, self.stderr) if path.exists())


class Zygote:
    """The process that forks the others. Safe to use from several threads."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=BASE_ENV | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,  # Ctrl-C is for the proof, not for its runs
        )
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._children: dict[int, Process] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def start(
        self, program: str, argv: list[str], folder: Path, *, env: dict[str, str] | None = None, **more: Any
    ) -> Process:
        """Fork a process that says what it says into files of `folder`."""
        number = next(self._numbers)
        folder.mkdir(parents=True, exist_ok=True)
        process = Process(folder / f"{program}-{number}.out", folder / f"{program}-{number}.err")
        self._children[number] = process
        wish = {
            "id": number, "program": program, "argv": argv, "env": BASE_ENV | (env or {}),
            "stdout": str(process.stdout), "stderr": str(process.stderr), **more,
        }  # fmt: skip
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(wish).encode() + b"\n")
            self._process.stdin.flush()
        while not process.started.wait(1):
            assert self._process.poll() is None, "the zygote has died: can batchgen be imported?"
        return process

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            child = self._children[said["id"]]
            if "pid" in said:
                child.pid = said["pid"]
                child.started.set()
            else:
                child.status = said["status"]
                child.ended.set()
                del self._children[said["id"]]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def attach(process: Process, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
    """Let strace follow a process that waits for SIGCONT, then let it go on.

    Without --seccomp-bpf: with it, strace does not inject anything, and says nothing of it.
    """
    deadline = time.monotonic() + 30
    while not _is_stopped(process.pid):
        assert time.monotonic() < deadline, f"process {process.pid} did not stop"
        time.sleep(0.002)
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", str(log), *arguments, "-p", str(process.pid)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert tracer.stderr is not None
    said = tracer.stderr.readline()
    assert b"attached" in said, said
    process.signal(signal.SIGCONT)
    return tracer


def _is_stopped(pid: int) -> bool:
    return b"\nState:\tT (stopped)" in Path(f"/proc/{pid}/status").read_bytes()


def can_trace() -> str:
    """Why processes can't be traced here; "" when they can."""
    from shutil import which

    if which("strace") is None:
        return "strace is not installed on this machine"
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "this machine does not allow tracing"
