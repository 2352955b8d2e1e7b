"""Makes the cases that an office program really saved: `python tests/manifest/make_office_cases.py` (LibreOffice).

Two ways in: a CSV that LibreOffice opens as a person's double click does (it makes times of 16:9 and dates of
1-2), and a workbook with formulas, hidden rows and several sheets. LibreOffice saves both in many formats.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import openpyxl

HERE = Path(__file__).parent
TYPED = '''id,provider,model,scene,prompt,options.aspect_ratio,options.duration,options.seed:int,campaign,due
a,kie,m,text-to-video,"Ein Kätzchen, schwarz – schön",16:9,10,7,Frühling,2026-03-01
b,kie,m,text-to-video,"Two
lines",9:16,5,,Frühling,
c,kie,m,text-to-video,"Ein ""Zitat""",1:1,5,12,Sommer,2026-06-01
'''
DAMAGED = """id,provider,model,scene,prompt,options.duration,options.code
a,kie,m,text-to-video,3/4,10,x
b,kie,m,text-to-video,12:30,10,x
c,kie,m,text-to-video,fine,10,1234567890123456789
"""


def workbook(path: Path) -> None:
    """A plan as people keep it: a title, a second sheet, formulas, a hidden row, an error, padded numbers."""
    book = openpyxl.Workbook()
    notes = book.active
    notes.title = "Notes"
    notes.append(["Written by the agency"])
    sheet = book.create_sheet("Videos")
    sheet.append(["Plan for the spring campaign"])
    sheet.append([])
    sheet.append(["id", "provider", "model", "scene", "prompt", "options.duration", "subject", "cost"])
    sheet.append([7, "kie", "m", "text-to-video", '="A "&G4&" in the snow"', 5, "cat", "=F4*2"])
    sheet.append([8, "kie", "m", "text-to-video", '="A "&G5&" in the snow"', 10, "dog", "=NA()"])
    sheet.append([9, "kie", "m", "text-to-video", "A fox", 2.5, "fox", True])
    for row in (4, 5, 6):
        sheet.cell(row, 1).number_format = "000"
    sheet.row_dimensions[5].hidden = True
    book.save(path)


def errors(path: Path) -> None:
    """A formula that fails where a prompt should be."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["provider", "model", "scene", "prompt"])
    sheet.append(["kie", "m", "text-to-video", "=NA()"])
    sheet.append(["kie", "m", "text-to-video", '="x"&"y"'])
    sheet.append(["kie", "m", "text-to-video", "=1/0"])
    book.save(path)


def convert(source: Path, to: str, out: Path, *, opened_as: str = "") -> None:
    """Open `source` in LibreOffice and save it as `out`."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["soffice", "--headless", f"-env:UserInstallation=file://{folder}/profile"]
        command += [f"--infilter={opened_as}"] if opened_as else []
        subprocess.run(
            [*command, "--convert-to", to, "--outdir", folder, str(source)], check=True, capture_output=True
        )
        made = next(Path(folder).glob(f"{source.stem}.*"))
        shutil.move(made, out)


def expect(path: Path, about: str, **options: str) -> None:
    file = path.with_name(path.name + ".expected.json")
    file.write_text(json.dumps({"about": about, "options": options}, ensure_ascii=False), encoding="utf-8")


def main() -> None:
    valid, invalid = HERE / "valid", HERE / "invalid"
    csv = "csv:Text - txt - csv (StarCalc):"
    typed_in = "CSV:44,34,76,1,,0,false,true"
    with tempfile.TemporaryDirectory() as folder:
        typed, damaged = Path(folder) / "typed.csv", Path(folder) / "damaged.csv"
        typed.write_text(TYPED, encoding="utf-8")
        plain = Path(folder) / "plain.csv"
        plain.write_text(
            TYPED.replace("16:9", "wide").replace("9:16", "tall").replace("1:1", "square"), encoding="utf-8"
        )
        damaged.write_text(DAMAGED, encoding="utf-8")
        plan, failing = Path(folder) / "plan.xlsx", Path(folder) / "failing.xlsx"
        workbook(plan)
        errors(failing)
        for source, to, out, about, options in (
            (typed, "xlsx:Calc MS Excel 2007 XML", valid / "office-typed.xlsx", "typed 16:9 became times", {}),
            (typed, "xls:MS Excel 97", valid / "office-typed.xls", "the same in the old format", {}),
            (typed, "ods", valid / "office-typed.ods", "the same in OpenDocument", {}),
            (typed, f"{csv}59,34,76", invalid / "office-ratio.csv", "16:9 became 04:09:00 PM in the CSV too", {}),
            (plain, f"{csv}59,34,76", valid / "office-semicolon.csv", "saved as CSV with semicolons", {}),
            (plain, f"{csv}9,34,65535", valid / "office-utf16.csv", "saved as UTF-16 with tabs", {}),
            (plain, f"{csv}59,34,1", valid / "office-cp1252.csv", "Windows text", {"encoding": "cp1252"}),
            (typed, f"{csv}59,34,1", invalid / "office-cp1252.csv", "Windows text, not announced", {}),
            (damaged, "xlsx:Calc MS Excel 2007 XML", invalid / "office-damaged.xlsx", "dates, times, rounded", {}),
            (damaged, "ods", invalid / "office-damaged.ods", "the same in OpenDocument", {}),
        ):
            convert(source, to, out, opened_as=typed_in)
            expect(out, about, **options)
        for source, to, out, about, options in (
            (
                plan,
                "xlsx:Calc MS Excel 2007 XML",
                valid / "office-plan.xlsx",
                "title, sheets, formulas, hidden",
                {},
            ),
            (plan, "xlsx:Calc MS Excel 2007 XML", invalid / "office-sheet.xlsx", "--sheet", {"sheet": "Notes"}),
            (plan, "xlsx:Calc MS Excel 2007 XML", invalid / "office-no-sheet.xlsx", "--sheet", {"sheet": "Video"}),
            (failing, "xlsx:Calc MS Excel 2007 XML", invalid / "office-errors.xlsx", "formulas that fail", {}),
        ):
            convert(source, to, out)
            expect(out, about, **options)
        shutil.copy(plan, invalid / "never-computed.xlsx")
        expect(invalid / "never-computed.xlsx", "formulas that no program has worked out")


if __name__ == "__main__":
    main()
