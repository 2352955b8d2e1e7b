"""Where a run writes: the folder OUT of its manifests."""

from collections.abc import Sequence
from pathlib import Path

from batchgen.errors import UsageError
from batchgen.ledger.sqlite.store import ledger_path

OUTPUTS = "outputs"


def out_for(
    arguments: Sequence[str], paths: Sequence[Path | str], given: Path | None, *, sandbox: bool = False
) -> Path:
    """OUT: what was given, else the folder of a fed-back results.csv, else outputs/<stem>.

    A NAME.fix.csv belongs to the OUT of NAME. Several manifests, a folder and stdin need --out.
    """
    if given is not None:
        return given
    if len(arguments) != 1 or arguments[0] == "-" or Path(arguments[0]).is_dir():
        raise UsageError(
            "Several manifests, a folder or stdin need a folder to write to.",
            code="no_out",
            hint="Name one with --out, for example --out outputs/spring.",
        )
    path = Path(paths[0])
    if ledger_path(path.parent).exists():
        return path.parent
    return Path(OUTPUTS) / (stem(path) + ("-sandbox" if sandbox else ""))


def stem(path: Path) -> str:
    """The name of a manifest without what its format adds: spring.csv.gz -> spring, spring.fix.csv -> spring."""
    name = path.name
    for ending in (".gz", path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix, ".fix"):
        if ending and name.lower().endswith(ending.lower()) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name
