"""Range requests: which part is wanted, and the answer that gives it."""

import re

from aiohttp import web

from .wire import Wire

Part = tuple[int, int] | str | None


def wanted_range(request: web.BaseRequest, etag: str, size: int) -> Part:
    """First and last byte of a single satisfiable Range; None for all of it; "unsatisfiable"."""
    m = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", "").replace(" ", ""))
    if not m or m.group() == "bytes=-" or request.headers.get("If-Range", etag) != etag:
        return None
    if not m[1]:
        length = min(int(m[2]), size)
        return (size - length, size - 1) if length else "unsatisfiable"
    first = int(m[1])
    last = min(int(m[2]), size - 1) if m[2] else size - 1
    if m[2] and int(m[2]) < first:
        return None
    return (first, last) if first < size else "unsatisfiable"


def whole_or_part(data: bytes, etag: str, wanted: Part) -> Wire:
    """200 with everything, 206 with a part, or 416."""
    headers = [("Accept-Ranges", "bytes"), ("ETag", etag)]
    if wanted is None:
        return Wire(200, data, headers, kind="video/mp4")
    if isinstance(wanted, str):
        return Wire(416, b"", [*headers, ("Content-Range", f"bytes */{len(data)}")], kind="")
    first, last = wanted
    headers.append(("Content-Range", f"bytes {first}-{last}/{len(data)}"))
    return Wire(206, data[first : last + 1], headers, kind="video/mp4")
