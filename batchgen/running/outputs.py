"""The files in OUT that are made from the ledger: results.csv and report.html. Both can be made again any time."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa

from batchgen import __version__
from batchgen.files import spelled
from batchgen.job import WAITING, Result
from batchgen.ledger import failpoint, views
from batchgen.ledger.sqlite.store import meta_value, reading, unit_of
from batchgen.ledger.status import REPORT, RESULTS
from batchgen.ledger.tables import attempt, task
from batchgen.results.csv import write_results
from batchgen.results.page import write_report
from batchgen.results.summary import Credits, Summary


def write_results_csv(out: Path) -> int:
    """Write OUT/results.csv from the ledger; returns the number of lines."""
    with reading(out) as connection:
        failpoint.reached("results.before")
        results, other = views.results(connection, requests=False), views.other_columns(connection)
        lines = write_results(out / RESULTS, results, other, unit=unit_of(connection))
        failpoint.reached("results.after")
        return lines


def write_report_html(out: Path) -> Path:
    """Write OUT/report.html from the ledger."""
    with reading(out) as connection:
        other = views.other_columns(connection)
        write_report(out / REPORT, views.results(connection), summary_of(connection, out), other)
    return out / REPORT


def read_page(out: Path) -> tuple[Summary, list[Result]]:
    """What the live page shows: the numbers and the results of one moment."""
    with reading(out) as connection:
        return summary_of(connection, out), list(views.results(connection))


def summary_of(connection: sa.Connection, out: Path) -> Summary:
    """The numbers that stand beside the results."""
    states, unit = views.row_states(connection), unit_of(connection)
    credits = views.credits(connection)  # noqa: A001 - the product's word
    begun = connection.execute(sa.select(sa.func.min(attempt.c.begun_at))).scalar()
    finished = connection.execute(sa.select(sa.func.max(task.c.finished_at))).scalar()
    service = str(meta_value(connection, "service") or "")
    return Summary(
        out=spelled(out.resolve().name),
        states={state.value: count for state, count in states.items()},
        credits=Credits(
            estimated=unit.number(views.estimated(connection)),
            charged=unit.number(credits.charged),
            refunded=unit.number(credits.refunded),
            reserved=unit.number(credits.reserved),
            in_doubt=unit.number(credits.in_doubt),
            cap=unit.maybe(credits.cap),
        ),
        started_at=begun,
        finished_at=None if any(state in WAITING for state in states) else finished,
        written_at=time.time(),
        version=__version__,
        prices=str(meta_value(connection, "price_version") or ""),
        service=urlsplit(service).hostname or service,
        unit=unit.name,
        ledger=str(meta_value(connection, "ledger_id") or ""),
        folder=way_to(out),
    )


def way_to(out: Path) -> str:
    """OUT as it is typed from here: below the current folder without the way to it, elsewhere whole."""
    try:
        return out.resolve().relative_to(Path.cwd()).as_posix()
    except (OSError, ValueError):
        return str(out)
