"""A file's name is bytes: one that is no UTF-8 works everywhere, is shown with codes, and loses nothing."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, survey
from batchgen.files import named, spelled

ROOT = Path(__file__).parents[2]
LATIN = os.fsdecode("größe".encode("latin-1"))

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="file names that are no text are Linux's; elsewhere the system refuses them"
)


@given(st.binary(min_size=1).filter(lambda raw: b"\0" not in raw))
def test_every_name_has_a_spelling_that_goes_back(raw: bytes) -> None:
    spelling = spelled(os.fsdecode(raw))
    spelling.encode("utf-8")
    assert os.fsencode(named(spelling)) == raw


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\\0")))
def test_a_usual_name_is_spelled_as_it_is(name: str) -> None:
    assert spelled(name) == name


def batchgen(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "batchgen", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        timeout=100,
        check=False,
    )


def test_a_manifest_in_a_folder_with_such_names_goes_all_the_way(tmp_path: Path) -> None:
    """An unpacked archive from an old Windows: plan, run, status, results and a pack of videos."""
    (tmp_path / LATIN).mkdir()
    name = f"{LATIN}/{LATIN}.csv"
    shutil.copy(ROOT / "manifests" / "examples.csv", tmp_path / name)
    checked = json.loads(batchgen(tmp_path, "validate", name, "--json").stdout)
    assert checked["invalid"] == 0
    out = f"outputs/{LATIN}-sandbox"
    done = batchgen(tmp_path, "run", name, "--sandbox", "--json")
    assert (done.returncode, json.loads(done.stdout)["out"]) == (0, "outputs/gr\\xf6\\xdfe-sandbox")
    status = json.loads(batchgen(tmp_path, "status", out, "--json").stdout)
    assert status["states"] == {"succeeded": 3}
    with (tmp_path / out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {line["manifest"] for line in csv.DictReader(file)} == {"gr\\xf6\\xdfe.csv"}
    assert batchgen(tmp_path, "export", out, "--format", "videofolder").returncode == 0
    again = batchgen(tmp_path, "run", name, "--sandbox")
    assert b"gr\\xf6\\xdfe" in again.stdout


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "jsonl", "csv.zst"])
def test_every_format_is_read_under_such_a_name(kind: str, tmp_path: Path) -> None:
    case = next((ROOT / "tests" / "manifest" / "valid").glob(f"*.{kind}"), tmp_path / "plain.parquet")
    if kind == "parquet":
        columns = {"provider": "kie", "model": "m", "scene": "text-to-video", "prompt": "A cat"}
        parquet.write_table(pyarrow.table({name: [value] for name, value in columns.items()}), case)
    copy = tmp_path / f"{LATIN}.{kind}"
    shutil.copy(case, copy)
    plain, found = (survey([path], ReadOptions(), PriceTable.load()) for path in (case, copy))
    assert (found.rows, found.problems) == (plain.rows, plain.problems)
    assert found.rows


def test_what_is_missing_is_named_with_codes(tmp_path: Path) -> None:
    done = batchgen(tmp_path, "validate", f"{LATIN}.csv", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["problems"][0]["message"] == 'There is no file "gr\\xf6\\xdfe.csv".'
    assert b'"gr\\xf6\\xdfe.csv"' in batchgen(tmp_path, "validate", f"{LATIN}.csv").stdout


def test_a_usual_name_works_where_the_system_speaks_ascii(tmp_path: Path) -> None:
    shutil.copy(ROOT / "manifests" / "examples.csv", tmp_path / "größe.csv")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = batchgen(tmp_path, "run", "größe.csv", "--sandbox", "--no-download", "--json", **plain)
    assert (done.returncode, json.loads(done.stdout)["states"]) == (0, {"succeeded": 3})
    with (tmp_path / "outputs" / "größe-sandbox" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {line["manifest"] for line in csv.DictReader(file)} == {"größe.csv"}
