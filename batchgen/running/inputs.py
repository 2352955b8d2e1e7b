"""The inputs of what is about to be bought, looked at: which rows, and what becomes of the plan."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from batchgen.check.findings import LISTED
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, Survey, verdicts
from batchgen.job import Problem, fingerprint
from batchgen.manifest import Place
from batchgen.videos.preflight import Input, Preflight, look

#: Rows are read for their inputs up to here: far more than are looked at.
ROWS = 100_000


def look_at_inputs(
    paths: Sequence[Place],
    read: ReadOptions,
    prices: PriceTable,
    found: Survey,
    wanted: frozenset[str] | None = None,
) -> Preflight:
    """Look at the inputs of the good rows, or of those whose fingerprint is `wanted`. Opens connections; no key."""
    inputs = list(_inputs(paths, read, prices, found, wanted))
    if not inputs:
        return Preflight()
    with ThreadPoolExecutor(1, "batchgen-inputs") as aside:  # the caller may have an event loop of its own
        return aside.submit(lambda: asyncio.run(look(inputs))).result()


def _inputs(
    paths: Sequence[Place], read: ReadOptions, prices: PriceTable, found: Survey, wanted: frozenset[str] | None
) -> Iterator[Input]:
    for number, verdict in enumerate(verdicts(paths, read, prices, None, found)):
        if number >= ROWS:
            return
        row, request = verdict.row, verdict.request
        if request is None or row.task_id or (wanted is not None and fingerprint(request) not in wanted):
            continue
        for key in ("image_input", "video_input"):
            column, cell = row.places.get(key, (key, None))
            for url in request.get(key) or ():
                yield Input(url, key, row.manifest, row.number, row.lines.get(key, row.line), column, cell)


def with_problems(found: Survey, preflight: Preflight) -> Survey:
    """The survey with what the look found: rows whose inputs can't be used are invalid."""
    rows = {(problem.manifest, problem.row) for problem in preflight.problems}
    return replace(
        found,
        valid=found.valid - len(rows),
        invalid=found.invalid + len(rows),
        problems=(*found.problems, *preflight.problems)[:LISTED],
        problems_total=found.problems_total + len(preflight.problems),
        problem_codes=Counter(found.problem_codes) + Counter(problem.code for problem in preflight.problems),
        warnings=(*found.warnings, *preflight.warnings)[:LISTED],
        warnings_total=found.warnings_total + len(preflight.warnings),
        warning_codes=Counter(found.warning_codes) + Counter(problem.code for problem in preflight.warnings),
    )


def broken_rows(preflight: Preflight) -> dict[tuple[str, int], tuple[Problem, ...]]:
    """The rows whose inputs can't be used, and why."""
    found: defaultdict[tuple[str, int], list[Problem]] = defaultdict(list)
    for problem in preflight.problems:
        if problem.row is not None:
            found[problem.manifest, problem.row].append(problem)
    return {row: tuple(problems) for row, problems in found.items()}
