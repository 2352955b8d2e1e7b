"""What is to be done for each row, given what the ledger knows: pure decisions, and their sums.

A row is compared with the ledger's job of the same id. The tables are in `docs/how/architecture.md`; the rule
behind them: a purchase is made by itself only for what was never bought, or what ended without a video and
was then edited; everything else needs a person's word. What a job bought once is never bought for it again but
by `retry`: when a row comes back to such a content, its job goes back to what that purchase gave.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from batchgen.amount import Unit
from batchgen.job import ENDED_WITHOUT_VIDEO, PAID_ENDS, WAITING, Earlier, Job, Known, State


@dataclass(frozen=True, slots=True)
class Cap:
    """`--max-credits`, `--max-usd`: an amount, `none` (lift it), or nothing said (keep the ledger's).

    `credits` is in the smallest part of the service's unit once the service is known (`of`), whole credits before.
    """

    said: bool = False
    credits: int | None = None

    @classmethod
    def parse(cls, text: object) -> "Cap":
        word = str(text).strip().lower()
        if word == "none":
            return cls(True, None)
        if not re.fullmatch(r"[0-9]{1,12}", word):
            raise ValueError("a whole number of credits, or none")
        return cls(True, int(word))

    @classmethod
    def parse_usd(cls, text: object) -> "Cap":
        """Dollars with six decimals at most, as millionths."""
        word = str(text).strip().lower().removeprefix("$")
        if word == "none":
            return cls(True, None)
        try:
            return cls(True, Unit("usd", 1_000_000).parse(word))
        except ValueError:
            raise ValueError("an amount of dollars such as 25 or 0.50, or none") from None


class Decision(StrEnum):
    """What a run does with a row."""

    NEW = "new"
    EDITED = "edited"
    WAITING = "waiting"
    REBUY = "rebuy"
    DONE = "done"
    RUNNING = "running"
    IN_DOUBT = "in_doubt"
    ENDED = "ended"
    CHANGED = "changed"
    RENAMED = "renamed"


#: Decisions that lead to a POST.
SUBMITS = frozenset({Decision.NEW, Decision.EDITED, Decision.WAITING, Decision.REBUY})
#: Decisions that raise the purchase number: a person edited the row, or asked with --resubmit-changed.
RAISES = frozenset({Decision.EDITED, Decision.REBUY})


def decide(
    fingerprint: str, known: Known | None, *, resubmit_changed: bool = False, back: Earlier | None = None
) -> Decision:
    """The decision for a row with this content, when the ledger knows `known` under its id.

    `back` is what the job bought with this content in an earlier purchase, if it did: it is that again.
    """
    if known is None:
        return Decision.NEW
    if back is not None:
        return _bought(back.state)
    state, same = known.state, known.is_content(fingerprint)
    if state is State.NOT_SUBMITTED:
        return Decision.WAITING
    if state in (State.IN_DOUBT, State.SUBMITTING):
        return Decision.IN_DOUBT
    if same:
        return _bought(state)
    ended = state in ENDED_WITHOUT_VIDEO
    if ended and known.error_code not in PAID_ENDS:
        return Decision.EDITED
    if resubmit_changed and (ended or state is State.SUCCEEDED):
        return Decision.REBUY
    return Decision.CHANGED


def _bought(state: State) -> Decision:
    if state in ENDED_WITHOUT_VIDEO:
        return Decision.ENDED
    return Decision.DONE if state is State.SUCCEEDED else Decision.RUNNING


def may_go_back(fingerprint: str, known: Known) -> bool:
    """Whether an edited row may lead its job back to an earlier purchase: nothing of it runs or is in doubt."""
    busy = known.state in WAITING or known.state in (State.IN_DOUBT, State.SUBMITTING)
    return not known.is_content(fingerprint) and not busy


@dataclass(slots=True)
class Sum:
    """Jobs and their credits."""

    jobs: int = 0
    credits: int = 0

    def add(self, credits_: int, jobs: int = 1) -> None:
        self.jobs += jobs
        self.credits += credits_


@dataclass(slots=True)
class Plan:
    """What a run would do, summed by decision, and what it would submit, by scene."""

    rows: int = 0
    invalid: int = 0
    unselected: int = 0
    #: Rows whose job keeps another content than theirs: what becomes of them depends on how that job ends.
    differing: int = 0
    sums: dict[Decision, Sum] = field(default_factory=lambda: {one: Sum() for one in Decision})
    by_scene: dict[str, Sum] = field(default_factory=dict)
    #: Of the jobs that wait: those that were bought or tried before, and wait to be bought again.
    again: Sum = field(default_factory=Sum)
    #: How many jobs of each price would be submitted.
    prices: Counter[int] = field(default_factory=Counter)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    #: The same sums by decision, scene and model, where the rows were walked one by one.
    by_model: dict[tuple[Decision, str, str], Sum] = field(default_factory=dict, compare=False)

    def count(self, decision: Decision, job: Job) -> None:
        self.add(decision, str(job.request["scene"]), job.price)

    def add(self, decision: Decision, scene: str, price: int, jobs: int = 1, *, model: str = "") -> None:
        """Count jobs that cost `price` each."""
        self.sums[decision].add(price * jobs, jobs)
        if model:
            self.by_model.setdefault((decision, scene, model), Sum()).add(price * jobs, jobs)
        if decision in SUBMITS:
            self.by_scene.setdefault(scene, Sum()).add(price * jobs, jobs)
            self.prices[price] += jobs

    def at_most(self, limit: int | None) -> int:
        """The credits that are enough for any `limit` of the jobs to submit (None: all of them): the dearest."""
        if limit is None:
            return self.to_submit.credits
        left, credits_ = limit, 0
        for price, jobs in sorted(self.prices.items(), reverse=True):
            credits_ += price * min(left, jobs)
            left -= min(left, jobs)
        return credits_

    @property
    def to_submit(self) -> Sum:
        """What would be bought now."""
        total = Sum()
        for decision in SUBMITS:
            total.add(self.sums[decision].credits, self.sums[decision].jobs)
        return total

    @property
    def already_paid(self) -> Sum:
        """What needs no money any more: done, running, in doubt, or taken over from another id."""
        total = Sum()
        for decision in (
            Decision.DONE,
            Decision.RUNNING,
            Decision.IN_DOUBT,
            Decision.CHANGED,
            Decision.RENAMED,
        ):
            total.add(self.sums[decision].credits, self.sums[decision].jobs)
        return total

    def as_json(self) -> dict[str, object]:
        return {
            "rows": self.rows,
            "invalid": self.invalid,
            "not_selected": self.unselected,
            "submit": {"jobs": self.to_submit.jobs, "credits": self.to_submit.credits},
            "by_scene": [
                {"scene": scene, "jobs": one.jobs, "credits": one.credits}
                for scene, one in sorted(self.by_scene.items())
            ],
            "decisions": {one.value: self.sums[one].jobs for one in Decision if self.sums[one].jobs},
            "renamed": [{"from": old, "to": new} for old, new in self.renamed[:1000]],
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """`--select COLUMN=GLOB`, repeated: all must hold. No condition selects everything."""

    conditions: tuple[tuple[str, str], ...] = ()

    def matches(self, job: Job) -> bool:
        return all(fnmatchcase(job.text(column), glob) for column, glob in self.conditions)

    def missing_columns(self, columns: Iterable[str]) -> list[str]:
        """Columns named by a condition that no manifest has. Any option may stand inside of `options`."""
        known = {*columns, "id", "job_id", "provider", "model", "scene"}
        return [column for column, _ in self.conditions if column not in known and not _is_option(column, known)]


def _is_option(column: str, known: Iterable[str]) -> bool:
    """Whether `options.NAME` can be meant: inside of a whole `options`, or in a typed column `options.NAME:int`."""
    return column.startswith("options.") and any(
        name == "options" or name.startswith(f"{column}:") for name in known
    )
