"""The page around the chunks: the template, with style and scripts inlined and pinned by their hash.

The policy of the page (Content-Security-Policy) lets exactly this script and this style in, and videos from
beside the page; everything else, network included, is refused by the browser.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from batchgen.files import whole_file
from batchgen.job import Result, State
from batchgen.results.next_step import BY_CODE, next_step
from batchgen.results.page.chunks import chunked, facet_places, index_chunk, script_json, text_chunk
from batchgen.results.summary import Summary

#: A page holds at most so many jobs; of a larger batch the first ones (results.csv has them all).
JOBS_SHOWN = 100_000

_HERE = Path(__file__).parent
#: In the order in which they are joined to one script.
_SCRIPTS = (
    "format",
    "data",
    "choose",
    "marks",
    "posters",
    "cards",
    "gallery",
    "details",
    "charts",
    "run",
    "app",
)


def write_report(path: Path, results: Iterable[Result], summary: Summary, other: Sequence[str]) -> int:
    """Write the page for `results` to `path`, at once or not at all; returns how many jobs it shows.

    Lies beside `videos/`: the paths of the videos are relative to it. Memory does not grow with the results.
    Raises OutputError when the file can't be written.
    """
    shown = 0

    def counted() -> Iterator[Result]:
        nonlocal shown
        for result in islice(results, JOBS_SHOWN):
            shown += 1
            yield result

    with whole_file(path) as file:
        for piece in page(counted(), summary, other):
            # backslashreplace: half a surrogate pair becomes an escape of JSON, which is what it was
            file.write(piece.encode("utf-8", "backslashreplace"))
    return shown


def page(
    results: Iterable[Result], summary: Summary, other: Sequence[str], live: int | None = None
) -> Iterator[str]:
    """The page, piece by piece.

    A live one asks its server for the changes behind number `live`, so its policy lets it.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    chunks = chunked(results)
    first = next(chunks, [])
    facets = facet_places(first, other)
    script, style = _script(), (_HERE / "style.css").read_text(encoding="utf-8")

    def pairs() -> Iterator[tuple[str, str]]:
        for chunk in chain([first] if first else [], chunks):
            yield (
                script_json(index_chunk(chunk, other, facets)),
                script_json(text_chunk(chunk, other, facets)),
            )

    yield from environment.get_template("page.html.jinja").generate(
        policy=_policy(script, style, live is not None),
        summary=summary,
        videos=summary.states.get(State.SUCCEEDED, 0),
        jobs=sum(summary.states.values()),
        meta=script_json({**meta(summary, other), "facets": facets, "live": live}),
        chunks=pairs(),
        script=script,
        style=style,
    )


def meta(summary: Summary, other: Sequence[str]) -> dict[str, Any]:
    """What the page knows beside the jobs. `key` names this OUT in the browser's store of marks."""
    key = hashlib.sha256(f"{summary.out}\n{summary.ledger}".encode("utf-8", "surrogatepass")).hexdigest()
    amounts = summary.credits
    return {
        "key": key,
        "out": summary.out,
        "service": summary.service,
        "version": summary.version,
        "prices": summary.prices,
        "started_at": summary.started_at,
        "finished_at": summary.finished_at,
        "written_at": summary.written_at,
        "states": [[state.value, summary.states.get(state, 0)] for state in State],
        "credits": {
            "estimated": amounts.estimated,
            "charged": amounts.charged,
            "refunded": amounts.refunded,
            "reserved": amounts.reserved,
            "in_doubt": amounts.in_doubt,
            "cap": amounts.cap,
        },
        "other": list(other),
        "advice": {
            **{state.value: next_step(state) for state in State if next_step(state)},
            **{code: next_step(State.FAILED, code) for code in BY_CODE},
        },
    }


def _script() -> str:
    parts = [(_HERE / "js" / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def _policy(script: str, style: str, live: bool) -> str:
    def pinned(text: str) -> str:
        return "'sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {pinned(script)}",
            f"style-src {pinned(style)}",
            "img-src data:",
            "media-src 'self'" if live else "media-src 'self' file:",
            "connect-src 'self'" if live else "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
