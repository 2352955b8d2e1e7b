"""The Python face afterwards: what a ledger says, and files made from it. Nothing here spends or polls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from batchgen.amount import Unit
from batchgen.job import State
from batchgen.ledger import reading, views
from batchgen.ledger import status as ledger_status
from batchgen.results.export import export as write_export
from batchgen.running.given import Path_
from batchgen.running.outputs import summary_of, write_report_html, write_results_csv
from batchgen.running.python_words import in_python, speaking_python
from batchgen.running.review import review as take_review
from batchgen.running.share import share as write_share
from batchgen.running.status_text import next_steps


@dataclass(frozen=True, slots=True)
class Account:
    """What was spent, in the service's unit: `charged` is gross, `refunded` what the service stated."""

    estimated: int | float
    charged: int | float
    refunded: int | float
    reserved: int | float
    in_doubt: int | float
    cap: int | float | None


@dataclass(frozen=True, slots=True)
class Status:
    """What the ledger of an OUT says. `exit` is what a run would end with now, `next_step` what to do about it."""

    out: Path
    jobs: int
    states: Mapping[str, int]
    unit: str
    credits: Account
    results: Path | None
    exit: int
    next_step: str

    @classmethod
    def of(cls, found: ledger_status.Status, exit_: int | None = None) -> "Status":
        """The same as the command's, with numbers in whole units."""
        code = int(found.exit()) if exit_ is None else exit_
        unit: Unit = found.unit
        account = found.as_json(found.exit())["credits"]
        results = found.out / ledger_status.RESULTS
        return cls(
            out=found.out,
            jobs=sum(found.states.values()),
            states={state.value: found.states[state] for state in State if state in found.states},
            unit=unit.name,
            credits=Account(
                estimated=unit.number(account["estimated"]),
                charged=unit.number(account["charged"]),
                refunded=unit.number(account["refunded"]),
                reserved=unit.number(account["reserved"]),
                in_doubt=unit.number(account["in_doubt"]),
                cap=unit.maybe(account["cap"]),
            ),
            results=results if results.exists() else None,
            exit=code,
            next_step="\n".join(in_python(sentence) for sentence in next_steps(found)),
        )


def status(out: Path_) -> Status:
    """What the ledger of OUT says: `.jobs`, `.states`, `.credits`, `.exit`, `.next_step`; also during a run."""
    with speaking_python():
        return Status.of(ledger_status.read_status(Path(out))[0])


def report(out: Path_) -> Path:
    """Write results.csv and report.html of OUT again; returns the page."""
    with speaking_python():
        write_results_csv(Path(out))
        return write_report_html(Path(out))


def review(out: Path_, marks: Path_) -> int:
    """Take a file of marks (`job_id,task_id,mark,note`) into the ledger, all or none; how many were taken."""
    with speaking_python():
        return len(take_review(Path(out), Path(marks)).kept)


def share(
    out: Path_,
    *,
    to: Path_ | None = None,
    zip: bool = False,  # noqa: A002 - the command's word
    title: str | None = None,
    only: str | None = None,
    notes: bool = False,
    with_: Sequence[str] = (),
) -> Path:
    """Write a folder (or with `zip` one file) to send to a client: page and videos, without money, models, services
    or failures; returns where it is. Own columns only where `with_` names them.
    """
    with speaking_python():
        place = None if to is None else Path(to)
        columns = (with_,) if isinstance(with_, str) else tuple(with_)
        return write_share(
            Path(out), to=place, zipped=zip, title=title, only=only, notes=notes, columns=columns
        ).path


def export(out: Path_, format: str, *, to: Path_ | None = None) -> Path:  # noqa: A002 - the command's word
    """Export the results of OUT (csv, xlsx, jsonl, parquet, videofolder, webdataset); returns where they are."""
    folder = Path(out)
    with speaking_python(), reading(folder) as connection:
        results, other = views.results(connection), views.other_columns(connection)
        target = None if to is None else Path(to)
        return write_export(results, summary_of(connection, folder), other, folder, format, target).path
