"""What goes out to a file host, and where it may go: checked against a host that records every byte."""

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from raw_host import HANG, RESET, Play, RawHost, Request, head, says, whole

import batchgen.videos.host
from batchgen.videos.addresses import Reach
from batchgen.videos.host import FileAnswer, FileHost, FileRefused, FileTrouble

TLS = Path(__file__).with_name("tls")
BODY = b"0123456789" * 20


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@dataclass
class Names:
    """Name -> addresses, separated by blanks; and the names that were asked for."""

    hosts: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The system's resolver knows these `.test` names and addresses only, and notes what it was asked."""
    known = Names()
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *rest: object, **more: object) -> list[object]:
        if not host.endswith(".test"):
            return real(host, port, *rest, **more)  # type: ignore[arg-type,return-value]
        known.asked.append(host)
        if host not in known.hosts:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(0, socket.SOCK_STREAM, 6, "", (address, port)) for address in known.hosts[host].split()]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


async def fetch(files: FileHost, url: str, **headers: str) -> tuple[FileAnswer, bytes]:
    async with files.stream(url, headers) as answer:
        return answer, b"".join([chunk async for chunk in answer.body])


def on_host(plays: list[Play], url: str = "", **options: object) -> tuple[FileAnswer, bytes, list[Request]]:
    """One fetch from a raw host; `url` may hold PORT. Options go to FileHost."""

    async def scenario() -> tuple[FileAnswer, bytes, list[Request]]:
        async with RawHost(plays) as host:
            target = url.replace("PORT", str(host.port)) or host.url()
            answer, body = await fetch(FileHost(**{"near": Reach.LOOPBACK, **options}), target)  # type: ignore[arg-type]
            return answer, body, host.requests

    return asyncio.run(scenario())


def refused(url: str, plays: list[Play] | None = None, **options: object) -> tuple[str, int]:
    """The words of a refusal, and how many requests the host has seen."""

    async def scenario() -> tuple[str, int]:
        async with RawHost(plays or [whole(BODY)]) as host:
            with pytest.raises(FileRefused) as caught:
                await fetch(FileHost(**options), url.replace("PORT", str(host.port)))  # type: ignore[arg-type]
            return str(caught.value), len(host.requests)

    return asyncio.run(scenario())


def test_the_body_arrives_as_sent() -> None:
    answer, body, _ = on_host([whole(BODY, ETag='"1"')])
    assert (answer.status, answer.headers["etag"], body) == (200, '"1"', BODY)


def test_the_request_carries_no_key_no_cookie_and_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not the service's key, not what a URL or a .netrc holds, and no cookie that a redirect set."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BATCHGEN_API_KEY", "sk-secret")
    plays = [says("302 Found", Location="/b", Set_Cookie="session=secret"), whole(BODY)]
    _, _, requests = on_host(plays, "http://me:secret@127.0.0.1:PORT/a")
    assert len(requests) == 2
    for request in requests:
        assert set(request.headers) == {"host", "user-agent", "accept", "accept-encoding"}
        assert "secret" not in repr(request)
        assert request.headers["accept-encoding"] == "identity"


def test_a_signed_url_goes_out_unchanged() -> None:
    """Another spelling of %2F or + breaks the signature."""
    path = "/a%2Fb/c%20d/v.mp4?X-Amz-Signature=a%2Bb%2fc==&exp=1+2&x=%E6%97%A5~!*'()"
    _, _, requests = on_host([whole(BODY)], f"http://127.0.0.1:PORT{path}#part")
    assert requests[0].path == path


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a.test/x", "data:video/mp4;base64,AA", "javascript:1", "/video.mp4", "", "http://",
     "https:///x", "http://[::1", "//a.test/x", "gopher://a.test", "http://a.test:99999/"],
)  # fmt: skip
def test_only_http_and_https_urls_are_fetched(url: str) -> None:
    assert refused(url)[1] == 0


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:PORT/", "http://localhost:PORT/", "http://[::1]:PORT/", "http://2130706433:PORT/",
     "http://0x7f.1:PORT/", "http://127.1:PORT/", "http://0:PORT/", "http://[::ffff:127.0.0.1]:PORT/",
     "http://169.254.169.254/latest/meta-data/", "http://127。0。0。1:PORT/", "http://[fe80::1%25lo]:PORT/"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_never_asked(url: str) -> None:
    """In every spelling that the system's resolver understands; only loopback is ever resolved here."""
    try:
        words, requests = refused(url)
    except FileTrouble:
        return  # this system's resolver does not take the spelling: nothing was asked either
    assert "public" in words
    assert requests == 0


@pytest.mark.parametrize(
    "addresses", ["127.0.0.1", "93.184.216.34 127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"]
)
def test_a_name_with_one_address_that_is_not_public_is_refused(addresses: str, names: Names) -> None:
    names.hosts["videos.test"] = addresses
    words, requests = refused("http://videos.test:PORT/v.mp4")
    assert "videos.test" in words
    assert requests == 0


def test_the_connection_goes_to_the_address_that_was_looked_at(names: Names) -> None:
    """A name is resolved once a hop: what it means a moment later can't matter. Host keeps the name."""
    names.hosts["videos.test"] = "127.0.0.1"
    _, body, requests = on_host([whole(BODY)], "http://videos.test:PORT/v.mp4")
    assert body == BODY
    assert names.asked == ["videos.test"]
    assert requests[0].headers["host"].startswith("videos.test:")


def test_the_next_address_is_tried_when_one_does_not_answer(names: Names) -> None:
    names.hosts["videos.test"] = "127.0.0.2 127.0.0.1"
    _, body, _ = on_host([whole(BODY)], "http://videos.test:PORT/v.mp4")
    assert body == BODY


def test_redirects_are_followed_and_each_is_resolved(names: Names) -> None:
    plays = [
        says("301 Moved", Location="/next"),
        says("308 Moved", Location="other"),
        lambda request: [
            head("307 x", Location=f"http://cdn.test:{request.headers['host'].split(':')[1]}/x"),
            b"",
        ],
        whole(BODY),
    ]
    names.hosts |= {"videos.test": "127.0.0.1", "cdn.test": "127.0.0.1"}
    _, body, requests = on_host(plays, "http://videos.test:PORT/v.mp4")
    assert body == BODY
    assert [request.path for request in requests] == ["/v.mp4", "/next", "/other", "/x"]
    assert list(dict.fromkeys(names.asked)) == ["videos.test", "cdn.test"]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:1/",
        "http://inside.test/",
        "file:///etc/passwd",
        "ftp://x.test/",
        "http://[::1",
    ],
)
def test_a_redirect_is_looked_at_like_the_url_itself(
    location: str, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a host that counts as public here to one that does not."""
    public = {"127.0.0.1": Reach.PUBLIC}
    monkeypatch.setattr(batchgen.videos.host, "reach", lambda address: public.get(address, Reach.LOOPBACK))
    plays = [says("302 Found", Location=location), whole(BODY)]
    names.hosts |= {"videos.test": "127.0.0.1", "inside.test": "127.0.0.3"}
    words, requests = refused("http://videos.test:PORT/v.mp4", plays)
    assert words
    assert requests == 1


@pytest.mark.parametrize("place", ["10.0.0.1", "169.254.169.254", "[fe80::1]", "inside.test", "0.0.0.1"])
def test_a_service_on_this_machine_may_not_send_us_further_inside(place: str, names: Names) -> None:
    """The sandbox's files lie on this machine, so a redirect to the network around it is no file."""
    names.hosts["inside.test"] = "192.168.1.1"
    plays = [says("302 Found", Location=f"http://{place}/v.mp4")]
    words, requests = refused("http://127.0.0.1:PORT/", plays, near=Reach.LOOPBACK)
    assert place.strip("[]") in words
    assert requests == 1


def test_a_redirect_without_end_is_refused() -> None:
    words, requests = refused("http://127.0.0.1:PORT/", [says("302 Found", Location="/")], near=Reach.LOOPBACK)
    assert "redirects more than 5 times" in words
    assert requests == 6


def test_a_redirect_without_a_place_is_an_answer() -> None:
    answer, _, _ = on_host([says("302 Found")])
    assert answer.status == 302


@pytest.mark.parametrize(
    "play",
    [
        lambda _: [RESET],
        lambda _: [],
        lambda _: [b"HTTP/1.1 200 OK\r\nContent-Le", RESET],
        lambda _: [b"SSH-2.0-OpenSSH_9.2\r\n"],
        lambda _: [head("200 OK", Content_Length=100), b"short"],
        lambda _: [head("200 OK", Content_Length=100), b"short", RESET],
        lambda _: [head("200 OK", Content_Length=100), b"short", HANG],
        lambda _: [head("200 OK", Transfer_Encoding="chunked"), b"5\r\nshort\r\n"],
        lambda _: [head("200 OK", Transfer_Encoding="chunked"), b"zz\r\n"],
        lambda _: [head("200 OK", Content_Length="many"), b"short"],
        lambda _: [HANG],
    ],
)
def test_a_failure_on_the_way_is_trouble_whenever_it_comes(play: Play) -> None:
    with pytest.raises(FileTrouble):
        on_host([play], read_timeout=0.2)


def test_a_host_that_nobody_is_at_is_trouble(names: Names) -> None:
    with pytest.raises(FileTrouble, match=r"nowhere\.test"):
        on_host([whole(BODY)], "http://nowhere.test/")
    with pytest.raises(FileTrouble):
        on_host([whole(BODY)], "http://127.0.0.1:1/")


def test_trouble_does_not_tell_the_url() -> None:
    """A signed URL is a secret."""
    with pytest.raises(FileTrouble) as caught:
        on_host([lambda _: [RESET]], "http://127.0.0.1:PORT/v.mp4?signature=secret")
    assert "secret" not in str(caught.value)


def test_an_error_of_the_reader_is_not_taken_for_the_hosts() -> None:
    """A full disk while the stream is open stays a full disk."""

    async def scenario() -> None:
        async with RawHost([whole(BODY)]) as host, FileHost(near=Reach.LOOPBACK).stream(host.url()):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        asyncio.run(scenario())


def test_a_proxy_is_asked_by_name_and_not_for_what_is_near(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy names may not resolve here at all; NO_PROXY goes around it."""
    near = ("127.0.0.1", "localhost", "router.lan", "nas", "127.1", "0x7f.1", "[::1]", "10.0.0.1")

    async def scenario() -> None:
        async with RawHost([says("403 Forbidden")]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url(""))
            monkeypatch.setenv("NO_PROXY", "direct.test")
            files = FileHost()
            with pytest.raises(FileTrouble, match="proxy"):
                await fetch(files, "https://videos.test/v.mp4?signature=secret")
            assert [request.line for request in proxy.requests] == ["CONNECT videos.test:443 HTTP/1.1"]
            assert names.asked == []
            for host in near:
                with pytest.raises(FileRefused):
                    await fetch(files, f"https://{host}/v.mp4")
            with pytest.raises(FileTrouble):
                await fetch(files, "https://direct.test/v.mp4")
            assert names.asked == ["direct.test"]
            assert len(proxy.requests) == 1

    asyncio.run(scenario())


def test_certificates_are_checked_against_the_name_not_the_address(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the authority that SSL_CERT_FILE names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "videos.test.pem")
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def scenario() -> None:
        async with RawHost([whole(BODY)], tls=context) as host:
            names.hosts |= {"videos.test": "127.0.0.1", "other.test": "127.0.0.1"}
            with pytest.raises(FileTrouble):
                await fetch(FileHost(near=Reach.LOOPBACK), f"https://videos.test:{host.port}/")
            monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "authority.pem"))
            files = FileHost(near=Reach.LOOPBACK)
            _, body = await fetch(files, f"https://videos.test:{host.port}/v.mp4")
            assert body == BODY
            with pytest.raises(FileTrouble):
                await fetch(files, f"https://other.test:{host.port}/v.mp4")
            assert asked == ["videos.test", "videos.test", "other.test"]
            assert len(host.requests) == 1

    asyncio.run(scenario())
