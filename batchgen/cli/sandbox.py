"""`batchgen sandbox`: the local stand-in as a process of its own."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from batchgen.errors import UsageError
from batchgen.sandbox import Options, list_faults, serve


def _options() -> list[click.Parameter]:
    """A flag for each field of the sandbox's options; their names and help texts are the sandbox's own."""
    made: list[click.Parameter] = []
    for one in fields(Options):
        about = one.metadata
        extra: dict[str, Any] = {"metavar": about.get("metavar"), "help": about["help"]}
        if about.get("repeat"):
            extra["multiple"] = True
        if "choices" in about:
            extra["type"], extra["metavar"] = click.Choice(list(about["choices"])), None
        elif about["type"] is bool:
            extra["is_flag"], extra["metavar"] = True, None
        else:
            extra["type"] = about["type"]
        made.append(click.Option([about["flag"], one.name], default=None, **extra))
    return made


@click.command("sandbox", params=_options())
@click.option("--state", type=click.Path(path_type=Path), metavar="DIR", help="Remember tasks and credits there.")
@click.option("--list-faults", is_flag=True, help="Print the table of faults, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print address and key as one JSON line when ready.")
def sandbox_command(state: Path | None, list_faults: bool, as_json: bool, **flags: Any) -> int:
    """Start the local stand-in for the service, on 127.0.0.1, until Ctrl-C.

    It speaks the documented API, takes (play) credits, makes real little videos, and misbehaves on demand:
    --fault NAME:3% for a share of the requests, --script FILE for exact ones.
    """
    if list_faults:
        click.echo(_faults())
        return 0
    given = {name: value for name, value in flags.items() if value is not None and value != ()}
    try:
        options = Options(**given)
    except ValueError as error:
        raise UsageError(f"{error}", code="bad_sandbox") from None
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
    return serve(options, state_dir=state, as_json=as_json)


def _faults() -> str:
    return list_faults()
