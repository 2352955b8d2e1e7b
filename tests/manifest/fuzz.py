"""A fuzz run of the readers: `python tests/manifest/fuzz.py --minutes 10 [--seed N] [--only yaml]`.

Takes the case files, changes bytes (flips, cuts, repeats, splices two files, inserts pieces that mean
something) and demands of each result: no exception, the quick and the careful pass agree, and `jobs` gives
what `survey` counted. What fails is written to --out, to be made a case.
"""

import argparse
import random
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from batchgen.check import bulk
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, Survey, jobs, survey
from batchgen.job import Job
from batchgen.manifest import feed

HERE = Path(__file__).parent
PRICES = PriceTable.load()
CAREFUL = ReadOptions(select=(("provider", "*"),))
SAME = (
    "rows", "valid", "invalid", "problems", "warnings", "file_problems", "by_scene", "by_model", "credits",
    "duplicates", "notes", "columns", "problem_codes", "warning_codes",
)  # fmt: skip
PIECES = [
    b'"', b"'", b"\n", b"\r", b"\r\n", b",", b";", b"\t", b"|", b"\0", b"\xef\xbb\xbf", b"\xff", b"\xc3\xa4",
    b"\xe2\x80\xa8", b"\xc2\x85", b"- ", b": ", b" #", b"{{ x }}", b"&a ", b"*a", b"<<: *a", b"!!str ", b"|\n  ",
    b">\n  ", b"---\n", b"[", b"]", b"{", b"}", b"null", b"matrix: {x: [1, 2]}\n", b"repeat: 2\n", b"options:\n",
    b"text-to-video", b"https://a.example/x.png",
    b"kie", b"id,", b"sep=;\n", b"job_id", b"own:\n", b"~", b"012", b"=1+1", b"0123456789abcdef",
    b"{}", b'{"a": 1}', b"Title\n", b"Prompt (x)", b" *", b"scene:", b"\xc2\xa0",
]  # fmt: skip


def corpus(only: str | None) -> list[tuple[str, bytes]]:
    """The case files in text formats (others are read too, but their bytes hardly survive a change)."""
    endings = (".csv", ".tsv", ".yaml", ".jsonl", ".json", ".xlsx", ".parquet")
    files = [path for folder in ("valid", "invalid") for path in sorted((HERE / folder).iterdir())]
    return [
        (path.suffix, path.read_bytes())
        for path in files
        if path.suffix in endings
        and not path.name.endswith(".expected.json")
        and (only is None or path.suffix == f".{only}")
        and path.stat().st_size < 20_000
    ]


def changed(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """One to six changes."""
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(data))
        end = min(len(data), at + rng.choice((1, 1, 4, 20, 200)))
        kind = rng.randrange(7)
        if kind == 0:
            data = data[:at] + data[end:]
        elif kind == 1:
            data = data[:end] + data[at:end] * rng.choice((1, 2, 30)) + data[end:]
        elif kind == 2:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind == 3 and other:
            start = rng.randrange(len(other))
            data = data[:at] + other[start : start + rng.randint(1, 200)] + data[at:]
        else:
            data = data[:at] + rng.choice(PIECES) + data[at:]
    return data[:100_000]


def trial(path: Path, rng: random.Random) -> Survey:
    """Read one file in both ways. AssertionError where they differ."""
    bulk.SMALL = 0
    feed.CHUNK = rng.choice((50, 200, 1 << 20))
    quick = survey([path], ReadOptions(), PRICES)
    careful = survey([path], CAREFUL, PRICES)
    if careful.rows:
        for name in SAME:
            assert getattr(quick, name) == getattr(careful, name), name
    valid = [job for job in jobs([path], ReadOptions(), PRICES, surveyed=quick) if isinstance(job, Job)]
    assert (len(valid), sum(job.price for job in valid)) == (quick.valid, quick.credits)
    assert len({job.job_id for job in valid}) == len(valid)
    return quick


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    given = parser.parse_args()
    rng, files = random.Random(given.seed), corpus(given.only)
    until = time.monotonic() + given.minutes * 60
    runs, findings, kinds, codes = 0, 0, Counter[str](), Counter[str]()
    given.out.mkdir(exist_ok=True)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    while time.monotonic() < until and not stopped:
        suffix, data = rng.choice(files)
        path = given.out / f"trial{suffix}"
        path.write_bytes(changed(rng, data, rng.choice(files)[1]))
        runs += 1
        kinds[suffix] += 1
        try:
            codes.update(trial(path, rng).problem_codes.keys() or ["none"])
        except Exception:
            findings += 1
            path.rename(given.out / f"finding-{given.seed}-{runs}{suffix}")
            traceback.print_exc()
    print(f"{runs:,} files, {findings} findings, seed {given.seed}, by ending {dict(kinds)}")
    print(f"what was found in them: {dict(codes.most_common())}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
