"""How long the page for a hundred thousand jobs takes: `python benchmarks/report.py [JOBS]`.

Printed beside results.csv of the same results, which is the least that writing them takes.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from results import OTHER, results

from batchgen.job import State
from batchgen.results.csv import write_results
from batchgen.results.page import write_report
from batchgen.results.summary import Summary


def main() -> None:
    """Print seconds, size and peak memory."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        write_results(Path(folder) / "results.csv", results(jobs), OTHER)
        lines = time.perf_counter() - began
        began = time.perf_counter()
        shown = write_report(
            Path(folder) / "report.html", results(jobs), Summary("x", {State.SUCCEEDED: jobs}), OTHER
        )
        took = time.perf_counter() - began
        size = (Path(folder) / "report.html").stat().st_size / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{shown:,} jobs in a page of {size:.0f} MB: {took:.1f} s, {took / lines:.1f} times results.csv")
    print(f"peak memory: {peak:,.0f} MB")


if __name__ == "__main__":
    main()
