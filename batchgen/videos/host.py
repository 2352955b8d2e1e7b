"""A stream from a file host: where the finished videos lie. Never a cookie, and the
service's key only to the service's own address, where a video lies that has no other.

The URL comes from outside, so each step is looked at: http(s) only; every address that the name resolves to
must be public (`addresses`), and the connection goes to one of the addresses that were looked at, not to
whatever the name means a moment later; redirects are followed by us, at most five, each looked at again.
Behind a proxy the proxy resolves names, so there only literal addresses and local names can be refused.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx

from batchgen import __version__
from batchgen.service.http.transport import Transport
from batchgen.videos.addresses import Reach, is_literal, is_local_name, reach

MAX_REDIRECTS = 5


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
    #: Where it came from, after all redirects.
    url: str = ""


class FileHost:
    """Opens streams from file hosts. One for a whole run (one event loop); `aclose` it at the end.

    Public addresses are allowed, and those as near as the service itself is (`near`): the sandbox on this
    machine may name files on this machine, a service on this network files on this network. Times are in
    seconds: `connect_timeout` until the connection stands, `read_timeout` between two reads. Proxies and
    certificates come from the environment (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`). `own_headers` gives what an
    address of the service itself needs besides (its key); it is asked anew for each step of a redirect.
    """

    def __init__(
        self,
        *,
        near: Reach = Reach.PUBLIC,
        connect_timeout: float = 15.0,
        read_timeout: float = 60.0,
        redirects: int = MAX_REDIRECTS,
        own_headers: Callable[[str], Mapping[str, str]] = lambda _url: {},
    ) -> None:
        self._redirects = redirects
        self._own_headers = own_headers
        self._allowed = frozenset({Reach.PUBLIC, near} - {Reach.NEVER})
        self._transport = Transport(connect_timeout=connect_timeout, check_address=self._check)
        self._timeout = {"read": read_timeout}

    async def aclose(self) -> None:
        """Close every connection; streams that are still open end with FileTrouble."""
        await self._transport.aclose()

    @asynccontextmanager
    async def stream(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[FileAnswer]:
        """GET `url`, redirects followed. Raises FileRefused or FileTrouble, also while the body is read."""
        here = _parse(url)
        for _ in range(self._redirects + 1):
            response = await self._get(here, headers or {})
            try:
                location = response.headers.get("location")
                if response.status_code not in {301, 302, 303, 307, 308} or not location:
                    found = {name.lower(): value for name, value in response.headers.items()}
                    yield FileAnswer(response.status_code, found, _body(here, response), str(here))
                    return
            finally:
                await response.aclose()
            here = _parse(location, here)
        raise FileRefused(f"{here.host} redirects more than {self._redirects} times")

    async def _get(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        """One request without redirects. Nothing of a URL but host and path goes out, no user, no password."""
        request = httpx.Request(
            "GET",
            url,
            headers={
                "User-Agent": f"batchgen/{__version__}",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                **headers,
                **self._own_headers(str(url)),
            },
            extensions={"timeout": self._timeout},
        )
        with _translated(url):
            return await self._transport.handle_async_request(request)

    def _check(self, host: str, _port: int, addresses: Sequence[str]) -> None:
        """Refuse a host unless every address of it is allowed. No addresses: a proxy will resolve the name."""
        if addresses or is_literal(host):
            found = {reach(address) for address in addresses or [host]}
        else:
            found = {Reach.PRIVATE if is_local_name(host) else Reach.PUBLIC}
        if not found <= self._allowed:
            raise FileRefused(f"{host} is not on the public internet: no file is fetched from there")


async def _body(url: httpx.URL, response: httpx.Response) -> AsyncIterator[bytes]:
    with _translated(url):
        async for chunk in response.aiter_raw():
            yield chunk


@contextmanager
def _translated(url: httpx.URL) -> Iterator[None]:
    """Turns httpx's exceptions into FileTrouble, without the URL: a signed one is a secret."""
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, OSError) as error:
        raise FileTrouble(f"{url.host}: {str(error) or type(error).__name__}") from None


def _parse(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """The URL to ask next. Raises FileRefused unless it is http(s) with a host."""
    try:
        parsed = base.join(url) if base else httpx.URL(url)
        if parsed.scheme in {"http", "https"} and parsed.host and (parsed.port or 1) < 65536:
            return parsed
    except (httpx.InvalidURL, ValueError, TypeError, UnicodeError):
        parsed = httpx.URL("")
    what = f"a {parsed.scheme}: address" if parsed.scheme else "no web address"
    raise FileRefused(f"{base.host} redirects to {what}" if base else f"the address is {what}")
