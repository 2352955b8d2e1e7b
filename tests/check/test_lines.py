"""Lines made by the words of a table's rows are those that the careful pass makes of the same rows."""

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from test_quick_equals_careful import EXAMPLES, sheets

from batchgen.check import assembly
from batchgen.check.line import Line
from batchgen.check.lines import lines
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, jobs, survey
from batchgen.job import Job
from batchgen.manifest import Unreadable
from batchgen.manifest.csv import Sheet

PRICES = PriceTable.load()
READ = ReadOptions()


def known(_row: object) -> bool:
    """What a row says was bought, this folder knows."""
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def only_good(path: Path) -> Path:
    """The same table without the rows that are no jobs."""
    good = {row.row for row in jobs([path], READ, PRICES, knows=known) if isinstance(row, Job)}
    try:
        sheet = Sheet(path, READ, titled=True)
        records = list(sheet.records())
    except Unreadable:
        return path
    new = path.with_name("good.csv")
    with new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=sheet.delimiter)
        writer.writerow(sheet.header.cells)
        number = 0
        for record in records:
            filled = any(cell and not cell.isspace() for cell in record.cells)
            number += filled
            if not filled or number in good:
                writer.writerow(record.cells)
    return new


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=sheets())
def test_words_put_into_a_pattern_give_what_care_gives(folder: Path, data: bytes) -> None:
    path = folder / "sheet.csv"
    path.write_bytes(data)
    table = only_good(path)
    found = survey([table], READ, PRICES, knows=known)
    assume(found.rows and found.rows == found.valid and not found.file_problems)
    with_care = [Line.of(row) for row in jobs([table], READ, PRICES, knows=known, surveyed=found)]
    assert list(lines([table], READ, PRICES, found, knows=known)) == with_care


def test_rows_that_are_the_same_get_numbers_behind_their_ids(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "MOST", 1)
    path = folder / "twice.csv"
    rows = [f"kie,m{n % 3},text-to-video,100 % of {n % 2}" for n in range(12)]
    path.write_text("\n".join(["provider,model,scene,prompt", *rows]), encoding="utf-8")
    found = survey([path], READ, PRICES)
    named = list(lines([path], READ, PRICES, found))
    assert named == [Line.of(row) for row in jobs([path], READ, PRICES, surveyed=found)]
    assert len({line.job_id for line in named}) == 12
    assert {line.job_id[16:] for line in named} == {"", "-2"}


def test_a_table_with_a_bad_row_is_read_with_care(folder: Path) -> None:
    path = folder / "bad.csv"
    path.write_text("provider,model,scene,prompt\nkie,m,opera,a\nkie,m,text-to-video,b\n", encoding="utf-8")
    found = survey([path], READ, PRICES)
    first, second = lines([path], READ, PRICES, found)
    assert (first.problems is None, first.selected, first.fingerprint) == (False, 0, "")
    assert (second.problems, second.number, second.price) == (None, 2, 6)
