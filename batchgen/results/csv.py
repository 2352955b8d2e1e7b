"""Results -> results.csv, and the same lines as a pandas frame.

One line a result, our columns first (RESULT_COLUMNS), then the manifest's other columns in their order.
UTF-8 with a byte-order mark, because Excel takes a CSV without one for the old Windows code page; commas;
lines end in CR LF (RFC 4180, what Excel writes), so that a line break inside a prompt is always in quotes.
"""

import csv
import io
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchgen.amount import CREDITS, Unit
from batchgen.files import whole_file
from batchgen.job import RESULT_COLUMNS, Result
from batchgen.results.formula import guard, own_header

if TYPE_CHECKING:
    import pandas as pd

_INTEGERS = ("row", "estimated_credits", "charged_credits", "refunded_credits", "attempts")
_COUNTS = ("row", "attempts", "width", "height")
_TIMES = ("submitted_at", "finished_at", "expires_at")
_JSON = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps builds one for each call
_LAST_SECOND = 253402300799  # of the year 9999; what lies behind it is no time that anyone meant


def columns(other: Sequence[str], unit: Unit = CREDITS) -> list[str]:
    """The header of results.csv: ours, then `other`; an own column that is named like ours is `own.NAME`."""
    return [*map(unit.column, RESULT_COLUMNS), *map(own_header, other)]


def write_results(
    path: Path, results: Iterable[Result], other: Sequence[str], delimiter: str = ",", *, unit: Unit = CREDITS
) -> int:
    """Write results.csv from `results` as they come, and say how many lines it has.

    Whole at any moment: a reader finds the old file or the new one. Memory does not grow with the results.
    Raises OutputError when the file can't be written or is open elsewhere (then the old one stays).
    """
    lines = 0
    with whole_file(path) as file:
        # backslashreplace: half a surrogate pair (from JSON) can't be written as UTF-8, and must not stop us
        text = io.TextIOWrapper(
            file, encoding="utf-8-sig", errors="backslashreplace", newline="", write_through=False
        )
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
        writer.writerow([guard(name) for name in columns(other, unit)])
        for result in results:
            cells = line(result, other)
            writer.writerow(cells if unit.scale == 1 else map(_written, cells))
            lines += 1
        text.flush()
        text.detach()
    return lines


def line(result: Result, other: Sequence[str]) -> list[str | int | float]:
    """The cells of one line, guarded; blank where there is nothing."""
    urls = result.video_urls
    cells = result.cells
    return [
        guard(result.job_id),
        guard(result.manifest),
        "" if result.row is None else result.row,
        result.state.value,
        guard(result.task_id),
        guard(urls[0]) if urls else "",
        url_list(urls),
        guard(video_path(result)),
        guard(result.scene),
        guard(result.provider),
        guard(result.model),
        *("" if each is None else each for each in _amounts(result)),
        result.attempts,
        utc(result.submitted_at),
        utc(result.finished_at),
        utc(result.expires_at),
        guard(result.error_code),
        guard(result.error),
        *_about_video(result),
        *[guard(cells.get(name, "")) for name in other],
    ]


def _amounts(result: Result) -> tuple[int | float | None, ...]:
    return result.estimated_credits, result.charged_credits, result.refunded_credits


def _written(cell: str | int | float) -> str | int:
    """An amount without an exponent: a millionth of a dollar is 0.000001."""
    return f"{cell:.6f}".rstrip("0").rstrip(".") if isinstance(cell, float) else cell


def _about_video(result: Result) -> list[str | int]:
    """review, review_note, width, height, duration_s, has_audio, sha256: of the first video."""
    film = result.film
    return [
        result.review,
        guard(result.review_note),
        "" if film.width is None else film.width,
        "" if film.height is None else film.height,
        "" if film.duration_s is None else seconds(film.duration_s),
        "" if film.has_audio is None else ("true" if film.has_audio else "false"),
        result.sha256[0] if result.sha256 else "",
    ]


def seconds(value: float) -> str:
    """A length to the thousandth: 5.041666 -> "5.042", 5.0 -> "5"."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def video_path(result: Result) -> str:
    """Where the first video lies, relative to OUT, with forward slashes; blank without one."""
    return result.video_paths[0].replace("\\", "/") if result.video_paths else ""


def url_list(urls: Sequence[str]) -> str:
    """The URLs as a JSON list; blank without any."""
    return _JSON(list(urls)) if urls else ""


def utc(seconds: float | None) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the second: `2026-11-22T10:15:03Z`; blank for None."""
    if seconds is None or not 0 <= seconds <= _LAST_SECOND:
        return ""
    whole = int(seconds)
    return f"{_minute(whole // 60)}{whole % 60:02d}Z"


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    """`2026-11-22T10:15:`; lines that stand together were submitted together, so most are asked for again."""
    return time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(minutes * 60))


def frame(results: Iterable[Result], other: Sequence[str] | None = None, *, unit: Unit = CREDITS) -> "pd.DataFrame":
    """The results as a frame with the columns of results.csv, for people who go on in Python.

    Numbers are nullable integers, times are timestamps in UTC, `video_urls` holds lists, texts are as they
    were written (no apostrophes). Without `other`, the other columns come in the order in which they appear.
    """
    import pandas as pd

    table = list(results)
    names = list(dict.fromkeys(name for result in table for name in result.cells)) if other is None else other
    data = pd.DataFrame(list(_values(table, names)), columns=columns(names, unit))
    for name in _INTEGERS:
        data[unit.column(name)] = data[unit.column(name)].astype(
            "Int64" if unit.scale == 1 or name in _COUNTS else "Float64"
        )
    for name in _TIMES:
        data[name] = pd.to_datetime(data[name], utc=True)
    return data


def _values(results: Iterable[Result], other: Sequence[str]) -> Iterator[list[Any]]:
    for result in results:
        row: dict[str, Any] = {name: getattr(result, name, None) for name in RESULT_COLUMNS}
        row |= {name: getattr(result.film, name) for name in ("width", "height", "duration_s", "has_audio")}
        row["sha256"] = result.sha256[0] if result.sha256 else ""
        row["state"] = result.state.value
        row["video_url"] = result.video_urls[0] if result.video_urls else ""
        row["video_urls"] = list(result.video_urls)
        row["video_path"] = video_path(result)
        for name in _TIMES:
            stamp = row[name]
            usable = stamp is not None and 0 <= stamp <= _LAST_SECOND
            row[name] = datetime.fromtimestamp(stamp, UTC) if usable else None
        yield [*row.values(), *[result.cells.get(name, "") for name in other]]
