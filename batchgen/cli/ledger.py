"""Commands about an OUT: status, resolve, retry, collect, report, export."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from batchgen.cli import options as shared
from batchgen.cli.signals import Signals
from batchgen.errors import Exit, UsageError
from batchgen.ledger.sqlite.store import reading


@click.command("status", no_args_is_help=True)
@shared.out_argument
@shared.as_json
def status_command(out: Path, as_json: bool) -> int:
    """Show counts, credits, what is in flight, what is in doubt, and what to do next."""
    from batchgen.ledger.status import read_status
    from batchgen.running.status_text import status_text

    status, doubts = read_status(out)
    if as_json:
        shared.print_json(status.unit.document(status.as_json(status.exit())))
    else:
        click.echo(status_text(status, doubts))
    return int(Exit.OK)


@click.command("resolve", no_args_is_help=True)
@shared.out_argument
@click.argument("jobs", nargs=-1, metavar="[JOB]…")
@click.option("--task-id", metavar="T", help="This is its task; also after --paid-lost, --give-up.")
@click.option("--not-charged", is_flag=True, help="The service has no such task: the job may be submitted again.")
@click.option("--paid-lost", is_flag=True, help="It was charged and its task can't be found: counts as spent.")
@click.option("--give-up", is_flag=True, help="Stop waiting for a task that never ends: counts as spent.")
@click.option(
    "--from",
    "file",
    type=shared.FileName(path_type=Path),
    metavar="FILE.csv",
    help="Settle many: columns job_id,task_id.",
)
@click.option("--all", "all_", is_flag=True, help="Every job in doubt.")
@click.option("--auto", is_flag=True, help="Settle what the service's own list of requests proves.")
@click.option("--list", "list_", is_flag=True, help="Only list every job in doubt.")
@shared.setting("base_url", "URL")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def resolve_command(out: Path, **flags: Any) -> int:
    """Settle jobs in doubt: submissions whose answer never came back whole, and that may have been charged.

    Without an option it lists them, with what helps to find them in the service's dashboard.
    """  # fmt: skip
    from batchgen.running import ask, resolve
    from batchgen.running.settings import Config

    wish = resolve.Wish(
        jobs=tuple(flags["jobs"]),
        task_id=flags["task_id"],
        not_charged=flags["not_charged"],
        paid_lost=flags["paid_lost"],
        give_up=flags["give_up"],
        file=flags["file"],
        all=flags["all_"],
        yes=flags["yes"],
    )
    if flags["auto"]:
        return _auto(out, flags)
    if flags["list_"] or not wish.says_something:
        click.echo(_listing(out))
        return int(Exit.OK)
    confirm = (lambda _: True) if flags["yes"] else _confirm
    config = Config.load()
    known = partial(ask.sentences, out, config)
    settled = 0
    sentences = resolve.resolve(out, wish, confirm, ask=known, post_timeout=config.post_timeout)
    for settled, sentence in enumerate(sentences, start=1):  # noqa: B007
        click.echo(sentence)
    if not settled:
        click.echo("Nothing is in doubt.")
    return int(Exit.OK)


def _auto(out: Path, flags: dict[str, Any]) -> int:
    """The service's own list, where it has one; 5 while anything is in doubt."""
    from batchgen.cli.run import _ask_key, ask_trust
    from batchgen.ledger.decisions import doubts
    from batchgen.running import flow
    from batchgen.running.context import RunOptions

    options = RunOptions(ask_key=_ask_key, ask_trust=ask_trust())
    for sentence in flow.settle_by_list(out, shared.config_of({"base_url": flags["base_url"]}), options):
        click.echo(sentence)
    with reading(out) as connection:
        left = len(doubts(connection))
    click.echo(f"{left} in doubt." if left else "Nothing is in doubt.")
    return int(Exit.IN_DOUBT if left else Exit.OK)


def _listing(out: Path) -> str:
    """Every doubt of OUT, with what helps to find it."""
    from batchgen.ledger.decisions import doubts
    from batchgen.ledger.sqlite.store import unit_of
    from batchgen.running.status_text import doubts_text

    with reading(out) as connection:
        some, unit = doubts(connection), unit_of(connection)
    return "\n".join(doubts_text(some, len(some), unit=unit)) if some else "Nothing is in doubt."


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            "There is no terminal to ask on.", code="not_confirmed", hint="Add --yes to go on without being asked."
        )
    return click.confirm(question, default=False, err=True)


@click.command("retry", no_args_is_help=True)
@shared.out_argument
@click.option(
    "--state", "states", multiple=True, metavar="S", help="Only jobs in this state, e.g. failed, rejected, expired."
)
@click.option("--code", "codes", multiple=True, metavar="C", help="Only jobs with this error code.")
@click.option("--job", "jobs", multiple=True, metavar="ID", help="Only this job.")
@click.option(
    "--from",
    "file",
    type=shared.FileName(path_type=Path),
    metavar="FILE.csv",
    help="Videos marked `reject` in a file of marks.",
)
@click.option(
    "--review", type=click.Choice(["reject"]), help="Videos marked `reject`, with new words where a mark has them."
)
@click.option("--buy-again", is_flag=True, help="Also jobs that were paid for: lost, given up, or succeeded.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before spending.")
@shared.setting("base_url", "URL")
@shared.plain_http
@shared.setting("max_credits", "N|none")
@shared.setting("max_usd", "X|none")
@shared.setting("max_failures", "N|P%")
@shared.setting("rate", "R")
@shared.setting("burst", "N")
@shared.setting("max_in_flight", "N")
@shared.setting("poll_rate", "R")
@shared.setting("deadline", "TIME")
@shared.setting("grace", "TIME")
@shared.setting("metrics_file", "FILE")
@click.option("--no-wait", is_flag=True, help="Leave when all is submitted.")
@click.option("--no-download", is_flag=True, help="Keep only the URLs of the videos.")
@click.option("--dry-run", is_flag=True, help="Show the price and stop.")
@shared.as_json
@shared.quiet
def retry_command(out: Path, **flags: Any) -> int:
    """Buy again what ended without a video. Shows the price first, and asks."""
    from batchgen.cli.run import _ask_key, ask_trust, end
    from batchgen.planning.preview import bought_at
    from batchgen.running import flow, resolve, retry
    from batchgen.running.context import RunOptions
    from batchgen.running.progress import Progress

    config = shared.config_of(flags).at(bought_at(resolve.service_of(out))[0])
    prices, cap, unit = config.table(), config.cap, config.unit
    wanted = retry.Wanted(
        flags["states"],
        flags["codes"],
        flags["jobs"],
        file=flags["file"],
        buy_again=flags["buy_again"],
        review=flags["review"],
    )
    choice = retry.to_retry(out, wanted, prices)
    for sentence in retry.choice_lines(choice, unit):
        click.echo(sentence, err=flags["as_json"] or not flags["dry_run"])
    retry.check_cap(out, choice.price, cap)
    if flags["dry_run"] or not choice.jobs:
        if flags["as_json"]:
            ids = [one.job_id for one in choice.jobs]
            plan = {"jobs": len(ids), "credits": choice.price, "job_ids": ids}
            shared.print_json(unit.document({"plan": plan, "out": str(out), "exit": int(Exit.OK)}))
        return int(Exit.OK)
    if not flags["yes"] and not resolve.is_sandbox(out) and not _confirm("Go on?"):
        raise UsageError("Nothing was submitted.", code="declined")
    options = RunOptions(
        wait=not flags["no_wait"],
        download=not flags["no_download"],
        progress=Progress.choose(quiet=flags["quiet"]),
        ask_key=_ask_key,
        ask_trust=ask_trust(),
        stop=(signals := Signals()),
    )
    with signals:
        ended = flow.resume(out, config, options, retry.retry_change(choice.jobs, cap, prices))
    return end(ended, as_json=flags["as_json"])


@click.command("review", no_args_is_help=True)
@shared.out_argument
@click.argument("file", type=shared.FileName(path_type=Path), metavar="FILE")
def review_command(out: Path, file: Path) -> int:
    """Take marks on videos (from the page's Download marks) into the ledger: all of them, or none.

    FILE has the header job_id,task_id,mark,note, and maybe prompt. A mark counts for the video that was judged.
    """  # fmt: skip
    from batchgen.running.review import review, review_lines

    for line in review_lines(review(out, file), out):
        click.echo(line)
    return int(Exit.OK)


@click.command("share", no_args_is_help=True)
@shared.out_argument
@click.option(
    "--to", "target", type=shared.FileName(path_type=Path), metavar="PATH", help="Where to (default: OUT/share)."
)
@click.option("--zip", "zip_", is_flag=True, help="One .zip file instead of a folder.")
@click.option("--title", metavar="TEXT", help="What stands above the films (default: nothing but Films).")
@click.option("--only", type=click.Choice(["accept"]), help="Only the videos that are marked so.")
@click.option("--notes", is_flag=True, help="Also the notes of the marks.")
@click.option("--with", "with_", multiple=True, metavar="COLUMN", help="Also this column of yours; repeatable.")
def share_command(out: Path, **flags: Any) -> int:
    """Write a folder to send to a client: the page and the videos, without money, models, services or failures.

    It opens no connection. Videos marked `reject` stay here.
    """  # fmt: skip
    from batchgen.running.share import share, share_lines

    shared_ = share(
        out,
        to=flags["target"],
        zipped=flags["zip_"],
        title=flags["title"],
        only=flags["only"],
        notes=flags["notes"],
        columns=flags["with_"],
    )
    for line in share_lines(shared_):
        click.echo(line)
    return int(Exit.OK)


@click.command("collect", no_args_is_help=True)
@shared.out_argument
@shared.setting("base_url", "URL")
@shared.plain_http
@shared.setting("poll_rate", "R")
@shared.setting("deadline", "TIME")
@shared.setting("grace", "TIME")
@shared.setting("metrics_file", "FILE")
@click.option("--no-download", is_flag=True, help="Keep only the URLs of the videos.")
@click.option("--watch", is_flag=True, help="Serve the page of videos meanwhile, on this machine only.")
@shared.as_json
@shared.quiet
def collect_command(out: Path, **flags: Any) -> int:
    """Poll and download what was submitted earlier; can never submit anything."""
    from batchgen.cli.run import _ask_key, _tell_page, ask_trust, end
    from batchgen.running import flow
    from batchgen.running.context import RunOptions
    from batchgen.running.progress import Progress

    options = RunOptions(
        download=not flags["no_download"],
        progress=Progress.choose(quiet=flags["quiet"]),
        ask_key=_ask_key,
        ask_trust=ask_trust(),
        watch=_tell_page if flags["watch"] else None,
        stop=(signals := Signals()),
    )
    with signals:
        ended = flow.collect(out, shared.config_of(flags), options)
    return end(ended, as_json=flags["as_json"])


@click.command("report", no_args_is_help=True)
@shared.out_argument
@click.option("--open", "open_", is_flag=True, help="Open it in the browser.")
def report_command(out: Path, open_: bool) -> int:
    """Write OUT/report.html (and results.csv) again from the ledger."""
    from batchgen.cli.browser import open_in_browser
    from batchgen.running.outputs import write_report_html, write_results_csv

    write_results_csv(out)
    page = write_report_html(out)
    click.echo(page)
    if open_:
        open_in_browser(page)
    return int(Exit.OK)


@click.command("export", no_args_is_help=True)
@shared.out_argument
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice(["csv", "xlsx", "jsonl", "parquet", "videofolder", "webdataset"]),
    help="A file, a Hugging Face VideoFolder, or WebDataset tar shards.",
)
@click.option(
    "--to", "target", type=shared.FileName(path_type=Path), metavar="PATH", help="Where to (default: OUT/export)."
)
@click.option("--delimiter", default=",", metavar="C", help="Of a CSV: one character, or tab.")
def export_command(out: Path, format_: str, target: Path | None, delimiter: str) -> int:
    """Export the results of OUT in another format, with where each video comes from."""
    from batchgen.ledger import views
    from batchgen.results.export import export
    from batchgen.running.outputs import summary_of

    with reading(out) as connection:
        done = export(
            views.results(connection),
            summary_of(connection, out),
            views.other_columns(connection),
            out,
            format_,
            target,
            delimiter=delimiter,
        )
    click.echo(f"{done.path}: {done.lines:,} lines" + (f", {done.videos:,} videos" if done.videos else ""))
    for sentence in done.left_out[:20]:
        click.echo(f"left out: {sentence}", err=True)
    if done.left_out_total > 20:
        click.echo(f"… and {done.left_out_total - 20:,} more left out", err=True)
    return int(Exit.OK)
