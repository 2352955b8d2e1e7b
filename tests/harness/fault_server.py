"""A server on loopback that misbehaves at the level of the socket, and keeps the truth about each request.

    async with FaultServer(then(read_request, send(b"HTTP/1.1 200"), reset)) as server:
        ...  # server.url
    assert server.read_whole == 1

A behaviour is an async function of one `Peer`; `then` strings several together. When it returns, the connection
is closed in the ordinary way.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Wire:
    """How the bytes travel: plain, or under a version of TLS; and how long a round trip takes, in seconds."""

    tls: str = ""
    round_trip: float = 0.0

    def __str__(self) -> str:
        return f"{self.tls or 'plain'}-{self.round_trip * 1000:g}ms"


PLAIN = Wire()
WIRES = [PLAIN, Wire("TLSv1_2"), Wire("TLSv1_3")]
SLOW_WIRES = [Wire(tls, ms / 1000) for tls in ("", "TLSv1_2", "TLSv1_3") for ms in (1, 6, 20, 50)]
CERTS = Path(__file__).parent / "certs"


@dataclass
class Peer:
    """One connection as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "FaultServer"
    number: int
    requests: list[bytes] = field(default_factory=list)

    async def read(self, n: int) -> bytes:
        data = await self.reader.read(n)
        self.server.bytes_seen += len(data)
        return data

    async def read_request(self) -> bytes:
        """One whole request: head and the body of its Content-Length. b"" when the client went away."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            body = await self.reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            self.server.bytes_seen += len(error.partial)
            return b""
        self.server.bytes_seen += len(head) + len(body)
        self.requests.append(head + body)
        self.server.requests.append(head + body)
        self.server.arrived.release()
        return head + body

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    def reset(self) -> None:
        """RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Peer], Awaitable[Any]]


def then(*steps: Behaviour) -> Behaviour:
    async def behave(peer: Peer) -> None:
        for step in steps:
            await step(peer)

    return behave


def each(*behaviours: Behaviour) -> Behaviour:
    """The first connection gets the first behaviour, and so on; the last one serves the rest."""

    async def behave(peer: Peer) -> None:
        await behaviours[min(peer.number, len(behaviours) - 1)](peer)

    return behave


async def read_request(peer: Peer) -> None:
    await peer.read_request()


def read_some(n: int) -> Behaviour:
    async def behave(peer: Peer) -> None:
        await peer.read(n)

    return behave


def read_exactly(n: int) -> Behaviour:
    async def behave(peer: Peer) -> None:
        peer.server.bytes_seen += len(await peer.reader.readexactly(n))

    return behave


def send(data: bytes) -> Behaviour:
    async def behave(peer: Peer) -> None:
        await peer.send(data)

    return behave


def drip(data: bytes, pause: float) -> Behaviour:
    """One byte at a time."""

    async def behave(peer: Peer) -> None:
        for byte in data:
            await peer.send(bytes([byte]))
            await asyncio.sleep(pause)

    return behave


def serve(answer: bytes) -> Behaviour:
    """A well-behaved keep-alive server that answers every request with the same bytes."""

    async def behave(peer: Peer) -> None:
        while await peer.read_request():
            await peer.send(answer)

    return behave


async def reset(peer: Peer) -> None:
    peer.reset()


async def hang(peer: Peer) -> None:
    """Say nothing more until the test is over."""
    await peer.server.over.wait()


async def fin(peer: Peer) -> None:
    peer.writer.close()


class FaultServer:
    """Counts `connections`, `bytes_seen` and whole `requests`; `read_whole` is how many may have been charged."""

    #: What a server travels over that is not told: a test that holds for each sets it (conftest.py).
    wire = PLAIN

    def __init__(
        self, behaviour: Behaviour, *, cert: str = "", name: str = "127.0.0.1", wire: Wire | None = None
    ) -> None:
        self.behaviour = behaviour
        self._wire = self.wire if wire is None else wire
        if self._wire.tls and not cert:
            cert, name = "good", "localhost"
        self._tls = _server_context(cert, self._wire.tls) if cert else None
        self._name = name
        self.connections = 0
        self.bytes_seen = 0
        self.requests: list[bytes] = []
        self.arrived = asyncio.Semaphore(0)
        self.over = asyncio.Event()
        self._peers: set[asyncio.Task[Any]] = set()
        self._carried: list[asyncio.StreamWriter] = []

    @property
    def read_whole(self) -> int:
        return len(self.requests)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._name}:{self.port}"

    async def __aenter__(self) -> "FaultServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=2**24)
        self.port: int = self._server.sockets[0].getsockname()[1]
        if self._wire.round_trip:
            self._far = await asyncio.start_server(self._carry, "127.0.0.1", 0)
            self._near_port, self.port = self.port, self._far.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.over.set()
        self._server.close()
        if self._wire.round_trip:
            self._far.close()
        for peer in self._peers:
            peer.cancel()
        await asyncio.gather(*self._peers, return_exceptions=True)
        for writer in self._carried:
            writer.transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._peers.add(task)
        number, self.connections = self.connections, self.connections + 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await self.behaviour(Peer(reader, writer, self, number))
        finally:
            writer.close()
            self._peers.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A long way to the server: each byte and each end arrives half a round trip later."""
        task = asyncio.current_task()
        assert task is not None
        self._peers.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                near_reader, near_writer = await asyncio.open_connection("127.0.0.1", self._near_port)
                half = self._wire.round_trip / 2
                self._carried += [writer, near_writer]
                await asyncio.gather(_delayed(reader, near_writer, half), _delayed(near_reader, writer, half))
        finally:
            self._peers.discard(task)


async def _delayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    later = asyncio.get_running_loop().call_later
    try:
        while data := await reader.read(65536):
            later(seconds, writer.write, data)
    except ConnectionError:
        later(seconds, _abort, writer)
        return
    later(seconds, writer.close)


def _abort(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _server_context(cert: str, version: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if version:
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    context.load_cert_chain(CERTS / f"{cert}.pem")
    return context


def client_context() -> ssl.SSLContext:
    """Trusts the tests' own CA and nothing else."""
    return ssl.create_default_context(cafile=str(CERTS / "ca.pem"))


def http(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """A framed answer; `length` lies about the body's."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(status: str, *pieces: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (*pieces, b""))


def until_close(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode() + body
