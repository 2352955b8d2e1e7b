"""Results -> report.html: one page beside videos/ that works from disk, without a network.

results -> chunks (compact columns as JSON) -> page (template, style and scripts inlined) -> the browser draws.
"""

from batchgen.results.page.page import JOBS_SHOWN, write_report

__all__ = ["JOBS_SHOWN", "write_report"]
