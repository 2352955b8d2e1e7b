"""One faulty service, four clients, the same jobs: how many were paid twice, and how many are left open."""

import json
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from books import compare, read_books
from figures import Figure
from processes import Zygote
from world import World, make_world

FAULTS = (
    "drop-after:3%", "reset-after:2%", "accept-error@500:2%", "accept-page@502:2%", "accept-page@504:2%",
    "truncate:2%", "error@500:2%", "page@502:2%", "drop-before:2%", "throttle@0.1:2%",
)  # fmt: skip


def _paid_twice(world: World) -> tuple[int, int]:
    posts = world.audit()["posts"]
    tasks = Counter(post["sha256"] for post in posts if post["task_id"])
    return sum(1 for count in tasks.values() if count > 1), sum(count - 1 for count in tasks.values())


def scoreboard(zygote: Zygote, jobs: int, seed: int) -> list[tuple[Figure, dict[str, float]]]:
    """A line for each client. batchgen must have no double payment; the others are measured, not judged."""
    options = [part for fault in FAULTS for part in ("--fault", fault)] + ["--retry-after", "float"]
    lines = []
    names = ["batchgen", "httpx-loop", "httpx-once"] + (["openai"] if find_spec("openai") else [])
    for name in names:
        figure = Figure(f"scoreboard-{name}", seed)
        with make_world(zygote, f"score {seed}", *options, "--seed", str(seed), jobs=jobs) as world:
            if name == "batchgen":
                for _ in range(5):
                    if world.run("--no-wait", "--no-download", "--max-in-flight", "5000") != 7:
                        break
                verdict = compare(world)
                books = read_books(world.out)
                assert books is not None
                undone = sum(one["state"] not in ("submitted", "in_doubt") for one in books.jobs.values())
            else:
                script = str(Path(__file__).with_name("peers.py"))
                command = [sys.executable, script, name, world.base_url, world.key, str(world.manifest)]
                done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
                verdict, undone = None, json.loads(done.stdout)["undone"]
            counts = world.audit()["faults"].values()
            twice, extra = _paid_twice(world)
            figure.add(
                name,
                planned=sum(one["planned"] for one in counts),
                fired=sum(one["fired"] for one in counts),
                verdicts=() if verdict is None else (verdict,),
            )
            figure.notes = {
                "jobs": jobs, "paid_twice": twice, "extra_payments": extra,
                "extra_percent": round(100 * extra / jobs, 1), "without_id": undone,
            }  # fmt: skip
        lines.append((figure.end(), figure.notes))
    return lines
