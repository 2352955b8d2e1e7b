"""One line of events.jsonl, for who listens in Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run: `event` (its name) and `at` (seconds since 1970); "" where a word does not
    belong to it. Everything that the line in events.jsonl holds is in `asdict()`.
    """

    event: str
    at: float
    run_id: str = ""
    job_id: str = ""
    task_id: str = ""
    code: str = ""
    message: str = ""
    line: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "Event":
        names = ("run_id", "job_id", "task_id", "code", "message")
        found = {name: str(line.get(name, "")) for name in names}
        return cls(event=line["event"], at=line["at"], line=line, **found)

    def __getattr__(self, name: str) -> Any:
        line = object.__getattribute__(self, "line") or {}
        if name.startswith("__") or name not in line:
            raise AttributeError(f"the event {line.get('event')!r} has no {name!r}")
        return line[name]

    def asdict(self) -> dict[str, Any]:
        """The line, as it stands in events.jsonl."""
        return dict(self.line or {"at": self.at, "event": self.event})
