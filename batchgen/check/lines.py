"""Every row of the manifests as it is kept, in their order: for the spool, and for plans."""

from collections.abc import Iterator

from batchgen.check.findings import Survey
from batchgen.check.identity import JobIds
from batchgen.check.line import Line
from batchgen.check.prices import PriceTable
from batchgen.check.survey import Knows, Paths, verdicts
from batchgen.manifest import ReadOptions


def lines(
    paths: Paths, options: ReadOptions, prices: PriceTable, surveyed: Survey, *, knows: Knows | None = None
) -> Iterator[Line]:
    """A line for each row that counts, all of them selected. `surveyed` is what was found in the same files."""
    names = JobIds(surveyed.identities)
    for path in dict.fromkeys(paths):
        for verdict in verdicts([path], options, prices, knows, surveyed, names):
            yield Line.of(verdict.job())
