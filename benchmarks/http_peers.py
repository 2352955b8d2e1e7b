"""The ways to send a POST that benchmarks/transport.py compares, each with the best rule it allows.

A peer's `post` says `not sent`, `in doubt` or `answer` (a whole answer came), plus the answer's body; `begin` is
awaited where the peer allows it to be awaited latest before the first byte.
"""

import contextvars
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from batchgen.service.http.dial import NotConnected, Origin
from batchgen.service.http.transport import Exchange, Transport

Begin = Callable[[], Awaitable[None]]
Said = tuple[str, bytes]
HEADERS = {
    "User-Agent": "benchmark",
    "Accept": "application/json",
    "Authorization": "Bearer sk-benchmark",
    "Content-Type": "application/json",
    "Idempotency-Key": "0f8b6f0e-52f5-4d5b-8a8e-1c1b8a3f6f10",
}
#: Exceptions by which a plain httpx user tells that nothing was sent.
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class Own:
    """batchgen's transport."""

    name = "batchgen"

    def __init__(self, context: ssl.SSLContext, deadline: float, connections: int) -> None:
        self._transport = Transport(
            max_connections=connections, connect_timeout=min(deadline, 10.0), ssl_context=context
        )
        self._deadline = deadline

    async def post(self, url: str, body: bytes, begin: Begin) -> Said:
        parsed = httpx.URL(url)
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        headers += [(b"Host", parsed.netloc), (b"Content-Length", b"%d" % len(body))]
        exchange = Exchange(
            b"POST",
            Origin.of(parsed),
            parsed.raw_path,
            headers,
            body,
            before_send=begin,
            deadline=self._deadline,
        )
        try:
            reply = await self._transport.open(exchange)
            answer, whole = await reply.read(1 << 20)
        except NotConnected:
            return "not sent", b""
        except httpx.HTTPError:
            return "in doubt", b""
        return ("answer", answer) if whole and reply.framed else ("in doubt", answer)

    async def get(self, url: str) -> int:
        response = await httpx.AsyncClient(transport=self._transport).get(url)
        return response.status_code

    async def aclose(self) -> None:
        await self._transport.aclose()


class Httpx:
    """httpx, judged by its exceptions, as every retry library does."""

    name = "httpx, by exception"

    def __init__(self, context: ssl.SSLContext, deadline: float, connections: int) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        timeout = httpx.Timeout(deadline)
        self._client = self._make(context, limits, timeout)

    def _make(self, context: ssl.SSLContext, limits: httpx.Limits, timeout: httpx.Timeout) -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=context, limits=limits, timeout=timeout)

    async def post(self, url: str, body: bytes, begin: Begin) -> Said:
        await begin()
        try:
            response = await self._client.post(url, content=body, headers=HEADERS)
        except UNSENT:
            return "not sent", b""
        except (httpx.HTTPError, OSError):
            return "in doubt", b""
        return "answer", response.content

    async def get(self, url: str) -> int:
        return (await self._client.get(url)).status_code

    async def aclose(self) -> None:
        await self._client.aclose()


class HttpxTrace(Httpx):
    """httpx, judged by httpcore's trace: what ends before `send_request_headers.started` was not sent."""

    name = "httpx, by trace"

    async def post(self, url: str, body: bytes, begin: Begin) -> Said:
        sent = False

        async def trace(event: str, _info: Any) -> None:
            nonlocal sent
            if event == "http11.send_request_headers.started":
                await begin()
                sent = True

        try:
            response = await self._client.post(url, content=body, headers=HEADERS, extensions={"trace": trace})
        except (httpx.HTTPError, OSError):
            return ("in doubt" if sent else "not sent"), b""
        return "answer", response.content


class HttpxAiohttp(Httpx):
    """httpx over aiohttp (httpx-aiohttp), judged by httpx's exceptions."""

    name = "httpx-aiohttp, by exception"

    def _make(self, context: ssl.SSLContext, limits: httpx.Limits, timeout: httpx.Timeout) -> httpx.AsyncClient:
        import aiohttp
        from httpx_aiohttp import AiohttpTransport

        def session() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=limits.max_connections or 100, ssl=context),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trace_configs=self._traces(),
                trust_env=True,
            )

        return httpx.AsyncClient(transport=AiohttpTransport(client=session), timeout=timeout)

    def _traces(self) -> list[Any]:
        return []


_begin: contextvars.ContextVar[Begin | None] = contextvars.ContextVar("begin", default=None)


class HttpxAiohttpTrace(HttpxAiohttp):
    """The same, judged by aiohttp's trace signals: the connection stands, a request comes next."""

    name = "httpx-aiohttp, by trace"

    def _traces(self) -> list[Any]:
        import aiohttp

        async def connected(_session: object, _context: object, _params: object) -> None:
            if (begin := _begin.get()) is not None:
                await begin()

        config = aiohttp.TraceConfig()
        config.on_connection_create_end.append(connected)
        config.on_connection_reuseconn.append(connected)
        return [config]

    async def post(self, url: str, body: bytes, begin: Begin) -> Said:
        sent = False

        async def note() -> None:
            nonlocal sent
            await begin()
            sent = True

        _begin.set(note)
        try:
            response = await self._client.post(url, content=body, headers=HEADERS)
        except (httpx.HTTPError, OSError):
            return ("in doubt" if sent else "not sent"), b""
        return "answer", response.content


class Pyreqwest(Httpx):
    """httpx over reqwest (pyreqwest), judged by httpx's exceptions."""

    name = "pyreqwest, by exception"

    def _make(self, _context: ssl.SSLContext, limits: httpx.Limits, timeout: httpx.Timeout) -> httpx.AsyncClient:
        from pyreqwest.client import ClientBuilder
        from pyreqwest.compatibility.httpx import HttpxTransport

        client = ClientBuilder().max_connections(limits.max_connections or 100).build()
        return httpx.AsyncClient(transport=HttpxTransport(client), timeout=timeout)


PEERS: list[type[Own] | type[Httpx]] = [Own, HttpxTrace, Httpx, HttpxAiohttpTrace, HttpxAiohttp, Pyreqwest]
