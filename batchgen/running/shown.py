"""What the functions of the library answer before money is spent: amounts, an estimate, a plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from batchgen.amount import Unit
from batchgen.job import Problem
from batchgen.planning.decide import SUBMITS

if TYPE_CHECKING:
    from batchgen.planning.preview import Preview


class Amount(NamedTuple):
    """Jobs, and what they cost in the service's unit."""

    jobs: int
    amount: int | float

    @classmethod
    def of(cls, jobs: int, parts: int, unit: Unit) -> "Amount":
        """From the smallest parts of a unit."""
        return cls(jobs, unit.number(parts))


class Price(NamedTuple):
    """Jobs of one kind, what one costs (None where that varies), and what all of them do."""

    jobs: int
    price: int | float | None
    credits: int | float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What manifests cost, in the service's `unit` (`credits`, or `usd`).

    `credits` is all of it, `to_pay` what is not paid for in OUT yet.
    `complete` is False when rows have problems: they are not in the sums, and `problems` has them.
    """

    unit: str
    jobs: int
    credits: int | float
    by_scene: Mapping[str, Price]
    by_provider: Mapping[str, Price]
    by_model: Mapping[str, Price]
    by: Mapping[str, Price] | None
    already_paid: Amount
    to_pay: Amount
    complete: bool
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """What a run would do with some jobs; `submit` is the one that buys."""

    action: str
    scene: str
    jobs: int
    amount: int | float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do: nothing of it is done. `to_pay` is what it would buy, `actions` all of it."""

    out: Path
    unit: str
    rows: int
    to_pay: Amount
    actions: tuple[Action, ...]
    cap: int | float | None = None
    warnings: tuple[Problem, ...] = ()
    exit: int = 0
    preview: "Preview | None" = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, preview: "Preview") -> "Plan":
        plan, unit = preview.plan, preview.unit
        sums = [("submit", scene, one) for scene, one in sorted(plan.by_scene.items())]
        sums += [(decision.value, "", one) for decision, one in plan.sums.items() if decision not in SUBMITS]
        return cls(
            out=preview.out,
            unit=unit.name,
            rows=plan.rows,
            to_pay=Amount.of(plan.to_submit.jobs, plan.to_submit.credits, unit),
            actions=tuple(
                Action(name, scene, one.jobs, unit.number(one.credits)) for name, scene, one in sums if one.jobs
            ),
            cap=unit.maybe(preview.cap),
            warnings=preview.survey.warnings,
            preview=preview,
        )
