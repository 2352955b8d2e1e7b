"""One answer as it goes over the wire: whole and proper by default, broken in a chosen way on demand.

A `Wire` is written as bytes, past aiohttp's own response machinery: that is quicker, and a stand-in must be
able to say what no proper server says (a cut in the middle of an id, a wrong length, a reset).
"""

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

_REASONS = {status.value: status.phrase for status in HTTPStatus}
#: SO_LINGER on with no time: closing the socket then sends RST instead of FIN.
_LINGER_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_CHUNK = 64 * 1024
#: Bytes that may wait for a slow reader before the next chunk is made.
_BUFFERED = 512 * 1024

_date = (0, "")


def http_date() -> str:
    """The `Date` header of now, made once a second."""
    global _date  # noqa: PLW0603 a cache of one value; making the text costs more than the rest of the head
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]


def reset(transport: asyncio.Transport | asyncio.WriteTransport | None) -> None:
    """Close the connection with RST."""
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    transport.abort()


class Wire(web.StreamResponse):
    """An answer, and how it breaks.

    framing: `length` (Content-Length), `chunked`, `close` (the connection's end is the body's end), `none`
        (no body is announced) or `raw` (`body` is everything that is sent, status line included).
    declare: the Content-Length to state instead of the true one.
    cut: send only the first `cut` bytes of the body (`cut_head`: of the whole answer, head included).
    delay: real seconds before the first byte; drip: real seconds over which the bytes trickle out.
    end: `keep` the connection, `fin` (close it) or `rst` (reset it).
    """

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        headers: Iterable[tuple[str, str]] = (),
        *,
        kind: str = "application/json",
        framing: str = "length",
        declare: int | None = None,
        cut: int | None = None,
        cut_head: int | None = None,
        delay: float = 0.0,
        drip: float = 0.0,
        end: str = "keep",
        reason: str | None = None,
    ) -> None:
        super().__init__(status=status)
        self.code = status
        self.content = body
        self.fields = list(headers)
        self.kind = kind
        self.framing = framing
        self.declare = declare
        self.cut = cut
        self.cut_head = cut_head
        self.delay = delay
        self.drip = drip
        self.end = "fin" if framing == "close" and end == "keep" else end
        self.phrase = reason if reason is not None else _REASONS.get(status, "Unknown")
        self._stays = self.end == "keep"

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection is used again; read by aiohttp after the answer."""
        return self._stays

    def to_bytes(self, *, head_only: bool = False) -> bytes:
        """All bytes of the answer, with the cut applied."""
        if self.framing == "raw":
            return self.content if self.cut is None else self.content[: self.cut]
        lines = [f"HTTP/1.1 {self.code} {self.phrase}", f"Date: {http_date()}"]
        if self.kind:
            lines.append(f"Content-Type: {self.kind}")
        lines += [f"{name}: {value}" for name, value in self.fields]
        body = self.content if self.cut is None else self.content[: self.cut]
        if self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%b" % (max(len(self.content), 1), body)
            body += b"\r\n0\r\n\r\n" if self.cut is None else b""
        elif self.framing == "length":
            lines.append(f"Content-Length: {len(self.content) if self.declare is None else self.declare}")
        if not self._stays:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        everything = head if head_only else head + body
        return everything if self.cut_head is None else everything[: self.cut_head]

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the answer; called once by aiohttp."""
        if not request.keep_alive:
            self._stays = False
            self.end = "fin" if self.end == "keep" else self.end
        if self.delay:
            await _wait(request, self.delay)
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("The client has gone.")
        data = self.to_bytes(head_only=request.method == "HEAD")
        if self.drip:
            await _drip(transport, data, self.drip)
        elif len(data) <= _CHUNK:
            transport.write(data)
        else:
            await _write_big(transport, data)
        if self.end == "rst":
            reset(transport)
        elif self.end == "fin":
            transport.close()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to do: `prepare` has sent everything."""


async def _wait(request: web.BaseRequest, seconds: float) -> None:
    """Wait for `seconds`, or until the client hangs up."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    # A handler has no event for "the client hung up" that leaves it running.
    while request.transport is not None and (left := end - loop.time()) > 0:  # noqa: ASYNC110
        await asyncio.sleep(min(left, 0.1))


async def _write_big(transport: asyncio.WriteTransport, data: bytes) -> None:
    """Write at the reader's pace, so that large answers don't pile up in memory."""
    view = memoryview(data)
    for start in range(0, len(data), _CHUNK):
        if transport.is_closing():
            raise ConnectionResetError("The client has gone.")
        transport.write(view[start : start + _CHUNK])
        # The transport's public face has no event for "drained": its size is looked at instead.
        while transport.get_write_buffer_size() > _BUFFERED and not transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def _drip(transport: asyncio.WriteTransport, data: bytes, seconds: float) -> None:
    """Write `data` in small pieces over `seconds`."""
    pieces = max(2, min(len(data), 100, int(seconds * 20) + 2))
    size = -(-len(data) // pieces)
    for start in range(0, len(data), size):
        if transport.is_closing():
            raise ConnectionResetError("The client has gone.")
        transport.write(data[start : start + size])
        await asyncio.sleep(seconds / pieces)


def json_answer(status: int, value: Any, headers: Iterable[tuple[str, str]] = ()) -> Wire:
    """A proper JSON answer."""
    return Wire(status, json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(), headers)


def page(status: int, title: str, text: str, headers: Iterable[tuple[str, str]] = ()) -> Wire:
    """An HTML page such as an edge or a proxy makes."""
    html = (
        f"<!DOCTYPE html>\n<html><head><title>{title}</title></head>"
        f"<body><center><h1>{title}</h1></center><hr><p>{text}</p></body></html>\n"
    )
    return Wire(status, html.encode(), headers, kind="text/html; charset=utf-8")
