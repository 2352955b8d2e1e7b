"""Any list of jobs, written in any format, reads back the same; any bytes at all never give a traceback."""

import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgen.check.fix import write_fix
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, jobs, survey
from batchgen.job import Job
from batchgen.results.export.xlsx import write_text_sheet
from batchgen.results.formula import guard, unguard

PRICES = PriceTable.load()
SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

#: Texts that XML, YAML and CSV can all hold, likely and unlikely ones.
CHARACTERS = st.characters(
    codec="utf-8", categories=["L", "M", "N", "P", "S", "Z"], exclude_characters="\ufeff\u2028\u2029\ufffe\uffff"
)
TEXTS = st.one_of(
    st.text(CHARACTERS, min_size=1, max_size=40),
    st.sampled_from(
        [
            "NA",
            "null",
            "None",
            "nan",
            "001",
            "16:9",
            "no",
            "012",
            "-5",
            "=1+1",
            "'quoted",
            "a,b;c|d",
            'say "hi"',
            "two\nlines",
            " blanks ",
            "TRUE",
            "2026-01-01",
            'A 5" screen',
            "# no comment",
            "- dash",
            "{a: b}",
            "x: y",
            "[x]",
            "_x0041_",
            "&amp;",
            "<b>",
            "100 %",
            "\ttab",
        ]
    ),
).filter(
    lambda text: not re.fullmatch("-?[0-9]+[eE][0-9]+", text)
)  # fmt: skip (a number for YAML 1.2, none for PyYAML)
PROMPTS = TEXTS.filter(lambda text: bool(text.strip()) and "{{" not in text)
NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
URLS = st.lists(NAMES.map(lambda name: f"https://cdn.example.com/{name}.png"), min_size=1, max_size=3)
OPTIONS = st.dictionaries(NAMES.filter(lambda name: "ratio" not in name.lower()), PROMPTS, max_size=3)


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Valid jobs with columns of one's own."""
    made = []
    for number in range(draw(st.integers(1, 5))):
        scene = draw(st.sampled_from(["text-to-video", "image-to-video", "video-to-video"]))
        job: dict[str, Any] = {"id": f"row {number}", "provider": draw(NAMES), "model": draw(NAMES), "scene": scene}
        if scene == "text-to-video" or draw(st.booleans()):
            job["prompt"] = draw(PROMPTS)
        if scene == "image-to-video":
            job["image_input"] = draw(URLS)
        if scene == "video-to-video":
            job["video_input"] = draw(URLS)
        if options := draw(OPTIONS):
            job["options"] = options
        made.append({**job, "own": {"my campaign": draw(PROMPTS)}})
    return made


def read(path: Path) -> list[dict[str, Any]]:
    """What a manifest says, as the rows were made."""
    found = survey([path], ReadOptions(), PRICES)
    assert not found.problems, found.problems
    made = []
    for job in jobs([path], ReadOptions(), PRICES, surveyed=found):
        assert isinstance(job, Job)
        own = {key: text for key, text in job.cells.items() if key == "my campaign"}
        made.append({"id": job.job_id, **job.request, "own": own})
    return made


def table(made: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Rows as cells: lists and options as JSON, own columns by their name."""
    header = ["id", "provider", "model", "scene", "prompt", "image_input", "video_input", "options", "my campaign"]
    cells = []
    for row in made:
        flat = {**row, **row["own"]}
        cells.append(
            [
                flat[key] if isinstance(flat.get(key), str) else json.dumps(flat[key]) if flat.get(key) else ""
                for key in header
            ]
        )
    return header, cells


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round")


@SLOW
@given(made=rows(), delimiter=st.sampled_from(",;\t|"), end=st.sampled_from(["\n", "\r\n"]), packed=st.booleans())
def test_csv_reads_back(folder: Path, made: list[dict[str, Any]], delimiter: str, end: str, packed: bool) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    header, cells = table(made)
    writer.writerows([header, *cells])
    data = text.getvalue().encode("utf-8-sig")
    path = folder / ("m.csv.gz" if packed else "m.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    assert read(path) == made


@SLOW
@given(made=rows())
def test_xlsx_reads_back(folder: Path, made: list[dict[str, Any]]) -> None:
    path = folder / "m.xlsx"
    header, cells = table(made)
    with path.open("wb") as file:
        write_text_sheet(file, header, cells)
    assert read(path) == made


@SLOW
@given(made=rows(), as_list=st.booleans())
def test_json_reads_back(folder: Path, made: list[dict[str, Any]], as_list: bool) -> None:
    path = folder / ("m.json" if as_list else "m.jsonl")
    path.write_text(json.dumps(made) if as_list else "\n".join(map(json.dumps, made)), encoding="utf-8")
    assert read(path) == made


@SLOW
@given(made=rows())
def test_parquet_reads_back(folder: Path, made: list[dict[str, Any]]) -> None:
    """Lists and structs keep their types; options as a struct have a null where a row has none of it."""
    path = folder / "m.parquet"
    header = ["id", "provider", "model", "scene", "prompt", "image_input", "video_input", "options"]
    flat = [{**{key: row.get(key) for key in header}, **row["own"]} for row in made]
    pq.write_table(pa.Table.from_pylist(flat), path)
    assert read(path) == made


@SLOW
@given(made=rows(), width=st.sampled_from([40, 10_000]), flow=st.sampled_from([False, None, True]))
def test_yaml_reads_back(folder: Path, made: list[dict[str, Any]], width: int, flow: bool | None) -> None:
    path = folder / "m.yaml"
    text = yaml.safe_dump(
        {"version": 1, "jobs": made}, allow_unicode=True, width=width, default_flow_style=flow, sort_keys=False
    )
    path.write_text(text, encoding="utf-8")
    assert read(path) == made


ENDINGS = ["csv", "tsv", "yaml", "json", "jsonl", "xlsx", "parquet", "ods", "xls", "csv.gz", "txt", "unknown"]
PIECES = st.sampled_from(
    [b"provider,model,scene,prompt\n", b"kie,m,text-to-video,x\n", b'"', b"\r", b"\n", b"\0", b"\xff\xfe",
     b"\xef\xbb\xbf", b"jobs:\n", b"- prompt: x\n", b"  scene: text-to-video\n", b"{{", b"[", b"{", b"&a ", b"*a",
     b"<<: *a\n", b"PAR1", b"PK\x03\x04", b"\x1f\x8b\x08", b"!!python/object:x ", b"matrix: {a: [1]}\n", b"\t",
     b": ", b"sep=;\n", b"\x80", b"|\n"]
)  # fmt: skip
PARTS = st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=30).map(b"".join)
BYTES = st.one_of(st.binary(max_size=200), PARTS)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=BYTES, ending=st.sampled_from(ENDINGS))
def test_no_bytes_give_a_traceback(folder: Path, data: bytes, ending: str) -> None:
    """Whatever a file holds: a survey with problems in sentences, and the same jobs row by row."""
    path = folder / f"m.{ending}"
    path.write_bytes(data)
    found = survey([path], ReadOptions(), PRICES)
    assert found.problems or found.rows
    for problem in found.problems:
        assert problem.message
        assert "Traceback" not in problem.message
    valid = [job for job in jobs([path], ReadOptions(), PRICES, surveyed=found) if isinstance(job, Job)]
    assert len(valid) == found.valid


@SLOW
@given(
    texts=st.lists(st.text(alphabet="'=+-@\uff1d\t\r\n,.;\"05a ", max_size=8), min_size=1, max_size=5),
    mark=st.sampled_from(",;\t"),
    ending=st.sampled_from([".csv", ".xlsx"]),
)
def test_what_validate_fix_writes_runs_nowhere_and_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], mark: str, ending: str
) -> None:
    """The fix file is made to be opened in a spreadsheet program: no cell of it may be a formula there."""
    folder = tmp_path_factory.mktemp("fix")
    with (folder / "bad.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=mark)
        writer.writerow(["id", "provider", "model", "scene", "prompt", "=own"])
        for number, text in enumerate(texts):
            writer.writerow([f"r{number}", "kie", "m", "no-scene", f"x{text}", text])
    target = folder / f"fix{ending}"
    write_fix([folder / "bad.csv"], ReadOptions(), target, PRICES)
    before, after = (
        [
            (row.job_id, row.cells)
            for row in jobs([path], ReadOptions(), PRICES)
            if any(problem.code == "unknown_scene" for problem in getattr(row, "problems", ()))
        ]
        for path in (folder / "bad.csv", target)
    )
    assert before == after
    if ending == ".csv":
        with target.open(encoding="utf-8-sig", newline="") as file:
            for record in csv.reader(file, delimiter=mark):
                assert all(guard(unguard(cell)) == cell for cell in record)
