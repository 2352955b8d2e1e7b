"""Headers that people and programs write: understood, or said; never read at a cost that grows out of hand."""

import json
from pathlib import Path

import pytest

from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, Survey, jobs, survey
from batchgen.job import Job

ROW = ("kie", "m", "text-to-video", "A cat")


def _survey(path: Path) -> Survey:
    return survey([path], ReadOptions(), PriceTable.load())


def _codes(found: Survey) -> list[str]:
    return [problem.code for problem in found.problems]


@pytest.mark.parametrize("columns", [40_000, 20_000])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_mad_header_is_one_sentence(tmp_path: Path, columns: int, form: str) -> None:
    """40,000 columns once were a traceback, and 20,000 took more than a minute."""
    path = tmp_path / f"wide.{form}"
    names = [f"column number {number}" for number in range(columns)]
    if form == "csv":
        path.write_text("provider,model,scene,prompt," + ",".join(names) + "\n" + ",".join(ROW) + "\n")
    else:
        row = dict(zip(("provider", "model", "scene", "prompt"), ROW, strict=True))
        path.write_text(json.dumps(row | dict.fromkeys(names, 1)) + "\n")
    found = _survey(path)
    if form == "csv" or columns > 32_768:
        assert _codes(found) == ["too_many_columns"]
    else:
        assert found.valid == 1


def test_the_widest_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    names = [f"c{number}" for number in range(16_380)]
    path.write_text("provider,model,scene,prompt," + ",".join(names) + "\n" + ",".join(ROW) + "," * 16_380 + "\n")
    assert _survey(path).valid == 1


@pytest.mark.parametrize("name", ["aspectRatio", "AspectRatio", "aspect ratio", "Aspect-Ratio:", "ASPECT_RATIO"])
def test_an_option_without_its_prefix_is_said_in_every_format(tmp_path: Path, name: str) -> None:
    """What it says would be left out of every video in silence."""
    sheet, lines = tmp_path / "m.csv", tmp_path / "m.jsonl"
    sheet.write_text(f"provider,model,scene,prompt,{name}\n{','.join(ROW)},9:16\n")
    row = dict(zip(("provider", "model", "scene", "prompt"), ROW, strict=True)) | {name: "9:16"}
    lines.write_text(json.dumps(row) + "\n")
    for path in (sheet, lines):
        assert [warning.code for warning in _survey(path).warnings] == ["not_sent"], path.name


@pytest.mark.parametrize(
    "name", ["campaign", "brandName", "SKU", "image_link", "Market (EU)", "Notes", "seconds left"]
)
def test_what_is_plainly_ones_own_is_quiet(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"provider,model,scene,prompt,{name}\n{','.join(ROW)},x\n")
    found = _survey(path)
    assert (found.problems, found.warnings, found.notes) == ((), (), ())


def test_own_columns_of_one_name_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"provider,model,scene,prompt,note,note,note (2),note\n{','.join(ROW)},a,b,c,d\n")
    (job,) = (job for job in jobs([path], ReadOptions(), PriceTable.load()) if isinstance(job, Job))
    assert {name: text for name, text in job.cells.items() if name != "prompt"} == {
        "note": "a", "note (3)": "b", "note (2)": "c", "note (4)": "d",
    }  # fmt: skip


def test_a_misspelt_header_is_said_once_and_not_in_every_row_of_the_fix_file(tmp_path: Path) -> None:
    from batchgen.check.fix import write_fix

    path = tmp_path / "m.csv"
    path.write_text("id,provider,model,scene,Promt\n" + "".join(f"r{n},kie,m,text-to-video,x\n" for n in range(9)))
    found = _survey(path)
    assert (_codes(found), found.invalid) == (["unknown_column"], 9)
    assert found.problems[0].message.endswith("This explains 9 rows.")
    write_fix([path], ReadOptions(), tmp_path / "fix.csv")
    assert (tmp_path / "fix.csv").read_text(encoding="utf-8-sig").count("Did you mean") == 1
