"""`python -m batchgen.sandbox --port 0`: a sandbox in a process of its own, for benchmarks and tests.

Prints one JSON line {"base_url": …, "key": …} and runs until SIGTERM. Takes every option of `Options`, and
`--state`.
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from .faults import list_faults
from .options import Options
from .server import serve


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m batchgen.sandbox", description=__doc__.split("\n")[0])
    for each in fields(Options):
        flag, text = each.metadata["flag"].partition("/")[0], each.metadata["help"].replace("%", "%%")
        if each.metadata["type"] is bool:
            parser.add_argument(
                flag, dest=each.name, action=argparse.BooleanOptionalAction, default=each.default, help=text
            )
            continue
        more: dict[str, Any] = {"type": each.metadata["type"], "default": each.default}
        if each.metadata.get("repeat"):
            more = {"action": "append"}
        parser.add_argument(flag, dest=each.name, help=text, metavar=each.metadata.get("metavar"), **more)
    parser.add_argument(
        "--state", metavar="DIR", help="Keep tasks and credits here, and go on from there next time."
    )
    parser.add_argument("--list-faults", action="store_true", help="List every fault and leave.")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Parse, serve, return the exit code."""
    given = vars(_parser().parse_args(arguments))
    if given.pop("list_faults"):
        sys.stdout.write(list_faults())
        return 0
    folder = given.pop("state")
    for each in fields(Options):
        if each.metadata.get("repeat"):
            value = given[each.name]
            given[each.name] = tuple(value) if value else each.default
    try:
        options = Options(**given)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return serve(options, state_dir=Path(folder) if folder else None, as_json=True)


if __name__ == "__main__":
    sys.exit(main())
