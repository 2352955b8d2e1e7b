"""`batchgen validate` and `batchgen estimate`: everything about manifests that costs nothing."""

from pathlib import Path
from typing import Any

import click

from batchgen.cli import options as shared
from batchgen.cli import say
from batchgen.errors import CapError, Exit


def _read_options(flags: dict[str, Any]) -> Any:
    from batchgen.check.survey import ReadOptions

    return ReadOptions(
        encoding=flags["encoding"],
        sheet=flags["sheet"],
        own=tuple(flags["own"]),
        select=shared.conditions(flags["select"]),
    )


@click.command("validate", no_args_is_help=True)
@shared.manifests_argument
@shared.setting("service", "NAME")
@shared.reading
@click.option(
    "--fix",
    type=shared.FileName(path_type=Path),
    metavar="FILE",
    help="Write the bad rows to FILE (.csv or .xlsx).",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "github", "markdown"]),
    default="text",
    help="github marks the lines of a pull request, markdown is made for its comment.",
)
@click.option("--check-inputs", is_flag=True, help="Also look at the input addresses: the only connections.")
@shared.as_json
@shared.quiet
def validate_command(manifests: tuple[str, ...], quiet: bool, fix: Path | None, **flags: Any) -> int:
    """Show every problem of every row of MANIFEST…, at once. Needs no key, and opens no connection of its own.

    --fix writes the bad rows with their reasons; corrected, that file runs as it is.
    """  # fmt: skip
    from batchgen.check.fix import write_fix
    from batchgen.check.sentences import count
    from batchgen.check.survey import find_manifests, survey
    from batchgen.cli.annotations import annotations
    from batchgen.cli.check_text import summary, validate_json, validate_markdown, validate_text

    format_ = "json" if flags["as_json"] else flags["format_"]
    options = _read_options(flags)
    prices = shared.config_of({"service": flags["service"]}).table(lenient=True)
    paths = find_manifests(manifests)
    found = survey(paths, options, prices)
    if flags["check_inputs"]:
        from batchgen.running.inputs import look_at_inputs, with_problems

        found = with_problems(found, look_at_inputs(paths, options, prices, found))
    if fix is not None and found.invalid:
        rows = write_fix(paths, options, fix, prices)
        click.echo(f"{count(rows, 'row')} written to {fix}: correct them there, then run that file.", err=True)
    if format_ == "json":
        shared.print_json(validate_json(found))
    elif format_ == "github":
        click.echo(annotations(found) + summary(found))
    elif format_ == "markdown":
        click.echo(validate_markdown(found).rstrip("\n"))
    elif not quiet or found.problems_total:
        click.echo(validate_text(found, hint=fix is None).strip("\n"))
    return int(Exit.MANIFEST if found.problems_total or found.rows == 0 else Exit.OK)


@click.command("estimate", no_args_is_help=True)
@shared.manifests_argument
@shared.reading
@click.option("--by", metavar="COLUMN", help="Also sum by this column, e.g. campaign.")
@click.option("--out", type=shared.Folder(path_type=Path), metavar="OUT", help="Count what is paid there already.")
@shared.setting("service", "NAME")
@shared.setting("max_credits", "N|none")
@shared.setting("max_usd", "X|none")
@click.option("--format", "format_", type=click.Choice(["text", "json", "markdown"]), default="text")
@shared.as_json
def estimate_command(manifests: tuple[str, ...], **flags: Any) -> int:
    """Say what MANIFEST… will cost: by scene, provider and model. No key, no network.

    With --max-credits (or --max-usd) it leaves with 4 when more than that is still to pay.
    """
    from batchgen.cli.check_text import (
        estimate_json,
        estimate_markdown,
        estimate_text,
        validate_json,
        validate_markdown,
        validate_text,
    )
    from batchgen.running.estimating import estimated

    format_ = "json" if flags["as_json"] else flags["format_"]
    config = shared.config_of({name: flags[name] for name in ("service", "max_credits", "max_usd")})
    unit, cap = config.unit, config.cap
    options = _read_options(flags)
    found, paid, to_pay = estimated(manifests, options, config, flags["by"], flags["out"])
    if found.problems_total or found.rows == 0:
        if format_ == "json":
            total = estimate_json(found, already_paid=paid, to_pay=to_pay)
            shared.print_json({**validate_json(found), **unit.document(total)})
        elif format_ == "markdown":
            click.echo(validate_markdown(found).rstrip("\n"))
        else:
            click.echo(validate_text(found).strip("\n"), err=True)
        return int(Exit.MANIFEST)
    over = _over_cap(to_pay[1], cap, unit)
    if format_ == "json":
        about = shared.error_json(over, over.exit) if over else {}
        said = {"warnings": validate_json(found)["warnings"], "warnings_total": found.warnings_total}
        document = unit.document(estimate_json(found, already_paid=paid, to_pay=to_pay))
        shared.print_json({**document, **said, **about})
    else:
        render = estimate_markdown if format_ == "markdown" else estimate_text
        click.echo(render(found, already_paid=paid, to_pay=to_pay, unit=unit).rstrip("\n"))
    if over is None:
        return int(Exit.OK)
    say(over)
    return int(over.exit)


def _over_cap(to_pay: int, cap: Any, unit: Any) -> CapError | None:
    from batchgen.running.estimating import check_room

    try:
        check_room(to_pay, cap, unit)
    except CapError as error:
        return error
    return None
