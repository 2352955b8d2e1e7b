"""results.csv: one line a result, whole at any moment, and what was written can be read back."""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.errors import Exit, OutputError
from batchgen.files import whole_file
from batchgen.job import RESULT_COLUMNS, Film, Result, State
from batchgen.results.csv import columns, frame, utc, write_results
from batchgen.results.formula import own_name, unguard

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PAID = Result(
    job_id="glass-city",
    manifest="spring.csv",
    row=1,
    state=State.SUCCEEDED,
    task_id="task_1",
    video_urls=("https://files.example.com/1.mp4", "https://files.example.com/2.mp4"),
    video_paths=("videos/glass-city.mp4", "videos/glass-city+2.mp4"),
    scene="text-to-video",
    provider="kie",
    model="sora-2-pro-text-to-video",
    estimated_credits=6,
    charged_credits=6,
    attempts=1,
    submitted_at=1795342503.9,
    finished_at=1795342603.0,
    expires_at=1795428903.0,
    cells={"prompt": "A glass city at sunrise", "sku": "0012", "state": "DE-BE"},
    review="accept",
    review_note="=good",
    film=Film(1920, 1080, 5.04166, has_audio=False),
)


def read(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def test_a_line_has_our_columns_then_the_manifests_in_order(tmp_path: Path) -> None:
    """The columns stand in the documented order; an own column named like ours is own.NAME."""
    assert write_results(tmp_path / "results.csv", [PAID], ["prompt", "sku", "state"]) == 1
    [line] = read(tmp_path / "results.csv")
    assert list(line) == [*RESULT_COLUMNS, "prompt", "sku", "own.state"]
    assert line == {
        "job_id": "glass-city",
        "manifest": "spring.csv",
        "row": "1",
        "state": "succeeded",
        "task_id": "task_1",
        "video_url": "https://files.example.com/1.mp4",
        "video_urls": '["https://files.example.com/1.mp4", "https://files.example.com/2.mp4"]',
        "video_path": "videos/glass-city.mp4",
        "scene": "text-to-video",
        "provider": "kie",
        "model": "sora-2-pro-text-to-video",
        "estimated_credits": "6",
        "charged_credits": "6",
        "refunded_credits": "",
        "attempts": "1",
        "submitted_at": "2026-11-22T10:15:03Z",
        "finished_at": "2026-11-22T10:16:43Z",
        "expires_at": "2026-11-23T10:15:03Z",
        "error_code": "",
        "error": "",
        "review": "accept",
        "review_note": "'=good",
        "width": "1920",
        "height": "1080",
        "duration_s": "5.042",
        "has_audio": "false",
        "sha256": "",
        "prompt": "A glass city at sunrise",
        "sku": "0012",
        "own.state": "DE-BE",
    }


def test_it_opens_right_in_excel(tmp_path: Path) -> None:
    """A byte-order mark, commas, CR LF, and a blank line for nothing known."""
    write_results(tmp_path / "results.csv", [Result("a", "", None, State.NOT_SUBMITTED)], [])
    content = (tmp_path / "results.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfjob_id,manifest,row,state,")
    assert content.endswith(b"\r\na,,,not_submitted,,,,,,,,,,,0,,,,,,,,,,,,\r\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT, st.lists(TEXT, max_size=3)), max_size=4), st.sets(TEXT, max_size=3))
def test_what_is_parsed_back_is_what_was_written(
    tmp_path: Path, rows: list[tuple[str, str, str, list[str]]], others: set[str]
) -> None:
    """Any text in any cell comes back after reading the CSV and taking the guards away; none is a formula."""
    other = sorted(others | {"prompt", "error", "="})
    results = [
        Result(
            a, b, 7, State.FAILED, task_id=c, video_urls=tuple(urls), error=b, error_code=a, model=c,
            cells=dict.fromkeys(other, c + a),
        )
        for a, b, c, urls in rows
    ]  # fmt: skip
    path = tmp_path / "results.csv"
    assert write_results(path, results, other) == len(rows)
    lines = read(path)
    assert len(lines) == len(rows)
    for line, result in zip(lines, results, strict=True):
        plain = {unguard(name): unguard(text) for name, text in line.items()}
        assert plain["job_id"] == result.job_id
        assert plain["manifest"] == result.manifest
        assert plain["task_id"] == plain["model"] == result.task_id
        assert json.loads(plain["video_urls"] or "[]") == list(result.video_urls)
        assert plain["error"] == result.error
        mine = {own_name(name): text for name, text in list(plain.items())[len(RESULT_COLUMNS) :]}
        assert mine == dict(result.cells)
        assert not [text for text in line.values() if text.startswith(("=", "@", "\t", "\r"))]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """While lines are written, and when that breaks off, a reader finds the old file and no litter."""
    path = tmp_path / "results.csv"
    write_results(path, [PAID], [])
    before = path.read_bytes()

    def breaks_off() -> Iterator[Result]:
        yield PAID
        assert path.read_bytes() == before
        raise RuntimeError("the ledger is gone")

    with pytest.raises(RuntimeError, match="the ledger is gone"):
        write_results(path, breaks_off(), [])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["results.csv"]


def test_a_file_that_excel_holds_is_tried_again_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows an open file can't be replaced: a few tries, then a sentence; the old file stays."""
    path = tmp_path / "results.csv"
    path.write_text("old")
    refusals = iter([True, True, False])
    replace = Path.replace
    waited: list[float] = []

    def held(self: Path, target: Path) -> Path:
        if next(refusals, True):
            raise PermissionError(13, "used by another process")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", held)
    with whole_file(path, sleep=waited.append) as file:
        file.write(b"new")
    assert path.read_text() == "new"
    assert len(waited) == 2
    with (
        pytest.raises(OutputError, match="open in another program") as raised,
        whole_file(path, waited.append),
    ):
        pass
    assert (raised.value.code, raised.value.exit) == ("output_in_use", Exit.UNFINISHED)
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["results.csv"]


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """An OSError while writing becomes an OutputError with a hint, and leaves nothing behind."""
    with pytest.raises(OutputError, match="No space left") as raised, whole_file(tmp_path / "x"):
        raise OSError(28, "No space left on device")
    assert raised.value.hint
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    """A temp file that is older than an hour goes; a young one may belong to someone."""
    old, young = tmp_path / ".results.csv.1.a.tmp", tmp_path / ".results.csv.2.b.tmp"
    old.write_text("half")
    young.write_text("half")
    os.utime(old, (0, 0))
    write_results(tmp_path / "results.csv", [], [])
    assert sorted(os.listdir(tmp_path)) == [young.name, "results.csv"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "1970-01-01T00:00:00Z"),
        (1795342503.99, "2026-11-22T10:15:03Z"),
        (-1, ""),
        (1e18, ""),
        (float("nan"), ""),
    ],
)
def test_times_are_utc_to_the_second(seconds: float | None, text: str) -> None:
    """ISO 8601 with Z; a time that is none (a service may answer nonsense) is blank."""
    assert utc(seconds) == text


def test_the_frame_has_the_columns_of_the_file() -> None:
    """frame() shows the same lines with types: integers, UTC times, lists; texts unguarded."""
    blank = Result("=b", "spring.csv", 2, State.NOT_SUBMITTED, expires_at=1e18, cells={"prompt": "=1"})
    table = frame([PAID, blank])
    assert list(table.columns) == columns(["prompt", "sku", "state"])
    assert table["charged_credits"].sum() == 6
    assert table["charged_credits"].isna().tolist() == [False, True]
    assert str(table["submitted_at"].dtype).endswith("UTC]")
    assert table["video_urls"].tolist() == [list(PAID.video_urls), []]
    assert table["job_id"].tolist() == ["glass-city", "=b"]
    assert table["prompt"].tolist() == ["A glass city at sunrise", "=1"]
    assert table["own.state"].tolist() == ["DE-BE", ""]


def test_no_results_give_a_header_and_an_empty_frame(tmp_path: Path) -> None:
    """A manifest of which nothing is known yet has a valid file too."""
    write_results(tmp_path / "results.csv", [], ["prompt"])
    assert read(tmp_path / "results.csv") == []
    assert list(frame([], ["prompt"]).columns) == columns(["prompt"])
