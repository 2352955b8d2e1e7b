"""The video of a task: a real, small MP4 that differs from every other task's.

The packaged clips are real H.264 (`tools/make_clips.py`). A `uuid` box with the task's id and prompt is put after
the last box: players skip it, no offset in the file moves, and every task's bytes have a hash of their own.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

#: The user type of our uuid box: "batchgen sandbox", 16 bytes.
BOX_TYPE = b"batchgen sandbox"
LANDSCAPE = ("landscape-1", "landscape-2", "landscape-3")


@cache
def clip(name: str) -> bytes:
    """The packaged file `name`."""
    return (files("batchgen.sandbox") / "assets" / f"{name}.mp4").read_bytes()


def choose(options: dict[str, Any], number: int) -> str:
    """The clip for the wanted aspect ratio (`16:9`, `portrait`, …); landscapes take turns."""
    wanted = str(options.get("aspect_ratio", options.get("aspectRatio", ""))).strip().lower()
    if wanted in {"1:1", "square"}:
        return "square"
    width, _, height = wanted.partition(":")
    if wanted in {"portrait", "vertical"} or (width.isdigit() and height.isdigit() and int(width) < int(height)):
        return "portrait"
    return LANDSCAPE[number % len(LANDSCAPE)]


def video(name: str, task_id: str, prompt: str, size: int = 0) -> bytes:
    """The MP4 of a task; with `size`, padded with a `free` box to at least that many bytes."""
    note = json.dumps({"task": task_id, "prompt": prompt[:1000]}, ensure_ascii=False).encode("utf-8", "replace")
    data = clip(name) + (24 + len(note)).to_bytes(4, "big") + b"uuid" + BOX_TYPE + note
    missing = size - len(data)
    if missing > 0:
        data += max(missing, 8).to_bytes(4, "big") + b"free" + bytes(max(missing - 8, 0))
    return data
