"""Rows in memory are manifests: who they are, and what is wrong with them, is what a file of the same rows says."""

import csv
import datetime
import gc
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, find_manifests, jobs, survey
from batchgen.job import InvalidRow, Job
from batchgen.manifest.rows import manifests

PRICES = PriceTable.load()
GOOD = {"provider": "kie", "model": "m", "scene": "text-to-video", "prompt": "A cat asleep"}


def read(given: object) -> list[Job | InvalidRow]:
    return list(jobs(find_manifests(manifests(given)), ReadOptions(), PRICES))


def ids(given: object) -> list[str]:
    return [row.job_id for row in read(given)]


def requests(given: object) -> list[dict[str, Any]]:
    return [row.request for row in read(given) if isinstance(row, Job)]


def test_typed_rows_are_who_they_are_in_json_lines_and_parquet(tmp_path: Path) -> None:
    rows = [
        {**GOOD, "options": {"duration": 5 + number, "audio": True}, "image_input": ["https://a.example/1.png"]}
        for number in range(4)
    ]
    lines, table = tmp_path / "rows.jsonl", tmp_path / "rows.parquet"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pd.DataFrame(rows).to_parquet(table)
    kept = ids([str(lines)])
    assert len(set(kept)) == 4
    assert ids(rows) == ids(iter(rows)) == ids(pd.DataFrame(rows)) == ids(pa.Table.from_pylist(rows)) == kept
    assert ids([str(table)]) == kept


def test_rows_of_text_are_who_they_are_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = [
        {
            **GOOD,
            "options.duration": "5",
            "options.seed:int": "7",
            "image_input": "https://a.example/1.png",
            "sku": "01",
        },
        {**GOOD, "options.duration": "", "options.seed:int": "8", "image_input": "", "sku": ""},
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert ids(rows) == ids(pd.DataFrame(rows)) == ids([str(path)])
    assert read(rows)[0].cells["sku"] == "01"


@pytest.mark.parametrize("blank", [None, float("nan"), pd.NaT, pd.NA, "", np.float32("nan"), np.datetime64("NaT")])
def test_what_stands_for_nothing_is_blank(blank: object) -> None:
    assert requests([{**GOOD, "options.seed": blank, "id": blank}]) == [GOOD]
    assert requests(pd.DataFrame([{**GOOD, "options.seed": blank}])) == [GOOD]


def test_a_number_without_a_fraction_is_a_whole_one(tmp_path: Path) -> None:
    """As pandas makes it of a column of whole numbers with a gap; so it is in a Parquet file."""
    rows = [{**GOOD, "id": 7, "options.seed": 10}, {**GOOD, "id": None, "options.seed": None}]
    frame = pd.DataFrame(rows)
    assert frame["id"].dtype == "float64"
    frame.to_parquet(tmp_path / "rows.parquet")
    for given in (frame, [{**GOOD, "id": 7.0, "options.seed": 10.0}, GOOD], [str(tmp_path / "rows.parquet")]):
        found = read(given)
        assert found[0].job_id == "7"
        assert requests(given)[0]["options"] == {"seed": 10}
        assert isinstance(requests(given)[0]["options"]["seed"], int)


def test_numbers_of_numpy_are_numbers() -> None:
    options = {"a": np.int64(5), "b": np.float32(0.7), "c": np.bool_(True), "d": np.array([1, 2])}
    assert requests([{**GOOD, "options": options}])[0]["options"] == {"a": 5, "b": 0.7, "c": True, "d": [1, 2]}
    frame = pd.DataFrame([GOOD]).assign(**{"options.strength": np.array([0.7], dtype="float32")})
    assert requests(frame)[0]["options"] == {"strength": 0.7}


def test_the_index_of_a_frame_is_no_column() -> None:
    frame = pd.DataFrame([{**GOOD, "campaign": "spring"}] * 2)
    for index in (pd.Index([5, 9]), pd.Index(["x", "y"], name="id"), pd.Index(["x", "y"], name="campain")):
        made = read(frame.set_axis(index))
        assert [sorted(row.cells) for row in made] == [["campaign", "prompt"]] * 2
        assert [row.job_id for row in made] == ids(frame)


def test_a_frame_whose_column_mixes_types_is_read_row_by_row() -> None:
    frame = pd.DataFrame([{**GOOD, "options": {"seed": 5}}, {**GOOD, "options": {"seed": "five"}}])
    assert [request["options"]["seed"] for request in requests(frame)] == [5, "five"]


def test_a_generator_is_read_once_and_its_rows_as_often_as_needed() -> None:
    asked = []

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(3):
            asked.append(number)
            yield {**GOOD, "id": f"row {number}"}

    found = manifests(rows())
    assert asked == [0, 1, 2]
    for _ in range(2):
        assert survey(found, ReadOptions(), PRICES).valid == 3
    assert [row.manifest for row in jobs(found, ReadOptions(), PRICES)] == ["rows"] * 3


def test_rows_are_kept_only_as_long_as_they_are_in_use() -> None:
    for given in ([GOOD], pd.DataFrame([GOOD])):
        found = manifests(given)
        file = Path(found[0])
        assert file.exists()
        assert file.stat().st_mode & 0o077 == 0
        del found
        gc.collect()
        assert not file.exists()


def test_problems_name_the_row_and_no_line() -> None:
    found = survey(manifests([GOOD, {**GOOD, "scene": "film"}]), ReadOptions(), PRICES)
    assert [(p.manifest, p.row, p.line, p.code) for p in found.problems] == [("rows", 2, None, "unknown_scene")]


def test_a_date_is_text_in_a_column_of_ones_own_and_can_not_be_sent() -> None:
    day = datetime.date(2026, 11, 29)
    assert read([{**GOOD, "day": day}])[0].cells["day"] == "2026-11-29"
    for given in ([{**GOOD, "options.day": day}], pd.DataFrame([{**GOOD, "options.day": day}])):
        made = read(given)[0]
        assert isinstance(made, InvalidRow)
        assert [problem.code for problem in made.problems] == ["bad_value"]


@pytest.mark.parametrize(
    "given",
    [
        b"rows.csv", bytearray(b"x"), 5, 5.0, True, None, io.StringIO("x"), GOOD, ["a.csv", GOOD], [GOOD, "a.csv"],
        [GOOD, 5], [5], [None], [[GOOD]], object(), pd.Series(["a"]), [{5: "x"}], (row for row in [GOOD, None]),
    ],
    ids=lambda given: type(given).__name__,
)  # fmt: skip
def test_anything_else_is_a_type_error_and_no_file_of_that_name(given: object) -> None:
    with pytest.raises(TypeError):
        manifests(given)


def test_names_stay_names(tmp_path: Path) -> None:
    assert manifests("a.csv") == ["a.csv"]
    assert manifests(Path("a.csv")) == ["a.csv"]
    assert manifests(["a.csv", Path("b.csv")]) == ["a.csv", "b.csv"]


def test_a_frame_of_ten_thousand_rows_is_one_manifest_of_ten_thousand() -> None:
    frame = pd.DataFrame([{**GOOD, "id": f"r{number}"} for number in range(40_000)])
    found = survey(manifests(frame), ReadOptions(), PRICES)
    assert (found.rows, found.valid, found.credits) == (40_000, 40_000, 240_000)


def test_a_parquet_map_and_a_float32_mean_what_they_say(tmp_path: Path) -> None:
    options = pa.array([[("duration", "5"), ("seed", "7")]], pa.map_(pa.string(), pa.string()))
    strength = pa.array([{"strength": 0.7}], pa.struct([("strength", pa.float32())]))
    for name, column, meant in (
        ("map", options, {"duration": "5", "seed": "7"}),
        ("f32", strength, {"strength": 0.7}),
    ):
        table = pa.Table.from_pylist([GOOD]).append_column("options", column)
        pq.write_table(table, tmp_path / f"{name}.parquet")
        assert requests([str(tmp_path / f"{name}.parquet")])[0]["options"] == meant
        assert survey([tmp_path / f"{name}.parquet"], ReadOptions(), PRICES).valid == 1
