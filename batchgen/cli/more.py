"""`batchgen init`, `schema`, `doctor` and `config`."""

import json
from dataclasses import fields
from importlib import resources
from pathlib import Path

import click

from batchgen.cli import options as shared
from batchgen.errors import Exit, UsageError
from batchgen.running.environment import key_from_environment, key_origin
from batchgen.running.settings import Config, in_words

#: Settings that are seconds, shown as a person writes them.
_TIMES = ("deadline", "park_after", "post_timeout")
_STARTERS = {"csv": "starter.csv", "yaml": "starter.yaml"}


@click.command("init")
@click.argument("file", type=shared.FileName(path_type=Path), default=Path("videos.csv"))
def init_command(file: Path) -> int:
    """Write a first manifest to start from: FILE ends in .csv or .yaml (default: videos.csv)."""
    kind = file.suffix.lower().lstrip(".").replace("yml", "yaml")
    if kind not in _STARTERS:
        raise UsageError(f"{file} should end in .csv or .yaml.", code="bad_file")
    if file.exists():
        raise UsageError(f"{file} exists already.", code="file_exists", hint="Choose another name.")
    text = resources.files("batchgen.cli").joinpath("starters", _STARTERS[kind]).read_text(encoding="utf-8")
    # A byte-order mark lets Excel read the accents of a CSV right.
    file.write_text(text, encoding="utf-8-sig" if kind == "csv" else "utf-8", newline="\n")
    name = f'"{file}"' if " " in str(file) else file
    click.echo(f"Wrote {file}. Edit it, then:  batchgen validate {name}   batchgen run {name} --sandbox")
    return int(Exit.OK)


@click.command("schema")
@click.argument("which", type=click.Choice(["manifest", "job"]), default="manifest")
def schema_command(which: str) -> int:
    """Print the JSON Schema of a YAML manifest, or of one job."""
    from batchgen.check.schema import schema_text

    click.echo(schema_text(which).rstrip())
    return int(Exit.OK)


@click.group("config", invoke_without_command=True)
@shared.as_json
@click.pass_context
def config_command(context: click.Context, as_json: bool) -> int:
    """Show every setting, its value, and where it comes from. The key itself is never shown."""
    if context.invoked_subcommand:
        return int(Exit.OK)
    return _show_config(as_json=as_json)


@config_command.command("trust")
@click.argument("host")
@click.option("--service", default="gateway", show_default=True, metavar="NAME", help="Whose key may go there.")
def trust_command(host: str, service: str) -> int:
    """Let the key go to HOST also where a folder's batchgen.toml names it. Kept with your own settings."""
    from batchgen.running.trust import trust, trust_file

    origin = trust(host, service)
    click.echo(f"The key of {service} may go to {origin}, whichever folder names it. Kept in {trust_file()}.")
    return int(Exit.OK)


def _show_config(*, as_json: bool) -> int:
    config = Config.load()
    values = {one.name: getattr(config, one.name) for one in fields(config) if one.name in config.origins}
    has_key = key_from_environment() is not None
    if as_json:
        document = {
            name: {"value": _plain(value), "origin": config.origins[name]} for name, value in values.items()
        }
        shared.print_json({**document, "api_key": {"set": has_key, "origin": key_origin() if has_key else None}})
        return int(Exit.OK)
    for name, value in values.items():
        shown = in_words(value) if name in _TIMES else _shown(value)
        click.echo(f"{name:<15} {shown:<28} {config.origins[name]}")
    click.echo(f"{'api_key':<15} {'set (not shown)' if has_key else 'not set':<28} {key_origin()}")
    if config.prices:
        click.echo(f"{'prices':<15} {json.dumps(dict(config.prices)):<28} batchgen.toml")
    return int(Exit.OK)


def _plain(value: object) -> object:
    from batchgen.planning.decide import Cap

    if isinstance(value, Cap):
        return value.credits if value.credits is not None else "none" if value.said else None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _shown(value)


def _shown(value: object) -> str:
    from batchgen.planning.decide import Cap
    from batchgen.running.pacing import MaxFailures

    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Cap):
        return "not said" if not value.said else "none" if value.credits is None else str(value.credits)
    if isinstance(value, MaxFailures):
        if value.count is not None:
            return str(value.count)
        return "none" if value.share is None else f"{value.share * 100:g}%"
    return "found out" if value is None else str(value)


@click.command("doctor")
@click.option(
    "--ledger", "out", type=shared.Folder(path_type=Path), metavar="OUT", help="Also check the ledger in OUT."
)
@shared.as_json
def doctor_command(out: Path | None, as_json: bool) -> int:
    """Check this machine, the settings and, with --ledger, that a ledger keeps its promises. No network."""
    from batchgen.cli.doctor import findings

    found = findings(out)
    if as_json:
        shared.print_json({"findings": [{"ok": ok, "what": what} for ok, what in found]})
    else:
        for ok, what in found:
            click.echo(f"{'ok  ' if ok else 'BAD '} {what}")
    return int(Exit.OK if all(ok for ok, _ in found) else Exit.USAGE)
