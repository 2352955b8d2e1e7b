"""The service's accounting: POSTs, tasks, credits, counters; kept in memory and, with a folder, on disk."""

import secrets
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from .audit import Audit, FaultCount, FileGet, Movement, Post, Task
from .journal import Journal

_POST_FIELDS = tuple(each.name for each in fields(Post))
#: What a task's line holds beside its POST's.
_TASK_FIELDS = ("number", "created", "duration", "clip", "fault")


class Books:
    """All that happened. Every change of money or tasks is in the journal before it is true."""

    def __init__(self, folder: Path | None = None) -> None:
        self.posts: list[Post] = []
        self.tasks: dict[str, Task] = {}
        self.by_key: dict[str, tuple[str, str]] = {}
        self.movements: list[Movement] = []
        self.files: list[FileGet] = []
        self.faults: dict[str, FaultCount] = {}
        self.get_statuses: Counter[int] = Counter()
        self.arrived = self.gets = self.file_gets = self.granted = self.spent = 0
        self.ports = [0, 0]
        self.lives, self.last_now, self.last_wall = 0, 0.0, 0.0
        self._salt = secrets.token_hex(8)
        self._touched: set[str] = set()
        self._counted = False
        self._journal = Journal(folder) if folder is not None else None
        if self._journal is not None:
            for entry in self._journal.entries():
                self._replay(entry)
        self.lives += 1

    def start(self, ports: list[int], now: float) -> None:
        """Note that a life begins: the ports of the service and of the file host, and the task time."""
        self.ports = ports
        self._write({"start": {"salt": self._salt, "ports": ports}, "now": now, "wall": time.time()})

    def moved(self, now: float) -> None:
        """Note that time was moved by hand."""
        self._write({"now": now, "wall": time.time()})

    def next_post(self) -> int:
        """The number of the POST that just arrived."""
        self.arrived += 1
        return self.arrived

    def new_task_id(self, number: int) -> str:
        """An id that looks like a UUID, never used before by any sandbox."""
        h = blake2b(f"{self._salt}:{number}".encode(), digest_size=16).hexdigest()
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

    def accept(self, post: Post, task: Task) -> None:
        """Create the task and take its credits."""
        self._write({"post": _values(post, _POST_FIELDS), "task": _values(task, _TASK_FIELDS)})
        self._add_task(post, task)

    def record(self, post: Post) -> None:
        """Keep a POST that created nothing."""
        self._write({"post": _values(post, _POST_FIELDS)})
        self.posts.append(post)

    def refund(self, task: Task, at: float, share: float = 1.0) -> None:
        """Give a failed task's credits back, once."""
        amount = round(task.credits * share)
        if task.refunded or not amount:
            return
        self._write({"refund": task.task_id, "credits": amount, "at": at})
        self._refund(task.task_id, amount, at)

    def grant(self, amount: int, at: float) -> None:
        """Top the account up."""
        self._write({"grant": amount, "at": at})
        self._grant(amount, at)

    def looked(self, task: Task) -> None:
        """Count a GET of `task`."""
        task.gets += 1
        self._touched.add(task.task_id)

    def served(self, task: Task | None, request: FileGet) -> None:
        """Keep a request for a video."""
        self.files.append(request)
        if task is not None:
            task.files += 1
            self._touched.add(task.task_id)
        with suppress(OSError):  # a full disk: the download goes on, only the note of it is lost
            self._write({"file": asdict(request)})

    def planned(self, fault: str) -> FaultCount:
        """Count a drawn fault, and return its count."""
        count = self.faults.setdefault(fault, FaultCount())
        count.planned += 1
        self._counted = True
        return count

    def balance(self, initial: int | None) -> int | None:
        """What is left of `initial` credits; None when they never run out."""
        return None if initial is None else initial + self.granted - self.spent

    def flush_counters(self) -> None:
        """Write what is only counted (GETs, faults): once a second, so that polls stay cheap."""
        if self._journal is None or not (self._touched or self._counted):
            return
        tasks = (self.tasks[task_id] for task_id in self._touched)
        self._write(
            {
                "gets": {task.task_id: [task.gets, task.files, task.struck] for task in tasks},
                "faults": {name: [count.planned, count.fired] for name, count in self.faults.items()},
                "statuses": dict(self.get_statuses),
                "totals": [self.gets, self.file_gets, self.arrived],
            }
        )
        self._touched.clear()
        self._counted = False

    def close(self) -> None:
        """Write the counters and let go of the folder."""
        if self._journal is not None:
            with suppress(OSError):
                self.flush_counters()
            self._journal.close()
            self._journal = None

    def audit(self, initial: int | None) -> Audit:
        """A snapshot that later events don't change."""
        return Audit(
            posts=sorted(self.posts, key=lambda post: post.n),
            tasks=[replace(task) for task in self.tasks.values()],
            movements=list(self.movements),
            files=list(self.files),
            faults={name: replace(count) for name, count in self.faults.items()},
            balance=self.balance(initial),
            gets=self.gets,
            get_statuses=dict(self.get_statuses),
            lives=self.lives,
        )

    def _write(self, entry: dict[str, Any]) -> None:
        if self._journal is not None:
            self._journal.write(entry)

    def _add_task(self, post: Post, task: Task) -> None:
        self.posts.append(post)
        self.tasks[task.task_id] = task
        if post.key:
            self.by_key.setdefault(post.key, (task.task_id, post.sha256))
        self.spent += task.credits
        self.movements.append(Movement(post.at, -task.credits, "task", task.task_id))

    def _refund(self, task_id: str, amount: int, at: float) -> None:
        self.tasks[task_id].refunded = amount
        self.spent -= amount
        self.movements.append(Movement(at, amount, "refund", task_id))

    def _grant(self, amount: int, at: float) -> None:
        self.granted += amount
        self.movements.append(Movement(at, amount, "grant"))

    def _replay(self, entry: dict[str, Any]) -> None:
        match entry:
            case {"post": values, "task": values_too}:
                post = self._replay_post(values)
                task = _task_of(post, *values_too)
                self.last_now, self.last_wall = task.created, post.wall
                self._add_task(post, task)
                if task.fault:
                    self.planned(task.fault)
            case {"post": values}:
                self.posts.append(self._replay_post(values))
            case {"refund": task_id, "credits": amount, "at": at}:
                self._refund(task_id, amount, at)
            case {"grant": amount, "at": at}:
                self._grant(amount, at)
            case {"file": request}:
                self.files.append(FileGet(**request))
            case {"gets": counts, "faults": faults, "statuses": statuses, "totals": totals}:
                for task_id, (gets, files, struck) in counts.items():
                    task = self.tasks[task_id]
                    task.gets, task.files, task.struck = gets, files, struck
                self.faults = {name: FaultCount(*pair) for name, pair in faults.items()}
                self.get_statuses = Counter({int(status): count for status, count in statuses.items()})
                self.gets, self.file_gets, arrived = totals
                self.arrived = max(self.arrived, arrived)
            case {"now": now, "wall": wall}:
                self.last_now, self.last_wall = now, wall
                if "start" in entry:
                    self.lives += 1
                    self._salt, self.ports = entry["start"]["salt"], entry["start"]["ports"]

    def _replay_post(self, values: list[Any]) -> Post:
        post = Post(*values)
        self.arrived = max(self.arrived, post.n)
        if post.fault:
            self.planned(post.fault).fired += post.fired
        return post


def _task_of(post: Post, number: int, created: float, duration: float, clip: str, fault: str) -> Task:
    """The task of an accepted POST."""
    return Task(
        task_id=post.task_id,
        number=number,
        post=post.n,
        created=created,
        duration=duration,
        clip=clip,
        credits=post.credits,
        provider=post.provider,
        model=post.model,
        scene=post.scene,
        prompt=post.prompt,
        fault=fault,
    )


def _values(thing: Post | Task, names: tuple[str, ...]) -> list[Any]:
    return [getattr(thing, name) for name in names]
