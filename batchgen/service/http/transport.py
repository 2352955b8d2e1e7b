"""httpx's transport over asyncio and h11: a pool of connections that knows whether a byte has left.

Why not httpx's own: its pool loses connections for good when requests are cancelled, is slow with many of
them, and no exception of it says for sure that nothing was sent (docs/how/transport.md has the comparison).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import h11
import httpx

from batchgen.service.http.connection import Connection
from batchgen.service.http.dial import CheckAddress, Dialler, NotConnected, Origin

#: A POST takes no connection that was idle for longer (seconds): servers close idle ones, and a request
#: that meets the closing is a doubt that need not be. A GET may be repeated, so it may try an older one.
IDLE_POST = 0.5
IDLE_OTHER = 15.0
_REPEATABLE = (b"GET", b"HEAD")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it goes out.

    `before_send` is awaited once the connection stands and before the first byte; if it raises, nothing is
    sent, the connection goes back to the pool and the exception passes unchanged. An exchange that has one
    can't be cancelled any more once it is on the wire: it ends by its deadline.
    `deadline`: seconds from the first byte to the last one of the answer. `silence`: the longest pause.
    """

    method: bytes
    origin: Origin
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    before_send: Callable[[], Awaitable[None]] | None = None
    deadline: float | None = None
    silence: float | None = None


class Transport(httpx.AsyncBaseTransport):
    """A pool of at most `max_connections` open exchanges; more wait up to `connect_timeout` seconds.

    Redirects are not followed, and nothing is sent twice but a GET that met the closing of an idle
    connection. Raises NotConnected when no byte was sent; httpx.ReadTimeout, ReadError or
    RemoteProtocolError when some may have been (`evidence_of` tells what had come of the answer).
    """

    def __init__(
        self,
        *,
        max_connections: int = 256,
        connect_timeout: float = 10.0,
        check_address: CheckAddress | None = None,
        trust_env: bool = True,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._dialler = Dialler(
            connect_timeout=connect_timeout,
            check_address=check_address,
            trust_env=trust_env,
            ssl_context=ssl_context,
        )
        self._connect_timeout = connect_timeout
        self._slots = asyncio.Semaphore(max_connections)
        self._idle: dict[Origin, list[Connection]] = {}
        self._busy: set[Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """httpx's way in. Of the timeouts in `request.extensions`, `read` is the longest silence; `deadline`
        there is the longest time in all."""
        exchange = Exchange(
            request.method.encode("ascii"),
            Origin.of(request.url),
            request.url.raw_path,
            request.headers.raw,
            await request.aread(),
            deadline=request.extensions.get("deadline"),
            silence=request.extensions.get("timeout", {}).get("read"),
        )
        reply = await self.open(exchange)
        return httpx.Response(
            reply.head.status_code,
            headers=reply.head.headers.raw_items(),
            stream=reply,
            extensions={"http_version": b"HTTP/" + reply.head.http_version},
        )

    async def open(self, exchange: Exchange) -> "Reply":
        """Send a request and read the head of its answer; the body is to be read or closed."""
        await self._slot()
        try:
            connection, head = await self._send(exchange)
        except BaseException:
            self._slots.release()
            raise
        return Reply(self, exchange, connection, head)

    async def aclose(self) -> None:
        """Close every connection, in use or not."""
        for connection in [*self._busy, *(c for idle in self._idle.values() for c in idle)]:
            connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)

    async def _slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise NotConnected("no_connection", "no free connection in time") from None

    async def _send(self, exchange: Exchange) -> tuple[Connection, h11.Response]:
        repeatable = exchange.method in _REPEATABLE and exchange.before_send is None
        max_idle = IDLE_OTHER if repeatable else IDLE_POST
        while True:
            connection = await self._take(exchange.origin, max_idle) or await self._dialler.dial(exchange.origin)
            self._busy.add(connection)
            reused = connection.exchanges > 0
            try:
                await self._prepare(exchange, connection, fresh=not reused)
                connection.send(exchange.method, exchange.target, exchange.headers, exchange.body)
                return connection, await connection.head()
            except BaseException as exc:
                if connection in self._busy:
                    self._discard(connection)
                if repeatable and reused and isinstance(exc, httpx.ReadError | httpx.RemoteProtocolError):
                    repeatable = False  # the idle connection was closed under us: once more, on another
                    continue
                _attach_evidence(exc, connection)
                raise

    async def _prepare(self, exchange: Exchange, connection: Connection, *, fresh: bool) -> None:
        """Everything that must hold before the first byte, ending with a last look at the connection."""
        connection.received = None
        if exchange.before_send is not None:
            if fresh and not await connection.is_usable():  # an idle one was looked at when it was taken
                raise NotConnected("connection_lost", "the server closed the connection at once")
            try:
                await exchange.before_send()
            except BaseException:
                self._give_back(exchange.origin, connection)
                raise
            connection.shielded = True
            if not await connection.is_usable():
                raise NotConnected("connection_lost", "the connection was closed before it was used")
            connection.received = bytearray()
        deadline = exchange.deadline
        connection.until = None if deadline is None else connection.loop.time() + deadline
        connection.silence = exchange.silence
        connection.shielded = exchange.before_send is not None

    async def _take(self, origin: Origin, max_idle: float) -> Connection | None:
        """The idle connection used last, if it was used lately and nothing has come on it since."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle[-1]
            age = connection.loop.time() - connection.idle_since
            if age > IDLE_OTHER:
                for old in idle:
                    old.abort()
                idle.clear()
            elif age > max_idle:
                return None
            elif await self._is_usable(taken := idle.pop()):
                return taken
            else:
                taken.abort()
        return None

    async def _is_usable(self, connection: Connection) -> bool:
        """Of an idle connection that was just taken out of the pool: `aclose` has to find it meanwhile."""
        self._busy.add(connection)
        connection.shielded = False
        try:
            return await connection.is_usable()
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            self._busy.discard(connection)

    def _give_back(self, origin: Origin, connection: Connection) -> None:
        self._busy.discard(connection)
        if connection.is_reusable():
            connection.idle_since = connection.loop.time()
            self._idle.setdefault(origin, []).append(connection)
        else:
            connection.abort()

    def _discard(self, connection: Connection) -> None:
        self._busy.discard(connection)
        connection.abort()

    def finish(self, origin: Origin, connection: Connection, *, whole: bool) -> None:
        """The body was read to its end, or given up: the connection goes back, or away."""
        if whole:
            self._give_back(origin, connection)
        else:
            self._discard(connection)
        self._slots.release()


class Reply(httpx.AsyncByteStream):
    """An answer: its `head`, and its body to be read once, in the pieces in which it comes."""

    def __init__(
        self, transport: Transport, exchange: Exchange, connection: Connection, head: h11.Response
    ) -> None:
        self.head = head
        self._transport = transport
        self._exchange = exchange
        self._connection = connection
        self._open = True

    @property
    def framed(self) -> bool:
        """Does the answer say where it ends (length, chunks, or a kind that has no body)?"""
        if self._exchange.method == b"HEAD" or self.head.status_code in (204, 304):
            return True
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self.head.headers)

    async def read(self, limit: int) -> tuple[bytes, bool]:
        """(body, True), or (its first `limit` bytes and a bit, False) when it is longer than that."""
        body = b""
        while (piece := await self._next()) is not None:
            body += piece
            if len(body) > limit:
                await self.aclose()
                return body, False
        return body, True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while (piece := await self._next()) is not None:
                yield piece
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Give up what is left of the body."""
        self._end(whole=False)

    async def _next(self) -> bytes | None:
        """The next piece, or None at the end."""
        try:
            event = await self._connection.event()
        except BaseException as exc:
            _attach_evidence(exc, self._connection)
            self._end(whole=False)
            raise
        if isinstance(event, h11.Data):
            return bytes(event.data)
        self._end(whole=isinstance(event, h11.EndOfMessage))
        return None

    def _end(self, *, whole: bool) -> None:
        if self._open:
            self._open = False
            self._transport.finish(self._exchange.origin, self._connection, whole=whole)


def _attach_evidence(exc: BaseException, connection: Connection) -> None:
    exc.__dict__["evidence"] = bytes(connection.received or b"")


def evidence_of(exc: BaseException) -> bytes:
    """The raw bytes of the answer to a POST that had come when `exc` ended the exchange."""
    return bytes(exc.__dict__.get("evidence", b""))
