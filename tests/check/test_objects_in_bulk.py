"""JSON lines, Parquet and rows in memory: the bulk pass and the careful pass say the same of each row."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from odd_cells import SAME, TEXTS, URLS

from batchgen.check import bulk
from batchgen.check.bulk import in_bulk
from batchgen.check.bulk.gate import Bulk, Terms
from batchgen.check.identity import Suspects
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, jobs, survey
from batchgen.job import Job
from batchgen.manifest import Place, feed, open_manifest, parquet, sniff
from batchgen.manifest.rows import manifests

PRICES = PriceTable.load()
EXAMPLES = 5000 if os.environ.get("BATCHGEN_PROOF") else 60  # the long form is part of `make proof`
CAREFUL = ReadOptions(select=(("provider", "*"),))

SCALARS = [
    None,
    "",
    " ",
    "5",
    "16:09",
    5,
    5.0,
    5.5,
    True,
    "ä",
    2**60,
    -1,
    1e300,
    "2026-01-01",
    "#N/A",
    "x\0y",
    [1],
    {"a": 1},
]
VALUES: dict[str, list[Any]] = {
    "id": ["a", "b", 7, 7.0, "", None, "#c", "0123456789abcdef", "2026-01-01", True],
    "provider": ["kie", "kie", "fal", "Kie", " kie", "", None, 5],
    "model": ["m", "kling-2.6/text-to-video", "sora-2", None],
    "scene": ["text-to-video", "image-to-video", "Text to video", "text", None],
    "prompt": [*TEXTS, None, 5, "2026-01-01", ["x"]],
    "image_input": [
        *URLS, None, [], [""], ["https://a.example/a.png"], [URLS[0], "https://b.example/b.png"], [None], 5,
        ["https://a.example/a.png\nhttps://b.example/b.png"], [" https://a.example/a.png"],
    ],
    "image_url": [URLS[0], None, ""],
    "video_input": [URLS[0], None],
    "options": [
        {"duration": "5"}, {"duration": "10"}, None, {}, {"duration": 5}, {"duration": 5.0}, {"duration": ""},
        {"": 1}, "{}", '{"n": 1}', {"duration": None, "n": 1.5}, {"sub": {"x": [1]}}, "", 5, ["x"],
        {"start": "2026-01-01"}, {"seed": 7},
    ],
    "options.duration": SCALARS,
    "options.seed:int": ["", "7", "x", 7, None],
    "campaign": ["spring", "#fff", "", None, 5, "x\0y", "2026-01-01"],
    "own": [None, {"k": "v"}, {"status": "done"}, {"k": None, "z": 1}, "x", {}],
    "duration": [None, "5", 5],
    "status": [None, "done", "pending"],
    "done": [None, True, False, "x"],
    "video_url": [None, "", "https://a.example/x.mp4", "x"],
    "__index_level_0__": [5, None],
    "optons": [None, "x"],
    "task_id": [None, "", "t1"],
    "job_id": [None, "a"],
    "state": [None, "succeeded"],
}  # fmt: skip
GOOD = {"provider": "kie", "model": "m", "scene": "text-to-video"}
RARE = ("task_id", "job_id", "state", "optons", "image_url")


@st.composite
def rows(draw: st.DrawFn, *, typed: bool) -> list[dict[str, Any]]:
    """Rows as a program makes them, most of them good; with `typed` a column is of one type, as a table has it."""
    names = draw(st.lists(st.sampled_from([*VALUES, "id", "options", "prompt"]), max_size=6, unique=True))
    names = [name for name in names if name not in RARE or draw(st.integers(0, 3)) == 0]
    kinds = {name: draw(st.sampled_from(_kinds(name))) for name in names}
    made = []
    for number in range(draw(st.integers(0, 12))):
        row: dict[str, Any] = {**GOOD, "prompt": f"A cat, no. {number % 9}"}
        for name in draw(st.permutations(names)):
            fitting = [value for value in VALUES[name] if not typed or _kind(value) in ("nothing", kinds[name])]
            odd = draw(st.integers(0, 4)) == 0
            value = draw(st.sampled_from(fitting if odd else fitting[:2] or [None]))
            if name == "id" and not odd and isinstance(value, str):
                value = f"row {number}"
            if value is not None or draw(st.booleans()):
                row[name] = value
            elif not typed:
                row.pop(name, None)
        made.append(row)
    return made


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__


def _kinds(name: str) -> list[str]:
    return sorted({_kind(value) for value in VALUES[name]} - {"nothing"})


def agree(path: Place, chunk: int, by: str | None) -> None:
    """Both ways give the same survey, and as many jobs as it counts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "SMALL", 0)
        patch.setattr(feed, "CHUNK", chunk)
        quick = survey([path], ReadOptions(), PRICES, by=by, knows=lambda row: row.task_id != "t1")
        careful = survey([path], CAREFUL, PRICES, by=by, knows=lambda row: row.task_id != "t1")
    if careful.rows:
        for name in SAME:
            assert getattr(quick, name) == getattr(careful, name), name
    made = [
        job
        for job in jobs([path], ReadOptions(), PRICES, knows=lambda row: row.task_id != "t1")
        if isinstance(job, Job)
    ]
    assert (len(made), sum(job.price for job in made)) == (quick.valid, quick.credits)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("objects")


BYS = st.sampled_from([None, "campaign", "scene", "options.duration"])
CHUNKS = st.sampled_from([64, 400, 1 << 20])
GOOD_LINE = json.dumps({**GOOD, "prompt": "A dog asleep"})
ODD_LINES = st.sampled_from(
    [
        "", "  ", "[]", "x", '{"prompt": NaN}', '{"a":1}{"a":2}', '{"a": "\\ud800"}', "{}", '{"a": 1,', "1}",
        '{"provider":"kie","provider":"fal"}', '{"a":null,"a":null}', '{"n": 1e999}', '{"n": ' + "9" * 301 + "}",
        '{"a":' * 70 + "1" + "}" * 70, "\ufeff{}", f" {GOOD_LINE} ", '{"a\\u0000": 1}', "\u2028", "\x0c",
        GOOD_LINE[:-1] + ', "n": Infinity}',
    ]
)  # fmt: skip


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    found=rows(typed=False),
    odd=st.dictionaries(st.integers(0, 12), ODD_LINES, max_size=2),
    chunk=CHUNKS,
    by=BYS,
    end=st.sampled_from(["\n", "\n", "\r\n", "\r"]),
    plain=st.booleans(),
)
def test_json_lines(
    folder: Path,
    found: list[dict[str, Any]],
    odd: dict[int, str],
    chunk: int,
    by: str | None,
    end: str,
    plain: bool,
) -> None:
    """Any objects, absent keys and broken lines among them."""
    lines = [json.dumps(row, ensure_ascii=plain) for row in found]
    for place, line in odd.items():
        lines.insert(place, line)
    path = folder / "rows.jsonl"
    path.write_bytes("".join(line + end for line in lines).encode("utf-8", "surrogatepass"))
    agree(path, chunk, by)


def table_of(found: list[dict[str, Any]]) -> pa.Table:
    """The table that arrow makes of rows of one type a column; columns that it can't make are left out."""
    names = dict.fromkeys(name for row in found for name in row)
    columns = {}
    for name in names:
        try:
            columns[name] = pa.array([row.get(name) for row in found])
        except (pa.ArrowException, OverflowError):
            continue
    return pa.table(columns)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    found=rows(typed=True),
    by=BYS,
    way=st.sampled_from(["parquet", "table", "frame", "map", "dictionary", "large"]),
    batch=st.sampled_from([1, 3, 1000]),
)
def test_tables(folder: Path, found: list[dict[str, Any]], by: str | None, way: str, batch: int) -> None:
    """Any table: as a Parquet file, in memory, with maps for options, with dictionaries and long texts."""
    table = table_of(found)
    for place, field in enumerate(table.schema):
        if way == "map" and pa.types.is_struct(field.type) and len({child.type for child in field.type}) == 1:
            pairs = [None if v is None else list(v.items()) for v in table.column(place).to_pylist()]
            table = table.set_column(place, field.name, pa.array(pairs, pa.map_(pa.string(), field.type[0].type)))
        elif way == "dictionary" and pa.types.is_string(field.type):
            table = table.set_column(place, field.name, table.column(place).dictionary_encode())
        elif way == "large" and pa.types.is_string(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pa.large_string()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "BATCH", batch)
        if way == "table":
            agree(manifests(table)[0], 400, by)
        elif way == "frame":
            agree(manifests(table.to_pandas())[0], 400, by)
        else:
            path = folder / "rows.parquet"
            table = table.select([f.name for f in table.schema if f.type != pa.struct([])])  # no file can hold that
            pq.write_table(table, path)
            agree(path, 400, by)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=rows(typed=False), chunk=CHUNKS, by=BYS)
@example(
    found=[{**GOOD, "prompt": float("nan"), "campaign": pd.NaT, "options": {"n": math.nan}}], chunk=64, by=None
)
def test_mappings_in_memory(found: list[dict[str, Any]], chunk: int, by: str | None) -> None:
    """Any mappings, from a generator that can be read once."""
    agree(manifests(row for row in found)[0], chunk, by)


def plain_rows() -> list[dict[str, Any]]:
    """Rows without ids, without odd texts; some options and columns are in some rows only."""
    rows = []
    for number in range(500):
        row = {**GOOD, "scene": "image-to-video", "prompt": f"Eine Katze, grün {number}", "campaign": "spring"}
        row["image_input"] = [f"https://a.example/{number}.png?w=2", "https://b.example/x.jpg"][: 1 + number % 2]
        row["options"] = {"duration": "5", "seed": number, "aspect_ratio": "16:9"} if number % 3 else None
        rows.append({name: value for name, value in row.items() if value is not None})
    return rows


@pytest.mark.parametrize("way", ["csv", "jsonl", "parquet", "frame", "rows"])
def test_plain_rows_are_decided_by_columns_in_every_format(tmp_path: Path, way: str) -> None:
    """Or it would be quick for nothing: only the rows that are first to show a column take the careful path."""
    rows, path = plain_rows(), tmp_path / f"rows.{way}"
    place: Place = path
    if way == "csv":
        flat = [
            {**{k: v for k, v in row.items() if k != "options"}, "image_input": "\n".join(row["image_input"])}
            | {f"options.{k}{':int' * (k == 'seed')}": v for k, v in row.get("options", {}).items()}
            for row in rows
        ]
        pd.DataFrame(flat).astype({"options.seed:int": "Int64"}).to_csv(path, index=False)
    elif way == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif way == "parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        place = manifests(pd.DataFrame(rows) if way == "frame" else rows)[0]
    manifest = open_manifest(place, ReadOptions())
    terms = Terms(ReadOptions(), PRICES, None, Suspects())
    found = list(in_bulk(sniff(place), place, manifest, terms))
    assert not manifest.problems
    assert sum(each.rows for each in found if isinstance(each, Bulk)) == 500
    assert sum(not isinstance(each, Bulk) for each in found) <= 4
    assert sum(sum(each.counts.values()) for each in found if isinstance(each, Bulk)) >= 496
