"""Where a run writes: the folder OUT of its manifests."""

import os
from collections.abc import Sequence
from pathlib import Path

from batchgen.check.catalogue import GATEWAY
from batchgen.errors import UsageError
from batchgen.ledger.sqlite.store import ledger_path
from batchgen.manifest import Place
from batchgen.manifest.packed import without_ending
from batchgen.manifest.source import Rows
from batchgen.running.environment import OUT_VARIABLE

OUTPUTS = "outputs"


def out_for(
    arguments: Sequence[str | Rows],
    paths: Sequence[Place],
    given: Path | None,
    *,
    service: str = GATEWAY,
    sandbox: bool = False,
) -> Path:
    """OUT: what was given, else BATCHGEN_OUT, else the folder of a fed-back results.csv, else outputs/<stem>, and
    outputs/<stem>-<service> for another service than the gateway.

    A NAME.fix.csv belongs to the OUT of NAME. Several manifests, a folder and stdin need one that is named.
    """
    if given is not None:
        return given
    if any(isinstance(argument, Rows) for argument in arguments):
        raise UsageError(
            "Rows in memory have no name, so no folder is theirs.",
            code="no_out",
            hint="Name one with --out, for example --out outputs/spring.",
        )
    if named := out_from_environment():
        return named
    if len(arguments) != 1 or arguments[0] == "-" or Path(arguments[0]).is_dir():
        raise UsageError(
            "Several manifests, a folder or stdin need a folder to write to.",
            code="no_out",
            hint="Name one with --out, for example --out outputs/spring.",
        )
    path = Path(paths[0])
    if ledger_path(path.parent).exists():
        return path.parent
    at = "" if service == GATEWAY else f"-{service}"
    return Path(OUTPUTS) / (stem(path) + at + ("-sandbox" if sandbox else ""))


def out_from_environment() -> Path | None:
    """The folder that BATCHGEN_OUT names; None where it names none. Raises UsageError where that is a file."""
    name = os.environ.get(OUT_VARIABLE, "").strip()
    if not name:
        return None
    if Path(name).is_file():
        raise UsageError(f"{OUT_VARIABLE} is {name!r}: a file, not a folder.", code="bad_setting")
    return Path(name)


def check_resumes(out: Path) -> None:
    """Raise UsageError where a run in `out` would begin a new ledger (`--must-resume`)."""
    if not ledger_path(out).exists():
        raise UsageError(
            f'There is no ledger in "{out}", and --must-resume begins none.',
            code="must_resume",
            hint="Bring that folder back as the last run left it: without it, what was paid for would be bought "
            "again. Leave --must-resume out for the very first run only.",
        )


def stem(path: Path) -> str:
    """The name of a manifest without what its format adds: spring.csv.gz -> spring, spring.fix.csv -> spring."""
    name = without_ending(path.name)
    for ending in (Path(name).suffix, ".fix"):
        if ending and name.lower().endswith(ending.lower()) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name
