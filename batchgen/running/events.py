"""events.jsonl: one line an event, as it happens. For people who watch and programs that follow.

Each line is a JSON object with `at` (seconds since 1970), `event` and `run_id` (a run's own name); the others
are in docs/use/results.md.
The file is a convenience: everything that counts is in the ledger.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from batchgen.files import take_from_others
from batchgen.ledger.sqlite.history import EVENTS

_log = logging.getLogger("batchgen.run")
#: Every other event is for those who look closely.
_LEVELS = {"run": logging.INFO, "end": logging.INFO, "stop": logging.WARNING}

_json = json.JSONEncoder(ensure_ascii=False).encode


class Events:
    """Appends to OUT/events.jsonl; a disk that refuses never stops a run."""

    def __init__(self, out: Path, keep: bool = False, run_id: str = "") -> None:
        self._run_id = run_id
        #: What happened since it was handed over last; nothing is kept where nobody hears.
        self._heard: deque[dict[str, Any]] | None = deque() if keep else None
        self._file: TextIO | None = None
        try:
            _cut_torn_line(out / EVENTS)
            (out / EVENTS).touch(0o600)
            take_from_others(out / EVENTS)
            self._file = (out / EVENTS).open("a", encoding="utf-8", errors="backslashreplace")
        except OSError:
            self._file = None

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        kept = {key: value for key, value in fields.items() if value not in ("", None)}
        event = {"at": round(time.time(), 3), "event": name, "run_id": self._run_id, **kept}
        if self._heard is not None:
            self._heard.append(event)
        if _log.isEnabledFor(level := _LEVELS.get(name, logging.DEBUG)):
            _log.log(level, "%s %s", name, " ".join(f"{key}={value}" for key, value in kept.items()))
        if self._file is None:
            return
        try:
            self._file.write(_json(event) + "\n")
        except OSError:
            self._file = None

    def hand_over(self, hear: Callable[[dict[str, Any]], None] | None) -> None:
        """Call `hear` with each event since the last time, in order, in this thread."""
        while hear is not None and self._heard:
            hear(self._heard.popleft())

    def flush(self) -> None:
        """Let readers see what happened; called a few times a second."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError:
                self._file = None

    def close(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                self._file = None


def _cut_torn_line(path: Path, at_once: int = 1 << 16) -> None:
    """Cut off a last line that a killed run or a full disk left half written: each line is one JSON object."""
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return
    with file:
        end = size = file.seek(0, 2)
        while end:
            start = max(0, end - at_once)
            file.seek(start)
            if newline := file.read(end - start).rfind(b"\n") + 1:
                end = start + newline
                break
            end = start
        if end < size:
            file.truncate(end)
