"""Rows keep their identity: sorted, inserted, edited, mended or fed back, they are who they were."""

import csv
import random
from pathlib import Path

import pytest

from batchgen.check.fix import write_fix
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, jobs, survey
from batchgen.job import RESULT_COLUMNS, InvalidRow, Job
from batchgen.results.formula import guard

PRICES = PriceTable.load()
HEADER = ["provider", "model", "scene", "prompt", "campaign"]


def write(path: Path, rows: list[list[str]], header: list[str] | None = None) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header or HEADER, *rows])
    return path


def row(prompt: str, campaign: str = "") -> list[str]:
    return ["kie", "m", "text-to-video", prompt, campaign]


def read(*paths: Path, known: object = None) -> list[Job | InvalidRow]:
    return list(jobs(paths, ReadOptions(), PRICES))


def ids(*paths: Path) -> list[str]:
    return [job.job_id for job in read(*paths)]


def test_sorting_and_inserting_rows_renames_none(tmp_path: Path) -> None:
    rows = [row(f"A cat no. {number}") for number in range(30)]
    before = {
        job.request["prompt"]: job.job_id for job in read(write(tmp_path / "a.csv", rows)) if isinstance(job, Job)
    }
    random.Random(1).shuffle(rows)
    after = read(write(tmp_path / "a.csv", [row("A new one"), *rows]))
    assert {job.request["prompt"]: job.job_id for job in after[1:] if isinstance(job, Job)} == before
    assert after[0].job_id not in before.values()


def test_own_columns_line_ends_and_encodings_are_no_part_of_who_a_row_is(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", [row("Ein Kätzchen", "spring")])
    two = tmp_path / "b.csv"
    two.write_bytes("\ufeffprompt;scene;model;provider\r\nEin Kätzchen;text-to-video;m;kie\r\n".encode("utf-16-le"))
    three = tmp_path / "c.yaml"
    three.write_text("- {provider: kie, model: m, scene: text-to-video, prompt: Ein Kätzchen}\n", encoding="utf-8")
    assert ids(one) == ids(two) == ids(three)


def test_rows_that_are_the_same_are_numbered_and_said_with_their_credits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row("A cat"), row("A dog"), row("A cat"), row("A cat")])
    first, _, second, third = ids(path)
    assert (second, third) == (f"{first}-2", f"{first}-3")
    found = survey([path], ReadOptions(), PRICES)
    assert (found.duplicates.rows, found.duplicates.credits) == (2, 12)
    assert [warning.message for warning in found.warnings] == [
        "This row is the same as row 1 (line 2): made again for 6 credits."
    ] * 2


def test_repeat_is_meant_and_not_said(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "- {provider: kie, model: m, scene: text-to-video, prompt: A cat, repeat: 3}\n", encoding="utf-8"
    )
    first, *others = ids(path)
    assert others == [f"{first}-2", f"{first}-3"]
    found = survey([path], ReadOptions(), PRICES)
    assert found.duplicates.rows == found.warnings_total == 0


def test_an_id_stands_for_one_row_in_all_manifests_of_a_run(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", [["x", *row("A cat")]], ["id", *HEADER])
    two = write(tmp_path / "b.csv", [["x", *row("A dog")]], ["id", *HEADER])
    found = survey([one, two], ReadOptions(), PRICES)
    assert [(p.manifest, p.code, p.message) for p in found.problems] == [
        (str(two), "duplicate_id", f'The id "x" is already that of row 1 (line 2) of {one}.')
    ]


def test_a_made_id_that_a_row_has_as_its_own_is_not_given_again(tmp_path: Path) -> None:
    """A row without an id would get the name that another row has already: nobody may pay for both unseen."""
    one = write(tmp_path / "a.csv", [row("A cat")])
    made = ids(one)[0]
    two = write(tmp_path / "b.csv", [[made, *row("A dog")]], ["id", *HEADER])
    found = survey([one, two], ReadOptions(), PRICES)
    assert [(p.manifest, p.code) for p in found.problems] == [(str(one), "duplicate_id")]


def test_a_mended_row_replaces_the_bad_one_in_a_run_of_both_files(tmp_path: Path) -> None:
    """--fix, then the cells corrected, then both files: each row once, no problem left."""
    path = write(
        tmp_path / "plan.csv", [row("A cat", "a"), row("", "b"), ["kie", "m", "txt", "A fox", "c"], row("", "b")]
    )
    fix = tmp_path / "plan.fix.csv"
    assert write_fix([path], ReadOptions(), fix) == 3
    with fix.open(encoding="utf-8-sig", newline="") as file:
        header, *bad = list(csv.reader(file))
    assert header == ["id", *HEADER, "problem"]
    assert [cells[header.index("campaign")] for cells in bad] == ["b", "c", "b"]
    assert "prompt is blank" in bad[0][-1]
    assert ids(path)[1] == bad[0][0]
    for number, cells in enumerate(bad):
        cells[header.index("scene")] = "text-to-video"
        cells[header.index("prompt")] = f"A mended cat no. {number}"
    write(fix, bad, header)
    assert not survey([fix], ReadOptions(), PRICES).problems
    both = survey([path, fix], ReadOptions(), PRICES)
    assert (both.rows, both.valid, both.problems) == (4, 4, ())
    assert ids(path, fix) == ids(fix, path)[-1:] + ids(fix, path)[:-1]


def test_in_one_file_a_bad_row_is_not_forgotten_for_a_good_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [["x", *row("A cat")], ["x", *row("")]], ["id", *HEADER])
    found = survey([path], ReadOptions(), PRICES)
    assert {problem.code for problem in found.problems} == {"missing_prompt", "duplicate_id"}


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_fix_file_of_any_ending_reads_back_with_the_same_problems(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / "a.csv", [row("=A1", "x"), row("", "y"), ["kie", "m", "", "two\nlines", "z"]])
    fix = tmp_path / f"bad{ending}"
    assert write_fix([path], ReadOptions(), fix) == 2
    again = survey([fix], ReadOptions(), PRICES)
    assert [problem.code for problem in again.problems] == ["missing_prompt", "missing_scene"]


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_a_fix_file_has_the_separator_of_the_manifest_and_all_that_the_rows_say(
    tmp_path: Path, separator: str
) -> None:
    """A row that is too long keeps what is too much, as a problem, until a person moves it."""
    lines = (
        ["id", "provider", "model", "scene", "prompt", ""],
        ["x", *row("A cat")[:4], "lost", "soft light", "end"],
    )
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{separator.join(cells)}\r\n" for cells in lines), encoding="utf-8")
    fix = tmp_path / "a.fix.csv"
    assert write_fix([path], ReadOptions(), fix) == 1
    header, cells = csv.reader(fix.read_text(encoding="utf-8-sig").splitlines(), delimiter=separator)
    assert header == ["id", "provider", "model", "scene", "prompt", "", "problem"]
    assert cells[:-1] == ["x", *row("A cat")[:4], "lost ; soft light ; end"]
    assert [problem.code for problem in survey([fix], ReadOptions(), PRICES).problems] == ["missing_header"]


def test_a_fix_file_must_not_be_the_manifest(tmp_path: Path) -> None:
    from batchgen.errors import UsageError

    path = write(tmp_path / "a.csv", [row("")])
    before = path.read_bytes()
    with pytest.raises(UsageError):
        write_fix([path], ReadOptions(), path)
    with pytest.raises(UsageError):
        write_fix([path], ReadOptions(), tmp_path / "a.txt")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["fix.csv", "fix.xlsx"])
def test_a_fix_file_that_somebody_corrected_is_never_written_over(tmp_path: Path, name: str) -> None:
    from batchgen.errors import UsageError

    path, fix = write(tmp_path / "a.csv", [row(""), row("A cat")]), tmp_path / name
    assert write_fix([path], ReadOptions(), fix) == 1
    assert write_fix([path], ReadOptions(), fix) == 1, "the same again changes nothing"
    corrected = fix.read_bytes() + b"\n"
    fix.write_bytes(corrected)
    with pytest.raises(UsageError, match="already"):
        write_fix([path], ReadOptions(), fix)
    assert fix.read_bytes() == corrected


def results_csv(path: Path, found: list[Job | InvalidRow], task_id: str) -> Path:
    """A results.csv as a run writes it, with guarded cells."""
    names = list(found[0].cells)
    lines = []
    for job in found:
        assert isinstance(job, Job)
        cells = {"job_id": job.job_id, "task_id": task_id, "state": "succeeded", **job.request, **job.cells}
        lines.append([guard(str(cells.get(name, ""))) for name in (*RESULT_COLUMNS, *names)])
    return write(path, lines, [*RESULT_COLUMNS, *names])


def test_a_results_csv_fed_back_holds_the_same_jobs(tmp_path: Path) -> None:
    rows = [row("=1+1 cats"), row("'=quoted"), row("- a dash"), row("A cat", "+49"), row("A cat", "+49")]
    first = read(write(tmp_path / "a.csv", rows))
    again = read(results_csv(tmp_path / "results.csv", first, "t-1"))
    assert [(job.job_id, job.fingerprint, job.cells) for job in again if isinstance(job, Job)] == [
        (job.job_id, job.fingerprint, job.cells) for job in first if isinstance(job, Job)
    ]
    assert all(isinstance(job, Job) and job.task_id == "t-1" for job in again)


def test_a_task_id_that_the_output_does_not_know_is_a_problem(tmp_path: Path) -> None:
    first = read(write(tmp_path / "a.csv", [row("A cat")]))
    path = results_csv(tmp_path / "results.csv", first, "t-1")
    known = survey([path], ReadOptions(), PRICES, knows=lambda row: row.task_id == "t-1")
    unknown = survey([path], ReadOptions(), PRICES, knows=lambda _: False)
    assert not known.problems
    assert [problem.code for problem in unknown.problems] == ["paid_elsewhere"]


def test_the_digest_changes_with_every_file_that_was_read(tmp_path: Path) -> None:
    products, path = tmp_path / "products.csv", tmp_path / "a.yaml"
    path.write_text(
        "- {provider: kie, model: m, scene: text-to-video, prompt: 'A {{ name }}', rows: products.csv}\n",
        encoding="utf-8",
    )
    seen = set()
    for text in ("name\nmug\n", "name\nlamp\n"):
        products.write_text(text, encoding="utf-8")
        seen.add(survey([path], ReadOptions(), PRICES).digest)
    seen.add(survey([path], ReadOptions(), PriceTable.load({"kie": 9})).digest)
    assert len(seen) == 3
    assert survey([path], ReadOptions(), PRICES).digest in seen


def test_what_a_sheet_can_not_hold_is_said_and_no_half_file_stays(tmp_path: Path) -> None:
    from batchgen.errors import UsageError

    path = write(tmp_path / "a.csv", [["kie", "m", "text", "long " * 8000, ""]])
    with pytest.raises(UsageError, match="32,767"):
        write_fix([path], ReadOptions(), tmp_path / "bad.xlsx")
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]
