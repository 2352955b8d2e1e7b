"""What had come of an answer that went wrong, as far as it can be read: status, headers, the body in plain text."""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

#: Of an answer's headers no more than so many are kept, each cut to so many characters.
MOST_HEADERS, LONGEST_HEADER = 60, 1000
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]{0,200}\r?\n")


@dataclass(frozen=True, slots=True)
class Received:
    """`status` is None, and `body` all that came, where it is no HTTP."""

    status: int | None
    headers: dict[str, str]
    body: bytes


def received(raw: bytes) -> Received:
    """The head and the body in `raw`, which may end anywhere. Interim answers before it are passed over.

    >>> received(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n7\\r\\n{\\"id\\":5").body
    b'{"id":5'
    """
    rest = raw
    for _ in range(20):
        status = _STATUS.match(rest)
        if status is None:
            break
        head, gap, body = rest[status.end() :].partition(b"\r\n\r\n")
        if not gap:
            head, gap, body = rest[status.end() :].partition(b"\n\n")
        number = int(status[1])
        if gap and 100 <= number <= 199 and body:
            rest = body
            continue
        headers = kept(line.split(b":", 1) for line in head.split(b"\n") if b":" in line)
        return Received(number, headers, _plain(body, headers))
    return Received(None, {}, raw)


def kept(headers: Iterable[list[bytes] | tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name, the last one wins; no more of them than a ledger should hold."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.decode("latin-1").strip().lower()
        if len(found) < MOST_HEADERS or key in found:
            found[key[:100]] = value.decode("latin-1").strip()[:LONGEST_HEADER]
    return found


def _plain(body: bytes, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _unchunked(body)
    if "gzip" in headers.get("content-encoding", "").lower():
        body = unpacked_as_far_as_it_goes(body) or body
    return body


def _unchunked(body: bytes) -> bytes:
    """The chunks' own bytes; what is no chunk any more is kept as it is."""
    pieces: list[bytes] = []
    at = 0
    while size := _CHUNK.match(body, at):
        length = int(size[1], 16)
        if not length:
            return b"".join(pieces)
        pieces.append(body[size.end() : size.end() + length])
        at = size.end() + length
        at += 2 if body[at : at + 2] == b"\r\n" else 1 if body[at : at + 1] == b"\n" else 0
    return b"".join([*pieces, body[at:]])


def unpacked_as_far_as_it_goes(packed: bytes, most: int = 64 * 1024) -> bytes:
    """The first bytes of a gzip body, however it goes on."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, most)
    except zlib.error:
        return b""
