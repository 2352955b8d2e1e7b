"""`retry`: a person buys again what ended without a video; at today's prices, under the cap, and written down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchgen.amount import CREDITS, Unit
from batchgen.check.prices import PriceTable
from batchgen.check.sentences import count
from batchgen.errors import CapError, UsageError
from batchgen.job import ENDED_WITHOUT_VIDEO, State
from batchgen.ledger import Person, decisions, views
from batchgen.ledger.decisions import EndedJob
from batchgen.ledger.marks import Mark
from batchgen.ledger.sqlite.store import reading, set_meta_value, unit_of
from batchgen.planning.decide import Cap
from batchgen.planning.take_in import change_cap
from batchgen.running.review import marks_to_buy

#: So many jobs are named before money is spent.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `retry` was asked for: states, codes and ids narrow it; `file` (marks) and `review` (a mark in the
    ledger) name the jobs whose video was marked, with new words where the mark has some.
    """

    states: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    file: Path | None = None
    buy_again: bool = False
    review: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The jobs that `retry` buys again, and those that it leaves because they were paid for; at today's prices."""

    jobs: tuple[EndedJob, ...] = ()
    left: tuple[EndedJob, ...] = ()

    @property
    def price(self) -> int:
        return sum(one.price for one in self.jobs)


def to_retry(out: Path, wanted: Wanted, prices: PriceTable) -> Choice:
    """What `retry` would buy. Jobs that were paid for need --buy-again.

    UsageError for a job that did not end, and where all that is named by id, code or state was paid for.
    """
    names = list(wanted.jobs)
    marked = {mark.job_id: mark for mark in marks_to_buy(out, wanted.file, wanted.review)}
    names += marked
    if not names and (wanted.file is not None or wanted.review is not None):
        return Choice()
    with reading(out) as connection:
        found = decisions.ended_jobs(connection, states=_states(wanted.states), codes=wanted.codes, job_ids=names)
    found = [_at_today_s_price(one, prices) for one in found]
    found = [_reworded(one, marked.get(one.job_id)) for one in found]
    known = {one.job_id for one in found}
    if unknown := [job for job in names if job not in known]:
        raise UsageError(
            f"Job {unknown[0]} did not end, or is not in this ledger.",
            code="not_ended",
            hint="`batchgen status OUT` shows what each job waits for.",
        )
    paid = [one for one in found if one.paid and not wanted.buy_again]
    unpaid = [one for one in found if not (one.paid and not wanted.buy_again)]
    if paid and (names or (not unpaid and (wanted.codes or wanted.states))):
        more = f", like {len(paid) - 1:,} more" if len(paid) > 1 else ""
        raise UsageError(
            f"Job {paid[0].job_id} was paid for already ({paid[0].error_code or paid[0].state}){more}.",
            code="paid",
            hint=f"Add --buy-again to pay once more: {prices.unit.count(sum(one.price for one in paid))}.",
        )
    return Choice(tuple(unpaid), tuple(paid))


def _at_today_s_price(one: EndedJob, prices: PriceTable) -> EndedJob:
    price = prices.of(one.request)
    if price is None:
        raise UsageError(
            f"No price is known of job {one.job_id} ({one.model}) any more.",
            code="no_price",
            hint=f'Name it in batchgen.toml: [prices."{prices.catalogue.service}/{one.model}"] per_second = 0.05.',
        )
    return replace(one, price=price)


def _reworded(one: EndedJob, mark: Mark | None) -> EndedJob:
    new = mark.prompt if mark else ""
    return replace(one, new_prompt=new) if new and new != one.words else one


def _line(one: EndedJob, unit: Unit) -> str:
    """One job of the list: its id, its price, why it is bought again, and the words that it is bought with."""
    why = one.error or one.error_code.replace("_", " ") or ("marked reject" if one.paid else one.state.value)
    line = f"  {one.job_id} ({unit.count(one.price)}): {_short(why)}"
    if one.new_prompt:
        return f"{line}; new words: “{_short(one.new_prompt)}”"
    return f"{line}; “{_short(one.words)}”" if one.words else line


def _short(text: str, most: int = 70) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def choice_lines(choice: Choice, unit: Unit = CREDITS) -> list[str]:
    """What `retry` says before it spends."""
    lines = ["There is nothing to buy again."]
    if choice.jobs:
        lines = [f"Buy {count(len(choice.jobs), 'job')} again for {unit.count(choice.price)}."]
        lines += [_line(one, unit) for one in choice.jobs[:_NAMED]]
        if len(choice.jobs) > _NAMED:
            lines.append(f"  … and {len(choice.jobs) - _NAMED:,} more")
    if choice.left:
        price = sum(one.price for one in choice.left)
        lines.append(
            f"Left out, because paid for already: {count(len(choice.left), 'job')}. "
            f"--buy-again pays once more, {unit.count(price)}."
        )
    return lines


def _states(words: Sequence[str]) -> list[State]:
    allowed = sorted([*ENDED_WITHOUT_VIDEO, State.SUCCEEDED])
    for word in words:
        if word not in allowed:
            raise UsageError(
                f"--state {word!r} is no state of an ended job.",
                code="bad_state",
                hint="It is one of: " + ", ".join(allowed) + ".",
            )
    return [State(word) for word in words]


def check_cap(out: Path, price: int, cap: Cap) -> None:
    """Raise CapError when the retry does not fit under the cap."""
    with reading(out) as connection:
        credits, unit = views.credits(connection), unit_of(connection)  # noqa: A001 - the product's word
    limit = cap.credits if cap.said else credits.cap
    if limit is not None and credits.counted + price > limit:
        raise CapError(
            f"This needs {unit.count(price)}, but the cap leaves {unit.text(max(0, limit - credits.counted))}.",
            code="over_cap",
            hint=f"Raise {unit.cap_flag}, or choose fewer jobs. Nothing was submitted.",
        )


def retry_change(chosen: Sequence[EndedJob], cap: Cap, prices: PriceTable) -> Callable[[Any, Person], None]:
    """What `retry` writes before it submits: the cap, and raised purchase numbers at the prices that were shown."""

    def change(connection: Any, by: Person) -> None:
        if cap.said:
            change_cap(connection, cap.credits, by)
        decisions.buy_again(connection, chosen, by)
        set_meta_value(connection, "price_version", prices.version)

    return change
