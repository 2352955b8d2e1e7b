"""Results -> compact JSON for the page: columns instead of lines, a word that repeats written once.

The jobs stand in chunks of CHUNK. Each chunk has two parts: the *index* (states, names, numbers: all that
filters, orders and draws charts; read when the page opens) and the *texts* (prompts, ids, URLs, errors; read
when a card is seen or a search asks). A column is a list; {"c": value} where all are equal; or
{"d": words, "v": numbers of the words} where they repeat. No key comes from a manifest.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from batchgen.job import Result, State

CHUNK = 500


def shape(result: Result) -> float | None:
    """Width by height of the video: what the file says, else what the options ask for; None where nobody says."""
    film = result.film
    if film.width and film.height:
        return round(film.width / film.height, 4)
    options = result.request.get("options")
    ratio = options.get("aspect_ratio") if isinstance(options, Mapping) else None
    found = re.fullmatch(r"([0-9]{1,4})[:x/]([0-9]{1,4})", ratio.strip()) if isinstance(ratio, str) else None
    return round(int(found[1]) / int(found[2]), 4) if found and int(found[1]) and int(found[2]) else None


#: Jobs in these states have something to look at.
_FILMS = frozenset({State.SUCCEEDED, State.CHANGED})
#: Columns that hold a name out of a few: the page offers them as filters.
NAMED: Mapping[str, Callable[[Result], str]] = {
    "state": lambda result: result.state.value,
    "scene": lambda result: result.scene,
    "provider": lambda result: result.provider,
    "model": lambda result: result.model,
    "manifest": lambda result: result.manifest,
    "error_code": lambda result: result.error_code,
}
NUMBERS: Mapping[str, Callable[[Result], float | None]] = {
    "row": lambda result: result.row,
    "estimated_credits": lambda result: result.estimated_credits,
    "charged_credits": lambda result: result.charged_credits,
    "refunded_credits": lambda result: result.refunded_credits,
    "attempts": lambda result: result.attempts,
    "submitted_at": lambda result: whole_seconds(result.submitted_at),
    "finished_at": lambda result: whole_seconds(result.finished_at),
    "expires_at": lambda result: whole_seconds(result.expires_at),
    "videos": lambda result: len(result.video_paths or result.video_urls) if result.state in _FILMS else 0,
    "shape": shape,
    "seconds": lambda result: result.film.duration_s,
    "version": lambda result: len(result.takes) + 1,
}
TEXTS: Mapping[str, Callable[[Result], Any]] = {
    "job_id": lambda result: result.job_id,
    "task_id": lambda result: result.task_id,
    "prompt": lambda result: result.prompt,
    "now": lambda result: result.prompt_now,
    "error": lambda result: result.error,
    "video_urls": lambda result: list(result.video_urls),
    "video_paths": lambda result: _slashed(result.video_paths),
    "picture": lambda result: f"{result.film.width} × {result.film.height}" if result.film.width else "",
    "review": lambda result: result.review,
    "review_note": lambda result: result.review_note,
    "takes": lambda result: [{"prompt": take.prompt, "paths": _slashed(take.video_paths)} for take in result.takes],
}


def _slashed(paths: Iterable[str]) -> list[str]:
    return [path.replace("\\", "/") for path in paths]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which of the columns a page gets, in the order in which they are written."""

    named: tuple[str, ...] = tuple(NAMED)
    numbers: tuple[str, ...] = tuple(NUMBERS)
    texts: tuple[str, ...] = tuple(TEXTS)

    def as_json(self) -> dict[str, Any]:
        return {"named": list(self.named), "numbers": list(self.numbers), "texts": list(self.texts)}


#: The page of whoever made the batch.
ALL = Columns()


def chunked(results: Iterable[Result]) -> Iterator[list[Result]]:
    """The results, CHUNK at a time."""
    stream = iter(results)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def index_chunk(
    results: Sequence[Result], other: Sequence[str], facets: Sequence[int], columns: Columns = ALL
) -> dict[str, Any]:
    """What filters, orders and draws charts need of results; `facets` are the places in `other` that filter."""
    named = {name: column([NAMED[name](result) for result in results]) for name in columns.named}
    numbers = {name: column([NUMBERS[name](result) for result in results]) for name in columns.numbers}
    own = [column([result.cells.get(other[place], "") for result in results]) for place in facets]
    return {"n": len(results), **named, **numbers, "facets": own}


def text_chunk(
    results: Sequence[Result], other: Sequence[str], facets: Sequence[int], columns: Columns = ALL
) -> dict[str, Any]:
    """What a card, its details and a search need of some results; null where the index has the column."""
    texts = {name: column([TEXTS[name](result) for result in results]) for name in columns.texts}
    own = [
        None if place in facets else column([result.cells.get(name, "") for result in results])
        for place, name in enumerate(other)
    ]
    return {**texts, "other": own}


def column(values: list[Any]) -> list[Any] | dict[str, Any]:
    """The shortest of the three spellings: [6, 6, 6] -> {"c": 6}; many equal words -> words and numbers."""
    if values and all(value == values[0] for value in values):
        return {"c": values[0]}
    if not all(isinstance(value, str) for value in values):
        return values
    words = {word: number for number, word in enumerate(dict.fromkeys(values))}
    if len(words) * 2 > len(values):
        return values
    return {"d": list(words), "v": [words[value] for value in values]}


def facet_places(results: Sequence[Result], other: Sequence[str], most: int = 8) -> list[int]:
    """Which of the other columns filter: those with few short values among the first results."""
    places = []
    for place, name in enumerate(other):
        if name in {"prompt", "image_input", "video_input", "options"}:
            continue
        values = [result.cells.get(name, "") for result in results]
        distinct = set(values) - {""}
        if 0 < len(distinct) <= min(40, max(3, len(values) // 2)) and all(len(value) <= 60 for value in distinct):
            places.append(place)
    return places[:most]


def whole_seconds(seconds: float | None) -> int | None:
    """A time for the page: whole seconds since 1970, None for what is no time (NaN, before 1970, absurd)."""
    return int(seconds) if seconds is not None and 0 <= seconds < 8.64e12 else None


def script_json(value: Any) -> str:
    """JSON that can stand in a `<script>`: no `<` in it, so that no text ends the element or opens another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
