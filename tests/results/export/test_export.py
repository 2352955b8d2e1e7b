"""Each export opens with the tool that it is for, has every line, and says where each video came from."""

import csv
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from batchgen.errors import UsageError
from batchgen.job import RESULT_COLUMNS, Result, State
from batchgen.results.export import FORMATS, default_target, export, xlsx
from batchgen.results.export.webdataset import write_webdataset
from batchgen.results.formula import unguard
from batchgen.results.summary import Credits, Summary

CLIPS = sorted((Path(__file__).parents[3] / "batchgen" / "sandbox" / "assets").glob("landscape-*.mp4"))
SUMMARY = Summary(
    "spring", {State.SUCCEEDED: 3, State.FAILED: 1}, Credits(estimated=24, charged=24),
    version="0.1.0", prices="2026-11", service="sseedance.com",
)  # fmt: skip
OTHER = ["prompt", "sku", "state", "sha256"]


def made(job: str, row: int, state: State = State.SUCCEEDED, paths: tuple[str, ...] = ()) -> Result:
    clip = hashlib.sha256(CLIPS[0].read_bytes()).hexdigest()
    return Result(
        job_id=job, manifest="spring.csv", row=row, state=state, task_id=f"task_{row}" if paths else "",
        video_urls=tuple(f"https://files.example.com/{path}" for path in paths), video_paths=paths,
        scene="text-to-video", provider="kie", model="sora-2", estimated_credits=6,
        charged_credits=6 if paths else None, attempts=1, submitted_at=1795342503.5,
        finished_at=1795342603.0 if paths else None, error_code="" if paths else "bad_request",
        cells={"prompt": "=A glass city", "sku": f"00{row}", "state": "DE", "sha256": "mine"},
        request={"provider": "kie", "model": "sora-2", "scene": "text-to-video", "prompt": "=A glass city",
                 "options": {"duration": "10"}},
        sha256=(clip,) * len(paths),
    )  # fmt: skip


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An OUT folder: two jobs with three videos in it, and one that was rejected."""
    folder = tmp_path / "spring"
    for result in RESULTS:
        for path in result.video_paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CLIPS[0], folder / path)
    return folder


RESULTS = [
    made("mug", 1, paths=("videos/0000/mug.mp4",)),
    made("lamp", 2, state=State.REJECTED),
    made("=tote", 3, paths=("videos/0000/tote.mp4", "videos/0000/tote+2.mp4")),
]


def test_csv_takes_the_delimiter_that_a_country_wants(out: Path) -> None:
    """A semicolon or a tab; the same columns and guards as results.csv."""
    done = export(RESULTS, SUMMARY, OTHER, out, "csv", delimiter=";")
    assert (done.path, done.lines) == (out / "export" / "spring.csv", 3)
    lines = list(csv.DictReader(io.StringIO(done.path.read_text(encoding="utf-8-sig")), delimiter=";"))
    assert [line["job_id"] for line in lines] == ["mug", "lamp", "'=tote"]
    assert list(lines[0])[len(RESULT_COLUMNS) :] == ["prompt", "sku", "own.state", "own.sha256"]
    export(RESULTS, SUMMARY, OTHER, out, "csv", delimiter="tab")
    assert done.path.read_text(encoding="utf-8-sig").startswith("job_id\tmanifest\t")


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "a"])
def test_what_can_not_separate_is_refused(out: Path, delimiter: str) -> None:
    """A delimiter is one character that is no quote, no line break and no letter."""
    with pytest.raises(UsageError):
        export(RESULTS, SUMMARY, OTHER, out, "csv", delimiter=delimiter)


def test_xlsx_has_text_as_text_and_numbers_as_numbers(out: Path) -> None:
    """No formula in the sheet, ids keep their zeros, credits are numbers, times are times; twice the same bytes."""
    done = export(RESULTS, SUMMARY, OTHER, out, "xlsx")
    book = openpyxl.load_workbook(done.path)
    rows = list(book["results"].iter_rows())
    header = [cell.value for cell in rows[0]]
    assert header[:6] == ["video_path", "job_id", "prompt", "sku", "own.state", "own.sha256"]
    assert sorted(header[6:]) == sorted(set(RESULT_COLUMNS) - {"video_path", "job_id"})
    assert (book["results"].freeze_panes, book["results"].auto_filter.ref) == ("B2", f"A1:{rows[3][-1].coordinate}")
    assert all(cell.data_type != "f" for row in rows for cell in row)
    first: dict[Any, Any] = dict(zip(header, (cell.value for cell in rows[1]), strict=True))
    assert (first["sku"], first["charged_credits"], first["refunded_credits"]) == ("001", 6, None)
    assert first["submitted_at"].isoformat() == "2026-11-22T10:15:03"
    assert unguard(first["prompt"]) == "=A glass city"
    assert unguard(str(rows[3][1].value)) == "=tote"
    about = dict(book["about"].iter_rows(values_only=True))
    assert (about["price table"], about["credits charged"]) == ("2026-11", 24)
    before = done.path.read_bytes()
    export(RESULTS, SUMMARY, OTHER, out, "xlsx")
    assert done.path.read_bytes() == before


def test_xlsx_links_to_the_videos_and_shows_a_picture_of_each(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that works from where the sheet lies; with PyAV a picture beside it, and without it the link alone."""
    pytest.importorskip("av")
    sheet = openpyxl.load_workbook(export(RESULTS, SUMMARY, OTHER, out, "xlsx").path)["results"]
    link = sheet["A2"].hyperlink.target
    assert (out / "export" / link.replace("\\", "/")).resolve().is_file()  # Excel's own spelling
    assert sheet["A2"].value == RESULTS[0].video_paths[0]
    pictures = len(sheet._images)
    assert pictures == sum(bool(result.video_paths) for result in RESULTS)
    monkeypatch.setattr(xlsx, "can_draw", lambda: False)
    sheet = openpyxl.load_workbook(export(RESULTS, SUMMARY, OTHER, out, "xlsx").path)["results"]
    assert (len(sheet._images), sheet["A2"].hyperlink.target) == (0, link)


def test_xlsx_goes_on_behind_excels_limits(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further sheet behind the last line of one; a text that no cell holds is cut, and said so."""
    monkeypatch.setattr(xlsx, "SHEET_LINES", 3)
    monkeypatch.setattr(xlsx, "CELL_CHARACTERS", 200)
    long = Result("long", "a.csv", 4, State.REJECTED, cells={"prompt": "x" * 201, "sku": "\x00\x0b\ud800"})
    done = export([*RESULTS, long], SUMMARY, ["prompt", "sku"], out, "xlsx")
    book = openpyxl.load_workbook(done.path)
    assert book.sheetnames == ["results", "results 2", "about"]
    assert [row[1].value for row in book["results 2"].iter_rows()] == ["job_id", "'=tote", "long"]
    cut = str(book["results 2"].cell(3, 3).value)
    assert (len(cut), cut.endswith("(cut: 201 characters)")) == (200, True)
    assert done.left_out_total == 1


def test_jsonl_says_everything_of_each_job(out: Path) -> None:
    """Request, task id, URL, path and sha256 of each video, credits, versions; unguarded; null where unknown."""
    done = export(RESULTS, SUMMARY, OTHER, out, "jsonl")
    records = [json.loads(line) for line in done.path.read_text(encoding="utf-8").splitlines()]
    assert [record["job_id"] for record in records] == ["mug", "lamp", "=tote"]
    mug, lamp, tote = records
    assert mug["request"] == RESULTS[0].request
    assert mug["videos"] == [
        {
            "url": "https://files.example.com/videos/0000/mug.mp4",
            "path": "videos/0000/mug.mp4",
            "sha256": RESULTS[0].sha256[0],
        }
    ]
    assert mug["credits"] == {"estimated": 6, "charged": 6, "refunded": None}
    assert mug["made_by"] == {"batchgen": "0.1.0", "price_table": "2026-11", "service": "sseedance.com"}
    assert mug["submitted_at"] == "2026-11-22T10:15:03Z"
    assert (lamp["videos"], lamp["error_code"], lamp["finished_at"]) == ([], "bad_request", None)
    assert len(tote["videos"]) == 2


def test_parquet_has_types(out: Path) -> None:
    """Integers, UTC times and lists; own columns as text; where it comes from in the file's metadata."""
    done = export(RESULTS, SUMMARY, OTHER, out, "parquet")
    table = pq.read_table(done.path)
    assert table.num_rows == 3
    assert table.column_names[-4:] == ["prompt", "sku", "own.state", "own.sha256"]
    assert str(table.schema.field("charged_credits").type) == "int64"
    assert str(table.schema.field("submitted_at").type) == "timestamp[ms, tz=UTC]"
    assert table["video_paths"].to_pylist()[2] == ["videos/0000/tote.mp4", "videos/0000/tote+2.mp4"]
    assert table["charged_credits"].to_pylist() == [6, None, 6]
    assert json.loads(table["request"][0].as_py())["options"] == {"duration": "10"}
    assert json.loads(table.schema.metadata[b"batchgen"])["price_table"] == "2026-11"


def test_videofolder_has_each_video_with_its_line(out: Path) -> None:
    """One line a video, file_name relative to the metadata, what is there is what was downloaded."""
    done = export(RESULTS, SUMMARY, OTHER, out, "videofolder")
    assert (done.videos, done.left_out) == (3, ())
    table = pq.read_table(done.path / "train" / "metadata.parquet").to_pylist()
    assert [line["file_name"] for line in table] == ["0000/mug.mp4", "0000/tote.mp4", "0000/tote+2.mp4"]
    for line in table:
        content = (done.path / "train" / line["file_name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == line["sha256"]
    assert (table[0]["prompt"], table[0]["task_id"], table[0]["own.state"]) == ("=A glass city", "task_1", "DE")
    assert "3 videos" in (done.path / "README.md").read_text(encoding="utf-8")


def test_videofolder_opens_with_datasets_offline(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """load_dataset("videofolder") finds every video with its columns, without a network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(out / "cache"))
    datasets = pytest.importorskip(
        "datasets", reason="datasets is not installed (375 MB; the dataset job of CI has it)"
    )
    done = export(RESULTS, SUMMARY, OTHER, out, "videofolder")
    loaded = datasets.load_dataset("videofolder", data_dir=str(done.path), split="train")
    loaded = loaded.cast_column("video", datasets.Video(decode=False))
    assert len(loaded) == 3
    assert sorted(Path(line["video"]["path"]).name for line in loaded) == ["mug.mp4", "tote+2.mp4", "tote.mp4"]
    assert {line["prompt"] for line in loaded} == {"=A glass city"}


def test_webdataset_has_the_same_bytes_every_time(out: Path) -> None:
    """Shards by size or number, three files a video, and byte for byte the same when made again later."""
    done = write_webdataset(out / "a", RESULTS, SUMMARY, out, shard_videos=2)
    for path in (out / "videos").rglob("*.mp4"):
        os.utime(path, (1, 1))
    write_webdataset(out / "b", RESULTS, SUMMARY, out, shard_videos=2)
    names = ["shard-000000.tar", "shard-000001.tar", "shards.json"]
    assert sorted(os.listdir(done.path)) == names
    assert [(out / "a" / name).read_bytes() for name in names] == [
        (out / "b" / name).read_bytes() for name in names
    ]
    listing = json.loads((done.path / "shards.json").read_text(encoding="utf-8"))
    assert [shard["videos"] for shard in listing["shards"]] == [2, 1]
    with tarfile.open(done.path / "shard-000001.tar") as tar:
        assert tar.getnames() == ["000000002.mp4", "000000002.json", "000000002.txt"]
        assert tar.extractfile("000000002.mp4").read() == CLIPS[0].read_bytes()  # type: ignore[union-attr]
        known = json.loads(tar.extractfile("000000002.json").read())  # type: ignore[union-attr]
    assert (known["job_id"], known["video"], known["sha256"]) == ("=tote", 1, RESULTS[2].sha256[1])


@pytest.mark.filterwarnings("ignore")  # the library leaves its files to the garbage collector
def test_webdataset_opens_with_webdataset(out: Path) -> None:
    """The library of that name reads the shards as samples."""
    library = pytest.importorskip("webdataset", reason="webdataset is not installed (the dataset job of CI has it)")
    done = export(RESULTS, SUMMARY, OTHER, out, "webdataset")
    samples = list(library.WebDataset(str(done.path / "shard-000000.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["000000000", "000000001", "000000002"]
    assert samples[0]["txt"] == b"=A glass city"
    assert samples[0]["mp4"] == CLIPS[0].read_bytes()


@pytest.mark.parametrize("file_format", ["videofolder", "webdataset"])
def test_a_missing_or_changed_video_is_left_out_by_name(out: Path, file_format: str) -> None:
    """A pack holds what was downloaded and nothing else; the rest is named."""
    (out / "videos/0000/mug.mp4").unlink()
    (out / "videos/0000/tote.mp4").write_bytes(b"not it")
    done = export(RESULTS, SUMMARY, OTHER, out, file_format)
    assert (done.videos, done.left_out_total) == (1, 2)
    assert "mug.mp4 of job mug is not there" in done.left_out[0]
    assert "tote.mp4 of job =tote is not the file that was downloaded" in done.left_out[1]


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_export_is_ever_half(out: Path, file_format: str) -> None:
    """When the results break off, the target is as it was: absent, and no litter beside it."""

    def breaks_off() -> Iterator[Result]:
        yield RESULTS[0]
        raise RuntimeError("the ledger is gone")

    with pytest.raises(RuntimeError):
        export(breaks_off(), SUMMARY, OTHER, out, file_format)
    assert os.listdir(out / "export") == []


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_results_are_an_export_too(out: Path, file_format: str) -> None:
    """Nothing to export gives a valid empty file or folder."""
    done = export([], SUMMARY, [], out, file_format)
    assert (done.lines, done.path.exists(), done.path) == (0, True, default_target(out, file_format))


def test_a_full_folder_is_not_overwritten(out: Path) -> None:
    """A pack goes to a new or empty folder only."""
    (out / "mine").mkdir()
    (out / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not empty"):
        export(RESULTS, SUMMARY, OTHER, out, "webdataset", out / "mine")
    with pytest.raises(UsageError, match="no format"):
        export(RESULTS, SUMMARY, OTHER, out, "docx")
