"""events.jsonl: one line an event, as it happens. For people who watch and programs that follow.

Each line is a JSON object with `at` (seconds since 1970) and `event`; the other fields are in docs/results.md.
The file is a convenience: everything that counts is in the ledger.
"""

import json
import time
from pathlib import Path
from typing import Any, TextIO

FILE = "events.jsonl"
_json = json.JSONEncoder(ensure_ascii=False).encode


class Events:
    """Appends to OUT/events.jsonl; a disk that refuses never stops a run."""

    def __init__(self, out: Path) -> None:
        self._file: TextIO | None = None
        try:
            self._file = (out / FILE).open("a", encoding="utf-8", errors="backslashreplace")
        except OSError:
            self._file = None

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        if self._file is None:
            return
        kept = {key: value for key, value in fields.items() if value not in ("", None)}
        try:
            line = _json({"at": round(time.time(), 3), "event": name, **kept})
            self._file.write(line + "\n")
        except OSError:
            self._file = None

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
