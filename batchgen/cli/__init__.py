"""argv -> settings -> one call -> exit code. Each command's module is imported when it is called."""

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise

import click

from batchgen import __version__
from batchgen.amount import CREDITS
from batchgen.cli.streams import nobody_reads, open_what_is_closed, speak_plainly
from batchgen.errors import BatchgenError, Exit, system_says_no

#: command -> (module, one-line help). The order is that of --help.
COMMANDS = {
    "run": ("batchgen.cli.run", "Turn manifests into videos; run again to resume."),
    "plan": ("batchgen.cli.plan", "Say what a run would buy, and what may be meant otherwise."),
    "validate": ("batchgen.cli.manifests", "Show every problem of every row, at once."),
    "estimate": ("batchgen.cli.manifests", "Say what manifests will cost, without key or network."),
    "status": ("batchgen.cli.ledger", "Show counts, credits, doubts, and what to do next."),
    "resolve": ("batchgen.cli.ledger", "Settle jobs in doubt; give up tasks that never end."),
    "retry": ("batchgen.cli.ledger", "Buy again what ended without a video; shows the price first."),
    "review": ("batchgen.cli.ledger", "Take accept and reject marks from the page into the ledger."),
    "share": ("batchgen.cli.ledger", "Write a folder with page and videos to send to a client."),
    "collect": ("batchgen.cli.ledger", "Poll and download what was submitted; can never submit."),
    "report": ("batchgen.cli.ledger", "Write report.html again."),
    "export": ("batchgen.cli.ledger", "Export the results in another format."),
    "mcp": ("batchgen.cli.mcp", "Let an agent look ahead over stdio; it can buy nothing."),
    "services": ("batchgen.cli.services", "List the services: keys, units, what settles a doubt."),
    "models": ("batchgen.cli.services", "List the known models: scenes, options, prices."),
    "sandbox": ("batchgen.cli.sandbox", "Start the local stand-in for the service."),
    "init": ("batchgen.cli.more", "Write a first manifest to start from."),
    "schema": ("batchgen.cli.more", "Print the JSON Schema of a manifest or a job."),
    "doctor": ("batchgen.cli.more", "Check this machine, the settings, and a ledger."),
    "config": ("batchgen.cli.more", "Show the settings and where each comes from."),
}


class _Commands(click.Group):
    """Knows the commands by name, and loads only the one that is called: --help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return _heeding_variables(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(error.message + hint, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _heeding_variables(command: click.Command) -> click.Command:
    """The command with its flags' environment variables. BATCHGEN_OUT is no explicit --out, and read elsewhere."""
    from batchgen.running.environment import FLAGS, variable

    for option in command.params:
        if isinstance(option, click.Option) and option.name in FLAGS and option.name != "out":
            if option.multiple:  # one a line: a glob or a column's name may hold blanks
                option.default = partial(_lines_of, variable(option.name))
            else:
                option.envvar = variable(option.name)
    return command


def _lines_of(name: str) -> tuple[str, ...]:
    return tuple(line for line in os.environ.get(name, "").splitlines() if line.strip())


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="batchgen")
def cli() -> None:
    """Turn a spreadsheet or YAML file of video jobs into videos: priced before, paid once, never lost.

    Try it without a key:  batchgen init videos.csv  and then  batchgen run videos.csv --sandbox
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the `batchgen` command."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    has_stdout = sys.stdout is not None
    open_what_is_closed()
    if wants_json(given) and not has_stdout:  # before money is spent
        say(BatchgenError("There is no stdout: the document has nowhere to go.", code="no_stdout"))
        sys.exit(int(Exit.USAGE))
    speak_plainly()
    _write_no_core()
    _collect_seldom()
    heed_terminate()
    sys.exit(invoke(given))


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors become one sentence on stderr, never a traceback; with
    --json also the one document on stdout.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    as_json = wants_json(given)
    try:
        code = cli.main(args=given, standalone_mode=False)
        return int(code) if isinstance(code, int) else 0
    except click.ClickException as error:
        error.message = keyless(error.message)  # type: ignore[misc]  # click means that nobody else does
        error.show()
        said = BatchgenError(error.format_message(), code="usage")
        return document(said, Exit.USAGE) if as_json else int(Exit.USAGE)
    except click.Abort:
        said = BatchgenError("Stopped. What was done is saved; run it again to go on.", code="interrupted")
        click.echo(f"\n{said.message}", err=True)
        return document(said, Exit.INTERRUPTED) if as_json else int(Exit.INTERRUPTED)
    except BatchgenError as error:
        say(error)
        return document(error, error.exit) if as_json else int(error.exit)
    except OSError as error:
        said = system_says_no(error)
        nobody_reads()
        say(said)
        return document(said, said.exit) if as_json else int(said.exit)
    except Exception as error:
        from batchgen.cli.unexpected import ledger_lines, unexpected

        said = unexpected(error)
        say(said, *ledger_lines(error))
        return document(said, said.exit) if as_json else int(said.exit)


def wants_json(given: Sequence[str]) -> bool:
    """Whether the command was asked for its one JSON document: `--json`, `--format json`, `--format=json`."""
    return bool({"--json", "--format=json"} & set(given)) or ("--format", "json") in pairwise(given)


def _collect_seldom() -> None:
    """Look for cyclic garbage after thousands of new objects, not after hundreds: a tenth less time for a run."""
    gc.set_threshold(10_000)


def heed_terminate() -> None:
    """From the start on SIGTERM is the same as Ctrl-C: what was done is saved, and the exit code is 130."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _write_no_core() -> None:
    """After a crash the system writes no core file: the memory of this process holds the API key."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def document(error: BatchgenError, exit_: Exit) -> int:
    """The document of a command that stopped before it did anything; returns the exit code."""
    from batchgen.cli.options import error_json, print_json

    if exit_ is Exit.MANIFEST:
        from batchgen.cli.check_text import manifest_error_json

        said = manifest_error_json(error)
    else:
        plan = getattr(error, "plan", None)
        unit = getattr(error, "unit", CREDITS)
        said = error_json(error, exit_, unit.document(plan.as_json()) if plan else None)
        said["error"] = {word: keyless(text) for word, text in said["error"].items()}
    try:
        print_json(said)
    except OSError:
        nobody_reads()
    return int(exit_)


def keyless(text: str) -> str:
    """A sentence that may quote what was typed, set or answered, without any key."""
    from batchgen.running.environment import remember_keys
    from batchgen.service.secret import concealed

    remember_keys()
    return concealed(text)


def say(error: BatchgenError, *more: str) -> None:
    """One sentence, what to do, and what else there is to know."""
    try:
        click.echo(f"batchgen: {keyless(error.message)}", err=True)
        for line in filter(None, (error.hint, *more)):
            click.echo(f"  {keyless(line)}", err=True)
    except OSError:
        nobody_reads()
