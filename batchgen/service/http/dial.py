"""host and port -> a standing connection: DNS, address check, TCP, the proxy's CONNECT, TLS.

Whatever fails here fails before the first byte of a request: NotConnected, with a code that says where.
"""

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib import request as environment
from urllib.parse import unquote, urlsplit

import httpx

from batchgen.service.http.connection import Connection

#: Receives (host, port, addresses) before connecting; refuses by raising. Only the addresses that it was
#: shown are connected to. Behind a proxy, which resolves names itself, `addresses` is empty.
CheckAddress = Callable[[str, int, Sequence[str]], None]


class NotConnected(httpx.ConnectError):
    """No byte of the request has left.

    `code` is one of `dns`, `refused`, `unreachable`, `connect_timeout`, `tls`, `proxy`, `no_connection` (the
    pool is full), `connection_lost` (the connection died before it was used).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Origin(NamedTuple):
    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> "Origin":
        port = url.port or (443 if url.scheme == "https" else 80)
        return cls(url.scheme, url.raw_host.decode("ascii"), port)


class Dialler:
    """Makes connections. `trust_env` honours HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.

    A proxy is used for https only, by CONNECT: it sees no key and no content.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        check_address: CheckAddress | None = None,
        trust_env: bool = True,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout = connect_timeout
        self._check = check_address
        self._trust_env = trust_env
        self._ssl = ssl_context
        self._proxies = environment.getproxies_environment() if trust_env else {}
        self._good: dict[tuple[str, int], str] = {}

    async def dial(self, origin: Origin) -> Connection:
        """A connection to `origin` that stands: TLS is done where the scheme asks for it."""
        stage = "connecting"
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._timeout):
                proxy = self._proxy_for(origin)
                if proxy is None:
                    connection = await self._tcp(origin.host, origin.port)
                else:
                    stage = "connecting to the proxy"
                    connection = await self._through(proxy, origin)
                if origin.scheme == "https":
                    stage = "the TLS handshake"
                    await self._tls(connection, origin.host)
                return connection
        except TimeoutError:
            _drop(connection)
            raise NotConnected("connect_timeout", f"{stage} took more than {self._timeout:g} s") from None
        except BaseException:
            _drop(connection)
            raise

    async def _tcp(self, host: str, port: int, *, checked: bool = True) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise NotConnected("dns", f"the name {host} can't be resolved: {exc}") from None
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        if checked and self._check is not None:
            self._check(host, port, tuple(addresses))
        good = self._good.get((host, port))
        addresses.sort(key=lambda address: address != good)
        last: NotConnected | None = None
        for at, address in enumerate(addresses):
            try:
                # another address waits: don't spend the whole time on a dead route
                async with asyncio.timeout(None if at == len(addresses) - 1 else 2.0):
                    _, connection = await loop.create_connection(Connection, address, port)
            except TimeoutError:
                last = NotConnected("connect_timeout", f"{address} does not answer")
            except OSError as exc:
                code = "refused" if isinstance(exc, ConnectionRefusedError) else "unreachable"
                last = NotConnected(code, f"{host} port {port}: {exc.strerror or exc}")
            else:
                self._good[host, port] = address
                return connection
        raise last or NotConnected("dns", f"the name {host} has no address")

    async def _tls(self, connection: Connection, host: str) -> None:
        try:
            if self._ssl is None:  # reads SSL_CERT_FILE, which may be missing or no certificate
                self._ssl = httpx.create_ssl_context(trust_env=self._trust_env)
                self._ssl.set_alpn_protocols(["http/1.1"])
            secured = await connection.loop.start_tls(
                connection.transport, connection, self._ssl, server_hostname=host
            )
        except TimeoutError:
            raise
        except (OSError, ssl.CertificateError) as exc:
            reason = getattr(exc, "verify_message", "") or getattr(exc, "reason", "") or str(exc) or "closed"
            raise NotConnected("tls", f"no secure connection to {host}: {reason}") from None
        if secured is None:
            raise NotConnected("tls", f"no secure connection to {host}: closed during the handshake")
        connection.transport = secured

    def _proxy_for(self, origin: Origin) -> str | None:
        proxy = self._proxies.get("https") if origin.scheme == "https" else None
        if not proxy or _is_bypassed(origin, self._proxies):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"

    async def _through(self, proxy: str, origin: Origin) -> Connection:
        """A tunnel by CONNECT; a refusal of any kind is the code `proxy`."""
        parts = urlsplit(proxy)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotConnected("proxy", f"a proxy of the kind {parts.scheme} is not supported")
        if self._check is not None:
            self._check(origin.host, origin.port, ())
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            connection = await self._tcp(parts.hostname, port, checked=False)
        except NotConnected as exc:
            raise NotConnected("proxy", f"the proxy can't be reached: {exc}") from None
        try:
            if parts.scheme == "https":
                await self._tls(connection, parts.hostname)
            await _connect(connection, origin, parts.username, parts.password)
        except BaseException:
            connection.abort()
            raise
        return connection


def _is_bypassed(origin: Origin, proxies: dict[str, str]) -> bool:
    """NO_PROXY names the origin. (The standard library's rules; its type stubs don't know the function.)"""
    bypass = environment.proxy_bypass_environment  # type: ignore[attr-defined]
    return bool(bypass(f"{origin.host}:{origin.port}", proxies))


async def _connect(connection: Connection, origin: Origin, user: str | None, password: str | None) -> None:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    target = f"{host}:{origin.port}".encode("ascii")
    headers = [(b"Host", target)]
    if user is not None:
        pair = f"{unquote(user)}:{unquote(password or '')}".encode()
        headers.append((b"Proxy-Authorization", b"Basic " + base64.b64encode(pair)))
    try:
        connection.send(b"CONNECT", target, headers, b"")
        answer = await connection.head()
    except httpx.HTTPError as exc:
        raise NotConnected("proxy", f"the proxy broke off: {exc}") from None
    if not 200 <= answer.status_code <= 299:
        said = answer.reason.decode("latin-1")
        raise NotConnected("proxy", f"the proxy refuses: {answer.status_code} {said}")
    connection.begin_tunnel()


def _drop(connection: Connection | None) -> None:
    if connection is not None:
        connection.abort()
