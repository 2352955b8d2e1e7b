"""docs/use/commands.md is made from the commands themselves: `make docs` writes it, a test says when it is old."""

import sys
from pathlib import Path

import click

from batchgen.cli import COMMANDS, cli

_TOP = """# Commands

Made from the commands themselves (`make docs`). What the words mean is in the [glossary](../how/glossary.md);
exit codes and JSON documents are in [pipeline.md](pipeline.md).
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_TOP, _block("batchgen", cli)]
    for name in COMMANDS:
        context = click.Context(cli)
        command = cli.get_command(context, name)
        assert command is not None
        parts.append(f"\n## batchgen {name}\n\n" + _block(f"batchgen {name}", command))
        for below, inner in getattr(command, "commands", {}).items():
            parts.append(f"\n### batchgen {name} {below}\n\n" + _block(f"batchgen {name} {below}", inner))
    return "\n".join(parts) + "\n"


def _block(path: str, command: click.Command) -> str:
    names = cli.context_settings["help_option_names"]  # a command keeps the first help option that it is asked for
    context = click.Context(
        command, info_name=path, terminal_width=100, max_content_width=100, help_option_names=names
    )
    return "```\n" + "\n".join(line.rstrip() for line in command.get_help(context).splitlines()) + "\n```"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
