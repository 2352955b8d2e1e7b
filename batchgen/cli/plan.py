"""`batchgen plan`: the look ahead alone. No key, no connection, and nothing is written in OUT."""

from pathlib import Path
from typing import Any

import click

from batchgen.cli import options as shared
from batchgen.cli import say
from batchgen.cli.run import problems
from batchgen.errors import Exit


@click.command("plan", no_args_is_help=True)
@shared.manifests_argument
@click.option(
    "--out",
    type=shared.Folder(path_type=Path),
    metavar="DIR",
    help="Where a run would write (default: outputs/<name>).",
)
@shared.setting("service", "NAME")
@shared.setting("base_url", "URL")
@shared.plain_http
@click.option("--sandbox", is_flag=True, help="Plan for the local stand-in.")
@click.option("--only-valid", is_flag=True, help="Plan the good rows although others have problems.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Submit at most N jobs in that run.")
@shared.reading
@shared.setting("max_credits", "N|none")
@shared.setting("max_usd", "X|none")
@click.option("--fill-cap", is_flag=True, help="Over the cap: plan as many as fit, in manifest order.")
@click.option("--resubmit-changed", is_flag=True, help="Plan a new video for rows edited after theirs was bought.")
@click.option("--format", "format_", type=click.Choice(["text", "json", "markdown"]), default="text")
@shared.as_json
def plan_command(**flags: Any) -> int:
    """Say what `run` would do with MANIFEST…: what it buys, what it leaves and why, and what may be meant
    otherwise.

    Needs no key, opens no connection, looks at no input, and writes nothing. Leaves with 4 when the cap refuses.
    """  # fmt: skip
    from batchgen.check.survey import ReadOptions
    from batchgen.cli.plan_text import plan_json, plan_markdown, plan_text
    from batchgen.planning.decide import Selection
    from batchgen.planning.preview import ManifestProblems
    from batchgen.running import flow
    from batchgen.running.context import RunOptions

    format_ = "json" if flags["as_json"] else flags["format_"]
    config = shared.config_of(flags)
    options = RunOptions(
        out=flags["out"],
        sandbox=flags["sandbox"],
        only_valid=flags["only_valid"],
        limit=flags["limit"],
        selection=Selection(shared.conditions(flags["select"])),
        read=ReadOptions(encoding=flags["encoding"], sheet=flags["sheet"], own=tuple(flags["own"])),
        dry_run=True,
        fill_cap=flags["fill_cap"],
        resubmit_changed=flags["resubmit_changed"],
        by_model=True,
        tell=lambda sentence: click.echo(sentence, err=True),
    )
    try:
        preview, refused = flow.plan(flags["manifests"], config, options)
    except ManifestProblems as error:
        return _problems(error, format_)
    exit_ = Exit.CAP if refused else Exit.OK
    if format_ == "json":
        refusal = shared.error_json(refused, exit_) if refused else {}
        shared.print_json({**refusal, **plan_json(preview, config.service, None, int(exit_))})
    elif format_ == "markdown":
        rows = flow.first_rows(flags["manifests"], config, options, preview)
        click.echo(plan_markdown(preview, rows).rstrip("\n"))
    else:
        click.echo(plan_text(preview))
        click.echo("This is the plan: nothing was submitted, and no input was looked at.")
    if refused:
        say(refused)
    return int(exit_)


def _problems(error: Any, format_: str) -> int:
    from batchgen.cli.check_text import validate_markdown

    if format_ != "markdown":
        return problems(error, as_json=format_ == "json")
    click.echo(validate_markdown(error.survey).rstrip("\n"))
    say(error)
    return int(Exit.MANIFEST)
