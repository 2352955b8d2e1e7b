"""Faults of a download."""

import gzip
import itertools
from collections.abc import Callable
from hashlib import sha256

from .broken_answers import again, body
from .fault import Fault, Moment, table
from .ranges import wanted_range, whole_or_part
from .refusals import nothing
from .wire import Wire, page

_REASONS = {
    403: "<Code>AccessDenied</Code><Message>Request has expired</Message>",
    404: "<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>",
    410: "<Code>Gone</Code><Message>The object has been deleted.</Message>",
}


def storage_error(status: int) -> Wire:
    """An error of an object store, in its XML."""
    reason = _REASONS.get(status, "<Code>InternalError</Code><Message>Please try again.</Message>")
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{reason}</Error>\n'
    return Wire(status, text.encode(), kind="application/xml")


def _redirect(m: Moment) -> Wire:
    """To another place; a request that carries `moved=1` is served, so that a client can arrive."""
    moved = m.path + ("&" if "?" in m.path else "?") + "moved=1"
    port = m.file_url.rpartition(":")[2]
    target = {
        "same": moved,
        "other": (m.base_url if m.base_url != m.file_url else f"http://localhost:{port}") + moved,
        "alias": f"http://localhost:{port}{moved}",
        "number": f"http://2130706433:{port}{moved}",
        "private": "http://10.0.0.1/x.mp4",
        "metadata": "http://169.254.169.254/latest/meta-data/",
        "file": "file:///etc/passwd",
        "ftp": "ftp://127.0.0.1/x.mp4",
        "loop": m.path,
    }[m.arg or "same"]
    return Wire(302, b"", [("Location", target)], kind="text/plain")


def _cut(m: Moment, end: str) -> Wire:
    return again(m, cut=m.number(len(m.body) // 2), end=end)


def _changes(m: Moment) -> Wire:
    """The first download breaks off; after that the file is another one, with another ETag."""
    if m.task is None or m.request is None or not m.task.files:
        return _cut(m, "rst")
    data = m.data + (16).to_bytes(4, "big") + b"freeCHANGED!"
    etag = f'"{sha256(data).hexdigest()[:24]}"'
    seen = m.request.headers.get("If-Range", etag) if m.arg == "silently" else etag
    return whole_or_part(data, etag, wanted_range(m.request, seen, len(data)))


def _cut_file(m: Moment) -> Wire:
    """A file that is itself cut: the length is right, the MP4 is not whole."""
    assert m.request is not None  # noqa: S101
    data = m.data[: m.number(len(m.data) // 2)]
    return whole_or_part(data, m.etag, wanted_range(m.request, m.etag, len(data)))


def _garbage(m: Moment) -> Wire:
    noise = bytes(itertools.islice(itertools.cycle(b"not a video "), len(m.body)))
    return body(m, noise)


def _no_range(m: Moment) -> Wire:
    return Wire(200, m.data, [("ETag", m.etag)], kind="video/mp4")


def _gzip(m: Moment) -> Wire:
    return Wire(200, gzip.compress(m.data, 1), [("Content-Encoding", "gzip")], kind="video/mp4")


def _fault(name: str, does: str, make: Callable[[Moment], Wire], arg: str = "") -> Fault:
    return Fault(name, "file", does, make, "", arg)


FILE_FAULTS = table(
    _fault(
        "file-error",
        "403 expired in XML (or 404, 410, 500, any status)",
        lambda m: storage_error(m.number(403)),
        "status",
    ),
    _fault(
        "file-truncated",
        "cut at byte K, with the right Content-Length, then FIN",
        lambda m: _cut(m, "fin"),
        "bytes",
    ),
    _fault("file-reset", "cut at byte K, then RST", lambda m: _cut(m, "rst"), "bytes"),
    _fault("file-cut", "the file itself is cut at byte K: right length, no whole MP4", _cut_file, "bytes"),
    _fault(
        "file-long",
        "Content-Length is larger than the body",
        lambda m: again(m, declare=len(m.body) + 1000, end="fin"),
    ),
    _fault(
        "file-short",
        "Content-Length is smaller than the body",
        lambda m: again(m, declare=len(m.body) - 1000, end="fin"),
    ),
    _fault(
        "file-html",
        "200 with an HTML page called video/mp4",
        lambda m: body(m, page(200, "Sign in", "Please sign in.").content),
    ),
    _fault("file-html-page", "200 with an HTML page", lambda _: page(200, "Sign in", "Please sign in.")),
    _fault("file-garbage", "the right length of bytes that are no video", _garbage),
    _fault("file-empty", "200 with an empty body", lambda m: body(m, b"")),
    _fault(
        "file-redirect",
        "302 to the same host, or to another place",
        _redirect,
        "same|other|alias|number|private|metadata|file|ftp|loop",
    ),
    _fault(
        "file-no-length",
        "no Content-Length: the connection's end is the file's end",
        lambda m: again(m, framing="close"),
    ),
    _fault(
        "file-no-length-cut",
        "the same, cut at half",
        lambda m: again(m, framing="close", cut=len(m.body) // 2),
    ),
    _fault("file-chunked", "in chunks, without Content-Length", lambda m: again(m, framing="chunked")),
    _fault("file-slow", "trickles over 30 s", lambda m: again(m, drip=m.seconds(30)), "seconds"),
    _fault("file-hang", "no answer for 120 s, then closes", lambda m: nothing("fin", m.seconds(120)), "seconds"),
    _fault("file-416", "416, whatever is asked for", lambda m: whole_or_part(m.data, m.etag, "unsatisfiable")),
    _fault("file-no-range", "Range is ignored: 200 with everything", _no_range),
    _fault(
        "file-changes",
        "breaks off once; then it is another file (`silently`: it ignores If-Range)",
        _changes,
        "silently",
    ),
    _fault("file-gzip", "Content-Encoding: gzip", _gzip),
)
