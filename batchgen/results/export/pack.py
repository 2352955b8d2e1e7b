"""What packs of videos have in common: a folder that appears whole, and each video checked on its way in."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from batchgen.errors import OutputError, UsageError
from batchgen.job import Result

PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote. `left_out` has a sentence for each video that could not go in, 1,000 at most."""

    path: Path
    lines: int
    videos: int = 0
    left_out: tuple[str, ...] = ()
    left_out_total: int = 0


@dataclass(slots=True)
class Video:
    """One finished video on disk. `sha256` is the ledger's, "" where it has none."""

    result: Result
    place: int
    path: Path
    sha256: str


@dataclass(slots=True)
class Tally:
    """Counts while an export runs."""

    videos: int = 0
    total: int = 0
    sentences: list[str] = field(default_factory=list)

    def leave_out(self, sentence: str) -> None:
        self.total += 1
        if len(self.sentences) < 1000:
            self.sentences.append(sentence)

    def exported(self, path: Path) -> Exported:
        return Exported(path, self.videos, self.videos, tuple(self.sentences), self.total)


def finished(results: Iterable[Result], out_dir: Path, tally: Tally) -> Iterator[Video]:
    """The videos of the results that lie in `out_dir`; one that should and does not is left out by name."""
    for result in results:
        for place, name in enumerate(result.video_paths):
            path = out_dir / PurePosixPath(name.replace("\\", "/"))
            if not path.is_file():
                tally.leave_out(f"{name} of job {result.job_id} is not there; `batchgen collect` fetches it again.")
                continue
            yield Video(result, place, path, result.sha256[place] if place < len(result.sha256) else "")


def copy_checked(video: Video, into: IO[bytes]) -> str:
    """Copy a video and return its sha256; raises ValueError when that is not what the ledger has."""
    digest = hashlib.sha256()
    with video.path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            into.write(piece)
    if video.sha256 and digest.hexdigest() != video.sha256:
        raise ValueError(f"{video.path.name} of job {video.result.job_id} is not the file that was downloaded.")
    return digest.hexdigest()


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` when the block ends well and vanishes otherwise.

    Raises UsageError when `target` has something in it, OutputError when the disk refuses.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{target} is not empty.", code="target_not_empty", hint="Name another folder, or remove this one."
        )
    temp = target.with_name(f".{target.name}.{os.getpid()}.{time.monotonic_ns():x}.tmp")
    try:
        temp.mkdir(parents=True)
        yield temp
        if target.exists():
            target.rmdir()
        temp.replace(target)
    except OSError as error:
        raise OutputError(
            f"{target} can't be written: {error.strerror or error}.",
            code="output_not_written",
            hint="Make room or choose another place, then run the command again: nothing is lost.",
        ) from error
    finally:
        shutil.rmtree(temp, ignore_errors=True)
