"""httpx's transport over asyncio and h11: a pool of connections that knows whether a byte has left.

Why not httpx's own: its pool loses connections for good when requests are cancelled, is slow with many of
them, and no exception of it says for sure that nothing was sent (docs/transport.md has the comparison).

Options of a request, in `request.extensions`:
- `before_send`: awaited once the connection stands and before the first byte; if it raises, nothing is sent,
  the connection goes back to the pool and the exception passes unchanged. Such a request can't be cancelled
  any more once it is on the wire: it ends by its deadline.
- `deadline`: seconds from the first byte to the last one of the answer.
- `timeout`: httpx's dictionary; its `read` is the longest silence in seconds.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import h11
import httpx

from batchgen.api.connection import Connection
from batchgen.api.dial import CheckAddress, Dialler, NotConnected, Origin

#: A POST takes no connection that was idle for longer (seconds): servers close idle ones, and a request
#: that meets the closing is a doubt that need not be. A GET may be repeated, so it may try an older one.
IDLE_POST = 0.5
IDLE_OTHER = 15.0
_REPEATABLE = frozenset({"GET", "HEAD"})


class Transport(httpx.AsyncBaseTransport):
    """A pool of at most `max_connections` open exchanges; more wait up to `connect_timeout` seconds.

    Raises NotConnected when no byte was sent; httpx.ReadTimeout, ReadError or RemoteProtocolError when some may
    have been, with what was received of the answer in the exception's attribute `evidence`.
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
        """One exchange; the answer's body streams. Redirects are not followed, and nothing is sent twice but
        a GET that met the closing of an idle connection."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        origin = Origin(url.scheme, url.raw_host.decode("ascii"), port)
        body = await request.aread()
        await self._slot()
        try:
            connection, answer = await self._exchange(request, origin, body)
        except BaseException:
            self._slots.release()
            raise
        framed = _is_framed(request.method, answer)
        return httpx.Response(
            answer.status_code,
            headers=answer.headers.raw_items(),
            stream=_Body(self, origin, connection),
            extensions={"framed": framed, "http_version": b"HTTP/" + answer.http_version},
        )

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

    async def _exchange(
        self, request: httpx.Request, origin: Origin, body: bytes
    ) -> tuple[Connection, h11.Response]:
        repeatable = request.method in _REPEATABLE and "before_send" not in request.extensions
        while True:
            idle = IDLE_OTHER if repeatable else IDLE_POST
            connection = self._take(origin, idle) or await self._dialler.dial(origin)
            self._busy.add(connection)
            first_use = connection.exchanges == 0
            try:
                await self._prepare(request, connection, origin)
                await connection.send(
                    request.method.encode("ascii"), request.url.raw_path, request.headers.raw, body
                )
                return connection, await connection.head()
            except BaseException as exc:
                if connection in self._busy:
                    self._discard(connection)
                if repeatable and not first_use and isinstance(exc, httpx.ReadError | httpx.RemoteProtocolError):
                    repeatable = False  # the idle connection was closed under us: once more, on a new one
                    continue
                _attach_evidence(exc, connection)
                raise

    async def _prepare(self, request: httpx.Request, connection: Connection, origin: Origin) -> None:
        """Everything that must hold before the first byte, ending with a last look at the connection."""
        extensions = request.extensions
        before_send = extensions.get("before_send")
        connection.received = None
        if before_send is not None:
            if not connection.is_usable():
                raise NotConnected("connection_lost", "the server closed the connection at once")
            try:
                await before_send()
            except BaseException:
                self._give_back(origin, connection)
                raise
            connection.received = bytearray()
            if not connection.is_usable():
                raise NotConnected("connection_lost", "the connection was closed before it was used")
        deadline = extensions.get("deadline")
        connection.until = None if deadline is None else connection.loop.time() + deadline
        connection.silence = (extensions.get("timeout") or {}).get("read")
        connection.shielded = before_send is not None

    def _take(self, origin: Origin, max_idle: float) -> Connection | None:
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
            elif (taken := idle.pop()).is_usable():
                return taken
            else:
                taken.abort()
        return None

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


class _Body(httpx.AsyncByteStream):
    """The body of one answer, in the pieces in which it came."""

    def __init__(self, transport: Transport, origin: Origin, connection: Connection) -> None:
        self._transport = transport
        self._origin = origin
        self._connection = connection
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while isinstance(event := await self._connection.event(), h11.Data):
                yield bytes(event.data)
        except BaseException as exc:
            _attach_evidence(exc, self._connection)
            await self.aclose()
            raise
        self._end(whole=isinstance(event, h11.EndOfMessage))

    async def aclose(self) -> None:
        self._end(whole=False)

    def _end(self, *, whole: bool) -> None:
        if self._open:
            self._open = False
            self._transport.finish(self._origin, self._connection, whole=whole)


def _is_framed(method: str, answer: h11.Response) -> bool:
    """Does the answer say where it ends (length, chunks, or a kind that has no body)?"""
    if method == "HEAD" or answer.status_code in (204, 304):
        return True
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in answer.headers)


def _attach_evidence(exc: BaseException, connection: Connection) -> None:
    exc.__dict__["evidence"] = bytes(connection.received or b"")


def evidence_of(exc: BaseException) -> bytes:
    """The raw bytes of the answer that had come when `exc` ended the exchange."""
    evidence: Any = exc.__dict__.get("evidence", b"")
    return bytes(evidence)
