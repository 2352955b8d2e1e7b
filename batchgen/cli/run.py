"""`batchgen run`."""

import sys
from pathlib import Path
from typing import Any

import click

from batchgen.cli import options as shared
from batchgen.cli import say
from batchgen.cli.plan_text import plan_text, warnings_json
from batchgen.cli.signals import Signals
from batchgen.cli.streams import nobody_reads, pipe_is_closed
from batchgen.errors import Exit, system_says_no


@click.command("run", no_args_is_help=True)
@shared.manifests_argument
@click.option(
    "--out", type=shared.Folder(path_type=Path), metavar="DIR", help="Where to write (default: outputs/<name>)."
)
@click.option(
    "--must-resume", is_flag=True, help="Refuse to begin a new ledger: OUT must be the one of earlier runs."
)
@shared.setting("service", "NAME")
@shared.setting("base_url", "URL")
@shared.plain_http
@click.option("--sandbox", is_flag=True, help="Use the local stand-in: no key, no money, no network.")
@click.option("--only-valid", is_flag=True, help="Run the good rows although others have problems.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Submit at most N jobs in this run.")
@shared.reading
@click.option("--no-check-inputs", is_flag=True, help="Do not look at the input addresses of what is bought.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its credits, and stop; needs no key.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before spending.")
@shared.setting("max_credits", "N|none")
@shared.setting("max_usd", "X|none")
@click.option("--fill-cap", is_flag=True, help="Over the cap: submit as many as fit, in manifest order.")
@shared.setting("max_failures", "N|P%")
@click.option("--resubmit-changed", is_flag=True, help="Buy a new video for rows edited after theirs was bought.")
@shared.setting("rate", "R")
@shared.setting("burst", "N")
@shared.setting("max_in_flight", "N")
@shared.setting("poll_rate", "R")
@shared.setting("park_after", "TIME")
@click.option("--no-wait", is_flag=True, help="Leave when all is submitted; `collect` fetches the videos later.")
@shared.setting("deadline", "TIME")
@shared.setting("grace", "TIME")
@shared.setting("metrics_file", "FILE")
@click.option("--no-download", is_flag=True, help="Keep only the URLs of the videos.")
@click.option("--watch", is_flag=True, help="Serve the page of videos while the run goes on, on this machine only.")
@click.option("--open", "open_", is_flag=True, help="Open the page of videos in the browser at the end.")
@shared.as_json
@shared.quiet
def run_command(**flags: Any) -> int:
    """Validate MANIFEST…, show the plan and its credits, ask, submit, poll, download, write the results.

    Running the same command again resumes: what was paid is never paid twice.
    """  # fmt: skip
    from batchgen.check.survey import ReadOptions
    from batchgen.ledger.status import REPORT
    from batchgen.planning import preview
    from batchgen.planning.decide import Selection
    from batchgen.running import flow
    from batchgen.running.context import RunOptions
    from batchgen.running.progress import Progress

    as_json, signals = flags["as_json"], Signals()
    try:
        config = shared.config_of(flags)
        read = ReadOptions(encoding=flags["encoding"], sheet=flags["sheet"], own=tuple(flags["own"]))
        options = RunOptions(
            out=flags["out"],
            sandbox=flags["sandbox"],
            only_valid=flags["only_valid"],
            limit=flags["limit"],
            selection=Selection(shared.conditions(flags["select"])),
            read=read,
            dry_run=flags["dry_run"],
            must_resume=flags["must_resume"],
            check_inputs=not flags["no_check_inputs"],
            fill_cap=flags["fill_cap"],
            resubmit_changed=flags["resubmit_changed"],
            wait=not flags["no_wait"],
            download=not flags["no_download"],
            progress=Progress.choose(quiet=flags["quiet"]),
            confirm=lambda preview: _confirm(preview, quiet=flags["quiet"], yes=flags["yes"]),
            tell=(lambda _: None) if flags["quiet"] else lambda sentence: click.echo(sentence, err=True),
            ask_key=_ask_key,
            asks=not flags["yes"] and sys.stdin.isatty(),
            ask_trust=ask_trust(),
            watch=_tell_page if flags["watch"] else None,
            stop=signals,
        )
        with signals:
            ended = flow.run(flags["manifests"], config, options)
    except preview.ManifestProblems as error:
        return problems(error, as_json=as_json)
    if isinstance(ended, preview.Preview):
        return _dry_run(ended, as_json=as_json)
    code = end(ended, as_json=as_json)
    page = ended.status.out / REPORT
    if flags["open_"] and page.exists():
        from batchgen.cli.browser import open_in_browser

        open_in_browser(page)
    return code


def problems(error: Any, *, as_json: bool) -> int:
    """Rows have problems: list them."""
    from batchgen.cli.check_text import validate_json, validate_text

    if as_json:
        shared.print_json(validate_json(error.survey))
    else:
        click.echo(validate_text(error.survey, hint=False).strip("\n") + "\n", err=True)
    say(error)
    return int(Exit.MANIFEST)


def _dry_run(preview: Any, *, as_json: bool) -> int:
    if as_json:
        plan = {
            "plan": preview.plan.as_json(),
            "out": str(preview.out),
            "cap": preview.cap,
            **warnings_json(preview),
            "already_bought_in": preview.elsewhere.as_json(),
            "exit": 0,
        }
        shared.print_json(preview.unit.document(plan))
    else:
        click.echo(plan_text(preview))
        click.echo("Dry run: nothing was submitted, and no input was looked at.")
    return int(Exit.OK)


def _confirm(preview: Any, *, quiet: bool, yes: bool) -> bool:
    """Show the plan and ask, unless --yes has answered. Without a terminal the answer is no."""
    from batchgen.check.sentences import count

    asks = not yes and sys.stdin.isatty()
    if asks or not quiet:
        click.echo(plan_text(preview), err=True)
    if not asks:
        return yes
    total, unit = preview.plan.to_submit, preview.unit
    what = f"{count(total.jobs, 'job')} for {unit.count(total.credits)}"
    if preview.limit is not None and preview.limit < total.jobs:
        what = f"{preview.limit:,} of these {count(total.jobs, 'job')}, for at most {unit.count(preview.needed)}"
    return click.confirm(f"Submit {what}?", default=False, err=True)


def _tell_page(url: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"Watch it at\n  {url}", file=sys.stderr)  # beside the bar, not through it


def ask_trust() -> Any:
    """What asks whether the key may go to an address that a folder's file names. None without a terminal."""
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        return None
    return lambda question: click.confirm(question, default=False, err=True)


def _ask_key() -> Any:
    """Ask for the key, unseen, for this run only. None without a terminal."""
    from batchgen.service.secret import Secret

    if not sys.stdin.isatty() or not sys.stderr.isatty():
        return None
    text = click.prompt("API key (not shown, not kept)", hide_input=True, err=True, default="", show_default=False)
    return Secret(text) if text.strip() else None


def end(ended: Any, *, as_json: bool) -> int:
    """Say how it ended and what to do next. A terminal that is gone changes no exit code; but a document that
    could not be written is no success.
    """
    from batchgen.running.status_text import end_text

    try:
        for message in ended.stops.values():
            click.echo(message, err=True)
    except OSError:
        nobody_reads()
    try:
        if as_json:
            shared.print_json(ended.status.unit.document(ended.status.as_json(ended.exit)))
        else:
            click.echo(end_text(ended.status))
    except OSError as error:
        nobody_reads()
        if as_json and not pipe_is_closed(error):
            say(system_says_no(error))
            return int(ended.exit) or int(Exit.USAGE)
    return int(ended.exit)
