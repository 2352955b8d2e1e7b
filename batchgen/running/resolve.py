"""`resolve`: a person says what became of jobs in doubt, or gives a task up. Under the run lock, written down."""

import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchgen.errors import UsageError
from batchgen.ledger import Ledger, Person, amend, decisions
from batchgen.ledger.attempts import SEND_MARGIN
from batchgen.ledger.decisions import Doubt
from batchgen.ledger.sqlite.store import meta_value, reading
from batchgen.planning.preview import bought_at
from batchgen.service.reply.body import id_text, one_line

#: Seconds: the longest submission where nothing else is set, and how far two clocks that are right may be apart.
POST_TIMEOUT, CLOCK_MARGIN = 120.0, 300.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What `resolve` was asked for."""

    jobs: tuple[str, ...] = ()
    task_id: str | None = None
    not_charged: bool = False
    paid_lost: bool = False
    give_up: bool = False
    file: Path | None = None
    all: bool = False
    #: Nobody is asked (--yes).
    yes: bool = False

    @property
    def says_something(self) -> bool:
        return bool(self.task_id is not None or self.not_charged or self.paid_lost or self.give_up or self.file)

    def check(self) -> None:
        words = [self.task_id is not None, self.not_charged, self.paid_lost, self.give_up, self.file is not None]
        if sum(words) != 1:
            raise UsageError(
                "Say one thing: --task-id T, --not-charged, --paid-lost, --give-up or --from FILE.csv.",
                code="bad_resolve",
            )
        if self.task_id is not None and (len(self.jobs) != 1 or self.all):
            raise UsageError("--task-id is for exactly one job.", code="bad_resolve")
        if self.file is None and bool(self.jobs) == self.all:
            raise UsageError("Name the jobs, or --all.", code="bad_resolve")
        if self.give_up and self.all:
            raise UsageError("--give-up needs the names of the jobs.", code="bad_resolve")


#: What the service says of tasks (id -> model) that a person names: a sentence for each.
Ask = Callable[[Mapping[str, str]], Mapping[str, str]]


def resolve(
    out: Path,
    wish: Wish,
    confirm: Callable[[str], bool],
    *,
    ask: Ask = lambda _tasks: {},
    post_timeout: float = POST_TIMEOUT,
) -> Iterator[str]:
    """Do what the wish says, in one transaction; yields a sentence for each job settled.

    `post_timeout`: how long a submission may take, by which the mark of a wrong clock is told.
    """
    wish.check()
    service = service_of(out)
    ledger = Ledger.open(out, service)
    try:
        by = ledger.person()
        if wish.give_up:
            ledger.write(lambda connection: _give_up(connection, wish.jobs, by))
            yield from (f"{job}: given up; counts as spent." for job in wish.jobs)
        else:
            found = ledger.read(decisions.doubts)
            chosen = _chosen(found, wish)
            if wish.all and wish.not_charged:
                _ask_twice(found, confirm)
            if wish.not_charged:
                chosen = _after_a_wrong_clock(chosen, by.at, post_timeout, wish, confirm)
            said = ask({task: doubt.request["model"] if doubt else "" for _, doubt, task in chosen if task})
            ledger.write(lambda connection: _settle_all(connection, chosen, wish, service, by))
            yield from (f"{job}: {_sentence(task, wish)} {said.get(task, '')}".rstrip() for job, _, task in chosen)
    finally:
        ledger.close()
    from batchgen.running.outputs import write_results_csv

    write_results_csv(out)


def _give_up(connection: Any, jobs: Sequence[str], by: Person) -> None:
    for job in jobs:
        decisions.give_up(connection, job, by)


def _chosen(found: Sequence[Doubt], wish: Wish) -> list[tuple[str, Doubt | None, str]]:
    """(job, its doubt, the task named for it). Without a doubt, a task may put right what was settled earlier."""
    by_job = {doubt.job_id: doubt for doubt in found}
    if wish.file is not None:
        wanted = _read_pairs(wish.file)
    elif wish.all:
        wanted = dict.fromkeys(by_job, "")
    else:
        task = "" if wish.task_id is None else _task_id(wish.task_id, "--task-id")
        wanted = dict.fromkeys(wish.jobs, task)
    unknown = [job for job, task in wanted.items() if job not in by_job and not task]
    if unknown:
        raise UsageError(
            f"Job {unknown[0]} is not in doubt.",
            code="not_in_doubt",
            hint="`batchgen resolve OUT` lists the jobs that are.",
        )
    return [(job, by_job.get(job), task) for job, task in wanted.items()]


def _ask_twice(chosen: Sequence[Doubt], confirm: Callable[[str], bool]) -> None:
    credits = sum(doubt.price for doubt in chosen)  # noqa: A001 - the product's word
    for question in (
        f"Did you look up all {len(chosen):,} jobs, and the service has a task for none of them?",
        f"If one was charged after all, the next run pays for it twice ({credits:,} credits in all). Still go on?",
    ):
        if not confirm(question):
            raise UsageError("Nothing was settled.", code="declined")


def _after_a_wrong_clock(
    chosen: Sequence[tuple[str, Doubt | None, str]],
    now: float,
    post_timeout: float,
    wish: Wish,
    confirm: Callable[[str], bool],
) -> list[tuple[str, Doubt | None, str]]:
    """No request is on its way for longer than a submission may take: a time that is further away was written under
    a wrong clock, and says nothing. Then a person has to say that the time is over; nobody else can.
    """
    longest = post_timeout + SEND_MARGIN + CLOCK_MARGIN
    wrong = [doubt for _, doubt, _ in chosen if doubt is not None and doubt.not_after - now > longest]
    if not wrong:
        return list(chosen)
    written = time.strftime("%Y-%m-%d %H:%M", time.localtime(wrong[0].not_after))
    what = f"Job {wrong[0].job_id}" if len(wrong) == 1 else f"{len(wrong):,} jobs (the first is {wrong[0].job_id})"
    if wish.yes:
        raise UsageError(
            f"{what} may be on the way to the service until {written}, says the ledger: the clock was wrong when "
            "that was written, or is wrong now.",
            code="wrong_clock",
            hint="Check the time of this machine, and say it again on a terminal, without --yes.",
        )
    today = time.strftime("%Y-%m-%d %H:%M", time.localtime(now))
    question = (
        f"{what}: submitted under a wrong clock (on the way until {written}, says the ledger). Is the time right "
        f"now, {today}, and were all runs over {longest / 60:.0f} minutes ago?"
    )
    if not confirm(question):
        raise UsageError("Nothing was settled.", code="declined")
    over = {doubt.attempt_id for doubt in wrong}
    return [
        (job, replace(doubt, not_after=now - 1) if doubt is not None and doubt.attempt_id in over else doubt, task)
        for job, doubt, task in chosen
    ]


def _settle_all(
    connection: Any, chosen: Sequence[tuple[str, Doubt | None, str]], wish: Wish, service: str, by: Person
) -> None:
    for job, doubt, task in chosen:
        if doubt is None:
            amend.name_task(connection, job, task, service, by)
        else:
            _settle(connection, doubt, task, wish, service, by)


def _settle(connection: Any, doubt: Doubt, task: str, wish: Wish, service: str, by: Person) -> None:
    if task:
        decisions.adopt(connection, doubt, task, service, by)
    elif wish.paid_lost:
        decisions.paid_lost(connection, doubt, by)
    else:
        decisions.not_charged(connection, doubt, by)


def _sentence(task: str, wish: Wish) -> str:
    if task:
        return f"is task {task}; `batchgen collect` fetches it."
    if wish.paid_lost:
        return "counts as spent; --task-id still takes its task, `batchgen retry --buy-again` buys it again."
    return "was not charged; the next run submits it again."


def _task_id(said: str, where: str) -> str:
    """A task id that a person gave, as the service would give it: what can't be one is a slip."""
    task = said.strip()
    if not id_text(task) or "://" in task:
        raise UsageError(
            f"{where} is no task id: {one_line(said, 60)!r}.",
            code="bad_task_id",
            hint="Give the id alone, as the service shows it, without an address around it. Nothing was settled.",
        )
    return task


def _read_pairs(path: Path) -> dict[str, str]:
    """job id -> task id, of the lines that have one."""
    found: dict[str, tuple[str, int]] = {}
    for line, cells in read_table(path, "job_id", "task_id"):
        job = cells["job_id"].strip()
        if not cells["task_id"].strip():
            continue
        task = _task_id(cells["task_id"], f"The task_id in {path}, line {line},")
        before, there = found.setdefault(job, (task, line))
        if before != task:
            raise UsageError(
                f"{path} has two task ids for job {job}: {before} in line {there}, {task} in line {line}.",
                code="two_task_ids",
                hint="Leave only the right one. Nothing was settled.",
            )
    return {job: task for job, (task, _) in found.items()}


def read_table(path: Path, *needed: str) -> list[tuple[int, dict[str, str]]]:
    """These columns of a CSV that a person made: (line in the file, cells) for each of its rows."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lines = [(reader.line_num, cells) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else f"it is no CSV in UTF-8 ({error})"
        raise UsageError(f"{path} can't be read: {why or error}.", code="bad_file") from None
    missing = [name for name in needed if lines and name not in lines[0][1]]
    if missing or not lines:
        raise UsageError(f"{path} needs the columns {', '.join(needed)}, and a line for each job.", code="bad_file")
    return [(number, {name: cells.get(name) or "" for name in needed}) for number, cells in lines]


def service_of(out: Path) -> str:
    """The service that the ledger of OUT belongs to."""
    with reading(out) as connection:
        return str(meta_value(connection, "service"))


def is_sandbox(out: Path) -> bool:
    return bought_at(service_of(out))[1]
