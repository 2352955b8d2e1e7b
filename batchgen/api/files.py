"""A stream from a file host: where the finished videos lie. Never the service's key, never a cookie.

The URL comes from outside, so each step is looked at: http(s) only; every address that the name resolves to
must be public (`addresses`), and the connection goes to one of the addresses that were looked at, not to
whatever the name means a moment later; redirects are followed by us, at most five, each looked at again.
Behind a proxy the proxy resolves names, so there only literal addresses and local names can be refused.
"""

import asyncio
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address

import httpx

from batchgen import __version__
from batchgen.addresses import is_public

MAX_REDIRECTS = 5
#: Names that a resolver answers from the machine or the house it stands in.
_LOCAL_NAMES = ("localhost", "local", "internal", "lan", "home.arpa", "localdomain", "intranet")

Resolve = Callable[[str, int], Awaitable[list[str]]]


class FileRefused(Exception):
    """The URL may not be fetched: its scheme, its address, or where it redirects to."""


class FileTrouble(Exception):
    """The network or the file host failed on the way; asking again may help."""


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """A file host's answer, its body still to be read (once). Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


class FileHost:
    """Opens streams from file hosts. One for a whole run; `aclose` it at the end.

    `allow_private` lifts the address check (for a service that is itself on a private address, such as the
    sandbox). Times are in seconds: `connect_timeout` for each address, `read_timeout` between two reads.
    Proxies and certificates come from the environment (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`).
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        connect_timeout: float = 15.0,
        read_timeout: float = 60.0,
        resolve: Resolve | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve or _resolve
        self._timeout = httpx.Timeout(read_timeout, connect=connect_timeout).as_dict()
        self._proxies = urllib.request.getproxies()
        self._tls: ssl.SSLContext | None = None

    async def aclose(self) -> None:
        """Nothing is kept open between two streams; here for the day that something is."""

    @asynccontextmanager
    async def stream(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[FileAnswer]:
        """GET `url`, redirects followed. Raises FileRefused or FileTrouble, also while the body is read."""
        here = _parse(url)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._get(here, headers or {}) as answer:
                location = answer.headers.get("location")
                if answer.status not in {301, 302, 303, 307, 308} or not location:
                    yield answer
                    return
            here = _parse(location, here)
        raise FileRefused(f"{here.host} redirects more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _get(self, url: httpx.URL, headers: Mapping[str, str]) -> AsyncIterator[FileAnswer]:
        """One request without redirects, tried at each address in turn until one lets us in."""
        proxy = self._proxy_for(url)
        addresses = await self._addresses(url, behind_proxy=proxy is not None)
        response, transport = await self._connect(url, addresses, proxy, headers)
        try:
            found = {name.lower(): value for name, value in response.headers.items()}
            yield FileAnswer(response.status_code, found, _body(url, response))
        finally:
            await response.aclose()
            await transport.aclose()

    async def _connect(
        self, url: httpx.URL, addresses: Sequence[str | None], proxy: str | None, headers: Mapping[str, str]
    ) -> tuple[httpx.Response, httpx.AsyncHTTPTransport]:
        with _translated(url):
            for place, address in enumerate(addresses, 1):
                transport = self._transport(proxy)
                try:
                    response = await transport.handle_async_request(self._request(url, address, headers))
                except BaseException as error:
                    await transport.aclose()
                    unreachable = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
                    if not unreachable or place == len(addresses):
                        raise
                else:
                    return response, transport
        raise FileTrouble(f"{url.host} has no address")

    def _request(self, url: httpx.URL, address: str | None, headers: Mapping[str, str]) -> httpx.Request:
        """The request as it goes out, to `address` if one is given: the name stays in Host and in TLS."""
        return httpx.Request(
            "GET",
            url.copy_with(host=address) if address else url,
            headers={
                "Host": url.netloc.decode("ascii"),
                "User-Agent": f"batchgen/{__version__}",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                **headers,
            },
            extensions={"timeout": self._timeout, "sni_hostname": url.raw_host.decode("ascii")},
        )

    def _transport(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        """A transport for one request: a connection to an address must not serve another name."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        return httpx.AsyncHTTPTransport(verify=self._tls, proxy=proxy)

    def _proxy_for(self, url: httpx.URL) -> str | None:
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        return proxy if proxy and not urllib.request.proxy_bypass(url.netloc.decode("ascii")) else None

    async def _addresses(self, url: httpx.URL, *, behind_proxy: bool) -> Sequence[str | None]:
        """Where to connect to; [None] leaves it to the proxy. Raises FileRefused for what is not public."""
        host = url.raw_host.decode("ascii")
        if behind_proxy:
            if not self._allow_private and (
                _is_local_name(host) or (_is_literal(host) and not is_public(host))
            ):
                raise FileRefused(_not_public(host))
            return [None]
        try:
            found = await self._resolve(host, url.port or (443 if url.scheme == "https" else 80))
        except (OSError, UnicodeError) as error:
            raise FileTrouble(f"{host} can't be found ({error})") from None
        if not self._allow_private and not all(is_public(address) for address in found):
            raise FileRefused(_not_public(host))
        return list(dict.fromkeys(found))[:4]


async def _resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order in which the system wants them tried."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def _body(url: httpx.URL, response: httpx.Response) -> AsyncIterator[bytes]:
    with _translated(url):
        async for chunk in response.aiter_raw():
            yield chunk


class _translated:  # noqa: N801 - reads as a statement
    """Turns httpx's exceptions into FileTrouble, without the URL: a signed one is a secret."""

    def __init__(self, url: httpx.URL) -> None:
        self._name = url.host

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (httpx.HTTPError, httpx.StreamError, OSError, ImportError)):
            words = str(error) or type(error).__name__
            raise FileTrouble(f"{self._name}: {words}") from None


def _parse(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """The URL to ask next. Raises FileRefused unless it is http(s) with a host. Drops user and password."""
    try:
        parsed = base.join(url) if base else httpx.URL(url)
        if parsed.scheme in {"http", "https"} and parsed.host and (parsed.port or 1) < 65536:
            return parsed.copy_with(userinfo=b"", fragment=None)
    except (httpx.InvalidURL, ValueError, TypeError, UnicodeError):
        parsed = httpx.URL("")
    what = f"a {parsed.scheme}: address" if parsed.scheme else "no web address"
    raise FileRefused(f"{base.host} redirects to {what}" if base else f"the video's URL is {what}")


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_local_name(host: str) -> bool:
    """A name that only means something nearby, or a number that libraries read as an address (127.1)."""
    name = host.lower().rstrip(".")
    local = any(name == word or name.endswith("." + word) for word in _LOCAL_NAMES) or "." not in name
    last = name.rsplit(".", 1)[-1]
    return not _is_literal(host) and (local or last.isdigit() or last.startswith("0x"))


def _not_public(host: str) -> str:
    return (
        f"{host} is not on the public internet; a file is fetched from there only for a service that is not"
    )
