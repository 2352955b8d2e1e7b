"""The sandbox: a local stand-in for the paid service, with faults on demand and books of its own.

It imports nothing of the client, on purpose: its audit is an independent account of what was bought, which
tests compare with the client's ledger.
"""

from .audit import Audit
from .options import Options
from .server import SandboxServer, serve

__all__ = ["Audit", "Options", "SandboxServer", "list_faults", "serve"]


def list_faults() -> str:
    """The fault table as Markdown."""
    from . import faults

    return faults.list_faults()
