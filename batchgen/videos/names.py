"""Job id -> the name of its video, the same on every file system and never shared by two job ids.

A pure function of the job id alone, so that no table of names is needed. Three forms:

    plain     `spring-01`                 ->  `spring-01`        nothing to change
    capitals  `Spring-01`                 ->  `Spring-01@1`      hex: bit n is set when letter n is a capital
    anything  `a/b: …`, `con`, 200 bytes  ->  `a-b@z` + 20 letters and digits of the id's hash

Why two ids never meet, even where `A` is `a` (Windows, macOS) and `é` has two spellings (macOS):
a plain name has no `@`; a name with capitals gives the id back (letters by the name, their case by the hex
number); the third form starts its suffix with `z`, which is no hex digit, and holds 100 bits of sha256.
Not `~`: Windows makes `SPRING~1.MP4` itself, as a second name for `springtime.mp4`.
"""

import base64
import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

_PLAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_-])?", re.ASCII)
#: Names that Windows keeps for devices, with any extension: `con.mp4` is the console.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_SLUG_BYTES = 60


def video_name(job_id: str) -> str:
    """The file name of a job's video without extension: at most 101 bytes of UTF-8, safe everywhere."""
    if _PLAIN.fullmatch(job_id) and not _DEVICE.match(job_id):
        letters = [letter for letter in job_id if letter.isalpha()]
        capitals = sum(1 << place for place, letter in enumerate(letters) if letter.isupper())
        return f"{job_id}@{capitals:x}" if capitals else job_id
    return f"{_slug(job_id)}@z{_hash(job_id)}"


def video_path(job_id: str, n: int = 1, *, many: bool = False, purchase_no: int = 1) -> PurePosixPath:
    """Where the n-th video (from 1) of a job lies, relative to OUT.

    `many` (above 10,000 jobs) spreads them over 256 folders: a folder of a million files opens nowhere. A later
    purchase of the job has a name of its own: it never replaces a video that was paid for.
    """
    again = f"+p{purchase_no}" if purchase_no > 1 else ""
    name = video_name(job_id) + again + (f"+{n}" if n > 1 else "") + ".mp4"
    folder = PurePosixPath("videos")
    return folder / hashlib.sha256(_bytes(job_id)).hexdigest()[:2] / name if many else folder / name


def _bytes(job_id: str) -> bytes:
    """The id as bytes; half a surrogate pair (possible in JSON) is no reason to fail."""
    return job_id.encode("utf-8", "surrogatepass")


def _hash(job_id: str) -> str:
    return base64.b32encode(hashlib.sha256(_bytes(job_id)).digest()).decode("ascii").lower()[:20]


def _slug(job_id: str) -> str:
    """What can be read of the id: letters and digits, `_` and `-`; for the eye only, the hash tells apart.

    Letters that Unicode 3.2 does not know are left out: Apple's file systems refuse names with some newer.
    """
    kept = "".join(c if _readable(c) else "-" for c in unicodedata.normalize("NFC", job_id))
    words = re.sub(r"-{2,}", "-", kept).strip("-")
    return words.encode("utf-8")[:_SLUG_BYTES].decode("utf-8", "ignore").rstrip("-") or "job"


def _readable(char: str) -> bool:
    return char in "_-" or unicodedata.ucd_3_2_0.category(char)[0] in "LNM"
