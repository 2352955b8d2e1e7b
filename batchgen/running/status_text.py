"""What the ledger of an OUT amounts to, in words: counts, credits, doubts, and what to do next. Pure but for the
clock: how long URLs still live.

Each sentence is true at every end of a run: finished, interrupted, capped, with --no-wait or --no-download.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence

from batchgen.amount import CREDITS, Unit
from batchgen.check.sentences import count
from batchgen.job import ENDED_WITHOUT_VIDEO, State
from batchgen.ledger.decisions import Doubt
from batchgen.ledger.status import REPORT, RESULTS, Status
from batchgen.results.next_step import next_step
from batchgen.service.reply import ids_of
from batchgen.service.reply.body import one_line

_SHOWN_DOUBTS = 20
#: Headers that say nothing of the request: what a service's support asks for is among the others.
_DULL_HEADERS = re.compile(
    r"content-.*|transfer-encoding|connection|keep-alive|vary|server-timing|strict-transport-security|.*-policy"
    r"|access-control-.*|x-(?:frame-options|content-type-options|xss-protection|powered-by)|alt-svc|nel|report-to"
    r"|cache-control|pragma|expires|set-cookie|etag|accept-ranges"
)


def status_text(status: Status, some: Sequence[Doubt]) -> str:
    """The status for a person: counts, credits, doubts, and what to do next."""
    lines = [f"{status.out}: {count(sum(status.states.values()), 'job')}"]
    lines += [f"  {state.value:<14}{jobs:>9,}" for state, jobs in _ordered(status.states)]
    credits = status.credits  # noqa: A001 - the product's word
    unit = status.unit
    lines.append(unit.word)
    amounts = [("charged", credits.charged), ("refunded", credits.refunded), ("reserved", credits.reserved)]
    amounts += [("in doubt", credits.in_doubt)]
    lines += [f"  {name:<14}{unit.text(amount):>9}" for name, amount in amounts if amount or name == "charged"]
    lines.append(f"  {'cap':<14}{'none' if credits.cap is None else unit.text(credits.cap):>9}")
    if some:
        lines += ["", *doubts_text(some, unit=unit)]
    lines += ["", *next_steps(status)]
    return "\n".join(lines)


def end_text(status: Status) -> str:
    """How a run ended: one line of counts, where the results are (each on a line of its own), what to do next."""
    states = ", ".join(f"{jobs:,} {state.value.replace('_', ' ')}" for state, jobs in _ordered(status.states))
    credits = status.credits  # noqa: A001 - the product's word
    unit = status.unit
    spent = f"{unit.count(credits.charged)} charged"
    spent += f", {unit.text(credits.refunded)} refunded" if credits.refunded else ""
    spent += f", {unit.text(credits.in_doubt)} in doubt" if credits.in_doubt else ""
    files = [f"{word}: {status.out / name}" for word, name in (("Results", RESULTS), ("Page", REPORT))
             if (status.out / name).exists()]  # fmt: skip
    lines = [f"{count(sum(status.states.values()), 'job')}: {states}. {spent}.", *files]
    return "\n".join([*lines, *next_steps(status)])


def doubts_text(some: Sequence[Doubt], shown: int = _SHOWN_DOUBTS, *, unit: Unit = CREDITS) -> list[str]:
    """Each doubt with what helps to find it in the service's own dashboard."""
    lines = [f"{count(len(some), 'job')} in doubt: sent, but the answer never came back whole."]
    for doubt in some[:shown]:
        request = doubt.request
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(doubt.begun_at))
        prompt = str(request.get("prompt") or request.get("image_input") or request.get("video_input") or "")
        lines.append(f"  {doubt.job_id}  sent {when}  {unit.count(doubt.price)}  {request['model']}")
        lines.append(f"    {_short(prompt, 90)}")
        lines.append("    " + (doubt.message or doubt.code).rstrip("."))
        lines += [f"    {line}" for line in _what_came(doubt)]
    if len(some) > shown:
        lines.append(f"  … and {len(some) - shown:,} more (`batchgen resolve OUT --list` has all)")
    return lines


def _what_came(doubt: Doubt) -> Iterator[str]:
    """When an answer came, its status and text, the ids in it, and the headers that help to find the request."""
    when = time.strftime(" at %H:%M:%S", time.localtime(doubt.ended_at)) if doubt.ended_at else ""
    text = one_line(doubt.evidence.decode("utf-8", "replace"), 400)
    if doubt.http_status is not None or text:
        status = f"HTTP {doubt.http_status}" if doubt.http_status is not None else "no whole answer"
        yield f"came{when}: {status}" + (f": {text}" if text else "")
    if ids := ids_of(doubt.evidence):
        yield "ids in it: " + "; ".join(f"{place} {one_line(value, 200)}" for place, value in ids)
    telling = (
        f"{name}: {one_line(value, 200)}"
        for name, value in doubt.headers.items()
        if not _DULL_HEADERS.fullmatch(name)
    )
    if headers := "; ".join(telling):
        yield f"headers: {_short(headers, 1000)}"


def next_steps(status: Status) -> list[str]:
    """What a person can do now, one sentence a line."""
    if status.running:
        return ["A run works on it right now."]
    steps = [*_in_doubt(status), *_to_fetch(status), *_to_submit(status), *_ended(status), *_rows(status)]
    return steps or ["Everything is done."]


def _in_doubt(status: Status) -> list[str]:
    out, steps = status.out, []
    if jobs := status.states.get(State.SUBMITTING):
        steps.append(
            f"{count(jobs, 'job')} {'was' if jobs == 1 else 'were'} on the way to the service when the last run "
            f"was killed, and may have been charged: `batchgen collect {out}` takes stock, and buys nothing."
        )
    if jobs := status.states.get(State.IN_DOUBT):
        steps.append(
            f"{count(jobs, 'job')} in doubt: look in the service's dashboard, then "
            f"batchgen resolve {out} JOB --task-id T | --not-charged | --paid-lost"
        )
    return steps


def _to_fetch(status: Status) -> list[str]:
    out, steps = status.out, []
    overdue = status.states.get(State.OVERDUE, 0)
    if making := status.waiting - overdue:
        steps.append(
            f"{count(making, 'task')} not ended yet: `batchgen collect {out}` waits for the videos and fetches "
            "them; it buys nothing."
        )
    if overdue:
        steps.append(
            f"{count(overdue, 'task')} overdue: `batchgen collect {out}` goes on waiting, "
            f"`batchgen resolve {out} JOB --give-up` ends it."
        )
        steps += [
            f"  {jobs:,} of them: {_short(trouble, 200)}. {next_step(State.OVERDUE, code, str(out))}"
            for code, trouble, jobs in status.overdue
            if trouble
        ]
    if status.files_missing:
        why = f" ({_short(status.trouble.partition(': ')[2], 200)})" if status.trouble else ""
        fetch = f"`batchgen collect {out}` fetches {'it' if status.files_missing == 1 else 'them'}."
        steps.append(f"{count(status.files_missing, 'video')} not on disk{why}: {fetch}{_life(status)}")
    if status.without_output:
        steps.append(
            f"{count(status.without_output, 'task')} succeeded, but named no video: `batchgen collect {out}` "
            "asks again; if that stays so, show the service the task ids. "
            f"`batchgen retry {out} --code no_output --buy-again` pays once more (it shows the price first)."
        )
    return steps


def _life(status: Status) -> str:
    """How long the URLs of the missing videos live."""
    if status.urls_die_at is None:
        return ""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.urls_die_at))
    if status.urls_die_at <= time.time():
        return f" The first URL died at {when}; the service may still give a fresh one."
    return f" The first URL dies at {when} (a day after it was made, unless the service says otherwise)."


def _to_submit(status: Status) -> list[str]:
    steps, cap = [], status.credits.cap
    if status.pending:
        what = f"{count(status.pending, 'job')} ({status.unit.count(status.pending_credits)}) not submitted yet: "
        needed = status.credits.counted + status.pending_credits
        if cap is not None and needed > cap:
            left = max(0, cap - status.credits.counted)
            steps.append(
                f"{what}the cap leaves {status.unit.text(left)}; for all of them run the manifest with "
                f"{status.unit.cap_flag} {status.unit.exact(needed):f}."
            )
        else:
            steps.append(f"{what}run the manifest again.")
    if left_out := status.states.get(State.NOT_SUBMITTED, 0) - status.pending:
        steps.append(
            f"{count(left_out, 'job')} not submitted, and not asked for last time: run the manifest without "
            "--select."
        )
    return steps


def _ended(status: Status) -> list[str]:
    steps = []
    ended = sum(status.states.get(state, 0) for state in ENDED_WITHOUT_VIDEO)
    if jobs := ended - status.money_lost:
        steps.append(
            f"{count(jobs, 'job')} ended without a video: edit the rows and run again, or "
            f"`batchgen retry {status.out}` buys the same again (it shows the price first)."
        )
    if status.money_lost:
        steps.append(
            f"{count(status.money_lost, 'job')} paid for, and lost or given up: `batchgen retry {status.out} "
            "--code paid_lost --code given_up --buy-again` pays once more (it shows the price first); a row that "
            "is edited since is bought with --resubmit-changed."
        )
    if status.refund_expected:
        steps.append(
            f"{status.unit.count(status.refund_expected)} charged for failed tasks: a refund is expected, "
            "but the service has stated none."
        )
    return steps


def _rows(status: Status) -> list[str]:
    steps, states = [], status.states
    if rows := states.get(State.CHANGED):
        steps.append(
            f"{count(rows, 'row')} changed after the video was bought: --resubmit-changed buys "
            + ("a new one." if rows == 1 else "new ones.")
        )
    if rows := states.get(State.INVALID):
        steps.append(f"{count(rows, 'row')} with problems: `batchgen validate` names them.")
    return steps


def _ordered(states: Mapping[State, int]) -> list[tuple[State, int]]:
    order = list(State)
    return sorted(states.items(), key=lambda item: order.index(item[0]))


def _short(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
