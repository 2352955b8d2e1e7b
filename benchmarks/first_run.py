"""How long until the first job of a large manifest is submitted: `python benchmarks/first_run.py [--rows N]`.

The manifest is that of `validate.py`. Measured, as whole processes, from the start to the first POST that a service
on this machine gets: the first run; the run after it was killed (SIGKILL) just then; and a first run that is killed
while it takes its rows in, and the run after that. Beside it, in the same run, the least that anybody does: a loop
of `csv.DictReader` into `sqlite3.executemany` for the same rows.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from validate import write_csv

PLAIN = """
import csv, sqlite3, sys
connection = sqlite3.connect(sys.argv[2])
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = csv.DictReader(file)
    names = rows.fieldnames
    connection.execute(f"CREATE TABLE line ({', '.join(f'[{name}]' for name in names)})")
    marks = ", ".join("?" * len(names))
    connection.executemany(f"INSERT INTO line VALUES ({marks})", (tuple(row.values()) for row in rows))
connection.commit()
"""


class Service(BaseHTTPRequestHandler):
    """Accepts everything, and notes when the first POST came."""

    first = threading.Event()
    posts = 0

    def do_POST(self) -> None:
        type(self).posts += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        name = f"task-{type(self).posts}-{time.time()}"
        task = {"id": name, "object": "video.generation.task", "status": "pending"}
        body = json.dumps({**task, "data": {**task, "mediaType": "video", "videoUrls": []}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        type(self).first.set()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def peak(process: "subprocess.Popen[bytes]") -> float:
    """The most memory that a living process had, in MB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def until_the_first_post(manifest: Path, out: Path, port: int) -> tuple[float, float]:
    """(seconds, MB) from the start of a run to its first POST; then it is killed."""
    Service.first.clear()
    command = [sys.executable, "-m", "batchgen", "run", str(manifest), "--out", str(out), "--yes", "--quiet"]
    command += ["--base-url", f"http://127.0.0.1:{port}", "--no-wait"]
    environment = {**os.environ, "BATCHGEN_API_KEY": "sk-benchmark-0123456789abcdef"}
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while not Service.first.wait(0.02):
        if process.poll() is not None:
            raise SystemExit(f"the run ended with {process.returncode} before its first POST")
    took, memory = time.perf_counter() - began, peak(process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return took, memory


def killed_after(seconds: float, manifest: Path, out: Path, port: int) -> None:
    """A first run that is killed while it takes its rows in."""
    threading.Timer(seconds, lambda: process.send_signal(signal.SIGKILL)).start()
    command = [sys.executable, "-m", "batchgen", "run", str(manifest), "--out", str(out), "--yes", "--quiet"]
    command += ["--base-url", f"http://127.0.0.1:{port}", "--no-wait"]
    environment = {**os.environ, "BATCHGEN_API_KEY": "sk-benchmark-0123456789abcdef"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    with tempfile.TemporaryDirectory(prefix="batchgen-bench-") as name:
        folder = Path(name)
        manifest = folder / "manifest.csv"
        write_csv(manifest, rows)
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", PLAIN, str(manifest), str(folder / "plain.sqlite3")], check=True)
        plain = time.perf_counter() - began
        first, memory = until_the_first_post(manifest, folder / "out", port)
        again, memory_again = until_the_first_post(manifest, folder / "out", port)
        killed_after(0.7 * first, manifest, folder / "killed", port)
        resumed, memory_resumed = until_the_first_post(manifest, folder / "killed", port)
    print(f"| {rows:,} rows, {os.cpu_count()} cores | seconds | of the plain loop | memory (MB) |")
    print("|---|---:|---:|---:|")
    print(f"| csv.DictReader into sqlite3.executemany | {plain:.1f} | 1 × | |")
    for what, seconds, megabytes in (
        ("first run, to its first POST", first, memory),
        ("the run after a kill at the first POST", again, memory_again),
        ("the run after a kill while rows were taken in", resumed, memory_resumed),
    ):
        print(f"| {what} | {seconds:.1f} | {seconds / plain:.2f} × | {megabytes:.0f} |")


if __name__ == "__main__":
    main()
