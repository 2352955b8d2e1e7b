"""The oracle: the service's books against the ledger, by the invariants. Every sentence found is a violation."""

import csv
import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pages import check_pages
from world import World, key_pattern

from batchgen.ledger.audit import violations as ledger_violations

#: Faults after which the service calls a task by another name than in its books.
_OTHER_NAMES = ("path-id", "number-id", "long-id")
_MAYBE_PAID = (None, "in_doubt", "accepted", "paid_lost")


@dataclass(frozen=True)
class Books:
    """What a ledger says. `spilled` are the task ids in its spill file."""

    jobs: dict[int, dict[str, Any]]
    attempts: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    videos: list[dict[str, Any]]
    account: dict[str, Any]
    broken: list[str]
    spilled: set[str]

    @property
    def in_doubt(self) -> list[dict[str, Any]]:
        return [one for one in self.attempts if one["outcome"] in (None, "in_doubt")]


def read_books(out: Path, *, running: bool = False) -> Books | None:
    """Read a copy of the ledger, so that looking changes nothing. None when there is none yet."""
    if not (out / "ledger.sqlite3").exists() or (out / "ledger.sqlite3").stat().st_size == 0:
        return None
    with tempfile.TemporaryDirectory(prefix="batchgen-books-") as name:
        copy = Path(name)
        for suffix in ("", "-wal"):
            if (out / f"ledger.sqlite3{suffix}").exists():
                shutil.copyfile(out / f"ledger.sqlite3{suffix}", copy / f"ledger.sqlite3{suffix}")
        engine = sa.create_engine(f"sqlite:///{copy / 'ledger.sqlite3'}")
        try:
            with engine.begin() as connection:
                if not sa.inspect(connection).has_table("account"):
                    return None
                bad = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
                broken = ledger_violations(connection, running=running)
        finally:
            engine.dispose()
        with closing(sqlite3.connect(copy / "ledger.sqlite3")) as store:
            store.row_factory = sqlite3.Row

            def table(name: str) -> list[dict[str, Any]]:
                return [dict(one) for one in store.execute(f"SELECT * FROM {name}")]

            return Books(
                {one["job_no"]: one for one in table("job")}, table("attempt"), table("task"), table("video"),
                table("account")[0], broken + [f"integrity: {one}" for one in bad if one != "ok"], spilled(out),
            )  # fmt: skip


def spilled(out: Path) -> set[str]:
    """The task ids in the spill file."""
    path = out / "ledger.spill"
    if not path.exists():
        return set()
    found = set()
    for line in path.read_bytes().splitlines():
        if line.strip():
            try:
                found.add(json.loads(line)["task_id"])
            except ValueError:
                continue
    return found


@dataclass(frozen=True)
class Verdict:
    """What a comparison found. `doubts`: jobs in doubt; `charged_doubts`: those that the service did charge."""

    violations: list[str]
    doubts: int = 0
    charged_doubts: int = 0
    double: int = 0
    lost: int = 0
    posts: int = 0


def compare(world: World, *, ended: bool = True, audit: dict[str, Any] | None = None) -> Verdict:
    """The service's books against the ledger. `ended`: no run is at work, and none was killed after the last."""
    audit = audit or world.audit()
    books = read_books(world.out, running=not ended)
    found: list[str] = []
    posts, by_id = audit["posts"], {task["task_id"]: task for task in audit["tasks"]}
    if books is None:
        if posts:
            found.append(f"the service saw {len(posts)} POSTs, and there is no ledger")
        return Verdict(found, posts=len(posts))
    found += books.broken
    attempts_of: dict[str, list[dict[str, Any]]] = {}
    for one in books.attempts:
        if hashlib.sha256(one["body"]).hexdigest() != one["body_sha256"]:
            found.append(f"attempt {one['attempt_id']} has another body than its hash says")
        attempts_of.setdefault(one["body_sha256"], []).append(one)
    found += _durable_before(posts, attempts_of)
    live = Counter((one["job_no"], one["purchase_no"]) for one in books.attempts if one["outcome"] in _MAYBE_PAID)
    found += [f"job {key[0]} has {count} attempts that may be paid" for key, count in live.items() if count > 1]
    # Money, by the service's own count.
    tasks_of = Counter(post["sha256"] for post in posts if post["task_id"] and not post["replayed"])
    double = sum(count - 1 for count in tasks_of.values())
    if double:
        found.append(f"{double} jobs were paid twice")
    known = {one["task_id"] for one in books.tasks} | books.spilled
    doubtful = {one["body_sha256"] for one in books.in_doubt}
    accepted = {one["body_sha256"] for one in books.attempts if one["outcome"] == "accepted"}
    renamed = {post["task_id"] for post in posts if post["fault"] in _OTHER_NAMES and post["sha256"] in accepted}
    posts_of_task = {post["task_id"]: post for post in posts if post["task_id"]}
    lost = [
        task_id
        for task_id in by_id
        if task_id not in known | renamed and posts_of_task[task_id]["sha256"] not in doubtful
    ]
    if lost:
        found.append(f"{len(lost)} tasks that were paid are neither in the ledger nor in doubt: {lost[:3]}")
    strange = {one["task_id"] for one in books.tasks} - set(by_id)
    if len(strange) > len(renamed):
        found.append(f"the ledger has task ids that the service never gave: {sorted(strange)[:3]}")
    found += _account(audit, books, doubtful)
    found += _results(world, books, ended=ended)
    states = {one["job_id"]: one["state"] for one in books.jobs.values()}
    found += check_pages(world.out, world.jobs, [states.get(job, "") for job in world.jobs], ended=ended)
    found += _videos(world.out, books)
    found += find_key(world)
    if audit["files_with_authorization"]:
        found.append("a download carried the key")
    charged = sum(1 for one in books.in_doubt if tasks_of.get(one["body_sha256"]))
    return Verdict(found, len(books.in_doubt), charged, double, len(lost), len(posts))


def _account(audit: dict[str, Any], books: Books, doubtful: set[str]) -> list[str]:
    """The service's sums against the account. A price that the service raised is known once an answer stated it."""
    account, found = books.account, []
    by_id = {task["task_id"]: task for task in audit["tasks"]}
    price = {one["idempotency_key"]: one["price"] for one in books.attempts}
    # Of a doubt nobody has read what the service took: it may be more than our price.
    dearer = sum(
        max(0, by_id[post["task_id"]]["credits"] - price.get(post["key"], 0))
        for post in audit["posts"]
        if post["task_id"] in by_id and post["sha256"] in doubtful
    )
    held = account["charged"] + account["in_doubt"] + account["reserved"]
    spilled_too = sum(by_id[one]["credits"] for one in books.spilled if one in by_id)
    if audit["charged"] > held + spilled_too + dearer:
        found.append(f"the service charged {audit['charged']}, the ledger holds {held}")
    if not doubtful and not books.spilled and audit["charged"] != account["charged"]:
        found.append(f"nothing is in doubt, but the service charged {audit['charged']}, not {account['charged']}")
    prices = {one["attempt_id"]: one["price"] for one in books.attempts}
    beyond = sum(max(0, one["charged"] - prices[one["task_no"]]) for one in books.tasks)
    if account["unplanned"] != beyond:
        found.append(
            f"{account['unplanned']} credits are called unplanned, the tasks have {beyond} beyond our price"
        )
    if account["cap"] is not None and held - account["refunded"] - beyond > account["cap"]:
        found.append(f"{held} credits under a cap of {account['cap']}, {beyond} of them beyond our price")
    return found


def _durable_before(posts: list[dict[str, Any]], attempts_of: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Each POST that the service saw belongs to a durable attempt of the same body and key, one to one."""
    found = []
    for sha256, count in Counter(post["sha256"] for post in posts if post["complete"]).items():
        have = attempts_of.get(sha256, [])
        if len(have) < count:
            found.append(f"the service saw {count} POSTs of a body that the ledger has {len(have)} attempts of")
    for post in posts:
        if post["complete"] and post["key"] not in {
            one["idempotency_key"] for one in attempts_of.get(post["sha256"], [])
        }:
            found.append(f"POST {post['n']} carried an Idempotency-Key that is not in the ledger")
    if len(posts) > sum(len(some) for some in attempts_of.values()):
        found.append(f"the service saw {len(posts)} POSTs, more than the ledger has attempts")
    return found


def read_results(out: Path) -> list[dict[str, str]] | None:
    """The lines of results.csv, None when there is none. Raises ValueError when it is not whole."""
    try:
        data = (out / "results.csv").read_bytes()
    except FileNotFoundError:
        return None
    return parse_results(data)


def parse_results(data: bytes) -> list[dict[str, str]]:
    """Lines of a results.csv. Raises ValueError when it is not whole."""
    text = data.decode("utf-8-sig")
    if not text.endswith("\n"):
        raise ValueError("results.csv is cut")
    lines = list(csv.reader(text.splitlines(), strict=True))
    if any(len(line) != len(lines[0]) for line in lines):
        raise ValueError("results.csv has lines of different length")
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def _results(world: World, books: Books, *, ended: bool) -> list[str]:
    try:
        lines = read_results(world.out)
    except (ValueError, csv.Error) as error:
        return [f"{error}"]
    if lines is None:
        return ["there is no results.csv"] if ended else []
    if [line["job_id"] for line in lines] != world.jobs:
        return [f"results.csv has the jobs {[line['job_id'] for line in lines]}"]
    if not ended:
        return []
    jobs = {one["job_id"]: one for one in books.jobs.values()}
    ids = {books.jobs[one["job_no"]]["job_id"]: one["task_id"] for one in books.tasks}
    found = []
    for row, line in enumerate(lines, start=1):
        same = {
            "row": str(row),
            "state": jobs[line["job_id"]]["state"],
            "task_id": ids.get(line["job_id"], ""),
            "attempts": str(jobs[line["job_id"]]["attempts"]),
            "owner": f"'=own {row}",
        }
        found += [
            f"results.csv says {name} {line[name]!r} of {line['job_id']}, not {value!r}"
            for name, value in same.items()
            if line[name] != value
        ]
    charged = sum(int(line["charged_credits"] or 0) for line in lines)
    if charged != books.account["charged"]:
        found.append(f"results.csv adds up to {charged} credits, the account to {books.account['charged']}")
    return found


def _videos(out: Path, books: Books) -> list[str]:
    """A file that the ledger calls whole is on disk, whole."""
    found = []
    for one in books.videos:
        if one["sha256"]:
            path = out / one["path"]
            if not path.exists():
                found.append(f"{one['path']} is in the ledger and not on disk")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != one["sha256"]:
                found.append(f"{one['path']} is not the file that the ledger says")
    for path in (out / "videos").rglob("*.mp4") if (out / "videos").exists() else ():
        if path.stat().st_size == 0 or path.read_bytes()[4:8] != b"ftyp":
            found.append(f"{path.name} is no video")
    return found


def find_key(world: World) -> list[str]:
    """Where the key's bytes are: in files of OUT, or in what the runs said."""
    pattern = key_pattern(world.key)
    found = [
        f"the key is in {path.relative_to(world.out)}"
        for path in (world.out.rglob("*") if world.out.exists() else ())
        if path.is_file() and pattern.search(path.read_bytes())
    ]
    return found + (["the key was written to the terminal"] if pattern.search(world.said()) else [])
