"""WebDataset: tar shards with three files a video: KEY.mp4, KEY.json (the record), KEY.txt (the prompt).

The bytes are the same for the same results and videos: keys count up, and members have no owner, no time of
the day, and fixed modes.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from batchgen.job import Result
from batchgen.results.export.jsonl import json_line
from batchgen.results.export.pack import PIECE, Exported, Tally, Video, finished, whole_folder
from batchgen.results.export.record import record
from batchgen.results.summary import Summary

#: A shard ends with the video that brings it to so many bytes, or so many videos.
SHARD_BYTES = 1_000_000_000
SHARD_VIDEOS = 10_000


def write_webdataset(
    target: Path,
    results: Iterable[Result],
    summary: Summary,
    out_dir: Path,
    shard_bytes: int = SHARD_BYTES,
    shard_videos: int = SHARD_VIDEOS,
) -> Exported:
    """Shards `shard-000000.tar` and so on, and `shards.json` that lists them with their counts and sums."""
    tally = Tally()
    shards: list[dict[str, Any]] = []
    videos = finished(results, out_dir, tally)
    with whole_folder(target) as folder:
        while True:
            path = folder / f"shard-{len(shards):06d}.tar"
            count = _shard(path, videos, summary, tally, shard_bytes, shard_videos)
            if not count:
                path.unlink()
                break
            shards.append({"name": path.name, "videos": count, "sha256": _sum(path), "bytes": path.stat().st_size})
        listing = {"shards": shards, "videos": tally.videos}
        (folder / "shards.json").write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8", newline="\n")
    return tally.exported(target)


def _shard(
    path: Path, videos: Iterable[Video], summary: Summary, tally: Tally, most_bytes: int, most_videos: int
) -> int:
    """Fill one shard from the stream of videos; how many went in."""
    count = size = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for video in videos:
            digest = _sum(video.path)
            if video.sha256 and digest != video.sha256:
                tally.leave_out(
                    f"{video.path.name} of job {video.result.job_id} is not the file that was downloaded."
                )
                continue
            known = record(video.result, summary)
            known |= {"video": video.place, "sha256": digest}
            key = f"{tally.videos:09d}"
            with video.path.open("rb") as file:
                _add(tar, f"{key}{video.path.suffix.lower() or '.mp4'}", file, video.path.stat().st_size)
            for ending, text in (("json", json_line(known)), ("txt", _prompt(video.result))):
                _add(tar, f"{key}.{ending}", io.BytesIO(text), len(text))
            tally.videos += 1
            count += 1
            size += video.path.stat().st_size
            if size >= most_bytes or count >= most_videos:
                break
    return count


def _add(tar: tarfile.TarFile, name: str, file: Any, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    tar.addfile(member, file)


def _prompt(result: Result) -> bytes:
    prompt = result.request.get("prompt") or result.cells.get("prompt") or ""
    return str(prompt).encode("utf-8", "backslashreplace")


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
