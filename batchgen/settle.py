"""A person decides: `resolve` settles doubts, `retry` buys again. Under the run lock, and written down."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchgen.ahead import change_cap
from batchgen.config import Cap
from batchgen.entries import person
from batchgen.errors import CapError, UsageError
from batchgen.flow import SANDBOX_SERVICE
from batchgen.job import ENDED_WITHOUT_VIDEO, State
from batchgen.ledger import Ledger, Store, people, views
from batchgen.ledger.people import Doubt, Ended
from batchgen.ledger.store import meta_value, set_meta_value
from batchgen.pricing import PriceTable
from batchgen.status_text import doubts_text
from batchgen.wording import count


@dataclass(frozen=True, slots=True)
class Wish:
    """What `resolve` was asked for."""

    jobs: tuple[str, ...] = ()
    task_id: str = ""
    not_charged: bool = False
    paid_lost: bool = False
    give_up: bool = False
    file: Path | None = None
    all: bool = False

    @property
    def says_something(self) -> bool:
        return bool(self.task_id or self.not_charged or self.paid_lost or self.give_up or self.file)

    def check(self) -> None:
        words = [bool(self.task_id), self.not_charged, self.paid_lost, self.give_up, self.file is not None]
        if sum(words) != 1:
            raise UsageError(
                "Say one thing: --task-id T, --not-charged, --paid-lost, --give-up or --from FILE.csv.",
                code="bad_resolve",
            )
        if self.task_id and (len(self.jobs) != 1 or self.all):
            raise UsageError("--task-id is for exactly one job.", code="bad_resolve")
        if self.file is None and bool(self.jobs) == self.all:
            raise UsageError("Name the jobs, or --all.", code="bad_resolve")
        if self.give_up and self.all:
            raise UsageError("--give-up needs the names of the jobs.", code="bad_resolve")


def listing(out: Path) -> str:
    """Every doubt of OUT, with what helps to find it."""
    with Store.read(out) as store, store.begin() as connection:
        some = people.doubts(connection)
    return "\n".join(doubts_text(some, len(some))) if some else "Nothing is in doubt."


def resolve(out: Path, wish: Wish, confirm: Callable[[str], bool]) -> Iterator[str]:
    """Do what the wish says, in one transaction; yields a sentence for each job settled."""
    wish.check()
    service = service_of(out)
    ledger = Ledger.open(out, service)
    try:
        who = person()
        if wish.give_up:
            ledger.write(lambda connection: _give_up(connection, wish.jobs, who))
            yield from (f"{job}: given up; counts as spent." for job in wish.jobs)
        else:
            found = ledger.read(people.doubts)
            chosen = _chosen(found, wish)
            if wish.all and wish.not_charged:
                _ask_twice(chosen, confirm)
            ledger.write(lambda connection: _settle_all(connection, chosen, wish, service, who))
            yield from (f"{doubt.job_id}: {_sentence(task, wish)}" for doubt, task in chosen)
    finally:
        ledger.close()
    from batchgen.outputs import write_results_csv

    write_results_csv(out)


def _give_up(connection: Any, jobs: Sequence[str], who: str) -> None:
    for job in jobs:
        people.give_up(connection, job, who)


def _chosen(found: Sequence[Doubt], wish: Wish) -> list[tuple[Doubt, str]]:
    by_job = {doubt.job_id: doubt for doubt in found}
    if wish.file is not None:
        wanted = dict(_read_pairs(wish.file))
    elif wish.all:
        wanted = dict.fromkeys(by_job, "")
    else:
        wanted = dict.fromkeys(wish.jobs, wish.task_id)
    unknown = [job for job in wanted if job not in by_job]
    if unknown:
        raise UsageError(
            f"Job {unknown[0]} is not in doubt.",
            code="not_in_doubt",
            hint="`batchgen resolve OUT` lists the jobs that are.",
        )
    return [(by_job[job], task) for job, task in wanted.items()]


def _ask_twice(chosen: Sequence[tuple[Doubt, str]], confirm: Callable[[str], bool]) -> None:
    credits = sum(doubt.price for doubt, _ in chosen)  # noqa: A001 - the product's word
    for question in (
        f"Did you look up all {len(chosen):,} jobs, and the service has a task for none of them?",
        f"If one was charged after all, the next run pays for it twice ({credits:,} credits in all). Still go on?",
    ):
        if not confirm(question):
            raise UsageError("Nothing was settled.", code="declined")


def _settle_all(connection: Any, chosen: Sequence[tuple[Doubt, str]], wish: Wish, service: str, who: str) -> None:
    for doubt, task in chosen:
        _settle(connection, doubt, task, wish, service, who)


def _settle(connection: Any, doubt: Doubt, task: str, wish: Wish, service: str, who: str) -> None:
    if task:
        people.adopt(connection, doubt, task, service, who)
    elif wish.paid_lost:
        people.paid_lost(connection, doubt, who)
    else:
        people.not_charged(connection, doubt, who)


def _sentence(task: str, wish: Wish) -> str:
    if task:
        return f"is task {task}; `batchgen collect` fetches it."
    if wish.paid_lost:
        return "counts as spent; `batchgen retry --buy-again` buys it again."
    return "was not charged; the next run submits it again."


def _read_pairs(path: Path) -> Iterator[tuple[str, str]]:
    for line in _read_csv(path, "job_id", "task_id"):
        task = line["task_id"].strip()
        if task:
            yield line["job_id"].strip(), task


def _read_csv(path: Path, *needed: str) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else f"it is no CSV in UTF-8 ({error})"
        raise UsageError(f"{path} can't be read: {why or error}.", code="bad_file") from None
    missing = [name for name in needed if lines and name not in lines[0]]
    if missing or not lines:
        raise UsageError(f"{path} needs the columns {', '.join(needed)}, and a line for each job.", code="bad_file")
    return [{name: line.get(name) or "" for name in needed} for line in lines]


# -- retry ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `retry` was asked for: states, codes and ids narrow it, `file` names jobs by the mark `reject`."""

    states: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    file: Path | None = None
    buy_again: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The jobs that `retry` buys again, and those that it leaves because they were paid for; at today's prices."""

    jobs: tuple[Ended, ...] = ()
    left: tuple[Ended, ...] = ()

    @property
    def price(self) -> int:
        return sum(one.price for one in self.jobs)


def to_retry(out: Path, wanted: Wanted, prices: PriceTable) -> Choice:
    """What `retry` would buy. Jobs that were paid for need --buy-again.

    UsageError for a job that did not end, and where all that is named by id, code or state was paid for.
    """
    names = list(wanted.jobs)
    if wanted.file is not None:
        marked = _read_csv(wanted.file, "job_id", "mark")
        names += [line["job_id"] for line in marked if line["mark"].strip().lower() == "reject"]
        if not names:
            return Choice()
    with Store.read(out) as store, store.begin() as connection:
        found = people.ended_jobs(connection, states=_states(wanted.states), codes=wanted.codes, job_ids=names)
    found = [replace(one, price=prices.price(one.provider, one.model, one.scene)) for one in found]
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
            hint=f"Add --buy-again to pay once more: {sum(one.price for one in paid):,} credits.",
        )
    return Choice(tuple(unpaid), tuple(paid))


def choice_lines(choice: Choice) -> list[str]:
    """What `retry` says before it spends."""
    lines = ["There is nothing to buy again."]
    if choice.jobs:
        lines = [f"Buy {count(len(choice.jobs), 'job')} again for {count(choice.price, 'credit')}."]
    if choice.left:
        price = sum(one.price for one in choice.left)
        lines.append(
            f"Left out, because paid for already: {count(len(choice.left), 'job')}. "
            f"--buy-again pays once more, {count(price, 'credit')}."
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
    with Store.read(out) as store, store.begin() as connection:
        credits = views.credits(connection)  # noqa: A001 - the product's word
    limit = cap.credits if cap.said else credits.cap
    if limit is not None and credits.counted + price > limit:
        raise CapError(
            f"This needs {price:,} credits, but the cap leaves {max(0, limit - credits.counted):,}.",
            code="over_cap",
            hint="Raise --max-credits, or choose fewer jobs. Nothing was submitted.",
        )


def retry_change(chosen: Sequence[Ended], cap: Cap, prices: PriceTable) -> Callable[[Any], None]:
    """What `retry` writes before it submits: the cap, and raised purchase numbers at the prices that were shown."""

    def change(connection: Any) -> None:
        if cap.said:
            change_cap(connection, cap.credits)
        people.buy_again(connection, chosen, person())
        set_meta_value(connection, "price_version", prices.version)

    return change


def service_of(out: Path) -> str:
    """The service that the ledger of OUT belongs to."""
    with Store.read(out) as store, store.begin() as connection:
        return str(meta_value(connection, "service"))


def is_sandbox(out: Path) -> bool:
    return service_of(out) == SANDBOX_SERVICE
