"""manifest -> rows -> validated jobs -> plan + estimated credits -> attempts (POST) -> tasks (GET)
-> video files -> results.csv, report.html, with the ledger beside all of it.

The library has the same words as the command line:

    import batchgen

    batchgen.validate("spring.csv").valid
    batchgen.estimate("spring.csv").credits
    batchgen.run("spring.csv", sandbox=True).results()  # a pandas DataFrame
"""

import importlib
import logging
from typing import TYPE_CHECKING, Any

from batchgen.errors import (
    BatchgenError,
    BatchgenWarning,
    CapError,
    Exit,
    LedgerBusy,
    LedgerError,
    LedgerWriteError,
    ManifestError,
    OutputError,
    ServiceRefused,
    UsageError,
)
from batchgen.job import Problem

if TYPE_CHECKING:
    from batchgen.check.findings import Survey
    from batchgen.running.after import Status, export, report, review, share, status
    from batchgen.running.before import estimate, plan, validate
    from batchgen.running.event import Event
    from batchgen.running.library import Run, acollect, arun, collect, resolve, retry, run
    from batchgen.running.shown import Estimate, Plan

__version__ = "0.1.0"

__all__ = [
    "BatchgenError",
    "BatchgenWarning",
    "CapError",
    "Estimate",
    "Event",
    "Exit",
    "LedgerBusy",
    "LedgerError",
    "LedgerWriteError",
    "ManifestError",
    "OutputError",
    "Plan",
    "Problem",
    "Run",
    "ServiceRefused",
    "Status",
    "Survey",
    "UsageError",
    "__version__",
    "acollect",
    "arun",
    "collect",
    "estimate",
    "export",
    "plan",
    "report",
    "resolve",
    "retry",
    "review",
    "run",
    "share",
    "status",
    "validate",
]

#: Where each name lives that is loaded when it is asked for: `import batchgen` and `batchgen --help` stay quick.
_WHERE = {
    "check.findings": ("Survey",),
    "running.after": ("Status", "export", "report", "review", "share", "status"),
    "running.before": ("estimate", "plan", "validate"),
    "running.event": ("Event",),
    "running.library": ("Run", "acollect", "arun", "collect", "resolve", "retry", "run"),
    "running.shown": ("Estimate", "Plan"),
}

logging.getLogger("batchgen").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    for module, names in _WHERE.items():
        if name in names:
            return getattr(importlib.import_module(f"batchgen.{module}"), name)
    raise AttributeError(f"module 'batchgen' has no attribute {name!r}")
