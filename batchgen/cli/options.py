"""Options that several commands share, and the way to a Config."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from batchgen.errors import BatchgenError, Exit, UsageError
from batchgen.running.settings import SETTINGS, Config

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document on stdout.")
quiet = click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors and the end.")


def _named(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """A manifest with a blank name is an unset variable of a script, not the current folder."""
    if not all(name.strip() for name in value):
        raise click.BadParameter("the name of a manifest is blank")
    return value


manifests_argument = click.argument("manifests", nargs=-1, required=True, callback=_named, metavar="MANIFEST…")


class FileName(click.Path):
    """A file or folder by its name. A blank one is an unset variable of a script, not the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and not value.strip():
            self.fail("the name is blank", param, ctx)
        return super().convert(value, param, ctx)


class Folder(FileName):
    """A folder by its name, which need not be there yet."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and Path(value).is_file():
            self.fail(f"{value} is a file, not a folder", param, ctx)
        return super().convert(value, param, ctx)


out_argument = click.argument("out", type=Folder(path_type=Path))


def setting(name: str, metavar: str) -> Callable[[F], F]:
    """The flag of a setting of batchgen.toml; unset means: ask the environment and the file."""
    return click.option("--" + name.replace("_", "-"), name, metavar=metavar, help=_sentence(SETTINGS[name].help))


plain_http = click.option(
    "--plain-http", is_flag=True, default=None, help="Let the key travel unencrypted to an http:// address."
)


def reading(function: F) -> F:
    """How manifests are read."""
    for option in (
        click.option("--own", multiple=True, metavar="COLUMN", help="My own column that looks like a known one."),
        click.option("--sheet", metavar="NAME", help="The sheet of a spreadsheet (default: the first)."),
        click.option("--encoding", metavar="NAME", help="Of a text file that is not UTF-8, e.g. cp1252."),
        click.option("--select", multiple=True, metavar="COLUMN=GLOB", help="Only rows where this holds."),
    ):  # fmt: skip
        function = option(function)
    return function


def conditions(select: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """`--select campaign=spring*` -> (("campaign", "spring*"),)."""
    pairs = []
    for text in select:
        column, sign, glob = text.partition("=")
        if not sign or not column.strip():
            raise UsageError(
                f"--select {text!r} is not COLUMN=GLOB.",
                code="bad_select",
                hint='For example: --select "campaign=spring*".',
            )
        pairs.append((column.strip(), glob))
    return tuple(pairs)


def config_of(flags: dict[str, Any]) -> Config:
    """The settings, with those flags that were given."""
    return Config.load({name: flags.get(name) for name in SETTINGS})


def print_json(document: dict[str, Any]) -> None:
    """The one document on stdout. It is JSON in every encoding: where stdout has none of Unicode's (a pipe on
    Windows, LANG=C), what is not ASCII is escaped; the bytes of a file's name that are no text are `\\xf6`.
    """
    text = json.dumps(document, ensure_ascii=False, indent=2)
    text = re.sub("[\udc80-\udcff]", lambda byte: rf"\\x{ord(byte[0]) - 0xDC00:02x}", text)
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    click.echo(text if unicode else json.dumps(json.loads(text), indent=2))


def error_json(error: BatchgenError, exit_: Exit, plan: Any = None) -> dict[str, Any]:
    """The document of a command that stopped before it did anything."""
    said = {"code": error.code, "message": error.message, "hint": error.hint}
    return {"error": said, "plan": plan, "exit": int(exit_)}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
