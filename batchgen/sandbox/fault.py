"""What a fault is: a name, what it does, whether the service has charged, and how its answer is made."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from .audit import Task
from .clock import Clock
from .envelopes import View
from .wire import Wire

On = Literal["post", "task", "get", "file"]

_ARGS = {
    "": (r"", "no argument", ""),
    "seconds": (r"\d*\.?\d+", "seconds", "S"),
    "bytes": (r"\d+", "a number of bytes", "K"),
    "count": (r"\d+", "a number", "N"),
    "status": (r"[1-9]\d\d", "an HTTP status", "STATUS"),
    "redirect": (r"30[1-8]", "a status from 301 to 308", "STATUS"),
    "cloudflare": (r"52[0-6]", "a status from 520 to 526", "STATUS"),
    "word": (r"\S.*", "a word", "WORD"),
}


@dataclass(slots=True)
class Moment:
    """What a fault knows when it strikes.

    proper: the answer that would be sent without it. style: the envelope. task: the task in question, None
    before acceptance. previous: the id of an earlier task. base_url and file_url: of the service and of the
    file host, without a slash at the end. data, etag, path and request belong to a download.
    """

    arg: str
    proper: Wire
    style: str
    clock: Clock
    base_url: str = ""
    task: Task | None = None
    previous: str = ""
    retry_after: str = "seconds"
    file_url: str = ""
    data: bytes = b""
    etag: str = ""
    path: str = ""
    request: web.BaseRequest | None = None

    def seconds(self, default: float) -> float:
        """The argument (or `default`) as task time, in real seconds."""
        return self.clock.scaled(float(self.arg or default))

    def number(self, default: int) -> int:
        """The argument as a whole number."""
        return int(self.arg or default)

    @property
    def body(self) -> bytes:
        """The body that would be sent."""
        return self.proper.content


@dataclass(slots=True)
class TaskMoment:
    """A GET of a task that has a fault: `view` is what would be said; times are in task time."""

    arg: str
    task: Task
    view: View
    elapsed: float
    style: str
    clock: Clock

    @property
    def ended(self) -> bool:
        """Whether the task's time is over."""
        return self.elapsed >= self.task.duration

    def seconds(self, default: float) -> float:
        """The argument in task time."""
        return float(self.arg or default)


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the fault table.

    charged: `yes` (after a POST was accepted and paid), `no` (before, or never), "" where it is no question.
    arg: what may follow `@` (a key of the argument kinds above, or the allowed words separated by `|`).
    """

    name: str
    on: On
    does: str
    make: Callable[..., Any]
    charged: str = ""
    arg: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)

    @property
    def usage(self) -> str:
        """How it is written: `error[@STATUS]`."""
        what = _ARGS[self.arg][2] if self.arg in _ARGS else self.arg
        return f"{self.name}[@{what}]" if what else self.name

    @property
    def accepts(self) -> bool:
        """Whether the POST is accepted, and charged, before the fault strikes."""
        return self.charged == "yes"

    def check(self, arg: str) -> None:
        """Raise ValueError with a sentence when `arg` is not what may follow `@`."""
        if not arg:
            return
        pattern, what, _ = _ARGS.get(self.arg, (self.arg, f"one of {self.arg.replace('|', ', ')}", ""))
        if not self.arg or not re.fullmatch(pattern, arg):
            raise ValueError(f"“{arg}” is no argument of the fault “{self.name}”, which takes {what}.")


def table(*faults: Fault) -> dict[str, Fault]:
    """Faults by name; a name twice is a mistake."""
    named = {fault.name: fault for fault in faults}
    if len(named) != len(faults):
        raise ValueError("A fault's name is used twice.")
    return named
