"""How fast a manifest is validated, as whole processes: `python benchmarks/validate.py`.

The manifest is made here: a CSV of 9 columns with quoted prompts and web addresses, the same rows as JSON lines
(keys that are blank are absent, `options` is an object) and as Parquet (as pandas writes it: one row group, null is
blank, the duration a whole number), and a smaller one as YAML. Compared, in the same run:

- `batchgen validate --json` of each: reading, validating, pricing, finding repeated ids, hashing the file;
- Node with Ajv and Papa Parse (from npm, into a temporary folder): reading, nesting, validating;
- Python's csv and jsonschema in a loop, on a sample, carried forward to all rows;
- pyarrow reading the file and doing nothing with it: the limit.

Each figure is the best of some runs (`--times`, three unless told); "processor seconds" (user and system) are
what is left to compare when other programs use the machine too. `--rows N` sets the size, `--no-node` leaves
Node out.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "schemas" / "job.schema.json"
HEADER = "id,provider,model,scene,prompt,image_input,options.duration,options.aspect_ratio,campaign\n"
FIRST = ("quiet", "golden", "stormy", "neon", "frozen", "ancient", "tiny", "endless", "red", "foggy")
SECOND = ("city", "forest", "harbour", "kitchen", "desert", "library", "garden", "bridge", "market", "station")
LAST = ("waking up at sunrise", "under heavy rain", "seen from a slow drone", "in slow motion", "lit by lanterns")

ARROW = """
import sys
from pyarrow import csv
rows = 0
for batch in csv.open_csv(sys.argv[1], parse_options=csv.ParseOptions(newlines_in_values=True)):
    rows += batch.num_rows
print(rows)
"""
LOOP = """
import csv, json, sys
from jsonschema import Draft202012Validator
validator = Draft202012Validator(json.load(open(sys.argv[2])))
names = ("id", "provider", "model", "scene", "prompt")
rows = bad = 0
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    for cells in csv.DictReader(file):
        row = {name: cells[name] for name in names if cells[name]}
        if cells["image_input"]:
            row["image_input"] = cells["image_input"].split()
        row["options"] = {name[8:]: cells[name] for name in cells if name.startswith("options.") and cells[name]}
        rows += 1
        bad += not validator.is_valid(row)
assert not bad
print(rows)
"""
NODE = """
const fs = require("fs"), Papa = require("papaparse"), Ajv = require("ajv/dist/2020");
const schema = JSON.parse(fs.readFileSync(process.argv[3]));
const validate = new Ajv({allErrors: true, strict: false}).compile(schema);
let rows = 0, bad = 0;
Papa.parse(fs.createReadStream(process.argv[2]), {
  header: true, skipEmptyLines: true,
  step: ({data}) => {
    const row = {};
    for (const name of ["id", "provider", "model", "scene", "prompt"]) if (data[name]) row[name] = data[name];
    if (data.image_input) row.image_input = data.image_input.split(/\\s+/);
    row.options = {};
    for (const name in data) if (name.startsWith("options.") && data[name]) row.options[name.slice(8)] = data[name];
    rows++;
    if (!validate(row)) bad++;
  },
  complete: () => { if (bad) throw new Error(bad); console.log(rows); },
});
"""
YAML_LOOP = """
import json, sys, yaml
from jsonschema import Draft202012Validator
validator = Draft202012Validator(json.load(open(sys.argv[2])))
manifest = yaml.load(open(sys.argv[1], encoding="utf-8"), Loader=yaml.CSafeLoader)
for job in manifest["jobs"]:
    validator.is_valid({**manifest["defaults"], **job})
print(len(manifest["jobs"]))
"""
YAML_LOAD = """
import sys, yaml
print(len(yaml.load(open(sys.argv[1], encoding="utf-8"), Loader=yaml.CSafeLoader)["jobs"]))
"""


@dataclass
class Measured:
    """The best run of one contestant."""

    name: str
    rows: int
    seconds: float
    processor: float
    megabytes: float

    @property
    def speed(self) -> float:
        return self.rows / self.seconds


def write_csv(path: Path, rows: int) -> None:
    rng = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADER)
        for number in range(rows):
            scene = "image-to-video" if number % 2 else "text-to-video"
            prompt = (
                f"A {rng.choice(FIRST)} {rng.choice(SECOND)} {rng.choice(LAST)} cinematic shot {number} soft light"
            )
            prompt = f'"{prompt}, 35 mm, film grain"' if number % 2 == 0 else f"{prompt} and a slow push in"
            image = (
                f"https://cdn.example.com/assets/{number % 5000:05d}/reference-{number}.png" if number % 2 else ""
            )
            file.write(
                f"row-{number:07d},kie,kling-2.6/{scene},{scene},{prompt},{image},{rng.choice((5, 10))},"
                f"{rng.choice(('16:9', '9:16', '1:1'))},campaign-{number % 40}\n"
            )


def write_objects(path: Path, lines: Path, table: Path) -> None:
    """The rows of the CSV as JSON lines, and as one row group of Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    batches = []
    with path.open(encoding="utf-8", newline="") as source, lines.open("w", encoding="utf-8") as target:
        rows: list[dict[str, object]] = []
        for cells in csv.DictReader(source):
            row: dict[str, object] = {k: v for k, v in cells.items() if v and not k.startswith("options.")}
            row["options"] = {k[8:]: v for k, v in cells.items() if k.startswith("options.")}
            target.write(json.dumps(row) + "\n")
            rows.append(
                {k: v or None for k, v in cells.items()} | {"options.duration": int(cells["options.duration"])}
            )
            if len(rows) == 50_000:
                batches.append(pa.RecordBatch.from_pylist(rows))
                rows = []
    whole = pa.Table.from_batches([*batches, *([pa.RecordBatch.from_pylist(rows)] if rows else [])])
    pq.write_table(whole, table, row_group_size=len(whole))


def write_yaml(path: Path, rows: int) -> None:
    rng = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        file.write("version: 1\ndefaults:\n  provider: kie\n  model: kling-2.6/text-to-video\n")
        file.write("  scene: text-to-video\njobs:\n")
        for number in range(rows):
            prompt = f"A {rng.choice(FIRST)} {rng.choice(SECOND)} {rng.choice(LAST)}, cinematic shot {number}"
            file.write(
                f'- id: row-{number:07d}\n  prompt: {prompt}\n  options:\n    duration: "10"\n    seed: {number}\n'
            )


def run(name: str, rows: int, command: list[str], times: int) -> Measured:
    """The best of some runs of a whole process: seconds on the clock, and its largest memory."""
    best, processor, memory = float("inf"), float("inf"), 0.0
    for _ in range(times):
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{name} failed: {' '.join(command)}")
        best = min(best, time.perf_counter() - started)
        processor = min(processor, usage.ru_utime + usage.ru_stime)
        memory = max(memory, usage.ru_maxrss / 1024)
    return Measured(name, rows, best, processor, memory)


def head(path: Path, out: Path, lines: int) -> Path:
    with path.open(encoding="utf-8") as source, out.open("w", encoding="utf-8") as target:
        target.writelines(line for _, line in zip(range(lines), source, strict=False))
    return out


def node(folder: Path, path: Path, rows: int, times: int) -> Measured | None:
    if not shutil.which("npm"):
        print("npm is not installed: Node is left out", file=sys.stderr)
        return None
    install = [
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        "ajv@8",
        "papaparse@5",
    ]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    script = folder / "validate.js"
    script.write_text(NODE, encoding="utf-8")
    return run("Node: Ajv + Papa Parse", rows, ["node", str(script), str(path), str(SCHEMA)], times)


def table(title: str, found: list[Measured], ours: Measured) -> str:
    columns = f"| | rows a second | seconds | processor seconds | memory (MB) | {ours.name} is |"
    lines = [f"### {title}", "", columns, "|---|---:|---:|---:|---:|---:|"]
    for each in found:
        ratio = "" if each is ours else f"{ours.speed / each.speed:.2f} × as fast"
        figures = f"{each.speed:,.0f} | {each.seconds:.2f} | {each.processor:.2f} | {each.megabytes:.0f}"
        lines.append(f"| {each.name} | {figures} | {ratio} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3, help="how often each is run; the best counts")
    parser.add_argument("--no-node", action="store_true")
    parser.add_argument("--write", type=Path, help="only write the manifests into this folder")
    given = parser.parse_args()
    rows, times = given.rows, given.times
    if given.write:
        write_csv(given.write / "manifest.csv", rows)
        write_objects(*(given.write / f"manifest.{kind}" for kind in ("csv", "jsonl", "parquet")))
        write_yaml(given.write / "manifest.yaml", min(rows, 20_000))
        return
    with tempfile.TemporaryDirectory(prefix="batchgen-bench-") as name:
        folder = Path(name)
        path, yaml = folder / "manifest.csv", folder / "manifest.yaml"
        lines, parquet = folder / "manifest.jsonl", folder / "manifest.parquet"
        jobs = min(rows, 20_000)
        # In a process of its own: what a child takes at most is counted from what its parent had.
        subprocess.run([sys.executable, __file__, "--rows", str(rows), "--write", name], check=True)
        python, tool = sys.executable, [sys.executable, "-m", "batchgen", "validate", "--json"]
        sample, yaml_sample = (
            head(path, folder / "sample.csv", 20_001),
            head(yaml, folder / "sample.yaml", 6 + 5 * 10_000),
        )
        ours = run("batchgen validate, CSV", rows, [*tool, str(path)], times)
        found: list[Measured | None] = [
            ours,
            run("batchgen validate, Parquet", rows, [*tool, str(parquet)], times),
            run("batchgen validate, JSON lines", rows, [*tool, str(lines)], times),
            None if given.no_node else node(folder, path, rows, times),
            run("csv + jsonschema, on 20,000 rows", 20_000, [python, "-c", LOOP, str(sample), str(SCHEMA)], 1),
            run("pyarrow, reading alone", rows, [python, "-c", ARROW, str(path)], times),
        ]
        sizes = ", ".join(f"{p.suffix[1:]} {p.stat().st_size / 1e6:.0f} MB" for p in (path, parquet, lines))
        print(table(f"{rows:,} rows ({sizes})", [f for f in found if f], ours))
        ours = run("batchgen validate", jobs, [*tool, str(yaml)], times)
        found = [
            ours,
            run(
                "CSafeLoader + jsonschema, on 10,000 jobs",
                10_000,
                [python, "-c", YAML_LOOP, str(yaml_sample), str(SCHEMA)],
                1,
            ),
            run("CSafeLoader alone, on 10,000 jobs", 10_000, [python, "-c", YAML_LOAD, str(yaml_sample)], 1),
        ]
        print(table(f"YAML, {jobs:,} jobs, {yaml.stat().st_size / 1e6:.0f} MB", [f for f in found if f], ours))
        print(json.dumps({"python": sys.version.split()[0], "processors": os.cpu_count()}))


if __name__ == "__main__":
    main()
