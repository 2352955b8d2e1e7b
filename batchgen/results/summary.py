"""A run in a few numbers: what stands beside the results on the page and in every exported file."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credits:
    """Amounts in whole units of the service (`Summary.unit`).

    `charged` is gross; `cap` None is no cap (0 is a cap: it spends nothing).
    """

    estimated: int | float = 0
    charged: int | float = 0
    refunded: int | float = 0
    reserved: int | float = 0
    in_doubt: int | float = 0
    cap: int | float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What `status` says of an OUT, as data.

    `out` is the name of the folder, `folder` the way to it as a person types it in a command ("" where nobody
    said it), `states` how many results have each state, `service` the host of the
    base URL, `prices` the version of the price table, `version` batchgen's own. Times are seconds since 1970
    (UTC): `started_at` is the first submission that OUT ever saw (it stays the same from run to run),
    `finished_at` the last end of a task, or None while something still runs; `written_at` is now. `ledger` is
    the id that the ledger was given when it was made: it names this OUT, also where another has the same name.
    """

    out: str
    states: Mapping[str, int] = field(default_factory=dict)
    credits: Credits = field(default_factory=Credits)
    started_at: float | None = None
    finished_at: float | None = None
    written_at: float | None = None
    version: str = ""
    prices: str = ""
    service: str = ""
    ledger: str = ""
    folder: str = ""
    unit: str = "credits"
