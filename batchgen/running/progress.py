"""What a person sees while a run works: bars on a terminal, plain lines elsewhere, nothing when quiet.

Everything goes to stderr; stdout is for documents.
"""

import os
import sys
import time
from contextlib import suppress
from typing import Any, TextIO

from tqdm import tqdm

from batchgen.job import TERMINAL, State
from batchgen.running.state import Board

#: Seconds between two plain lines.
PLAIN_EVERY = 10.0

_BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}"

_SLOW = {
    "rate": "the rate that was told",
    "in_flight": "the number of tasks in flight",
    "service": "the rate that the service allows",
    "finding": "finding out how fast the service allows",
}

#: Seconds without a submission after which nobody can say how long the rest takes.
STANDS_STILL = 60.0


class Progress:
    """Shows a board. `kind`: `bars`, `lines`, `none`, or `auto`: bars as they are drawn where we are.

    A stream that breaks (a closed terminal, a pipe that nobody reads) stops the showing and nothing else.
    """

    def __init__(self, board: Board, kind: str, stream: TextIO | None = None) -> None:
        self._board = board
        self._bar = tqdm_here() if kind == "auto" else tqdm
        self._kind = "bars" if kind == "auto" else kind
        self._stream = stream or sys.stderr
        self._bars: dict[str, tqdm[Any]] = {}
        self._last_line = 0.0
        self._began = time.monotonic()
        #: How many were submitted when that last changed, and when.
        self._seen = (0, self._began)
        self._said = ""

    @staticmethod
    def choose(*, quiet: bool, stream: TextIO | None = None) -> str:
        stream = stream or sys.stderr
        if quiet:
            return "none"
        return "bars" if stream.isatty() else "lines"

    def __enter__(self) -> "Progress":
        if self._kind == "bars":
            with suppress(OSError):
                self._draw()
            self.show()
        return self

    def __exit__(self, *_: object) -> None:
        self.show(last=True)
        for bar in self._bars.values():
            with suppress(OSError):
                bar.close()

    def _draw(self) -> None:
        """A bar for each thing that this run does: where nothing is submitted, none stands at 0 of 0."""
        board = self._board
        totals = {"downloaded": board.videos_wanted}
        if started := self._started():
            totals = {"finished": started} | totals
        if board.to_submit:
            totals = {"submitted": board.to_submit} | totals | {"credits": board.credits_planned}
        for position, (name, total) in enumerate(totals.items()):
            self._bars[name] = self._bar(
                total=total,
                desc=f"{name:<10}",
                position=position,
                file=self._stream,
                dynamic_ncols=True,
                leave=True,
                bar_format=_BAR,
                ascii=not _can_draw(self._stream),
            )

    def _started(self) -> int:
        board = self._board
        waiting = sum(board.states[state] for state in (State.SUBMITTED, State.QUEUED, State.RUNNING))
        return board.to_submit - board.submitted + waiting + self._finished()

    def _finished(self) -> int:
        return self._board.finished

    def show(self, *, last: bool = False) -> None:
        """Bring the picture up to date; called about five times a second."""
        try:
            self._show(last=last)
        except OSError:
            self._kind = "none"

    def _show(self, *, last: bool) -> None:
        if self._kind == "bars":
            self._show_bars()
        elif self._kind == "lines" and (last or time.monotonic() - self._last_line >= PLAIN_EVERY):
            self._last_line = time.monotonic()
            line = self.line()
            if line != self._said and (self._something() or self._is_away()):
                self._said = line
                print(line, file=self._stream, flush=True)

    def _show_bars(self) -> None:
        board = self._board
        values = {
            "submitted": (board.submitted, board.to_submit),
            "finished": (self._finished(), self._started()),
            "downloaded": (board.videos_here, max(board.videos_wanted, board.videos_here)),
            "credits": (board.credits_spent, max(board.credits_planned, board.credits_spent)),
        }
        notes = []
        if board.states[State.FAILED] + board.states[State.REJECTED]:
            notes.append(f"{board.states[State.FAILED] + board.states[State.REJECTED]} without a video")
        if board.states[State.IN_DOUBT]:
            notes.append(f"{board.states[State.IN_DOUBT]} in doubt")
        behind = {"submitted": self._slow_line(), "finished": ", ".join(notes)}
        for name, bar in self._bars.items():
            bar.n, bar.total = values[name]
            bar.bar_format = _BAR + _literal(_fitting(behind.get(name, ""), self._width(), bar.total))
            bar.refresh()

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return 80

    def _slow_line(self) -> str:
        board = self._board
        left = board.to_submit - board.submitted
        if left <= 0 or not board.submitting:
            return ""
        now = time.monotonic()
        elapsed = now - self._began
        if board.submitted != self._seen[0]:
            self._seen = (board.submitted, now)
        why = _SLOW.get(board.slow, board.slow)
        if self._is_away():
            return why
        if board.submitted < 5 or elapsed < 5:
            return why
        if now - self._seen[1] > STANDS_STILL:  # an estimate would only grow
            return f"time left unknown; limit: {why}" if why else "time left unknown"
        return f"{_duration(left * elapsed / board.submitted)} left; limit: {why}" if why else ""

    def tell(self, sentence: str) -> None:
        """Say something above the bars."""
        with suppress(OSError):
            if self._bars:
                tqdm.write(sentence, file=self._stream)
            else:
                print(sentence, file=self._stream, flush=True)

    def _is_away(self) -> bool:
        """Whether the service does not answer: then the board has a sentence instead of a limit's name."""
        return bool(self._board.slow) and self._board.submitting and self._board.slow not in _SLOW

    def _something(self) -> bool:
        board = self._board
        return bool(board.submitted or board.finished or board.videos_here < board.videos_wanted)

    def line(self) -> str:
        """The same as one line of text."""
        board = self._board
        parts = [f"finished {self._finished():,}", f"downloaded {board.videos_here:,}/{board.videos_wanted:,}"]
        if board.to_submit:
            submitted = f"submitted {board.submitted:,}/{board.to_submit:,}"
            parts = [submitted, *parts, f"credits {board.credits_spent:,}/{board.credits_planned:,}"]
        failed = sum(board.states[state] for state in (*TERMINAL - {State.SUCCEEDED}, State.REJECTED))
        if failed:
            parts.append(f"without a video {failed:,}")
        if board.states[State.IN_DOUBT]:
            parts.append(f"in doubt {board.states[State.IN_DOUBT]:,}")
        slow = self._slow_line()
        return ", ".join(parts) + (f" ({slow})" if slow else "")


def tqdm_here() -> type["tqdm[Any]"]:
    """The bars of a notebook, or of a terminal."""
    from tqdm.auto import tqdm as here

    bars: type[tqdm[Any]] = here
    return bars


def _fitting(note: str, width: int, total: int) -> str:
    """A note as far as it leaves the bar in front of it twelve columns; "" where a few words would not fit."""
    free = width - len("downloaded 100% || ") - 2 * len(str(total)) - len("/ ") - 12 - 1
    if len(note) <= free:
        return note
    return note[: free - 1].rstrip() + "…" if free >= 20 else ""


def _literal(text: str) -> str:
    """A note behind a bar, with nothing in it that tqdm would fill in."""
    return " " + text.replace("{", "{{").replace("}", "}}") if text else ""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _can_draw(stream: TextIO) -> bool:
    """Whether the stream's encoding has the block characters of a smooth bar (a cp1252 console has not)."""
    try:
        "▏█".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
