"""What the sandbox saw and did: the oracle that tests compare a client's books with.

It is kept by the service alone, from the bytes that arrived. Nothing of the client is used to make it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Post:
    """One POST that arrived, in the order `n` of arrival.

    at: seconds, monotonic within one process; wall: seconds since 1970. size and sha256 are of the body's
    bytes as received. auth is `good`, `bad` or `none`. fault is what was drawn for it, whether it struck or
    not (`fired`). status is that of the answer, 0 if none was sent. reason is a word for a refusal.
    credits is what was taken; a replay of an idempotent POST has the task's id and takes nothing.
    """

    n: int
    at: float
    wall: float
    size: int = 0
    sha256: str = ""
    key: str = ""
    auth: str = "none"
    complete: bool = False
    provider: str = ""
    model: str = ""
    scene: str = ""
    prompt: str = ""
    fault: str = ""
    fired: bool = False
    status: int = 0
    reason: str = ""
    task_id: str = ""
    credits: int = 0
    replayed: bool = False


@dataclass(slots=True)
class Task:
    """One task that was created: `number` counts from 1, times are in task time.

    struck: whether a GET has shown the fault that the task was born with."""

    task_id: str
    number: int
    post: int
    created: float
    duration: float
    clip: str
    credits: int
    provider: str = ""
    model: str = ""
    scene: str = ""
    prompt: str = ""
    fault: str = ""
    gets: int = 0
    files: int = 0
    refunded: int = 0
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Movement:
    """Credits that moved: negative when taken, positive when given back or topped up."""

    at: float
    credits: int
    why: str
    task_id: str = ""


@dataclass(slots=True)
class FileGet:
    """One request for a video: whether an Authorization header came with it (none may)."""

    at: float
    task_id: str
    status: int
    authorization: bool
    range: str = ""
    fault: str = ""


@dataclass(slots=True)
class FaultCount:
    """How often a fault was drawn, and how often it really struck."""

    planned: int = 0
    fired: int = 0


@dataclass(frozen=True, slots=True)
class Audit:
    """A snapshot of the books."""

    posts: list[Post]
    tasks: list[Task]
    movements: list[Movement]
    files: list[FileGet]
    faults: dict[str, FaultCount]
    balance: int | None
    gets: int = 0
    get_statuses: dict[int, int] = field(default_factory=dict)
    lives: int = 1

    @property
    def charged(self) -> int:
        """All credits ever taken (gross)."""
        return -sum(move.credits for move in self.movements if move.credits < 0)

    @property
    def refunded(self) -> int:
        """All credits given back."""
        return sum(move.credits for move in self.movements if move.credits > 0 and move.why == "refund")

    @property
    def charged_by_body_sha256(self) -> dict[str, int]:
        """Credits taken for each different body."""
        sums: Counter[str] = Counter()
        for post in self.posts:
            if post.credits:
                sums[post.sha256] += post.credits
        return dict(sums)

    @property
    def tasks_by_body_sha256(self) -> dict[str, list[str]]:
        """The ids of the tasks created for each different body: more than one means paid twice."""
        tasks: dict[str, list[str]] = {}
        for post in self.posts:
            if post.task_id and not post.replayed:
                tasks.setdefault(post.sha256, []).append(post.task_id)
        return tasks

    @property
    def files_with_authorization(self) -> int:
        """Requests for files that carried an Authorization header: a leaked key."""
        return sum(each.authorization for each in self.files)

    def max_posts_in_window(self, seconds: float) -> int:
        """The most POSTs that arrived within any window of `seconds` (at t and before t + seconds)."""
        times = sorted(post.at for post in self.posts)
        most = start = 0
        for end, at in enumerate(times):
            while at - times[start] >= seconds:
                start += 1
            most = max(most, end - start + 1)
        return most

    def to_json(self, *, brief: bool = False) -> dict[str, Any]:
        """Everything, as values for `json.dumps`, with the sums; when brief, counts instead of lists."""
        lists: dict[str, Sequence[Any]] = {"posts": self.posts, "tasks": self.tasks}
        lists |= {"movements": self.movements, "files": self.files}
        return self._sums() | {name: len(each) if brief else _plain(each) for name, each in lists.items()}

    def _sums(self) -> dict[str, Any]:
        return {
            "charged": self.charged,
            "refunded": self.refunded,
            "balance": self.balance,
            "gets": self.gets,
            "get_statuses": {str(status): count for status, count in sorted(self.get_statuses.items())},
            "files_with_authorization": self.files_with_authorization,
            "lives": self.lives,
            "faults": {name: asdict(count) for name, count in sorted(self.faults.items())},
        }


def _plain(things: Sequence[Any]) -> list[dict[str, Any]]:
    """Flat dataclasses as dictionaries, quicker than `asdict`."""
    if not things:
        return []
    names = [each.name for each in fields(things[0])]
    return [{name: getattr(thing, name) for name in names} for thing in things]
