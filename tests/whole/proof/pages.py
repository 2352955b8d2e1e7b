"""The files that a run leaves for people: report.html is old or new, never half; events.jsonl has whole lines."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


class _Scripts(HTMLParser):
    """Collects the JSON of a page, and whether every element that must be there was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.data: list[tuple[str, str]] = []
        self.closed: list[str] = []
        self._inside: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = dict(attrs)
        if tag == "script" and words.get("type") == "application/json":
            self._inside = words.get("id") or words.get("class") or ""

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self.data.append((self._inside, data))

    def handle_endtag(self, tag: str) -> None:
        self._inside = None
        self.closed.append(tag)


def parse_report(data: bytes) -> tuple[dict[str, Any], list[str], list[str]]:
    """A report's bytes -> (what it knows beside the jobs, job ids, states). ValueError when it is not whole."""
    page = _Scripts()
    page.feed(data.decode("utf-8"))
    page.close()
    if page.closed[-2:] != ["body", "html"] or not data.rstrip().endswith(b"</html>"):
        raise ValueError("report.html is cut")
    parts = [(name, json.loads(text)) for name, text in page.data]
    meta = [part for name, part in parts if name == "meta"]
    index = [part for name, part in parts if name == "jobs-index"]
    texts = [part for name, part in parts if name == "jobs-texts"]
    if len(meta) != 1 or len(index) != len(texts):
        raise ValueError(f"report.html has {len(meta)} heads, {len(index)} indexes and {len(texts)} texts")
    states = [word for part in index for word in _column(part["state"], part["n"])]
    ids = [word for part, of in zip(texts, index, strict=True) for word in _column(part["job_id"], of["n"])]
    return meta[0], ids, states


def _column(column: Any, count: int) -> list[Any]:
    """One of the three spellings of a column -> its values."""
    if isinstance(column, list):
        values = column
    elif "c" in column:
        values = [column["c"]] * count
    else:
        values = [column["d"][number] for number in column["v"]]
    if len(values) != count:
        raise ValueError(f"report.html has a column of {len(values)} for {count} jobs")
    return values


def parse_events(data: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """The whole lines of an events.jsonl, and what stands behind the last of them. ValueError names a bad line."""
    *lines, rest = data.split(b"\n")
    events = []
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
            if not isinstance(event["at"], float | int) or not isinstance(event["event"], str):
                raise ValueError("no event")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} of events.jsonl is {line[:80]!r}: {error}") from error
        events.append(event)
    return events, rest


def check_pages(out: Path, jobs: list[str], states: list[str], *, ended: bool) -> list[str]:
    """What is wrong with report.html and events.jsonl. `jobs` in the order of the rows, with their `states`.

    Not `ended`: a run was injured and none came after it. Then the report may be an older one, or not there yet,
    and the last line of the events may be torn.
    """
    found = []
    try:
        meta, ids, shown = parse_report((out / "report.html").read_bytes())
        if ids != jobs:
            found.append(f"report.html has the jobs {ids}")
        if sum(number for _, number in meta["states"]) != len(jobs):
            found.append(f"report.html counts {meta['states']}")
        if ended and shown != states:
            found.append(f"report.html says {shown}, the ledger {states}")
    except FileNotFoundError:
        found += ["there is no report.html"] if ended else []
    except (ValueError, KeyError, IndexError) as error:
        found.append(f"report.html is not whole: {error}")
    try:
        _, rest = parse_events((out / "events.jsonl").read_bytes())
        if rest and ended:
            found.append(f"events.jsonl ends in a torn line after the next run: {rest[:80]!r}")
    except FileNotFoundError:
        found += ["there is no events.jsonl"] if ended else []
    except ValueError as error:
        found.append(str(error))
    return found
