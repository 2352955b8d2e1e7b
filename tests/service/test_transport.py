"""The transport and the Api on it: what is sent, through what, and that nothing is lost under cancels."""

import asyncio
import logging
import random
import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from fault_server import (
    PLAIN,
    FaultServer,
    Peer,
    client_context,
    drip,
    each,
    fin,
    hang,
    http,
    read_request,
    reset,
    send,
    serve,
    then,
)

from batchgen import __version__
from batchgen.job import Outcome, OutcomeKind, State, Trouble
from batchgen.service import Api
from batchgen.service.dialects import Call
from batchgen.service.http.dial import NotConnected
from batchgen.service.http.transport import Transport
from batchgen.service.secret import Secret

BODY = b'{"prompt": "a glass city"}'
CALL = Call("POST", "/v1/videos/generations", BODY, (("Content-Type", "application/json"),))
TASK = b'{"id":"task_12345","status":"pending"}'
DONE = b'{"id":"task_12345","status":"success","data":{"videoUrls":["https://cdn.example/x.mp4"]}}'
KEY = "sk-canary-0123456789"


pytestmark = pytest.mark.usefixtures("wire")


async def nothing() -> None:
    pass


def api(url: str, **settings: float) -> Api:
    return Api(url, Secret(KEY), ssl_context=client_context(), **settings)  # type: ignore[arg-type]


# -- what is sent ------------------------------------------------------------------------------------------------


def test_a_post_carries_the_documented_headers_and_the_body_unchanged() -> None:
    async def scenario() -> bytes:
        async with FaultServer(serve(http("200 OK", TASK, "Set-Cookie: a=b"))) as server:
            client = api(server.url + "/base/")
            for _ in range(2):
                await client.submit(CALL, "key-1", nothing)
            await client.aclose()
            assert server.requests[0] == server.requests[1], "no cookie is kept"
            return server.requests[0]

    head, body = asyncio.run(scenario()).split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /base/v1/videos/generations HTTP/1.1"
    sent = dict(line.split(": ", 1) for line in lines[1:])
    assert {name.lower(): value for name, value in sent.items() if name.lower() != "host"} == {
        "user-agent": f"batchgen/{__version__}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "idempotency-key": "key-1",
    }
    assert body == BODY


@pytest.mark.parametrize(
    ("task_id", "path"),
    [
        ("task_1", "/v1/tasks/task_1"),
        ("../x", "/v1/tasks/..%2Fx"),
        ("..", "/v1/tasks/%2E%2E"),
        ("a:b/c?d#e", "/v1/tasks/a%3Ab%2Fc%3Fd%23e"),
        ("ü 1", "/v1/tasks/%C3%BC%201"),
        ("50%", "/v1/tasks/50%25"),
    ],
)
def test_a_task_id_is_one_segment_of_the_path(task_id: str, path: str) -> None:
    async def scenario() -> bytes:
        async with FaultServer(serve(http("404 Not Found", b"{}"))) as server:
            client = api(server.url)
            await client.task(task_id)
            await client.aclose()
            return server.requests[0]

    assert asyncio.run(scenario()).startswith(f"GET {path} HTTP/1.1\r\n".encode())


def test_nothing_is_logged_that_names_a_url_or_a_header(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", TASK))) as server:
            client = api(server.url)
            await client.submit(CALL, "key-1", nothing)
            await client.task("task_12345")
            await client.aclose()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(scenario())
    said = [record for record in caplog.records if record.name != "asyncio"]
    assert said == []


# -- polls -----------------------------------------------------------------------------------------------------


def test_a_look_reads_the_task() -> None:
    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", DONE))) as server:
            client = api(server.url)
            look = await client.task("task_12345")
            assert look.status is not None
            assert look.status.state is State.SUCCEEDED
            assert look.status.video_urls == ("https://cdn.example/x.mp4",)
            assert await client.probe()
            await client.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("behaviour", "trouble"),
    [
        (then(read_request, reset), Trouble.ERROR),
        (then(read_request, fin), Trouble.ERROR),
        (then(read_request, hang), Trouble.ERROR),
        (then(read_request, drip(http("200 OK", DONE), 0.02)), Trouble.ERROR),
        (then(read_request, send(b"garbage\r\n\r\n")), Trouble.ERROR),
        (then(read_request, send(http("200 OK", DONE, length=999))), Trouble.ERROR),
        (then(read_request, send(http("200 OK", b" " * 1_100_000))), Trouble.ERROR),
        (then(read_request, send(http("200 OK", DONE, "Content-Encoding: gzip"))), Trouble.ERROR),
        (then(read_request, send(http("404 Not Found", b'{"error":"task not found"}'))), Trouble.NOT_FOUND),
        (then(read_request, send(http("429 Too Many", b""))), Trouble.THROTTLED),
    ],
)
def test_a_look_never_raises(behaviour: object, trouble: Trouble) -> None:
    async def scenario() -> None:
        async with FaultServer(behaviour) as server:  # type: ignore[arg-type]
            client = api(server.url, poll_timeout=0.5)
            look = await client.task("task_12345")
            assert (look.status, look.trouble) == (None, trouble)
            assert look.message
            await client.aclose()
        assert (await api(server.url).task("task_12345")).trouble is Trouble.AWAY
        assert not await api(server.url).probe()

    asyncio.run(scenario())


def test_a_look_that_meets_the_closing_of_an_idle_connection_is_made_again() -> None:
    """Safe for a GET only: the server closes the connection when the second request arrives."""

    async def scenario() -> None:
        once = then(read_request, send(http("200 OK", DONE)), read_request, fin)
        async with FaultServer(each(once, serve(http("200 OK", DONE)))) as server:
            client = api(server.url)
            for _ in range(2):
                assert (await client.task("task_12345")).status is not None
            assert server.connections == 2
            await client.aclose()

    asyncio.run(scenario())


def test_a_post_that_meets_the_closing_of_a_connection_is_in_doubt_and_not_repeated() -> None:
    async def scenario() -> None:
        once = then(read_request, send(http("200 OK", TASK)), read_request, fin)
        async with FaultServer(each(once, serve(http("200 OK", TASK)))) as server:
            client = api(server.url)
            kinds = [(await client.submit(CALL, "key-1", nothing)).kind for _ in range(2)]
            assert kinds == [OutcomeKind.ACCEPTED, OutcomeKind.IN_DOUBT]
            assert server.connections == 1
            await client.aclose()

    asyncio.run(scenario())


# -- cancels ---------------------------------------------------------------------------------------------------


def test_a_post_on_the_wire_outlives_a_cancel_and_tells_its_outcome() -> None:
    async def scenario() -> None:
        async def slow(peer: Peer) -> None:
            await peer.read_request()
            await asyncio.sleep(0.1)
            await peer.send(http("200 OK", TASK))

        async with FaultServer(slow) as server:
            client = api(server.url)
            post = asyncio.create_task(client.submit(CALL, "key-1", nothing))
            await server.arrived.acquire()
            for _ in range(3):
                post.cancel()
                await asyncio.sleep(0.005)
            outcome = await post
            assert outcome.task_id == "task_12345"
            assert post.cancelling() == 3, "the cancel is still to be seen"
            await client.aclose()

    asyncio.run(scenario())


def test_a_cancel_before_the_begin_sends_nothing() -> None:
    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", TASK))) as server:
            client = api(server.url)
            reached = asyncio.Event()

            async def wait() -> None:
                reached.set()
                await asyncio.sleep(60)

            post = asyncio.create_task(client.submit(CALL, "key-1", wait))
            await reached.wait()
            post.cancel()
            with pytest.raises(asyncio.CancelledError):
                await post
            await asyncio.sleep(0.02)
            assert server.bytes_seen == 0
            await client.aclose()

    asyncio.run(scenario())


def test_a_storm_of_cancels_loses_no_connection() -> None:
    """httpx's own pool ends this with PoolTimeout for every later request."""

    async def jitter(peer: Peer) -> None:
        while await peer.read_request():
            await asyncio.sleep(random.uniform(0, 0.004))
            await peer.send(http("200 OK", DONE))

    async def scenario() -> None:
        async with FaultServer(jitter) as server:
            client = api(server.url, max_connections=8, connect_timeout=2.0)

            async def one() -> None:
                with pytest.raises((asyncio.CancelledError, TimeoutError)):
                    async with asyncio.timeout(random.uniform(0, 0.006)):
                        await client.task("task_12345")
                        await asyncio.sleep(1)

            for _ in range(15):
                await asyncio.gather(*(one() for _ in range(40)))
            looks = await asyncio.gather(*(client.task("task_12345") for _ in range(40)))
            assert all(look.status is not None for look in looks)
            outcomes = await asyncio.gather(*(client.submit(CALL, "k", nothing) for _ in range(8)))
            assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
            await client.aclose()

    random.seed(7)
    asyncio.run(scenario())


def test_closing_the_api_ends_what_is_open() -> None:
    async def scenario() -> None:
        async with FaultServer(then(read_request, hang)) as server:
            client = api(server.url)
            post = asyncio.create_task(client.submit(CALL, "key-1", nothing))
            look = asyncio.create_task(client.task("task_12345"))
            for _ in range(2):
                await server.arrived.acquire()
            await client.aclose()
            assert (await post).kind is OutcomeKind.IN_DOUBT
            assert (await look).trouble is Trouble.ERROR

    asyncio.run(scenario())


# -- proxies ---------------------------------------------------------------------------------------------------


def through(monkeypatch: pytest.MonkeyPatch, proxy: str, no_proxy: str = "") -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", proxy)
    if no_proxy:
        monkeypatch.setenv("no_proxy", no_proxy)


async def tunnel(peer: Peer) -> None:
    """A proxy that works: CONNECT, then bytes both ways."""
    head = await peer.read_request()
    host, port = head.split(b" ")[1].decode().rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            peer.server.bytes_seen += data.count(KEY.encode()) * 10**9
            sink.write(data)
        sink.close()

    await asyncio.gather(copy(peer.reader, writer), copy(reader, peer.writer), return_exceptions=True)


def test_https_goes_through_the_proxy_which_sees_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with (
            FaultServer(tunnel, wire=PLAIN) as proxy,
            FaultServer(serve(http("200 OK", TASK)), cert="good", name="localhost") as server,
        ):
            through(monkeypatch, proxy.url.replace("http://", "http://user:p%40ss@"))
            client = api(server.url)
            outcome = await client.submit(CALL, "key-1", nothing)
            await client.aclose()
            assert outcome.kind is OutcomeKind.ACCEPTED
            assert proxy.connections == 1
            assert b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in proxy.requests[0]
            assert KEY.encode() not in b"".join(proxy.requests)
            assert proxy.bytes_seen < 10**9, "the key passed the proxy in the open"
            assert b"Proxy-Authorization" not in server.requests[0]

    asyncio.run(scenario())


def test_no_proxy_names_hosts_that_are_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", TASK)), cert="good", name="localhost") as server:
            through(monkeypatch, "http://127.0.0.1:9", no_proxy="localhost")
            client = api(server.url)
            assert (await client.submit(CALL, "key-1", nothing)).kind is OutcomeKind.ACCEPTED
            await client.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "proxy",
    [
        then(read_request, send(http("407 Proxy Authentication Required", b""))),
        then(read_request, send(http("502 Bad Gateway", b"no route"))),
        then(read_request, send(http("302 Found", b"", "Location: http://login.example/"))),
        then(read_request, fin),
        then(read_request, reset),
        reset,
        then(read_request, send(b"garbage\r\n\r\n")),
        then(read_request, hang),
    ],
)
def test_a_proxy_that_makes_no_tunnel_is_not_sent(monkeypatch: pytest.MonkeyPatch, proxy: object) -> None:
    async def scenario() -> Outcome:
        async with (
            FaultServer(proxy, wire=PLAIN) as refusing,  # type: ignore[arg-type]
            FaultServer(serve(http("200 OK", TASK)), cert="good", name="localhost") as server,
        ):
            through(monkeypatch, refusing.url)
            client = api(server.url, connect_timeout=0.3)
            outcome = await client.submit(CALL, "key-1", nothing)
            await client.aclose()
            assert server.bytes_seen == 0
            return outcome

    outcome = asyncio.run(scenario())
    assert outcome.kind is OutcomeKind.NOT_SENT
    assert outcome.code in ("proxy", "connect_timeout")


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_proxy_that_is_not_there_is_not_sent(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    through(monkeypatch, proxy)
    outcome = asyncio.run(api("https://localhost:9").submit(CALL, "key-1", nothing))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "proxy")


# -- the transport for other uses ------------------------------------------------------------------------------


def test_an_httpx_client_streams_over_it() -> None:
    film = bytes(range(256)) * 20_000

    async def scenario() -> None:
        async with (
            FaultServer(serve(http("200 OK", film)), wire=PLAIN) as server,
            httpx.AsyncClient(transport=Transport()) as client,
        ):
            for _ in range(2):
                async with client.stream("GET", server.url) as response:
                    got = b"".join([piece async for piece in response.aiter_bytes()])
                assert got == film
            assert server.connections == 1
            async with client.stream("GET", server.url) as response:
                pass  # given up: the connection can't be used again
            assert (await client.get(server.url)).content == film
            assert server.connections == 2

    asyncio.run(scenario())


def test_a_reader_that_is_slow_does_not_fill_memory() -> None:
    async def endless(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1000):
            await peer.send(bytes(100_000))
            peer.server.bytes_seen += 100_000

    async def scenario() -> None:
        async with (
            FaultServer(endless, wire=PLAIN) as server,
            httpx.AsyncClient(transport=Transport()) as client,
            client.stream("GET", server.url) as response,
        ):
            pieces = response.aiter_raw()
            await anext(pieces)
            await asyncio.sleep(0.2)
            assert server.bytes_seen < 30_000_000, "what the sockets hold, and our own megabyte"
            await pieces.aclose()  # type: ignore[attr-defined]

    asyncio.run(scenario())


def test_silence_ends_a_stream_that_has_no_deadline() -> None:
    async def scenario() -> None:
        behaviour = then(read_request, send(http("200 OK", b"half", length=8)), hang)
        timeout = httpx.Timeout(None, read=0.1)
        async with (
            FaultServer(behaviour, wire=PLAIN) as server,
            httpx.AsyncClient(transport=Transport(), timeout=timeout) as client,
        ):
            with pytest.raises(httpx.ReadTimeout):
                await client.get(server.url)

    asyncio.run(scenario())


def test_only_checked_addresses_are_connected_to() -> None:
    """The name is resolved once: what the check saw is what is connected to."""
    seen: list[tuple[str, int, Sequence[str]]] = []

    class NotPublic(Exception):
        pass

    def refuse(host: str, port: int, addresses: Sequence[str]) -> None:
        seen.append((host, port, addresses))
        if "127.0.0.1" in addresses:
            raise NotPublic

    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", TASK)), wire=PLAIN) as server:
            async with httpx.AsyncClient(transport=Transport(check_address=refuse)) as client:
                with pytest.raises(NotPublic):
                    await client.get(server.url)
            assert server.connections == 0
            assert seen == [("127.0.0.1", server.port, ("127.0.0.1",))]
            allow = Transport(check_address=lambda *_: None)
            async with httpx.AsyncClient(transport=allow) as client:
                assert (await client.get(server.url)).status_code == 200

    asyncio.run(scenario())


def test_an_address_that_refuses_is_followed_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def two(_host: object, port: int, *_args: object, **_more: object) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", TASK)), wire=PLAIN) as server:
            monkeypatch.setattr(socket, "getaddrinfo", two)
            client = api(f"http://service.example:{server.port}")
            assert (await client.submit(CALL, "key-1", nothing)).kind is OutcomeKind.ACCEPTED
            assert b"Host: service.example:" in server.requests[0]
            await client.aclose()

    asyncio.run(scenario())


def test_certificates_of_ssl_cert_file_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    from fault_server import CERTS

    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", TASK)), cert="good", name="localhost") as server:
            client = Api(server.url, Secret(KEY))
            outcome = await client.submit(CALL, "key-1", nothing)
            assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "tls")
            monkeypatch.setenv("SSL_CERT_FILE", str(CERTS / "ca.pem"))
            client = Api(server.url, Secret(KEY))
            assert (await client.submit(CALL, "key-1", nothing)).kind is OutcomeKind.ACCEPTED
            await client.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bad_ssl_cert_file_is_told_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", TASK)), cert="good", name="localhost") as server:
            client = Api(server.url, Secret(KEY))
            outcome = await client.submit(CALL, "key-1", nothing)
            assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "tls")
            assert (await client.task("task_1")).trouble is Trouble.AWAY

    asyncio.run(scenario())


def test_not_connected_is_one_of_httpx_s_errors() -> None:
    assert issubclass(NotConnected, httpx.ConnectError)
    assert isinstance(client_context(), ssl.SSLContext)
