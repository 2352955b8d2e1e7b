"""Every row of the manifests as it is kept, in their order: for the spool, and for plans."""

from collections.abc import Iterator

from batchgen.check.assembly import Assembly
from batchgen.check.findings import Survey
from batchgen.check.identity import JobIds
from batchgen.check.line import Line
from batchgen.check.prices import PriceTable
from batchgen.check.survey import Knows, Paths, settle, verdicts
from batchgen.check.verdict import judge
from batchgen.manifest import Manifest, ReadOptions, Unreadable, sniff
from batchgen.manifest.cells import Cells
from batchgen.manifest.csv import Sheet, understand_header


def lines(
    paths: Paths, options: ReadOptions, prices: PriceTable, surveyed: Survey, *, knows: Knows | None = None
) -> Iterator[Line]:
    """A line for each row that counts, all of them selected. `surveyed` is what was found in the same files."""
    names = JobIds(surveyed.identities)
    all_good = surveyed.rows == surveyed.valid and not surveyed.file_problems and not options.select
    for path in dict.fromkeys(paths):
        if all_good and prices.catalogue.is_gateway and _is_csv(path):
            yield from _of_table(path, options, prices, names, knows)
        else:
            for verdict in verdicts([path], options, prices, knows, surveyed, names):
                yield Line.of(verdict.job())


def _is_csv(path: object) -> bool:
    try:
        return sniff(path) == "csv"  # type: ignore[arg-type]
    except Unreadable:
        return False


def _of_table(
    path: object, options: ReadOptions, prices: PriceTable, names: JobIds, knows: Knows | None
) -> Iterator[Line]:
    """The rows of a CSV file that are all good: those of the header's width by their words, others with care."""
    manifest = Manifest(str(path), iter(()))
    sheet = Sheet(path, options, titled=True)  # type: ignore[arg-type]
    header = understand_header(sheet.header, manifest, options)
    cells, assembly = Cells(manifest, header), Assembly(header, manifest, prices)
    number, width = 0, assembly.width if assembly.usable else -1
    asked = None if names.is_plain else names
    for record in sheet.records():
        if cells.is_no_row(record.line, record.number, record.cells):
            continue
        number += 1
        if len(record.cells) == width:
            yield assembly.line(record.cells, number, record.line, asked)
        else:
            entry = cells.entry(number, record.line, record.number, record.cells)
            if verdict := settle(judge(entry, manifest, prices, knows), names):
                yield Line.of(verdict.job())
