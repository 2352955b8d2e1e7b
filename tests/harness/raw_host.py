"""A file host that says exactly what a test tells it to, byte by byte, on loopback.

A test gives a list of plays: the first connection gets the first one, the last play is repeated. A play is a
function of the request that returns pieces of bytes to send, or what to do between them.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

RESET = "reset"
"""Instead of bytes: break the connection off with a RST."""
HANG = "hang"
"""Instead of bytes: say nothing more, until the client goes."""


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def start(self) -> int:
        """Where the asked range starts; 0 without one."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


Play = Callable[[Request], Iterable[bytes | str]]


@dataclass
class RawHost:
    plays: list[Play]
    requests: list[Request] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    port: int = 0

    def requests_played(self) -> list[Play]:
        """As many plays as there were requests: put further ones behind them."""
        return [says("500 unexpected")] * len(self.requests)

    async def __aenter__(self) -> "RawHost":
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def url(self, path: str = "/video.mp4") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.split(":", 1) for line in head[1:] if line)
            request = Request(head[0], {name.lower(): value.strip() for name, value in pairs})
            play = self.plays[min(len(self.requests), len(self.plays) - 1)]
            self.requests.append(request)
            for piece in play(request):
                if piece == RESET:
                    await writer.drain()
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    writer.transport.abort()
                    return
                if piece == HANG:
                    await reader.read()
                    return
                assert isinstance(piece, bytes)
                writer.write(piece)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def head(status: str, **headers: str | int) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def whole(data: bytes, **headers: str | int) -> Play:
    """200 with everything, whatever range was asked."""
    return lambda _: [head("200 OK", **{"Content_Length": len(data), **headers}), data]


def cut(data: bytes, at: int, *, how: str = "", **headers: str | int) -> Play:
    """200 that promises everything and stops after `at` bytes."""

    def play(_: Request) -> list[bytes | str]:
        pieces: list[bytes | str] = [head("200 OK", **{"Content_Length": len(data), **headers}), data[:at]]
        return [*pieces, how] if how else pieces

    return play


def ranged(data: bytes, **headers: str | int) -> Play:
    """An honest host: the asked range if If-Range names its ETag (or date), else everything."""

    def play(request: Request) -> list[bytes]:
        validator = request.headers.get("if-range")
        if "range" not in request.headers or validator not in {
            headers.get("ETag"),
            headers.get("Last_Modified"),
        }:
            return [head("200 OK", Content_Length=len(data), **headers), data]
        return [part(data, request.start, **headers), data[request.start :]]

    return play


def part(data: bytes, start: int, **headers: str | int) -> bytes:
    """The head of an honest 206 from `start`."""
    span = f"bytes {start}-{len(data) - 1}/{len(data)}"
    return head("206 Partial Content", **{"Content_Range": span, "Content_Length": len(data) - start, **headers})


def says(status: str, body: bytes = b"", **headers: str | int) -> Play:
    return lambda _: [head(status, **{"Content_Length": len(body), **headers}), body]
