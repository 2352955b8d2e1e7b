"""Results -> a file or a folder for the next tool: CSV, XLSX, JSON Lines, Parquet, VideoFolder, WebDataset.

results -> records (everything known of a job, with provenance) -> one writer a format. Each target appears
whole or not at all. Nothing here reads the ledger, the network or the clock: the same results give the same
files.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from batchgen.amount import Unit
from batchgen.errors import UsageError
from batchgen.job import Result
from batchgen.results.csv import write_results
from batchgen.results.export.pack import Exported
from batchgen.results.summary import Summary

FORMATS = ("csv", "xlsx", "jsonl", "parquet", "videofolder", "webdataset")


def default_target(out_dir: Path, file_format: str) -> Path:
    """Where an export goes when nobody says: OUT/export/NAME.xlsx, or a folder OUT/export/webdataset."""
    folder = out_dir / "export"
    if file_format in {"videofolder", "webdataset"}:
        return folder / file_format
    return folder / f"{out_dir.resolve().name}.{file_format}"


def export(
    results: Iterable[Result],
    summary: Summary,
    other: Sequence[str],
    out_dir: Path,
    file_format: str,
    target: Path | None = None,
    *,
    delimiter: str = ",",
) -> Exported:
    """Write `results` in `file_format` (one of FORMATS) to `target`, or to the default place.

    `out_dir` is where the paths of the videos start. A file is replaced; a folder must be new or empty.
    Raises UsageError for an unknown format, a wrong delimiter or a full folder, OutputError when the disk
    refuses.
    """
    place = target or default_target(out_dir, file_format)
    match file_format:
        case "csv":
            unit = Unit(summary.unit)  # only its name counts: the amounts are in whole units
            return Exported(place, write_results(place, results, other, one_character(delimiter), unit=unit))
        case "xlsx":
            from batchgen.results.export.xlsx import write_xlsx

            return write_xlsx(place, results, summary, other, out_dir)
        case "jsonl":
            from batchgen.results.export.jsonl import write_jsonl

            return write_jsonl(place, results, summary)
        case "parquet":
            from batchgen.results.export.parquet import write_parquet

            return write_parquet(place, results, summary, other)
        case "videofolder":
            from batchgen.results.export.videofolder import write_videofolder

            return write_videofolder(place, results, summary, other, out_dir)
        case "webdataset":
            from batchgen.results.export.webdataset import write_webdataset

            return write_webdataset(place, results, summary, out_dir)
    raise UsageError(
        f"There is no format {file_format}.", code="unknown_format", hint=f"Formats: {', '.join(FORMATS)}."
    )


def one_character(delimiter: str) -> str:
    """The delimiter as csv wants it: one character that is no quote and no line break; `\\t` and `tab` work."""
    named = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if len(named) != 1 or named in '"\r\n\0' or named.isalnum():
        raise UsageError(
            f"{delimiter!r} can't separate columns.",
            code="wrong_delimiter",
            hint="Use one character, such as , or ; or tab.",
        )
    return named
