"""How long tasks of a (model, scene) take, learned from looks: each look says only "not yet" or "by now".

A life table: time is cut into steps of 5 %, and for each step it is counted how many tasks were known to
have lived through it and how many ended in it. A task that ended between two looks counts as ended in each step
between them in proportion to what is known so far (interval censoring), and a task that still runs counts as
having lived through the steps up to its last look (right censoring): so the first fifty of ten thousand tasks
to end do not make all tasks look quick. Before anything is known, and thinly ever after, there is a prior:
most generation takes 83 to 253 s with a median of 105 s, a stand-in on one's own machine 2 to 4 s, and some
services need half an hour.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

#: The first step begins at SHORTEST seconds; each is 5 % longer than the one before it; the last ends at 48 h.
SHORTEST, STEP, STEPS = 0.25, 1.05, 277
#: Ended tasks that a group remembers; older ones fade, so that a service that changes is followed.
REMEMBERED = 300.0
#: How many ended tasks the prior is worth, and (for a group) what all groups together are worth.
PRIOR_WEIGHT, TOGETHER_WEIGHT = 0.5, 2.0

#: How far an end is spread when ends are counted: part of the reach to its neighbours, and at most (steps).
NARROWEST, WIDEST = 0.5, 12

Group = tuple[str, str]
#: All groups together: what a group without tasks of its own starts from.
TOGETHER: Group = ("", "")


def step_of(age: float) -> int:
    """The step that an age in seconds falls in."""
    if age <= SHORTEST:
        return 0
    return min(STEPS - 1, int(math.log(age / SHORTEST) / math.log(STEP)))


def edge(step: int) -> float:
    """The age in seconds at which a step begins; the first begins at 0."""
    return SHORTEST * STEP**step if step else 0.0


def _bell(age: float, middle: float, spread: float) -> float:
    return math.exp(-((math.log(age / middle) / spread) ** 2) / 2) / spread


def _prior() -> list[float]:
    """Share of tasks that end in each step when nothing is known."""
    middles = [math.sqrt(max(edge(step), 0.1) * edge(step + 1)) for step in range(STEPS)]
    near = [_bell(age, 2.8, 0.35) for age in middles]
    usual = [_bell(age, 115.0, 0.4) for age in middles]
    wide = [1.0 if 1.0 < age < 3000 else 0.1 for age in middles]
    return [
        0.2 * a / sum(near) + 0.5 * b / sum(usual) + 0.3 * c / sum(wide)
        for a, b, c in zip(near, usual, wide, strict=True)
    ]


PRIOR: tuple[float, ...] = tuple(_prior())


class LifeTable:
    """Counts for one group: `ended[i]` tasks ended in step i, `lived()[i]` were seen to live through it."""

    __slots__ = ("_parts", "_rises", "ended", "seen", "total")

    def __init__(self) -> None:
        self.ended = [0.0] * STEPS
        # lived = running sum of rises + parts: a look that covers a hundred steps costs as little as one
        self._rises = [0.0] * (STEPS + 1)
        self._parts = [0.0] * STEPS
        self.total = 0.0
        #: every end that was ever counted, faded or not: tells when there is news
        self.seen = 0.0

    def lived(self) -> list[float]:
        return [whole + part for whole, part in zip(accumulate(self._rises), self._parts, strict=False)]

    def alive(self, low: float, high: float) -> None:
        """A task seen alive at age `low` was seen alive again at `high`."""
        first, last = step_of(low), step_of(high)
        self._rises[first] += 1.0
        self._rises[last] -= 1.0
        self._parts[first] -= _part(first, low)
        self._parts[last] += _part(last, high)

    def end(self, low: float, high: float, hazards: Sequence[float]) -> None:
        """A task alive at `low` had ended by `high`; `hazards` says how the time between is shared out."""
        first, last = step_of(low), step_of(high)
        shares, left = [], 1.0
        for step in range(first, last + 1):
            begins = _part(step, low) if step == first else 0.0
            ends = _part(step, high) if step == last else 1.0
            gone = left * -math.expm1(-hazards[step] * max(ends - begins, 1e-6))
            shares.append(gone)
            left -= gone
        total = sum(shares)
        before = 1.0
        for step, share in zip(range(first, last + 1), shares, strict=True):
            part = share / total if total > 0 else 1.0 / len(shares)
            self.ended[step] += part
            before -= part
            self._parts[step] += before + part / 2
        self.total += 1.0
        self.seen += 1.0
        if self.total > 1.2 * REMEMBERED:
            self.fade(REMEMBERED / self.total)

    def fade(self, factor: float) -> None:
        """Let everything count for less."""
        self.ended = [value * factor for value in self.ended]
        self._rises = [value * factor for value in self._rises]
        self._parts = [value * factor for value in self._parts]
        self.total *= factor

    def add(self, ended: Mapping[int, float], lived: Mapping[int, float], total: float) -> None:
        """Take over counts from an earlier run."""
        for values, more in ((self.ended, ended), (self._parts, lived)):
            for step, value in more.items():
                values[step] += value
        self.total += total
        self.seen += total


def _part(step: int, age: float) -> float:
    """Which part of a step lies before `age`, from 0 to 1."""
    low, high = edge(step), edge(step + 1)
    return min(1.0, max(0.0, (age - low) / (high - low)))


class Durations:
    """What is known of the durations of each group. `state` and `restore` carry it from run to run."""

    def __init__(self) -> None:
        self._tables: dict[Group, LifeTable] = {}
        self._known: dict[Group, tuple[float, list[float]]] = {}

    def observe(self, group: Group, seconds: float, *, since: float | None = None) -> None:
        """A task of `group` ended: at age `seconds`, or (`since` given) somewhere after age `since`.

        With `since`, what came before is known from `alive`.
        """
        low = max(0.0, min(0.999 * seconds if since is None else since, seconds))
        if since is None:
            self.alive(group, 0.0, low)
        for key in (TOGETHER, group):
            self._table(key).end(low, seconds, self.known(key)[1])

    def alive(self, group: Group, low: float, high: float) -> None:
        """A task of `group`, looked at before at age `low`, has not ended at age `high`."""
        for key in (TOGETHER, group):
            self._table(key).alive(low, high)

    def count(self, group: Group) -> float:
        """How many ended tasks the knowledge of a group rests on."""
        table = self._tables.get(group)
        return table.total if table else 0.0

    def known(self, group: Group) -> tuple[float, list[float]]:
        """(version, hazards) of a group, worked out anew only when a tenth more is known."""
        table = self._tables.get(group)
        seen = table.seen if table else 0.0
        if table is None and group != TOGETHER and TOGETHER in self._tables:
            seen = -self._tables[TOGETHER].seen
        kept = self._known.get(group)
        if kept is None or abs(seen - kept[0]) >= min(100.0, max(1.0, 0.1 * abs(seen))):
            kept = self._known[group] = (seen, self.hazards(group))
        return kept

    def hazards(self, group: Group) -> list[float]:
        """The expected number of ends in each step for one task that lives through it (may be above 1)."""
        base = list(PRIOR)
        weight = PRIOR_WEIGHT
        if group != TOGETHER and TOGETHER in self._tables:
            base = _shares(self.hazards(TOGETHER))
            weight = min(TOGETHER_WEIGHT, PRIOR_WEIGHT + self._tables[TOGETHER].total)
        table = self._tables.get(group)
        ended: Sequence[float] = [0.0] * STEPS
        lived: Sequence[float] = ended
        if table is not None:
            ended, lived = smoothed(table.ended, table.lived(), table.total)
        hazards, left = [], 1.0
        for step in range(STEPS):
            exposed = lived[step] + weight * max(left - base[step] / 2, 1e-4)
            hazards.append((ended[step] + weight * base[step]) / exposed)
            left -= base[step]
        return hazards

    def state(self) -> dict[str, Any]:
        """Everything learned, JSON-able: only steps that hold something."""
        return {
            "groups": [
                {"group": list(group), "total": round(table.total, 2), "ended": _packed(table.ended),
                 "lived": _packed(table.lived())}
                for group, table in self._tables.items()
            ]
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any], *, faded: float = 0.5) -> None:
        """Take over what an earlier run learned, at part of its weight: services change overnight."""
        for entry in state.get("groups", ()):
            counts = [
                {step: value * faded for step, value in entry[key] if 0 <= step < STEPS}
                for key in ("ended", "lived")
            ]
            group = (entry["group"][0], entry["group"][1])
            self._table(group).add(counts[0], counts[1], entry["total"] * faded)

    def _table(self, group: Group) -> LifeTable:
        return self._tables.setdefault(group, LifeTable())


def smoothed(
    ended: Sequence[float], lived: Sequence[float], total: float
) -> tuple[Sequence[float], Sequence[float]]:
    """Ends and lives, each spread over neighbouring steps: wide where few ends lie, narrow where many do."""
    if total <= 0:
        return ended, lived
    running = [0.0, *accumulate(ended)]
    enough = 0.5 * min(running[-1], total) ** 0.8
    spread: tuple[list[float], list[float]] = ([0.0] * STEPS, [0.0] * STEPS)
    reach = 1
    for step in range(STEPS):
        if ended[step] <= 1e-9 and lived[step] <= 1e-9:
            continue
        while reach > 1 and _around(running, step, reach - 1) >= enough:
            reach -= 1
        while reach < WIDEST and _around(running, step, reach) < enough:
            reach += 1
        for offset, share in enumerate(_kernel(reach), step - len(_kernel(reach)) // 2):
            at = min(STEPS - 1, max(0, offset))
            spread[0][at] += ended[step] * share
            spread[1][at] += lived[step] * share
    return spread


def _around(running: Sequence[float], step: int, reach: int) -> float:
    """How many ends lie at most `reach` steps away."""
    return running[min(STEPS, step + reach + 1)] - running[max(0, step - reach)]


@cache
def _kernel(reach: int) -> tuple[float, ...]:
    """A bell of about that width, which adds up to 1."""
    width = NARROWEST * reach
    far = math.ceil(2.5 * width)
    bell = [math.exp(-((offset / width) ** 2) / 2) for offset in range(-far, far + 1)]
    return tuple(value / sum(bell) for value in bell)


def _shares(hazards: Sequence[float]) -> list[float]:
    """Hazards -> share of tasks that end in each step."""
    shares, left = [], 1.0
    for hazard in hazards:
        gone = left * -math.expm1(-hazard)
        shares.append(gone)
        left -= gone
    return shares


def _packed(values: Sequence[float]) -> list[tuple[int, float]]:
    return [(step, round(value, 4)) for step, value in enumerate(values) if value > 1e-4]
