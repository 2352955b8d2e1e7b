"""A run's numbers for Prometheus, as a text file that node_exporter's textfile collector (or a sidecar) reads.

The file is whole at any moment: a reader finds the old one or the new one. It is written every five seconds and at
the end of a run, and less often where reading the ledger takes longer than a twentieth of that.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batchgen.errors import BatchgenError, OutputError, UsageError
from batchgen.files import spelled, whole_file
from batchgen.job import State
from batchgen.ledger.clock import Clock
from batchgen.ledger.sqlite.store import reading
from batchgen.ledger.status import Status

#: Seconds between two files, and the share of the time that making them may take.
EVERY, SHARE = 5.0, 0.05


def metrics_text(document: Mapping[str, Any], run_id: str, wall: float) -> str:
    """The document of `status --json` as metrics. A cap that is not said is `+Inf`."""
    unit = "credits" if "credits" in document else "usd"
    amounts = document[unit]
    lines = [
        "# HELP batchgen_jobs Lines of results.csv, by state.",
        "# TYPE batchgen_jobs gauge",
        *(f'batchgen_jobs{{state="{state.value}"}} {document["states"].get(state.value, 0)}' for state in State),
        f"# HELP batchgen_{unit} Amounts of this folder; charged is gross.",
        f"# TYPE batchgen_{unit} gauge",
        *(
            f'batchgen_{unit}{{kind="{kind}"}} {"+Inf" if amount is None else amount}'
            for kind, amount in amounts.items()
        ),
        "# HELP batchgen_run_info The run that these numbers are of.",
        "# TYPE batchgen_run_info gauge",
        f'batchgen_run_info{{run_id="{_label(run_id)}",out="{_label(document["out"])}"}} 1',
        "# HELP batchgen_updated_seconds When this file was written, in seconds since 1970.",
        "# TYPE batchgen_updated_seconds gauge",
        f"batchgen_updated_seconds {wall:.3f}",
    ]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return spelled(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class MetricsFile:
    """The file of one run; without a path nothing is written."""

    def __init__(self, path: Path | None, out: Path, run_id: str, clock: Clock) -> None:
        self._path = path
        self._out = out
        self._run_id = run_id
        self._clock = clock
        self._due = 0.0

    def begin(self) -> None:
        """Write the first one. Raises UsageError where it can't be written: before anything is bought."""
        try:
            self._write()
        except OutputError as error:
            raise UsageError(
                f"--metrics-file: {error.message}", code="bad_metrics_file", hint="Name another place, or none."
            ) from None

    def keep(self) -> None:
        """Write it again when five seconds are over. A disk that refuses never stops a run."""
        if self._path is not None and self._clock.now() >= self._due:
            self.end()

    def end(self) -> None:
        """Write it now, for the last time or in between."""
        try:
            self._write()
        except BatchgenError:  # what counts is in the ledger
            self._due = self._clock.now() + EVERY

    def _write(self) -> None:
        if self._path is None:
            return
        began = self._clock.now()
        with reading(self._out) as connection:
            status = Status.of(connection, self._out)
        text = metrics_text(status.as_json(status.exit({})), self._run_id, self._clock.wall())
        with whole_file(self._path) as file:
            file.write(text.encode("utf-8"))
        ended = self._clock.now()
        self._due = ended + max(EVERY, (ended - began) / SHARE)
