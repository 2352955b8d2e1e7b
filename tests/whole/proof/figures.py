"""A figure of a proof: how many faults were planned and fired, and what they broke. Void below 90 % fired."""

import json
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: Set: no trial begins any more.
stopping = threading.Event()
#: Seconds between two lines on stderr about a figure that is not finished; None says nothing.
say_every: float | None = None
#: Figures that have begun and not ended.
unfinished: "list[Figure]" = []


@dataclass(eq=False)
class Figure:
    """One line of docs/how/reliability.md."""

    name: str
    seed: int
    planned: int = 0
    fired: int = 0
    double: int = 0
    lost: int = 0
    doubts: int = 0
    charged_doubts: int = 0
    violations: list[str] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    unfired: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._began = self._said = time.monotonic()
        self._lock = threading.Lock()
        unfinished.append(self)

    def add(self, what: str, *, fired: int, planned: int = 1, verdicts: "tuple[object, ...]" = ()) -> None:
        """Count one trial: its last verdict has the doubts, all of them the violations."""
        with self._lock:
            self.planned += planned
            self.fired += fired
            if fired < planned:
                self.unfired[what] += planned - fired
            for verdict in verdicts:
                self.violations += [f"{what}: {sentence}" for sentence in verdict.violations]  # type: ignore[attr-defined]
            if verdicts:
                last = verdicts[-1]
                self.double += last.double  # type: ignore[attr-defined]
                self.lost += last.lost  # type: ignore[attr-defined]
                self.doubts += last.doubts  # type: ignore[attr-defined]
                self.charged_doubts += last.charged_doubts  # type: ignore[attr-defined]
            if say_every is not None and time.monotonic() - self._said >= say_every:
                self._said = time.monotonic()
                print(f"  … {self._said - self._began:.0f} s, {self}", file=sys.stderr, flush=True)

    def broke(self, sentence: str) -> None:
        with self._lock:
            self.violations.append(sentence)

    def end(self) -> "Figure":
        self.seconds = round(time.monotonic() - self._began, 1)
        if self in unfinished:
            unfinished.remove(self)
        print(self, flush=True)
        return self

    def __str__(self) -> str:
        notes = "".join(f" {name}={value:g}" for name, value in self.notes.items())
        return (
            f"{self.name}: planned={self.planned} fired={self.fired} violations={len(self.violations)} "
            f"double={self.double} lost={self.lost} doubts={self.doubts} (charged {self.charged_doubts}) "
            f"seed={self.seed} seconds={self.seconds}{notes}"
        )

    def check(self) -> None:
        """Assert that the faults fired and that nothing broke."""
        assert self.fired >= 0.9 * self.planned > 0, f"void: {self}; not fired: {dict(self.unfired)}"
        assert not self.violations, f"{self}\n" + "\n".join(self.violations[:20])

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.unfired, unfired = Counter(), dict(self.unfired)  # asdict can't copy a counter
        values = asdict(self) | {"violations": self.violations[:50], "unfired": unfired}
        (folder / f"{self.name}.json").write_text(json.dumps(values, indent=1) + "\n")


def table(folder: Path) -> str:
    """The saved figures as the Markdown table of docs/how/reliability.md."""
    lines = [
        "| figure | planned | fired | paid twice | ids lost | violations | in doubt | of these charged | seed |",
        "|---|" + "---:|" * 8,
    ]
    for path in sorted(folder.glob("*.json")):
        one = json.loads(path.read_text())
        other = max(0, len(one["violations"]))
        lines.append(
            f"| {one['name']} | {one['planned']:,} | {one['fired']:,} | {one['double']} | {one['lost']} | {other} "
            f"| {one['doubts']:,} | {one['charged_doubts']:,} | {one['seed']} |"
        )
    return "\n".join(lines)
