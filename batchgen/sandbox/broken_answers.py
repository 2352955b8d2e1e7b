"""Faults of a POST that was accepted: the task exists and is charged, and the answer goes wrong."""

import gzip
import json
from collections.abc import Callable
from typing import Any

from . import edge
from .fault import Fault, Moment, table
from .refusals import error_json, error_page, nothing, redirect, unavailable_page
from .wire import Wire, page


def again(m: Moment, **changes: Any) -> Wire:
    """The proper answer, sent in another way."""
    return Wire(m.proper.code, m.proper.content, m.proper.fields, kind=m.proper.kind, **changes)


def body(m: Moment, content: bytes, headers: list[tuple[str, str]] | None = None, **changes: Any) -> Wire:
    """The proper head with another body."""
    kind = changes.pop("kind", m.proper.kind)
    return Wire(m.proper.code, content, m.proper.fields + (headers or []), kind=kind, **changes)


def _task_id(m: Moment) -> str:
    return m.task.task_id if m.task is not None else ""


def _with_id(m: Moment, value: Any) -> Wire:
    """The documented answer with something else where the id stands; `...` leaves it out."""
    said = {"status": "pending", "mediaType": "video", "videoUrls": []}
    inner = said if value is ... else {"id": value, **said}
    outer = {} if value is ... else {"id": value}
    whole = {**outer, "object": "video.generation.task", "status": "pending", "data": inner}
    return body(m, json.dumps(whole).encode())


def _half(m: Moment) -> int:
    return m.number(len(m.body) // 2)


def _two_ids(m: Moment) -> Wire:
    return body(m, b'{"id":"another-id",' + m.body.lstrip(b"{"))


def _head(m: Moment, *lines: bytes) -> Wire:
    """The proper answer with raw lines put after its status line."""
    head, rest = again(m).to_bytes().split(b"\r\n", 1)
    return Wire(m.proper.code, b"\r\n".join([head, *lines, rest]), framing="raw")


def _one_hundreds(m: Moment) -> Wire:
    return Wire(m.proper.code, b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200 + again(m).to_bytes(), framing="raw")


def _bad_chunk(m: Moment) -> Wire:
    head = again(m, framing="chunked").to_bytes().split(b"\r\n\r\n", 1)[0]
    return Wire(m.proper.code, head + b"\r\n\r\nzz\r\n" + m.body, framing="raw", end="fin")


def _conflict(m: Moment) -> Wire:
    said = {"error": {"code": "conflict", "message": "This request is known."}, "id": _task_id(m)}
    return Wire(409, json.dumps(said).encode())


def _id_and_error(m: Moment) -> Wire:
    said = {"id": _task_id(m), "error": {"code": "upstream_error", "message": "The provider did not answer."}}
    return Wire(200, json.dumps(said).encode())


def _envelope_500(_: Moment) -> Wire:
    return Wire(200, json.dumps({"code": 500, "msg": "Server exception, please try again later."}).encode())


def _gzip_bomb(m: Moment) -> Wire:
    bomb = gzip.compress(b'{"x":"' + b" " * (64 << 20) + b'"}', 9)
    return body(m, bomb, [("Content-Encoding", "gzip")])


def _same_id(m: Moment) -> Wire:
    return body(m, m.body.replace(_task_id(m).encode(), (m.previous or _task_id(m)).encode()))


def _extra(m: Moment, text: bytes) -> Wire:
    return body(m, m.body.rstrip(b"}") + b',"x":' + text + b"}" * (len(m.body) - len(m.body.rstrip(b"}"))))


_NOT_JSON = b"Task queued."


def _fault(name: str, does: str, make: Callable[[Moment], Wire], arg: str = "") -> Fault:
    return Fault(name, "post", does, make, "yes", arg)


BROKEN = table(
    _fault("reset-after", "RST instead of an answer", lambda _: nothing("rst")),
    _fault("drop-after", "closes the connection instead of an answer", lambda _: nothing("fin")),
    _fault("hang-after", "no answer for 300 s, then closes", lambda m: nothing("fin", m.seconds(300)), "seconds"),
    _fault("slow", "the proper answer after 10 s", lambda m: again(m, delay=m.seconds(10)), "seconds"),
    _fault("drip", "the proper answer, trickling over 30 s", lambda m: again(m, drip=m.seconds(30)), "seconds"),
    _fault("accept-error", "JSON error (500, or any status)", error_json, "status"),
    _fault("accept-page", "a proxy's HTML error page (502, or any status)", error_page, "status"),
    _fault(
        "accept-cloudflare",
        "a 524 page of Cloudflare (or 520 to 526)",
        lambda m: edge.cloudflare(m.number(524)),
        "cloudflare",
    ),
    _fault(
        "accept-vercel-504",
        "504 in plain text, FUNCTION_INVOCATION_TIMEOUT",
        lambda _: edge.vercel(504, "FUNCTION_INVOCATION_TIMEOUT"),
    ),
    _fault("accept-unavailable-page", "503 with Retry-After as a page", unavailable_page, "seconds"),
    _fault("accept-redirect", "308 (or another status) after acceptance", redirect, "redirect"),
    _fault("accept-conflict", "409 with the task's id", _conflict),
    _fault("id-and-error", "200 with the task's id and an error", _id_and_error),
    _fault("accept-envelope-500", "200 with `code` 500 in the body", _envelope_500),
    _fault(
        "truncate",
        "cut at byte K of the body, with Content-Length, then FIN",
        lambda m: again(m, cut=_half(m), end="fin"),
        "bytes",
    ),
    _fault("truncate-reset", "the same, then RST", lambda m: again(m, cut=_half(m), end="rst"), "bytes"),
    _fault(
        "truncate-chunked",
        "cut at byte K of a chunked body",
        lambda m: again(m, framing="chunked", cut=_half(m), end="fin"),
        "bytes",
    ),
    _fault(
        "truncate-close",
        "cut at byte K of a body that only the connection's end delimits",
        lambda m: again(m, framing="close", cut=_half(m)),
        "bytes",
    ),
    _fault(
        "truncate-head",
        "cut at byte K of the whole answer, head included",
        lambda m: again(m, cut_head=m.number(40), end="fin"),
        "bytes",
    ),
    _fault(
        "close-delimited",
        "whole, but delimited by the connection's end alone",
        lambda m: again(m, framing="close"),
    ),
    _fault(
        "chunked",
        "whole and proper, in chunks (no fault: it must be accepted)",
        lambda m: again(m, framing="chunked"),
    ),
    _fault(
        "long-length",
        "Content-Length is larger than the body",
        lambda m: again(m, declare=len(m.body) + 100, end="fin"),
    ),
    _fault(
        "short-length",
        "Content-Length is smaller than the body",
        lambda m: again(m, declare=len(m.body) // 2, end="fin"),
    ),
    _fault("bad-chunk", "a chunk size that is no number", _bad_chunk),
    _fault(
        "garbage",
        "bytes that are no HTTP",
        lambda _: Wire(0, b"\x00\x16\x03 SSH-2.0 garbage\r\n\r\n", framing="raw", end="fin"),
    ),
    _fault("early-hints", "200 answers of status 103 before the proper one", _one_hundreds),
    _fault("long-header", "a header of 100 KB", lambda m: _head(m, b"X-Long: " + b"x" * 100_000)),
    _fault(
        "cookie",
        "sets a cookie (no fault: it must be accepted)",
        lambda m: _head(m, b"Set-Cookie: session=1; Path=/"),
    ),
    _fault("empty", "200 with an empty body", lambda m: body(m, b"")),
    _fault("no-content", "204", lambda _: Wire(204, kind="", framing="none")),
    _fault("created-201", "201 and the proper body (no fault: it must be accepted)", lambda m: Wire(201, m.body)),
    _fault("accepted-202", "202 and the proper body (no fault: it must be accepted)", lambda m: Wire(202, m.body)),
    _fault("html", "200 with an HTML page", lambda _: page(200, "Welcome", "Sign in to go on.")),
    _fault("not-json", "200 with plain text called JSON", lambda m: body(m, _NOT_JSON)),
    _fault("bad-utf8", "JSON with bytes that are not UTF-8", lambda m: _extra(m, b'"\xff\xfe\xc3"')),
    _fault("utf16", "JSON in UTF-16", lambda m: body(m, m.body.decode().encode("utf-16"))),
    _fault("bom", "JSON after a byte order mark", lambda m: body(m, b"\xef\xbb\xbf" + m.body)),
    _fault("nan", "JSON with NaN in it", lambda m: _extra(m, b"NaN")),
    _fault("deep", "JSON nested 100,000 deep", lambda m: _extra(m, b"[" * 100_000 + b"]" * 100_000)),
    _fault("long-number", "JSON with a number of 5,000 digits", lambda m: _extra(m, b"9" * 5000)),
    _fault("two-ids", "the key `id` twice, with two values", _two_ids),
    _fault("no-id", "no id anywhere", lambda m: _with_id(m, ...)),
    _fault("null-id", "the id is null", lambda m: _with_id(m, None)),
    _fault(
        "number-id",
        "the id is a number (no fault in most eyes)",
        lambda m: _with_id(m, m.task.number if m.task else 0),
    ),
    _fault("list-id", "the id is a list", lambda m: _with_id(m, [_task_id(m)])),
    _fault("path-id", "the id is `../` and the proper one", lambda m: _with_id(m, "../" + _task_id(m))),
    _fault("long-id", "the id has 900,000 characters", lambda m: _with_id(m, _task_id(m) + "0" * 900_000)),
    _fault("same-id", "the id of the task before", _same_id),
    _fault(
        "big",
        "a proper answer of 2 MB",
        lambda m: _extra(m, b'"' + b"x" * (m.number(2) << 20) + b'"'),
        "count",
    ),
    _fault("bad-gzip", "said to be gzip, and is not", lambda m: body(m, m.body, [("Content-Encoding", "gzip")])),
    _fault(
        "gzip",
        "properly gzipped (no fault: it must be accepted)",
        lambda m: body(m, gzip.compress(m.body), [("Content-Encoding", "gzip")]),
    ),
    _fault("gzip-bomb", "64 KB of gzip that become 64 MB", _gzip_bomb),
)
