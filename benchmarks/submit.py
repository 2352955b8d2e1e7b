"""Durable submissions a second, beside clients that keep no record: `python benchmarks/submit.py [jobs]`.

Each client submits the same jobs to a sandbox in a process of its own, as fast as it can. The plain httpx loop is
measured with one, 20, 64 and 256 requests open at once, because its pool gets slower with them; batchgen opens up
to 256. For batchgen everything is on: each attempt is committed with fsync before it leaves, each id before
anything else, limiter, events and results.csv. Its rate is that from the first attempt's begin to the last one's
end, by its own ledger. The peers only collect the ids in memory.
"""

import asyncio
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

#: Requests open at once: of the plain loop, and of the SDK.
PLAIN = (1, 20, 64, 256)
SDK = 64


def sandbox() -> tuple[subprocess.Popen[str], str, str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "batchgen.sandbox", "--port", "0", "--duration", "0.5"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    return process, said["base_url"], said["key"]


def request(number: int) -> dict[str, str]:
    return {
        "provider": "kie", "model": "bytedance/seedance-1.5-pro", "scene": "text-to-video",
        "prompt": f"A cinematic shot of a glass city at sunrise, take {number}",
    }  # fmt: skip


async def _at_once(submit: Callable[[int], "asyncio.Future[str]"], jobs: int, workers: int) -> float:
    """Jobs a second."""
    numbers = iter(range(jobs))

    async def worker() -> None:
        for number in numbers:
            await submit(number)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(workers)))
    return jobs / (time.perf_counter() - began)


async def plain_httpx(base_url: str, key: str, jobs: int, workers: int) -> float:
    import httpx

    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60) as client:

        async def submit(number: int) -> str:
            answer = await client.post("/v1/videos/generations", json=request(number))
            return str(answer.json()["id"])

        return await _at_once(submit, jobs, workers)


async def openai_sdk(base_url: str, key: str, jobs: int) -> float:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key=key, base_url=f"{base_url}/v1", max_retries=0)

    async def submit(number: int) -> str:
        answer = await client.post("/videos/generations", body=request(number), cast_to=object)
        return str(answer["id"])  # type: ignore[index]

    return await _at_once(submit, jobs, SDK)


def batchgen_run(base_url: str, key: str, jobs: int) -> tuple[float, float, float]:
    """Jobs a second from first begin to last end; CPU seconds of the whole process; peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "jobs.jsonl"
        manifest.write_text("\n".join(json.dumps(request(n)) for n in range(jobs)), encoding="utf-8")
        out = Path(folder) / "out"
        arguments = [str(manifest), "--out", str(out), "--yes", "--quiet", "--no-wait", "--no-download"]
        limits = ["--rate", "1000000/s", "--max-in-flight", "1000000", "--burst", "256"]
        environment = {**os.environ, "BATCHGEN_API_KEY": key, "BATCHGEN_BASE_URL": base_url}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "batchgen", "run", *arguments, *limits]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        connection = sqlite3.connect(out / "ledger.sqlite3")
        query = "SELECT min(begun_at), max(ended_at), count(*) FROM attempt"
        first, last, count = connection.execute(query).fetchone()
        connection.close()
        assert count == jobs, f"{count} attempts for {jobs} jobs"
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return jobs / (last - first), cpu, after.ru_maxrss / 1024


def main() -> None:
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    process, base_url, key = sandbox()
    try:
        peers = [
            ("httpx", workers, asyncio.run(plain_httpx(base_url, key, min(jobs, 1_000), workers)))
            for workers in PLAIN
        ]
        with suppress(ImportError):
            peers.append(("openai SDK", SDK, asyncio.run(openai_sdk(base_url, key, min(jobs, 2_000)))))
        rate, cpu, memory = batchgen_run(base_url, key, jobs)
        print(f"{'client':<12}{'open at once':>14}{'submissions/s':>15}{'batchgen is':>13}")
        for name, workers, value in peers:
            print(f"{name:<12}{workers:>14}{value:>15,.0f}{rate / value:>12.1f}x")
        print(f"{'batchgen':<12}{'up to 256':>14}{rate:>15,.0f}   durable: {jobs:,} jobs")
        print(f"batchgen in all: {cpu / jobs * 1e6:.0f} us CPU a job, {memory:.0f} MB at most")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
