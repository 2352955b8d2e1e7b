"""One little world: a sandbox in a process of its own, a manifest, an OUT, and runs of batchgen against them."""

import base64
import http.client
import json
import random
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from processes import Process, Zygote

#: What the service charges, and what our price table says, unless a proof changes it.
PRICES = {"text-to-video": 6, "image-to-video": 8, "video-to-video": 10}


def make_key(rng: random.Random) -> str:
    """A key that no other text resembles; it has characters that URLs spell otherwise."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
    return "".join(rng.choice(letters) for _ in range(20)) + "/+" + "".join(rng.choice(letters) for _ in range(20))


def key_pattern(key: str) -> re.Pattern[bytes]:
    """Finds a key in bytes: as it is, in URLs, in base64 at any offset, and every piece of 12 characters."""
    pieces = {key[at : at + 12] for at in range(len(key) - 11)} | {quote(key, safe="")}
    for offset in range(3):
        coded = base64.b64encode(b"x" * offset + key.encode()).decode()
        pieces.add(coded[4 : 4 + 24])
        pieces.add(base64.urlsafe_b64encode(b"x" * offset + key.encode()).decode()[4 : 4 + 24])
    return re.compile(b"|".join(re.escape(piece.encode()) for piece in sorted(pieces)))


@dataclass
class World:
    """`runs` are the clients that were started, oldest first."""

    zygote: Zygote
    folder: Path
    out: Path
    manifest: Path
    jobs: list[str]
    key: str
    base_url: str
    sandbox: Process
    runs: list[Process] = field(default_factory=list)

    def start(self, *extra: str, command: str = "run", **more: Any) -> Process:
        """Start `batchgen run` (or another command) and return at once."""
        if command == "run":
            argv = ["run", str(self.manifest), "--out", str(self.out), "--yes", "--base-url", self.base_url]
            argv += ["--rate", "300/s", "--burst", "8", "--max-in-flight", "64", "--max-failures", "100000"]
        else:
            argv = [command, str(self.out)]
        env = {"BATCHGEN_API_KEY": self.key} | more.pop("env", {})
        more.setdefault("cwd", str(self.folder.parent))  # where batchgen.toml is, if a proof writes one
        process = self.zygote.start("client", [*argv, *extra], self.folder, env=env, **more)
        self.runs.append(process)
        return process

    def run(self, *extra: str, **more: Any) -> int:
        """Run to the end; returns the exit code."""
        return self.start(*extra, **more).wait(300)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Talk to the sandbox's own paths."""
        parts = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def audit(self) -> dict[str, Any]:
        """The service's own books."""
        return self.ask("GET", "/sandbox/audit")

    def control(self, **changes: Any) -> None:
        answer = self.ask("POST", "/sandbox/control", changes)
        assert answer == {"ok": True}, answer

    def wait_for_event(
        self, name: str, count: int = 1, seconds: float = 20.0, process: Process | None = None
    ) -> bool:
        """Until events.jsonl has so many events of a name; False when the process ended before."""
        path, wanted = self.out / "events.jsonl", f'"event": "{name}"'.encode()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(FileNotFoundError):
                if path.read_bytes().count(wanted) >= count:
                    return True
            if process is not None and process.ended.is_set():
                return False
            time.sleep(0.003)
        return False

    def said(self) -> bytes:
        """Everything that every run wrote to its terminal."""
        return b"".join(
            path.read_bytes() for one in self.runs for path in (one.stdout, one.stderr) if path.exists()
        )


def write_manifest(path: Path, jobs: int, rng: random.Random) -> list[str]:
    """A manifest of so many different jobs; returns their ids."""
    lines = ["id,provider,model,scene,prompt,image_input,video_input,owner"]
    for n in range(1, jobs + 1):
        scene = rng.choice(tuple(PRICES))
        image = f"https://example.com/{n}.png" if scene == "image-to-video" else ""
        video = f"https://example.com/{n}.mp4" if scene == "video-to-video" else ""
        lines.append(
            f"job-{n},kie,sandbox-1,{scene},Film number {n} of {rng.getrandbits(40):x},{image},{video},=own {n}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [f"job-{n}" for n in range(1, jobs + 1)]


def start_sandbox(zygote: Zygote, folder: Path, key: str, *options: str) -> tuple[Process, str]:
    """A sandbox in a process of its own: (process, base URL)."""
    argv = ["--port", "0", "--key", key, "--duration", "0.05", "--latency", "0.01", *options]
    process = zygote.start("sandbox", argv, folder)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not process.ended.is_set():
        text = process.stdout.read_text() if process.stdout.exists() else ""
        if text.endswith("\n"):
            return process, json.loads(text)["base_url"]
        time.sleep(0.003)
    raise AssertionError(f"the sandbox did not start: {process.said()}")


@contextmanager
def make_world(
    zygote: Zygote, seed: object, *options: str, jobs: int = 8, out: Path | None = None
) -> Iterator[World]:
    """A world made from a seed; it ends with its sandbox. `out`: where OUT lies, if not in the world's folder."""
    rng = random.Random(f"{seed}")
    with tempfile.TemporaryDirectory(prefix="batchgen-proof-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        key = make_key(rng)
        manifest = folder / "films.csv"
        ids = write_manifest(manifest, jobs, rng)
        sandbox, base_url = start_sandbox(zygote, folder / "service", key, *options)
        world = World(zygote, folder / "terminal", out or folder / "out", manifest, ids, key, base_url, sandbox)
        try:
            yield world
        finally:
            for process in [*world.runs, sandbox]:
                process.signal(9)
            for process in [*world.runs, sandbox]:
                process.ended.wait(10)
