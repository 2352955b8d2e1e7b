"""The page around the chunks: the template, with style and scripts inlined and pinned by their hash.

The policy of the page (Content-Security-Policy) lets exactly this script and this style in, and videos from
beside the page; everything else, network included, is refused by the browser.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from batchgen.files import whole_file
from batchgen.job import Result, State
from batchgen.results.next_step import BY_CODE, next_step
from batchgen.results.page.chunks import (
    ALL,
    Columns,
    chunked,
    facet_places,
    index_chunk,
    script_json,
    text_chunk,
)
from batchgen.results.summary import Summary

#: A page holds at most so many jobs; of a larger batch the first ones (results.csv has them all).
JOBS_SHOWN = 100_000

_HERE = Path(__file__).parent
#: In the order in which they are joined to one script; `_CLIENT` leaves out what a client must not get.
_SCRIPTS = (
    *("format", "states", "data", "choose", "layout", "marks", "posters", "cards", "gallery", "details"),
    *("review", "charts", "run", "live", "help", "app", "owner"),
)
_CLIENT = (
    *("format", "data", "choose", "layout", "posters", "cards", "gallery", "details"),
    *("help", "app", "client"),
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
    return _drawn(
        results,
        other,
        {**meta(summary, other), "live": live},
        _SCRIPTS,
        ALL,
        live=live is not None,
        client=False,
        title=summary.out,
        summary=summary,
        videos=summary.states.get(State.SUCCEEDED, 0),
        jobs=sum(summary.states.values()),
    )


def client_page(results: Iterable[Result], title: str, other: Sequence[str], columns: Columns) -> Iterator[str]:
    """The page for somebody who is shown the films: nothing on it but `columns`, `other` and the title."""
    known = {"client": True, "live": None, "other": list(other), "columns": columns.as_json()}
    return _drawn(results, other, known, _CLIENT, columns, live=False, client=True, title=title)


def _drawn(
    results: Iterable[Result],
    other: Sequence[str],
    known: dict[str, Any],
    scripts: Sequence[str],
    columns: Columns,
    *,
    live: bool,
    **words: Any,
) -> Iterator[str]:
    """The template filled: `known` is what the script reads first, `words` what stands in the page itself."""
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
    sheets = ("style.css",) if words["client"] else ("run.css", "style.css")
    script, style = _script(scripts), "".join((_HERE / name).read_text(encoding="utf-8") for name in sheets)

    def pairs() -> Iterator[tuple[str, str]]:
        for chunk in chain([first] if first else [], chunks):
            yield (
                script_json(index_chunk(chunk, other, facets, columns)),
                script_json(text_chunk(chunk, other, facets, columns)),
            )

    yield from environment.get_template("page.html.jinja").generate(
        policy=_policy(script, style, live),
        meta=script_json({**known, "facets": facets}),
        chunks=pairs(),
        script=script,
        style=style,
        **words,
    )


def meta(summary: Summary, other: Sequence[str]) -> dict[str, Any]:
    """What the page knows beside the jobs. `key` names this OUT in the browser's store of marks."""
    key = hashlib.sha256(f"{summary.out}\n{summary.ledger}".encode("utf-8", "surrogatepass")).hexdigest()
    amounts = summary.credits
    folder = quoted(summary.folder or summary.out)
    return {
        "key": key,
        "out": summary.out,
        "folder": folder,
        "columns": ALL.as_json(),
        "service": summary.service,
        "version": summary.version,
        "prices": summary.prices,
        "started_at": summary.started_at,
        "finished_at": summary.finished_at,
        "written_at": summary.written_at,
        "states": [[state.value, summary.states.get(state, 0)] for state in State],
        "unit": summary.unit,
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
            **{state.value: next_step(state, out=folder) for state in State if next_step(state)},
            **{code: next_step(State.FAILED, code, folder) for code in BY_CODE},
        },
    }


def quoted(folder: str) -> str:
    """A folder as it is typed in a command: with quotes where a shell would take it apart."""
    return folder if re.fullmatch(r"[\w./\\:+=@%^-]+", folder) else '"' + folder.replace('"', '\\"') + '"'


def _script(names: Sequence[str]) -> str:
    parts = [(_HERE / "js" / f"{name}.js").read_text(encoding="utf-8") for name in names]
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
