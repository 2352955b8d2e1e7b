"""`validate --format`: the same findings for a person, a program, a pull request's lines and its comment."""

import json

import pytest
from desk import Desk

BAD = "x%,y:1,kie,m,text-to-video,\nb,kie,m,image-to-video,see\n"


def sheet(desk: Desk, name: str = "m.csv") -> str:
    desk.write(
        name, "a,kie,m,text-to-video,fine", "b,kie,m,text-to-video,", "c,kie,m,text-to-video, cut ", "c,,m,film,x"
    )
    return name


def test_github_marks_the_lines_of_the_file(desk: Desk) -> None:
    said = desk.give("validate", sheet(desk), "--format", "github")
    assert said.exit == 3
    lines = said.out.splitlines()
    assert lines[0].startswith("::error file=m.csv,line=3::")
    assert "prompt" in lines[0]
    assert sum(line.startswith("::error file=m.csv,line=5::") for line in lines) >= 2
    assert not lines[-1].startswith("::"), "the last line sums up"


def test_github_names_a_file_as_a_whole_and_every_name_is_quoted(desk: Desk) -> None:
    """A comma, a colon or a percent sign in a name would end the command's property; a line break the command."""
    said = desk.give("validate", "100%,a:b.csv", "--format", "github")
    assert said.out.startswith("::error file=100%25%2Ca%3Ab.csv::")
    assert 'There is no file "100%25,a:b.csv".' in said.out


def test_github_shows_warnings_as_warnings_and_the_cell_of_a_spreadsheet(desk: Desk) -> None:
    desk.write("m.csv", "a,kie,m,text-to-video")
    said = desk.give("validate", "m.csv", "--format", "github")
    assert said.out.count("::error ") == 1
    assert "::warning file=m.csv,line=2::" in said.out


def test_markdown_has_the_verdict_first_and_a_row_for_each_problem(desk: Desk) -> None:
    said = desk.give("validate", sheet(desk), "--format", "markdown")
    assert said.exit == 3
    first, _, rest = said.out.partition("\n")
    assert first.startswith("### Not ready: 4 rows: 2 good")
    assert "| line 3, cell E3 | prompt is blank" in rest
    assert desk.give("validate", desk.jobs("good.csv", "a"), "--format", "markdown").out.startswith(
        "### Ready: 1 row"
    )


def test_markdown_of_hostile_cells_stays_a_table(desk: Desk) -> None:
    desk.write("m.csv", "a,kie,m,|<b>`x`,p")
    said = desk.give("validate", "m.csv", "--format", "markdown")
    row = next(line for line in said.out.splitlines() if "line 2" in line)
    assert "<b>" not in row
    assert row.replace("\\|", "").count("|") == 4


@pytest.mark.parametrize("flags", [["--json"], ["--format", "json"], ["--format=json"]])
def test_json_is_one_document_whatever_goes_wrong(flags: list[str], desk: Desk) -> None:
    assert desk.give("validate", sheet(desk), *flags).json["invalid"] == 2
    (desk.folder / "empty").mkdir()
    assert desk.give("validate", "empty", *flags).json["problems"][0]["code"] == "no_manifests"
    assert desk.give("validate", "m.csv", "--sheat", "x", *flags).json["exit"] == 2


@pytest.mark.parametrize("format_", ["text", "json", "github", "markdown"])
def test_the_exit_code_is_the_same_in_every_format(format_: str, desk: Desk) -> None:
    assert desk.give("validate", sheet(desk), "--format", format_).exit == 3
    assert desk.give("validate", desk.jobs("good.csv", "a"), "--format", format_).exit == 0


def test_an_estimate_of_bad_rows_is_no_empty_comment(desk: Desk) -> None:
    said = desk.give("estimate", sheet(desk), "--format", "markdown")
    assert said.exit == 3
    assert said.out.startswith("### Not ready")
    assert json.loads(desk.give("estimate", "m.csv", "--format", "json").out)["complete"] is False
