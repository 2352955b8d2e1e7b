"""How long `batchgen status` takes for small and large ledgers: `python benchmarks/status.py`.

The ledgers are made here: nine jobs of ten have a task, most of these a video on disk, some failed, some wait. Each
figure is the best of some whole processes; the ratio is that of the largest ledger to the smallest.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from batchgen.ledger import Ledger

JOBS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :jobs)
INSERT INTO job (job_no, job_id, fingerprint, request, provider, model, scene, price, state, position, selected,
    attempts)
SELECT i, 'row-' || i, printf('%016x', i * 7919), '{"prompt": "a film of ' || i || '"}', 'kie', 'm1',
    'text-to-video', 6, 'not_submitted', i, 1, i % 10 <> 0 FROM n
"""
STATEMENTS = (
    """INSERT INTO job_count VALUES ('not_submitted', 1, 0, '', (SELECT count(*) FROM job),
       (SELECT sum(price) FROM job), 0)""",
    "INSERT INTO manifest VALUES (1, 'manifest.csv')",
    """INSERT INTO row (position, manifest_no, number, job_no, job_id, cells)
       SELECT job_no, 1, job_no, job_no, job_id, '{}' FROM job""",
    """INSERT INTO attempt (attempt_id, job_no, purchase_no, attempt_no, fingerprint, body, body_sha256, price,
       idempotency_key, owner, begun_at, not_after, ended_at, outcome)
       SELECT job_no, job_no, 1, 1, fingerprint, '{}', '', 6, job_no, 'desk', 1, 2, 2, 'accepted'
       FROM job WHERE attempts""",
    """INSERT INTO task (task_no, service, task_id, job_no, state, charged, accepted_at)
       SELECT attempt_id, 'https://service.test', 'task-' || attempt_id, job_no, 'running', 6, 2 FROM attempt""",
    """UPDATE task SET finished_at = 60, state = CASE WHEN task_no % 10 = 1 THEN 'failed' ELSE 'succeeded' END,
       video_urls = CASE WHEN task_no % 10 = 1 THEN '[]' ELSE '["https://files.test/1.mp4"]' END, expires_at = 1e10
       WHERE task_no % 10 <> 2""",
    """INSERT INTO video (task_no, n, path, bytes, sha256)
       SELECT task_no, 1, 'videos/' || task_no || '.mp4', 1000, 'x' FROM task
       WHERE state = 'succeeded' AND task_no % 10 <> 3""",
    """UPDATE job SET state = coalesce((SELECT state FROM task WHERE task.job_no = job.job_no), 'not_submitted')""",
    "UPDATE account SET charged = (SELECT sum(charged) FROM task)",
    "INSERT OR REPLACE INTO meta VALUES ('first_position', '1')",
)  # fmt: skip


def make(out: Path, jobs: int) -> None:
    """A ledger in the middle of a run."""
    Ledger.open(out, "https://service.test").close()
    with closing(sqlite3.connect(out / "ledger.sqlite3", isolation_level=None)) as ledger:
        ledger.execute("PRAGMA synchronous=OFF")
        ledger.execute("BEGIN")
        ledger.execute(JOBS, {"jobs": jobs})
        for statement in STATEMENTS:
            ledger.execute(statement)
        ledger.execute("COMMIT")
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def seconds(out: Path) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "batchgen", "status", str(out), "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--times", type=int, default=7, help="how often each is asked; the best counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batchgen-bench-") as name:
        folders = {jobs: Path(name) / str(jobs) for jobs in given.jobs}
        for jobs, out in folders.items():
            make(out, jobs)
        best = dict.fromkeys(folders, float("inf"))
        for _ in range(given.times):  # in turn, so that what else the machine does falls on all of them
            for jobs, out in folders.items():
                best[jobs] = min(best[jobs], seconds(out))
    print(f"| jobs, {os.cpu_count()} cores | milliseconds |\n|---:|---:|")
    for jobs, took in best.items():
        print(f"| {jobs:,} | {1000 * took:.0f} |")
    small, large = sorted(best)[-2:]
    print(f"{large:,} jobs take {best[large] / best[small]:.2f} times as long as {small:,}.")


if __name__ == "__main__":
    main()
