"""What the stations of one run tell each other: counts for the terminal, events, and reasons to stop.

Each station does its own work; here it reads whether it should go on, and says what it did.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from batchgen.errors import Stop
from batchgen.job import TERMINAL, State


@dataclass(slots=True)
class Board:
    """The state of one run that more than one station looks at."""

    emit: Callable[[str, dict[str, Any]], None] = lambda _name, _fields: None
    flush: Callable[[], None] = lambda: None
    #: Jobs by state as the run goes on; kept beside the ledger so that a bar costs no query.
    states: Counter[State] = field(default_factory=Counter)
    to_submit: int = 0
    submitted: int = 0
    finished: int = 0
    credits_planned: int = 0
    credits_spent: int = 0
    videos_wanted: int = 0
    videos_here: int = 0
    throttled: int = 0
    slow: str = ""
    stops: dict[Stop, str] = field(default_factory=dict)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    #: Set whenever something changed that results.csv shows.
    dirty: bool = False

    def stop(self, why: Stop, message: str) -> None:
        """No POST begins after this. The first message for a reason stands."""
        if why not in self.stops:
            self.stops[why] = message
            self.event("stop", why=why.value, message=message)
        self.stopped.set()

    @property
    def submitting(self) -> bool:
        return not self.stops

    @property
    def may_leave(self) -> bool:
        """Whether a POST that was on its way when submitting stopped may still leave.

        Only a cap lets it: what has its price reserved fits, and what does not fit can't begin.
        """
        return self.stops.keys() <= {Stop.CAP}

    @property
    def interrupted(self) -> bool:
        return Stop.INTERRUPTED in self.stops

    def moved(self, before: State, after: State) -> None:
        """A job went from one state to another."""
        if before is not after:
            self.states[before] -= 1
            self.states[after] += 1
            self.finished += after in TERMINAL and before not in TERMINAL
        self.dirty = True

    def event(self, name: str, **fields: Any) -> None:
        """Tell whoever listens (events.jsonl, the live page). Never the key, never a header of ours."""
        self.emit(name, fields)


async def sleep_or(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for the event, at most so long (None: as long as it takes)."""
    if seconds is not None and seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
