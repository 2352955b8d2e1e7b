"""Results -> compact JSON for the page: columns instead of lines, a word that repeats written once.

The jobs stand in chunks of CHUNK. Each chunk has two parts: the *index* (states, names, numbers: all that
filters, orders and draws charts; read when the page opens) and the *texts* (prompts, ids, URLs, errors; read
when a card is seen or a search asks). A column is a list; {"c": value} where all are equal; or
{"d": words, "v": numbers of the words} where they repeat. No key comes from a manifest.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from batchgen.job import Result

CHUNK = 500


def aspect_ratio(result: Result) -> str:
    """`9:16` where the options ask for one, else blank."""
    options = result.request.get("options")
    ratio = options.get("aspect_ratio") if isinstance(options, Mapping) else None
    return ratio if isinstance(ratio, str) and len(ratio) <= 12 else ""


#: Columns that hold a name out of a few: the page offers them as filters.
NAMED: Mapping[str, Callable[[Result], str]] = {
    "state": lambda result: result.state.value,
    "scene": lambda result: result.scene,
    "provider": lambda result: result.provider,
    "model": lambda result: result.model,
    "manifest": lambda result: result.manifest,
    "error_code": lambda result: result.error_code,
    "ratio": aspect_ratio,
}
NUMBERS: Mapping[str, Callable[[Result], int | None]] = {
    "row": lambda result: result.row,
    "estimated_credits": lambda result: result.estimated_credits,
    "charged_credits": lambda result: result.charged_credits,
    "refunded_credits": lambda result: result.refunded_credits,
    "attempts": lambda result: result.attempts,
    "submitted_at": lambda result: whole_seconds(result.submitted_at),
    "finished_at": lambda result: whole_seconds(result.finished_at),
    "expires_at": lambda result: whole_seconds(result.expires_at),
}
TEXTS: Mapping[str, Callable[[Result], Any]] = {
    "job_id": lambda result: result.job_id,
    "task_id": lambda result: result.task_id,
    "prompt": lambda result: result.cells.get("prompt") or str(result.request.get("prompt") or ""),
    "error": lambda result: result.error,
    "video_urls": lambda result: list(result.video_urls),
    "video_paths": lambda result: [path.replace("\\", "/") for path in result.video_paths],
}


def chunked(results: Iterable[Result]) -> Iterator[list[Result]]:
    """The results, CHUNK at a time."""
    stream = iter(results)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def index_chunk(results: Sequence[Result], other: Sequence[str], facets: Sequence[int]) -> dict[str, Any]:
    """What filters, orders and charts need of some results; `facets` are the places in `other` that filter."""
    named = {name: column([value(result) for result in results]) for name, value in NAMED.items()}
    numbers = {name: column([value(result) for result in results]) for name, value in NUMBERS.items()}
    own = [column([result.cells.get(other[place], "") for result in results]) for place in facets]
    return {"n": len(results), **named, **numbers, "facets": own}


def text_chunk(results: Sequence[Result], other: Sequence[str], facets: Sequence[int]) -> dict[str, Any]:
    """What a card, its details and a search need of some results; null where the index has the column."""
    texts = {name: column([value(result) for result in results]) for name, value in TEXTS.items()}
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
