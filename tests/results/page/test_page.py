"""The page as a file: what is in it, that it is whole, and that no text of a manifest becomes markup."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.job import Result, State
from batchgen.results.page import page as page_module
from batchgen.results.page import write_report
from batchgen.results.page.chunks import CHUNK, column, script_json
from batchgen.results.summary import Summary

HOSTILE = Path(__file__).with_name("hostile.txt").read_text(encoding="utf-8").splitlines()
STYLE = (Path(page_module.__file__).parent / "style.css").read_text(encoding="utf-8")


class Tree(HTMLParser):
    """The elements with their attributes, and the text of scripts by id or class."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[Any, ...]]] = []
        self.scripts: list[tuple[str, str]] = []
        self._script = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "meta":
            named.pop("content", None)
        self.elements.append((tag, tuple(named.items())))
        self._script = (named.get("id") or named.get("class") or "code") if tag == "script" else ""

    def handle_endtag(self, tag: str) -> None:
        self._script = ""

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts.append((self._script, data))


def filled(text: str) -> Result:
    """A result with `text` wherever a person or a service can put text."""
    return Result(
        job_id=text, manifest=text, row=1, state=State.FAILED, task_id=text, video_urls=(text,),
        video_paths=(text,), scene=text, provider=text, model=text, error_code=text, error=text,
        cells={"prompt": text, text: text},
        request={"options": {"aspect_ratio": text}, "prompt": text},
    )  # fmt: skip


def written(folder: Path, text: str) -> str:
    write_report(
        folder / "report.html",
        [filled(text)],
        Summary(out=text, version=text, prices=text, service=text),
        ["prompt", text],
    )
    return (folder / "report.html").read_text(encoding="utf-8")


def decoded(spelled: Any, count: int) -> list[Any]:
    """What the browser makes of a column."""
    if isinstance(spelled, list):
        return spelled
    return [spelled["c"]] * count if "c" in spelled else [spelled["d"][number] for number in spelled["v"]]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(tmp_path: Path, text: str) -> None:
    """Whatever stands in a manifest or an answer, the page has the same elements and attributes as for `x`."""
    assert Tree(written(tmp_path, text)).elements == Tree(written(tmp_path, "x")).elements


@given(st.text())
def test_json_in_a_script_has_no_bracket_and_means_the_same(text: str) -> None:
    """script_json is JSON in which no text can end the script element or open a comment."""
    spelled = script_json({"text": text})
    assert not set("<>&") & set(spelled)
    assert json.loads(spelled) == {"text": text}


@given(st.lists(st.one_of(st.none(), st.integers(0, 3), st.sampled_from(["", "a", "b"]), st.text(max_size=3))))
def test_a_column_says_the_same_in_each_spelling(values: list[Any]) -> None:
    """A constant, a list of words, or the values: the browser reads the same values."""
    assert decoded(json.loads(json.dumps(column(values))), len(values)) == values


def test_half_a_surrogate_pair_does_not_stop_the_page(tmp_path: Path) -> None:
    """JSON can hold what UTF-8 can't: it stays an escape in the page."""
    text = written(tmp_path, "\ud800")
    [index] = [data for name, data in Tree(text).scripts if name == "jobs-texts"]
    assert json.loads(index)["prompt"] == {"c": "\ud800"}


def test_every_job_is_in_the_page_in_order(tmp_path: Path, make_batch: Callable[..., list[Result]]) -> None:
    """The chunks together hold all jobs in the order of the results, with their texts beside."""
    results = make_batch(CHUNK * 2 + 7)
    assert write_report(tmp_path / "report.html", results, Summary("x"), ["prompt", "campaign", "sku"]) == len(
        results
    )
    scripts = Tree((tmp_path / "report.html").read_text(encoding="utf-8")).scripts
    index = [json.loads(data) for name, data in scripts if name == "jobs-index"]
    texts = [json.loads(data) for name, data in scripts if name == "jobs-texts"]
    [meta] = [json.loads(data) for name, data in scripts if name == "meta"]
    assert [chunk["n"] for chunk in index] == [CHUNK, CHUNK, 7]

    def together(chunks: list[dict[str, Any]], name: str) -> list[Any]:
        return [value for k, chunk in enumerate(chunks) for value in decoded(chunk[name], index[k]["n"])]

    assert together(index, "state") == [result.state.value for result in results]
    assert together(index, "charged_credits") == [result.charged_credits for result in results]
    assert together(texts, "job_id") == [result.job_id for result in results]
    assert together(texts, "prompt") == [result.cells["prompt"] for result in results]
    assert [meta["other"][place] for place in meta["facets"]] == ["campaign"]
    skus = [value for k, chunk in enumerate(texts) for value in decoded(chunk["other"][2], index[k]["n"])]
    assert skus == [result.cells["sku"] for result in results]


def test_a_larger_batch_is_cut_and_the_page_knows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the limit nothing is read or written; the summary still has the whole number."""
    monkeypatch.setattr(page_module, "JOBS_SHOWN", 3)

    def endless() -> Iterator[Result]:
        for row in range(1, 1000):
            assert row <= 3
            yield Result(f"job-{row}", "a.csv", row, State.QUEUED)

    assert write_report(tmp_path / "report.html", endless(), Summary("x", {State.QUEUED: 999}), []) == 3


def test_the_old_page_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """When the results break off, the old page is still there and nothing else."""
    before = written(tmp_path, "x")

    def breaks_off() -> Iterator[Result]:
        yield filled("y")
        raise RuntimeError("the ledger is gone")

    with pytest.raises(RuntimeError):
        write_report(tmp_path / "report.html", breaks_off(), Summary("x"), [])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == before


def test_the_policy_lets_in_this_script_and_this_style_and_no_network(tmp_path: Path) -> None:
    """Content-Security-Policy: everything off, the one script and style by their hash, media from beside."""
    text = written(tmp_path, "x")
    found = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert found
    rules = dict(rule.split(" ", 1) for rule in found[1].replace("&#39;", "'").split("; "))

    def pinned(part: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() + "'"

    [script] = re.findall(r"<script>(.*?)</script>", text, re.S)
    [style] = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert rules == {
        "default-src": "'none'",
        "script-src": pinned(script),
        "style-src": pinned(style),
        "img-src": "data:",
        "media-src": "'self' file:",
        "connect-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert "http:" not in re.sub(r"http://www\.w3\.org/\S+", "", text)
    assert "https:" not in text


def test_no_jobs_are_a_page_too(tmp_path: Path) -> None:
    """Before anything is known there is an honest page without chunks."""
    assert write_report(tmp_path / "report.html", [], Summary("empty"), []) == 0
    names = [name for name, _ in Tree((tmp_path / "report.html").read_text(encoding="utf-8")).scripts]
    assert names == ["meta", "code"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast(theme: str) -> None:
    """WCAG AA (4.5 to 1) for every text colour on every ground that it stands on, in both themes."""
    block = STYLE.split(":root {")[1 if theme == "light" else 2].split("}")[0]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))

    def light(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    pairs = [(ink, ground) for ink in ("ink", "soft", "faint", "accent") for ground in ("ground", "sheet")]
    pairs += [
        (tone, ground) for tone in ("good", "busy", "idle", "warn", "bad") for ground in ("sheet", f"{tone}-soft")
    ]
    poor = {}
    for ink, ground in pairs:
        high, low = sorted((light(colours[ink]), light(colours[ground])), reverse=True)
        if (high + 0.05) / (low + 0.05) < 4.5:
            poor[ink, ground] = round((high + 0.05) / (low + 0.05), 2)
    assert poor == {}
