"""Results -> what a client is sent: the page and the films under their job ids, and nothing else.

No money, no models, providers, services or hosts, no task ids, no failures: the page gets only the columns that are
named here. The films' bytes stay as they came; a maker's mark in one stays in it.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

from batchgen.job import Result, State
from batchgen.results.export.pack import PIECE, Tally, Video, copy_checked, finished
from batchgen.results.page.chunks import Columns
from batchgen.results.page.page import client_page

PAGE = "index.html"
#: What the page of a client knows of a film, beside the columns that were asked for.
COLUMNS = Columns(
    named=("state",),
    numbers=("videos", "shape", "seconds"),
    texts=("job_id", "video_paths", "prompt", "review_note"),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a share shows: `columns` are the manifest's columns that were asked for, `notes` the reviewer's."""

    title: str = "Films"
    only: str | None = None
    notes: bool = False
    columns: tuple[str, ...] = ()

    def has(self, result: Result) -> bool:
        """Whether this video goes to the client; one that is marked reject never does."""
        made = result.state in (State.SUCCEEDED, State.CHANGED) and bool(result.video_paths)
        return made and (result.review == self.only if self.only else result.review != "reject")


def shown(results: Iterable[Result], wish: Wish) -> Iterator[Result]:
    """The results that are shared, each stripped of everything that a client is not shown."""
    for result in results:
        if wish.has(result):
            options = result.request.get("options")
            ratio = options.get("aspect_ratio") if isinstance(options, dict) else None
            prompt = {"prompt": result.prompt} if "prompt" in wish.columns else {}
            yield Result(
                job_id=result.job_id,
                manifest="",
                row=1,
                state=State.SUCCEEDED,
                video_paths=result.video_paths,
                sha256=result.sha256,
                film=result.film,
                review_note=result.review_note if wish.notes else "",
                cells={name: result.cells.get(name, "") for name in wish.columns if name != "prompt"},
                request={**prompt, **({"options": {"aspect_ratio": ratio}} if isinstance(ratio, str) else {})},
            )


def fill(
    folder: Path, out_dir: Path, results: Iterable[Result], wish: Wish, name_of: Callable[[str], str]
) -> Tally:
    """Fill an empty folder with the page and the films; `name_of` makes a job id safe for a file system."""
    tally = Tally()
    (folder / "videos").mkdir()
    names: set[str] = set()
    shared: list[Result] = []
    for result in shown(results, wish):
        paths = []
        for video in finished([result], out_dir, tally):
            path = f"videos/{_name(name_of(result.job_id), video, names)}"
            try:
                with (folder / path).open("wb") as into:
                    copy_checked(video, into)
            except ValueError as error:
                (folder / path).unlink()
                tally.leave_out(str(error))
                continue
            paths.append(path)
            tally.videos += 1
        if paths:
            shared.append(replace(result, video_paths=tuple(paths)))
    other = [name for name in wish.columns if name != "prompt"]
    with (folder / PAGE).open("wb") as page:
        for piece in client_page(shared, wish.title, other, COLUMNS):
            page.write(piece.encode("utf-8", "backslashreplace"))
    return tally


def _name(stem: str, video: Video, taken: set[str]) -> str:
    """`hero-01.mp4`, a second video `hero-01+2.mp4`: no number of the purchase, and no name from a template."""
    name = stem + (f"+{video.place + 1}" if video.place else "") + video.path.suffix
    if name in taken:  # only two jobs of one name could do that, and names are made so that there are none
        raise ValueError(f"two videos are called {name}")
    taken.add(name)
    return name


def zip_folder(folder: Path, into: IO[bytes], root: str) -> None:
    """The folder as a zip; films are packed as they are."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = str(PurePosixPath(root, path.relative_to(folder).as_posix()))
                entry = zipfile.ZipInfo(name)
                entry.external_attr = 0o644 << 16
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, PIECE)
