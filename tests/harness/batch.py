"""One batch: a sandbox, a manifest, an OUT; the commands that a person gives; and what must hold after each."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchgen.cli import invoke
from batchgen.ledger.audit import violations
from batchgen.ledger.sqlite.store import reading
from batchgen.sandbox import Audit, SandboxServer

HEADER = "id,provider,model,scene,prompt"
PRICE = 6
#: Told rates, so that nothing waits for them to be found out.
QUICK = ("--rate", "200/s", "--burst", "50", "--max-in-flight", "200")


@dataclass(frozen=True)
class Said:
    """What one command said and how it ended. `json` is the document on stdout, None without --json."""

    exit: int
    out: str
    err: str
    json: Any = None

    @property
    def states(self) -> dict[str, int]:
        """The `states` of the document."""
        return dict(self.json["states"])


class Batch:
    """Jobs `job-1` … in `films.csv`, run with `outputs/films` as OUT. `check` compares all books."""

    def __init__(self, sandbox: SandboxServer, desk: Path, capfd: pytest.CaptureFixture[str], jobs: int) -> None:
        self.sandbox = sandbox
        self.desk = desk
        self.out = desk / "outputs" / "films"
        self.manifest = desk / "films.csv"
        self._capfd = capfd
        self._said: list[str] = []
        self.write(*(row(f"job-{n}", f"Film number {n}") for n in range(1, jobs + 1)))

    def write(self, *rows: str, header: str = HEADER, path: Path | None = None) -> Path:
        """Write a manifest."""
        path = path or self.manifest
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    # -- commands ------------------------------------------------------------------------------------------

    def command(self, *arguments: object) -> Said:
        """Any command of batchgen, in this process."""
        self._capfd.readouterr()
        code = invoke([str(argument) for argument in arguments])
        out, err = self._capfd.readouterr()
        self._said += [out, err]
        said = json.loads(out) if "--json" in arguments else None
        if said is not None and "exit" in said and arguments[0] != "status":
            assert said["exit"] == code
        return Said(code, out, err, said)

    def run(self, *flags: object, manifest: object = None, told: bool = True) -> Said:
        """`batchgen run` without questions."""
        rate = QUICK if told else ()
        named = manifest if isinstance(manifest, Sequence) and not isinstance(manifest, str) else [manifest]
        paths = [self.manifest] if manifest is None else named
        return self.command("run", *paths, "--yes", "--json", "--base-url", self.sandbox.base_url, *rate, *flags)

    def collect(self, *flags: object) -> Said:
        """`batchgen collect`."""
        return self.command("collect", self.out, "--json", "--base-url", self.sandbox.base_url, *flags)

    def retry(self, *flags: object) -> Said:
        """`batchgen retry` without questions."""
        base = ("--base-url", self.sandbox.base_url)
        return self.command("retry", self.out, "--yes", "--json", *base, *QUICK, *flags)

    def resolve(self, *arguments: object) -> Said:
        """`batchgen resolve`."""
        return self.command("resolve", self.out, *arguments)

    def status(self) -> Said:
        """`batchgen status`."""
        return self.command("status", self.out, "--json")

    # -- books ---------------------------------------------------------------------------------------------

    @property
    def audit(self) -> Audit:
        """The service's own books."""
        return self.sandbox.audit()

    @property
    def posts(self) -> int:
        return len(self.audit.posts)

    def lines(self) -> list[dict[str, str]]:
        """The lines of results.csv."""
        with (self.out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def line(self, job_id: str = "job-1") -> dict[str, str]:
        return next(line for line in self.lines() if line["job_id"] == job_id)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of one kind, in order."""
        text = (self.out / "events.jsonl").read_text(encoding="utf-8")
        return [event for event in map(json.loads, text.splitlines()) if event["event"] == name]

    def rows_of(self, table: str) -> list[dict[str, Any]]:
        """The lines of one table of the ledger."""
        with reading(self.out) as connection:
            return [dict(one) for one in connection.exec_driver_sql(f"SELECT * FROM {table}").mappings()]

    def write_ledger(self, statement: str) -> None:
        """Change the ledger behind batchgen's back: what time would have done."""
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(self.out / "ledger.sqlite3")) as connection, connection:
            connection.execute(statement)

    def check(self, *, trusted: bool = False) -> None:
        """The service's books, the ledger, results.csv, the files: all tell the same. No secret is anywhere."""
        audit, account = self.audit, self.rows_of("account")[0]
        attempts, tasks = self.rows_of("attempt"), self.rows_of("task")
        with reading(self.out) as connection:
            assert violations(connection) == []
        _check_attempts(audit, attempts)
        in_doubt = [one for one in attempts if one["outcome"] == "in_doubt"]
        settled = account["charged"] + account["in_doubt"]
        assert account["charged"] <= audit.charged <= settled or account["in_doubt"] == 0
        if not in_doubt and all(one["outcome"] != "paid_lost" for one in attempts):
            assert audit.charged == account["charged"]
            assert {task.task_id for task in audit.tasks} == {task["task_id"] for task in tasks}
        if not trusted:
            assert account["refunded"] <= audit.refunded
        assert audit.files_with_authorization == 0
        self._check_results(account, tasks)
        self._check_videos()
        self._check_key()

    def _check_results(self, account: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
        lines = self.lines()
        assert sum(int(line["charged_credits"] or 0) for line in lines) == account["charged"]
        assert sum(int(line["refunded_credits"] or 0) for line in lines) == account["refunded"]
        jobs = {one["job_id"]: one for one in self.rows_of("job")}
        assert Counter(line["job_id"] for line in lines if line["state"] != "invalid") == Counter(list(jobs))
        latest = {one["job_no"]: one["task_id"] for one in tasks}
        for line in lines:
            if line["state"] == "invalid":
                continue
            job = jobs[line["job_id"]]
            assert line["state"] in (job["state"], "changed")
            assert line["attempts"] == str(job["attempts"])
            assert line["task_id"] == latest.get(job["job_no"], "")

    def _check_videos(self) -> None:
        """What the ledger calls whole is on disk, whole; nothing on disk is half a video."""
        for one in self.rows_of("video"):
            if one["sha256"]:
                assert hashlib.sha256((self.out / one["path"]).read_bytes()).hexdigest() == one["sha256"]
        for path in (self.out / "videos").rglob("*.mp4"):
            assert path.read_bytes()[4:8] == b"ftyp"

    def _check_key(self) -> None:
        key = self.sandbox.key
        assert key not in "".join(self._said)
        for path in self.out.rglob("*"):
            assert not path.is_file() or key.encode() not in path.read_bytes(), path


def _check_attempts(audit: Audit, attempts: list[dict[str, Any]]) -> None:
    """Each POST that arrived is one attempt of the same bytes and key, and each attempt arrived at most once."""
    arrived = Counter((post.sha256, post.key) for post in audit.posts if post.complete)
    begun = Counter((one["body_sha256"], one["idempotency_key"]) for one in attempts)
    assert arrived <= begun
    sent = Counter((one["body_sha256"], one["idempotency_key"]) for one in attempts if one["outcome"] != "not_sent")
    assert sent <= arrived, "an attempt that was sent never arrived"
    paid = Counter(post.sha256 for post in audit.posts if post.task_id and not post.replayed)
    wanted = Counter(
        one["body_sha256"] for one in attempts if one["outcome"] in ("accepted", "in_doubt", "paid_lost")
    )
    assert paid <= wanted, "something was bought that the ledger does not know"


def row(job_id: str, prompt: str = "A glass city", *more: str) -> str:
    """One line of a manifest of text-to-video jobs."""
    return ",".join([job_id, "kie", "sandbox-1", "text-to-video", prompt, *more])


#: Starts a sandbox with options, and a batch of so many jobs against it.
Start = Callable[..., Batch]
