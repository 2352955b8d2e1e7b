"""manifest -> rows -> validated jobs -> plan + estimated credits -> attempts (POST) -> tasks (GET)
-> video files -> results.csv, report.html, with the ledger beside all of it.

The library has the same words as the command line:

    import batchgen

    batchgen.validate("spring.csv").valid
    batchgen.estimate("spring.csv").credits
    batchgen.run("spring.csv", sandbox=True).results()  # a pandas DataFrame
"""

import importlib
from typing import TYPE_CHECKING, Any

from batchgen.errors import BatchgenError, CapError, LedgerError, ManifestError, ServiceRefused, UsageError

if TYPE_CHECKING:
    from batchgen.running.library import Run, estimate, run, validate

__version__ = "0.1.0"

__all__ = [
    "BatchgenError",
    "CapError",
    "LedgerError",
    "ManifestError",
    "Run",
    "ServiceRefused",
    "UsageError",
    "__version__",
    "estimate",
    "run",
    "validate",
]


def __getattr__(name: str) -> Any:
    # Loaded when asked for, so that `import batchgen` and `batchgen --help` stay quick.
    if name in ("Run", "estimate", "run", "validate"):
        return getattr(importlib.import_module("batchgen.running.library"), name)
    raise AttributeError(f"module 'batchgen' has no attribute {name!r}")
