"""The plan as text, JSON and Markdown: what is bought, what is not and why, the cap, and the warnings.

Pure: each function gives text or a dictionary, one place prints it.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from batchgen.check.sentences import count, sentence, visible
from batchgen.job import Problem
from batchgen.ledger.views import short_names
from batchgen.planning.decide import SUBMITS, Decision, Plan, Sum
from batchgen.planning.preview import Preview

#: Warnings that cost no money if they are passed over: they are shown after all others.
_CHEAP = (
    "short_row",
    "skipped_rows",
    "not_read",
    "other_sheet",
    "plain_http",
    "float_text",
    "ratio",
    "inputs_sampled",
)
#: As many kinds of warnings are shown in a plan; `validate` shows all.
_KINDS = 8
_CELLS = 20
_LISTED = 1_000


def warnings_json(preview: Preview) -> dict[str, Any]:
    """`warnings` and `warnings_total`, as `validate --json` has them."""
    return {
        "warnings": [asdict(warning) for warning in preview.warnings[:_LISTED]],
        "warnings_total": preview.warnings_total,
    }


def plan_json(preview: Preview, service: str, saved: str | None, exit_: int) -> dict[str, Any]:
    """The document of `plan --json`, in the service's unit."""
    unit, total = preview.unit, preview.plan.to_submit
    return {
        "out": str(preview.out),
        "service": service,
        "unit": unit.name,
        "rows": preview.plan.rows,
        "actions": [
            {"action": action, "scene": scene, "model": model, "jobs": jobs, "amount": unit.number(amount)}
            for (action, scene, model), (jobs, amount) in sorted(_actions(preview.plan).items())
        ],
        "to_pay": {"jobs": total.jobs, "amount": unit.number(total.credits)},
        "cap": unit.maybe(preview.cap),
        **warnings_json(preview),
        "already_bought_in": preview.elsewhere.as_json(),
        "saved": saved,
        "exit": exit_,
    }


def _actions(plan: Plan) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Jobs and amounts by what is done with them; everything that is bought is called `submit`."""
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for (decision, scene, model), one in plan.by_model.items():
        key = ("submit" if decision in SUBMITS else decision.value, scene, model)
        jobs, amount = sums.get(key, (0, 0))
        sums[key] = (jobs + one.jobs, amount + one.credits)
    return sums


def _warnings(preview: Preview) -> list[str]:
    """The warnings by kind, those that cost money first, each with its first row."""
    if not preview.warnings:
        return []
    kinds: dict[str, list[Problem]] = {}
    for warning in preview.warnings:
        kinds.setdefault(warning.code, []).append(warning)
    totals = {**preview.survey.warning_codes, **{code: len(kinds[code]) for code in kinds.keys() - _known(preview)}}
    ordered = sorted(kinds, key=lambda code: (code in _CHEAP, -totals.get(code, 0)))
    lines = [f"  {count(preview.warnings_total, 'warning')}:"]
    many = len(preview.survey.columns) > 1
    for code in ordered[:_KINDS]:
        more = totals.get(code, 1) - 1
        lines.append(
            f"    {sentence(kinds[code][0], many=many)}" + (f" (and {more:,} more like it)" if more else "")
        )
        if hint := kinds[code][0].hint:
            lines.append(f"        {visible(hint)}")
    if len(ordered) > _KINDS:
        lines.append(f"    … and {len(ordered) - _KINDS:,} other kinds (`batchgen validate` shows all)")
    return lines


def _known(preview: Preview) -> set[str]:
    return set(preview.survey.warning_codes)


def plan_text(preview: Preview) -> str:
    """The plan for a person: what is bought, what is not and why, and the cap."""
    plan, unit = preview.plan, preview.unit
    lines = [
        f"{count(plan.rows, 'row')} -> {preview.out}",
        *(f"  {line}" for line in preview.about),
        *_warnings(preview),
    ]
    for scene, one in sorted(plan.by_scene.items()):
        lines.append(f"  submit  {one.jobs:>9,} {scene:<16} {unit.text(one.credits):>9} {unit.name}")
    words = {
        Decision.DONE: "done already",
        Decision.RUNNING: "running already",
        Decision.IN_DOUBT: "in doubt: never submitted again by itself",
        Decision.ENDED: "ended without a video: edit the row, or `batchgen retry` (what was lost: --buy-again)",
        Decision.CHANGED: "changed after it was bought: --resubmit-changed buys a new video",
        Decision.RENAMED: "bought under another id: taken over",
    }
    for decision, meaning in words.items():
        if jobs := plan.sums[decision].jobs:
            lines.append(f"  skip    {jobs:>9,} {meaning}")
    again = {Decision.EDITED: "ended without a video", Decision.REBUY: "were bought"}
    for decision, meaning in again.items():
        if (one := plan.sums[decision]).jobs:
            lines.append(f"  (of these {one.jobs:,} again, edited since they {meaning}: {unit.count(one.credits)})")
    if plan.again.jobs:
        lines.append(
            f"  (of these {plan.again.jobs:,} again, bought or tried before and still waiting: "
            f"{unit.count(plan.again.credits)})"
        )
    if plan.invalid:
        lines.append(f"  skip    {plan.invalid:>9,} with problems")
    if plan.unselected:
        lines.append(f"  skip    {plan.unselected:>9,} not selected")
    repeated = preview.survey.duplicates
    if repeated.rows:
        lines.append(
            f"  note: {count(repeated.rows, 'row')} made again, the same as earlier ones: "
            f"{unit.count(repeated.credits)}."
        )
    total = plan.to_submit
    cap = (
        "no cap"
        if preview.cap is None
        else (f"cap {unit.text(preview.cap)}, of which {unit.text(max(0, preview.room or 0))} free")
    )
    word = "job" if total.jobs == 1 else "jobs"
    lines.append(f"  total   {total.jobs:>9,} {word:<17}{unit.text(total.credits):>9} {unit.name} ({cap})")
    if preview.limit is not None and preview.limit < total.jobs:
        lines.append(
            f"  limit   {preview.limit:>9,} in this run{'':<5}{unit.text(preview.needed):>9} {unit.name} at most"
        )
    return "\n".join(lines)


def plan_markdown(preview: Preview, rows: Sequence[tuple[str, str, str, int]]) -> str:
    """For a pull request: the verdict of the cap first, files, sums, warnings, and up to 20 rows with prompts.

    `rows` are (job id, model, prompt, amount) of what is bought, in manifest order.
    """
    plan, unit = preview.plan, preview.unit
    total = plan.to_submit
    lines = [f"**{_verdict(preview)}**", "", f"`{_one_line(str(preview.out))}`, from "]
    lines[-1] += (
        ", ".join(f"`{_one_line(name)}`" for name in short_names(list(preview.survey.columns)).values()) + "."
    )
    lines += ["", f"| action | scene | model | jobs | {unit.word} |", "|---|---|---|---:|---:|"]
    lines += [
        f"| {action.replace('_', ' ')} | {scene} | {_cell(model)} | {jobs:,} | {unit.text(amount)} |"
        for (action, scene, model), (jobs, amount) in sorted(_actions(plan).items())
    ]
    lines.append(f"| **to buy** | | | **{total.jobs:,}** | **{unit.text(total.credits)}** |")
    said = [*preview.about, *(line.strip() for line in _warnings(preview))]
    if said:
        lines += ["", *(f"- {_cell(line)}" for line in said)]
    if rows:
        lines += ["", f"| job | model | prompt | {unit.word} |", "|---|---|---|---:|"]
        lines += [
            f"| {_cell(job)} | {_cell(model)} | {_cell(prompt)} | {unit.text(amount)} |"
            for job, model, prompt, amount in rows[:_CELLS]
        ]
        if total.jobs > min(len(rows), _CELLS):
            lines += ["", f"… and {total.jobs - min(len(rows), _CELLS):,} more."]
    return "\n".join(lines) + "\n"


def _verdict(preview: Preview) -> str:
    unit, total = preview.unit, preview.plan.to_submit
    needed = Sum(total.jobs, preview.needed)
    what = f"{count(needed.jobs, 'job')} for {unit.count(needed.credits)}"
    if not needed.jobs:
        return "Nothing to buy."
    if preview.cap is None:
        return f"{what}; there is no cap."
    fits = "fits under" if preview.fits else "does NOT fit under"
    return f"{what} {fits} the cap of {unit.text(preview.cap)} ({unit.text(max(0, preview.room or 0))} free)."


def _cell(text: str) -> str:
    short = text if len(text) <= 120 else text[:119] + "…"
    escaped = visible(short).replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`")
    return escaped.replace("<", "&lt;").replace("@", "@\u200b").replace("\n", " ")


def _one_line(text: str) -> str:
    return visible(text).replace("`", "'").replace("\n", " ")
