"""A column that many rows need and the table has not: said once, with the column that is probably meant."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from batchgen.check.sentences import count
from batchgen.job import REQUEST_KEYS, Problem, Row
from batchgen.manifest import Manifest
from batchgen.manifest.names import LIKE_PROMPT, bare, folded, near

Lacking = Mapping[str, tuple[int, Row]]  # key -> how many rows need it, and the first of them


def explained(problem: Problem, lacking: Lacking) -> Problem:
    """A header that is nearly a known one, with the rows that are bad because of it."""
    key = near(problem.column or "") if problem.code == "unknown_column" else None
    if key is None or key not in lacking:
        return problem
    return replace(problem, message=f"{problem.message} This explains {count(lacking[key][0], 'row')}.")


def problems(manifest: Manifest, lacking: Lacking) -> Iterator[Problem]:
    """One problem of the file for each column that it lacks, and that no header is a misspelling of."""
    misspelt = {near(problem.column or "") for problem in manifest.problems if problem.code == "unknown_column"}
    for key, (rows, first) in lacking.items():
        if key in misspelt:
            continue
        message = f'No column is called "{key}", and {count(rows, "row")} {"needs" if rows == 1 else "need"} one.'
        guess = _guess(key, first)
        hint = f'Is it "{guess}"? Then rename that one to {key}.' if guess else f"Add a column {key}."
        others = ", ".join(name for name in first.cells if name not in REQUEST_KEYS)
        if others and not guess:
            hint += f" Your other columns: {others}."
        yield Problem(manifest.name, None, None, key, None, f"missing_{key}", message, hint)


def _guess(key: str, row: Row) -> str:
    """The column of the user's own that holds what `key` should: by its name, else by what stands in it."""
    own = {name: text for name, text in row.cells.items() if name not in REQUEST_KEYS and text.strip()}
    if key == "prompt":
        by_name = sorted(
            (LIKE_PROMPT.index(folded(bare(name))), name) for name in own if folded(bare(name)) in LIKE_PROMPT
        )
        if by_name:
            return by_name[0][1]
        texts = [name for name, text in own.items() if " " in text.strip() and "://" not in text]
        return max(texts, key=lambda name: len(own[name]), default="")
    return next((name for name, text in own.items() if "://" in text), "")
