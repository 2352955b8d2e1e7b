"""What the stations of the sandbox share: the options in force, the books, the clock, the tasks that run."""

import heapq

from aiohttp import web

from . import envelopes
from .audit import Post, Task
from .books import Books
from .clock import Clock, parse_duration
from .faults import FAULTS
from .options import Options
from .urls import Urls
from .wire import Wire, json_answer


class Service:
    """The state behind the endpoints. `submissions`, `looks` and `files` answer requests from it."""

    def __init__(self, options: Options, books: Books, clock: Clock) -> None:
        self.books = books
        self.clock = clock
        self.urls = Urls()
        self.last_id = ""
        self.away_for = 0.0
        self._running: list[tuple[float, str]] = []
        self.apply(options)
        for task in books.tasks.values():
            self.watch(task)

    def apply(self, options: Options) -> None:
        """Behave as `options` say from now on."""
        self.options = options
        self._keys = {f"Bearer {key}" for key in options.keys}
        self.prices = options.price_table()
        self.duration = parse_duration(options.duration)

    def auth(self, request: web.BaseRequest) -> str:
        """What the Authorization header is: `good`, `bad` or `none`."""
        header = request.headers.get("Authorization")
        if header is None:
            return "none"
        dead = self.options.key_dies_after is not None and self.books.arrived > self.options.key_dies_after
        return "good" if header in self._keys and not dead else "bad"

    def error(self, kind: str, message: str) -> Wire:
        """An error in the style of the envelope."""
        return json_answer(*envelopes.error(self.options.style, kind, message))

    def watch(self, task: Task) -> None:
        """Note when a task will end."""
        self.last_id = task.task_id
        heapq.heappush(self._running, (task.created + task.duration, task.task_id))

    def settle(self) -> None:
        """Let tasks end whose time is over; give credits back where that is automatic."""
        now = self.clock.now()
        while self._running and self._running[0][0] <= now:
            _, task_id = heapq.heappop(self._running)
            if self.options.refund == "automatic":
                self.refund(self.books.tasks[task_id])

    def active(self) -> int:
        """How many tasks run now."""
        self.settle()
        return len(self._running)

    def refund(self, task: Task) -> None:
        """Give the credits of a failed task back, if its kind of failure is refunded."""
        tags = FAULTS[task.fault.partition("@")[0]].tags if task.fault else frozenset()
        if "fails" in tags and ("moderation" not in tags or self.options.refund_moderation):
            self.books.refund(task, self.clock.real(), share=0.5 if "part" in tags else 1.0)


def words(thing: Post | Task | None) -> list[str]:
    """The texts of a POST or task that a fault's pattern is tried on."""
    if thing is None:
        return []
    texts = [thing.prompt, thing.model, thing.provider, thing.scene]
    return [*texts, thing.key] if isinstance(thing, Post) else texts
