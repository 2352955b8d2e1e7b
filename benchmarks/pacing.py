"""How much of an allowed rate is used, for real: `python benchmarks/pacing.py`.

The `batchgen run` command against a sandbox in a process of its own, everything on. The sandbox's audit says when
each task was created and how many POSTs it refused with 429. Goodput is creations from the first to the last, as a
share of what the limit allows in that time. The peers share the machine and the limit: 16 httpx workers that wait
what Retry-After says, and the openai SDK with its own retries, when it is installed.
(`pacing_sim.py` has many more services, on a virtual clock.)
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from submit import request

WORKERS = 16


def service(*options: str) -> tuple[subprocess.Popen[str], str, str]:
    command = [sys.executable, "-m", "batchgen.sandbox", "--port", "0", "--duration", "1", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    return process, said["base_url"], said["key"]


def audit(base_url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{base_url}/sandbox/audit") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def batchgen(base_url: str, key: str, jobs: int, *flags: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "jobs.jsonl"
        manifest.write_text("\n".join(json.dumps(request(n)) for n in range(jobs)), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "batchgen",
            "run",
            str(manifest),
            "--out",
            f"{folder}/out",
            "--yes",
            "--quiet",
        ]
        environment = {**os.environ, "BATCHGEN_API_KEY": key, "BATCHGEN_BASE_URL": base_url}
        subprocess.run(
            [*command, "--no-wait", "--no-download", *flags], env=environment, check=True, stdout=subprocess.DEVNULL
        )


async def httpx_workers(base_url: str, key: str, jobs: int) -> None:
    import httpx

    numbers = iter(range(jobs))
    async with httpx.AsyncClient(
        base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as client:

        async def worker() -> None:
            for number in numbers:
                while True:
                    answer = await client.post("/v1/videos/generations", json=request(number))
                    if answer.status_code != 429:
                        break
                    await asyncio.sleep(float(answer.headers.get("retry-after", 1)))

        await asyncio.gather(*(worker() for _ in range(WORKERS)))


async def openai_sdk(base_url: str, key: str, jobs: int) -> None:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key=key, base_url=f"{base_url}/v1", max_retries=100)
    numbers = iter(range(jobs))

    async def worker() -> None:
        for number in numbers:
            await client.post("/videos/generations", body=request(number), cast_to=object)

    await asyncio.gather(*(worker() for _ in range(WORKERS)))


def line(name: str, base_url: str, per_second: float, jobs: int) -> str:
    found = audit(base_url)
    posts = sorted(post["at"] for post in found["posts"] if post["task_id"])
    refused = sum(post["status"] == 429 for post in found["posts"])
    assert len(posts) == jobs, f"{len(posts)} tasks for {jobs} jobs"
    used = (len(posts) - 1) / (posts[-1] - posts[0]) / per_second
    return f"{name:<34}{used:>9.1%}{refused / len(found['posts']):>12.1%}{len(found['posts']):>8}"


def main() -> None:
    print(f"{'client':<34}{'goodput':>9}{'429 / POST':>12}{'POSTs':>8}")
    told = service("--rate", "20/1s")
    try:
        batchgen(told[1], told[2], 400, "--rate", "20/s", "--max-in-flight", "1000")
        print(line("batchgen, told 20/s", told[1], 20, 400))
    finally:
        told[0].terminate()
    limit, jobs = ("--rate", "40/2s", "--retry-after", "seconds"), 800
    for name, run in (("httpx, 16 workers, untold 40/2s", httpx_workers), ("openai SDK, untold 40/2s", openai_sdk)):
        process, base_url, key = service(*limit)
        try:
            asyncio.run(run(base_url, key, jobs))
            print(line(name, base_url, 20, jobs))
        except ImportError:
            print(f"{name:<34}  not installed")
        finally:
            process.terminate()
    untold = service(*limit)
    try:
        batchgen(untold[1], untold[2], jobs)
        print(line("batchgen, untold 40/2s", untold[1], 20, jobs))
    finally:
        untold[0].terminate()


if __name__ == "__main__":
    main()
