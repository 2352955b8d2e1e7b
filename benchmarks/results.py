"""How long a million lines of results.csv take, and how much memory: `python benchmarks/results.py [ROWS]`.

Printed beside a plain csv.writer that writes the same cells unguarded (the least that any tool needs).
"""

import csv
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from batchgen.job import Result, State
from batchgen.results.csv import columns, line, write_results

OTHER = ["prompt", "image_input", "options.duration", "options.aspect_ratio", "sku", "market"]


def results(rows: int) -> Iterator[Result]:
    """Made up as they are asked for, so that no list of them takes memory."""
    for row in range(1, rows + 1):
        url = f"https://files.example.com/videos/{row:08d}/output.mp4?signature=abcdefghijklmnopqrstuvwxyz"
        yield Result(
            f"job-{row:08d}", "million.csv", row, State.SUCCEEDED, f"task_{row:016x}", (url,),
            (f"videos/{row // 1000:04d}/job-{row:08d}.mp4",), "text-to-video", "kie", "sora-2",
            6, 6, None, 1, 1795342503.0 + row, 1795342603.0 + row, 1795428903.0 + row,
            cells={
                "prompt": f"A cinematic shot of product {row} on a marble table, soft morning light, 35 mm",
                "options.duration": "10", "options.aspect_ratio": "16:9", "sku": f"SKU-{row}", "market": "DE",
            },
        )  # fmt: skip


def main() -> None:
    """Print seconds, lines a second, size and peak memory."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.csv"
        began = time.perf_counter()
        write_results(path, results(rows), OTHER)
        took = time.perf_counter() - began
        began = time.perf_counter()
        for _ in results(rows):
            pass
        making = time.perf_counter() - began
        one = line(next(results(1)), OTHER)
        began = time.perf_counter()
        with (Path(folder) / "plain.csv").open("w", newline="", encoding="utf-8") as file:
            plain = csv.writer(file)
            plain.writerow(columns(OTHER))
            plain.writerows(one for _ in range(rows))
        least = time.perf_counter() - began
        size = path.stat().st_size / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows:,} lines, {size:,.0f} MB in {took - making:.1f} s ({rows / (took - making):,.0f} a second)")
    print(f"making the results: {making:.1f} s; csv.writer alone, the same cells: {least:.1f} s")
    print(f"peak memory: {peak:,.0f} MB")


if __name__ == "__main__":
    main()
