"""A spreadsheet file (XLSX) of text cells, written as a stream: one sheet, a bold frozen header line.

Every cell is text, so that no program turns 16:9 into a time or 001 into 1. Written by hand (ECMA-376,
inline strings) because it is forty lines, streams, and needs no further package.
"""

import re
import zipfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO
from xml.sax.saxutils import escape

#: The most that a cell of the format may hold, in characters, and the most lines of a sheet.
CELL_LIMIT = 32_767
ROW_LIMIT = 1_048_576

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_DOCUMENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_DOCUMENT}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_DOCUMENT}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_DOCUMENT}.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets>'
    '<sheet name="Rows" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_REL}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_REL}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><fonts count="2">'
    '<font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="1"><fill><patternFill '
    'patternType="none"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/>'
    '</cellStyleXfs><cellXfs count="2"><xf numFmtId="49" applyNumberFormat="1"/><xf numFmtId="49" fontId="1" '
    'applyNumberFormat="1" applyFont="1"/></cellXfs></styleSheet>',
}
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile("_x[0-9A-Fa-f]{4}_")


def write_workbook(file: BinaryIO, header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write header and rows to `file`, and say how many rows there are. ValueError beyond a sheet's limits."""
    count = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _PARTS.items():
            archive.writestr(name, _HEAD + text)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            widths = "".join(
                f'<col min="{i}" max="{i}" width="{_width(name)}" customWidth="1"/>'
                for i, name in enumerate(header, 1)
            )
            frozen = '<pane ySplit="1" topLeftCell="A2" state="frozen"/>'
            sheet.write(
                f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">{frozen}</sheetView>'
                f"</sheetViews><cols>{widths}</cols><sheetData>".encode()
            )
            sheet.write(_row(1, header, 1))
            for count, cells in enumerate(rows, 1):
                if count >= ROW_LIMIT:
                    raise ValueError(f"a sheet holds {ROW_LIMIT:,} lines at most")
                sheet.write(_row(count + 1, cells, 0))
            sheet.write(b"</sheetData></worksheet>")
    return count


def _width(name: str) -> int:
    return 60 if name in ("prompt", "problem") else max(12, min(30, len(name) + 4))


def _row(number: int, cells: Sequence[str], style: int) -> bytes:
    parts = [f'<row r="{number}">']
    for index, text in enumerate(cells):
        if text:
            parts.append(f'<c r="{_letters(index)}{number}" s="{style}" t="inlineStr"><is><t xml:space="preserve">')
            parts.append(cell_text(text))
            parts.append("</t></is></c>")
    parts.append("</row>")
    return "".join(parts).encode("utf-8")


def cell_text(text: str) -> str:
    """A text as the format has it: XML, what XML can't hold as _xHHHH_ (ECMA-376, ST_Xstring)."""
    if len(text) > CELL_LIMIT:
        raise ValueError(f"a cell holds {CELL_LIMIT:,} characters at most")
    text = _ESCAPED.sub(lambda found: f"_x005F{found[0]}", text)
    text = _FORBIDDEN.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    return escape(text).replace("\r", "_x000D_")


def _letters(index: int) -> str:
    from batchgen.manifest.entry import cell_name

    return cell_name(index, 0)[:-1]
