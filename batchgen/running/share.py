"""`share`: a folder, or one zip, to send to a client. Reads the ledger and the videos; opens no connection."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from batchgen.check.sentences import count
from batchgen.errors import OutputError, UsageError
from batchgen.files import whole_file
from batchgen.ledger import views
from batchgen.ledger.sqlite.store import reading
from batchgen.results.share import PAGE, Wish, fill, zip_folder
from batchgen.videos.names import video_name

_MARKS_STAY = (
    "The films' bytes are as they came: where one has its maker's mark inside (C2PA, metadata), that still names "
    "its maker."
)


@dataclass(frozen=True, slots=True)
class Shared:
    """What `share` wrote, and a sentence for each video that could not go in."""

    path: Path
    videos: int
    left_out: tuple[str, ...] = ()


def share(
    out: Path,
    *,
    to: Path | None = None,
    zipped: bool = False,
    title: str | None = None,
    only: str | None = None,
    notes: bool = False,
    columns: Sequence[str] = (),
) -> Shared:
    """Write the page and the videos to `to` (default: OUT/share, or OUT/share.zip), anew as a whole.

    Raises UsageError where nothing is to be shared, a column is unknown, the place holds something else, or the
    videos lie in an object store; OutputError when the disk refuses.
    """
    place = to or out / ("share.zip" if zipped else "share")
    wish = Wish(title or "Films", only, notes, tuple(dict.fromkeys(columns)))
    if not zipped:
        _refuse_other_folder(place)
    with reading(out) as connection:
        _refuse_unknown(wish.columns, list(dict.fromkeys(["prompt", *views.other_columns(connection)])))
        wanted = [result for result in views.results(connection) if wish.has(result)]
    if away := next((path for result in wanted for path in result.video_paths if "://" in path), ""):
        raise UsageError(
            f"The videos lie in an object store ({away.split('://')[0]}://…), not in {out}.",
            code="videos_elsewhere",
            hint=f"`batchgen export {out} --format videofolder` fetches them.",
        )
    if not wanted:
        raise UsageError(
            "There is no video to share" + (f" that is marked {only}." if only else "."),
            code="nothing_to_share",
            hint="Videos that are ready and not marked reject are shared; `batchgen review` takes marks.",
        )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".share.") as temp:
            folder = Path(temp) / "share"
            folder.mkdir()
            tally = fill(folder, out, wanted, wish, video_name)
            if not tally.videos:
                raise UsageError(
                    "Not one of the videos is there.", code="nothing_to_share", hint=tally.sentences[0]
                )
            if zipped:
                with whole_file(place) as file:
                    zip_folder(folder, file, place.stem)
            else:
                if place.exists():
                    shutil.rmtree(place)
                folder.replace(place)
    except OSError as error:
        raise OutputError(
            f"{place} can't be written: {error.strerror or error}.",
            code="output_not_written",
            hint="Make room or choose another place, then run the command again: nothing is lost.",
        ) from error
    return Shared(place, tally.videos, tuple(tally.sentences))


def _refuse_other_folder(place: Path) -> None:
    """Only a folder that a share wrote is written anew: any other is somebody's."""
    if not place.exists() or (place.is_dir() and {path.name for path in place.iterdir()} <= {PAGE, "videos"}):
        return
    raise UsageError(
        f"{place} holds something else.",
        code="target_not_empty",
        hint="Name another place with --to, or remove it.",
    )


def _refuse_unknown(wanted: Sequence[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"There is no column {name!r}.", code="no_such_column", hint="There are: " + ", ".join(known) + "."
            )


def share_lines(shared: Shared) -> list[str]:
    """What `share` says; the path stands on a line of its own."""
    lines = [f"{count(shared.videos, 'video')} to share:", f"  {shared.path}"]
    lines += [f"left out: {sentence}" for sentence in shared.left_out[:20]]
    if len(shared.left_out) > 20:
        lines.append(f"… and {len(shared.left_out) - 20:,} more left out")
    return [*lines, _MARKS_STAY]
