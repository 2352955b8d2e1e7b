"""What the Api says of a POST under each fault, against the truth that the server kept.

The law: NOT_SENT is said only where the server saw no byte; whatever broke off later is in doubt.
"""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from fault_server import (
    PLAIN,
    Behaviour,
    FaultServer,
    chunked,
    client_context,
    drip,
    each,
    fin,
    hang,
    http,
    read_exactly,
    read_request,
    read_some,
    reset,
    send,
    serve,
    then,
    until_close,
)

from batchgen.job import Outcome, OutcomeKind
from batchgen.service import Api
from batchgen.service.dialects import Call
from batchgen.service.secret import Secret

BODY = b'{"provider": "kie", "prompt": "a glass city"}'
CALL = Call("POST", "/v1/videos/generations", BODY, (("Content-Type", "application/json"),))
TASK = b'{"id":"task_12345","object":"video.generation.task","status":"pending"}'
KEY = "sk-canary-0123456789"


pytestmark = pytest.mark.usefixtures("wire")


async def nothing() -> None:
    pass


def api(url: str, **settings: float) -> Api:
    defaults: dict[str, float] = {"post_timeout": 5.0, "poll_timeout": 5.0, "connect_timeout": 5.0}
    return Api(url, Secret(KEY), ssl_context=client_context(), **{**defaults, **settings})  # type: ignore[arg-type]


async def post(
    url: str, *, body: bytes = BODY, before: Callable[[], Awaitable[None]] = nothing, **settings: float
) -> Outcome:
    client = api(url, **settings)
    try:
        return await client.submit(replace(CALL, body=body), "key-1", before)
    finally:
        await client.aclose()


async def against(behaviour: Behaviour, **settings: float) -> tuple[Outcome, FaultServer]:
    async with FaultServer(behaviour) as server:
        outcome = await post(server.url, **settings)
        await asyncio.sleep(0.01)
    return outcome, server


def tried(behaviour: Behaviour, **settings: float) -> tuple[Outcome, FaultServer]:
    return asyncio.run(against(behaviour, **settings))


# -- before the first byte ------------------------------------------------------------------------------------


def test_a_refused_connection_is_not_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        outcome = asyncio.run(post(f"http://127.0.0.1:{port}"))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "refused")


def test_a_name_that_does_not_resolve_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    outcome = asyncio.run(post("http://nowhere.invalid"))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "dns")


def test_a_connection_that_never_stands_is_not_sent() -> None:
    """A full backlog swallows the SYN, as a firewall does."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        outcome = asyncio.run(post(f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout=0.2))
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "connect_timeout")


@pytest.mark.parametrize("cert", ["wrong-name", "expired", "self-signed"])
def test_a_certificate_that_does_not_hold_is_not_sent(cert: str) -> None:
    async def scenario() -> tuple[Outcome, FaultServer]:
        async with FaultServer(serve(http("200 OK", TASK)), cert=cert, name="localhost") as server:
            return await post(server.url), server

    outcome, server = asyncio.run(scenario())
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "tls")
    assert server.bytes_seen == 0


@pytest.mark.parametrize("first", [reset, fin, send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), hang])
def test_a_server_that_does_not_speak_tls_is_not_sent(first: Behaviour) -> None:
    async def scenario() -> tuple[Outcome, FaultServer]:
        async with FaultServer(first, name="localhost", wire=PLAIN) as server:
            url = server.url.replace("http:", "https:")
            return await post(url, connect_timeout=0.3), server

    outcome, server = asyncio.run(scenario())
    assert outcome.kind is OutcomeKind.NOT_SENT
    assert outcome.code in ("tls", "connect_timeout")
    assert server.read_whole == 0


def test_a_connection_that_ends_before_the_begin_is_durable_is_not_sent() -> None:
    """The server hangs up while the ledger commits: nothing was written yet, and we know it."""

    async def slow_commit() -> None:
        await asyncio.sleep(0.05)

    async def scenario() -> tuple[Outcome, FaultServer]:
        async with FaultServer(fin) as server:
            return await post(server.url, before=slow_commit), server

    outcome, server = asyncio.run(scenario())
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "connection_lost")
    assert server.bytes_seen == 0


def test_no_free_connection_is_not_sent() -> None:
    async def scenario() -> Outcome:
        async with FaultServer(then(read_request, hang)) as server:
            client = api(server.url, max_connections=1, connect_timeout=0.4, post_timeout=1.0)
            first = asyncio.create_task(client.submit(CALL, "key-1", nothing))
            await server.arrived.acquire()
            outcome = await client.submit(CALL, "key-2", nothing)
            await first
            await client.aclose()
            return outcome

    outcome = asyncio.run(scenario())
    assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, "no_connection")


def test_what_before_send_raises_passes_unchanged_and_nothing_is_sent() -> None:
    class Refused(Exception):
        pass

    async def refuse() -> None:
        raise Refused

    async def scenario() -> FaultServer:
        async with FaultServer(serve(http("200 OK", TASK))) as server:
            client = api(server.url)
            with pytest.raises(Refused):
                await client.submit(CALL, "key-1", refuse)
            await asyncio.sleep(0.02)
            assert server.bytes_seen == 0
            outcome = await client.submit(CALL, "key-1", nothing)
            assert outcome.kind is OutcomeKind.ACCEPTED
            await client.aclose()
        return server

    server = asyncio.run(scenario())
    assert server.connections == 1, "the connection came back clean"


def test_before_send_is_awaited_when_the_connection_stands_and_nothing_has_left() -> None:
    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", TASK))) as server:
            seen: list[tuple[int, int]] = []

            async def look() -> None:
                await asyncio.sleep(0.02)
                seen.append((server.connections, server.bytes_seen))

            await post(server.url, before=look)
            assert seen == [(1, 0)]

    asyncio.run(scenario())


# -- once a byte may have left -----------------------------------------------------------------------------------

PACKED = gzip.compress(TASK)
AFTER: dict[str, tuple[Behaviour, str]] = {
    "reset after reading": (then(read_request, reset), "reset"),
    "fin after reading": (then(read_request, fin), "closed"),
    "hang after reading": (then(read_request, hang), "read_timeout"),
    "hang without reading": (hang, "read_timeout"),
    "hang in the head": (then(read_request, send(b"HTTP/1.1 200 OK\r\nContent-"), hang), "answer_timeout"),
    "hang in the body": (then(read_request, send(http("200 OK", TASK, length=999)), hang), "answer_timeout"),
    "slow drip": (then(read_request, drip(http("200 OK", TASK + b" " * 500), 0.01)), "answer_timeout"),
    "reset in the answer": (then(read_request, send(http("200 OK", TASK)[:40]), reset), "answer_reset"),
    "body shorter than said": (then(read_request, send(http("200 OK", TASK, length=200))), "answer_broken"),
    "body longer than said": (then(read_request, send(http("200 OK", TASK, length=20))), "not_json"),
    "two lengths": (
        then(read_request, send(http("200 OK", TASK, "Content-Length: 5"))), "answer_broken"),
    "length is no number": (
        then(read_request, send(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n" + TASK)), "answer_broken"),
    "close-delimited": (then(read_request, send(until_close("200 OK", TASK))), "unframed"),
    "close-delimited, cut in the id": (
        then(read_request, send(until_close("200 OK", b'{"id":"task_1'))), "not_json"),
    "chunk size is no number": (
        then(read_request, send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")), "answer_broken"),
    "garbage": (then(read_request, send(b"\x00\xff\x13garbage\r\n\r\n")), "answer_broken"),
    "garbage status": (then(read_request, send(b"HTTP/1.1 2xx OK\r\n\r\n")), "answer_broken"),
    "another protocol": (then(read_request, send(b"SSH-2.0-OpenSSH_9.2\r\n")), "answer_broken"),
    "1 MB header": (
        then(read_request, send(http("200 OK", TASK, "X-Long: " + "a" * 1_000_000))), "answer_broken"),
    "1 MB of headers": (
        then(read_request, send(http("200 OK", TASK, *(f"X-{n}: {'a' * 90}" for n in range(11000))))),
        "answer_broken"),
    "flood of interim answers": (
        then(read_request, send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 500), hang), "answer_broken"),
    "switching protocols": (
        then(read_request, send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")), "answer_broken"),
    "bad gzip": (then(read_request, send(http("200 OK", b"not gzip", "Content-Encoding: gzip"))), "bad_encoding"),
    "cut gzip": (
        then(read_request, send(http("200 OK", PACKED[:-9], "Content-Encoding: gzip"))), "bad_encoding"),
    "gzip with a wrong sum": (
        then(read_request, send(http("200 OK", PACKED[:-8] + bytes(8), "Content-Encoding: gzip"))),
        "bad_encoding"),
    "gzip with a tail": (
        then(read_request, send(http("200 OK", PACKED + b"tail", "Content-Encoding: gzip"))), "bad_encoding"),
    "gzip twice": (
        then(read_request, send(http("200 OK", gzip.compress(PACKED), "Content-Encoding: gzip, gzip"))),
        "bad_encoding"),
    "gzip bomb": (
        then(read_request, send(http("200 OK", gzip.compress(bytes(30_000_000)), "Content-Encoding: gzip"))),
        "too_large"),
    "brotli unasked": (
        then(read_request, send(http("200 OK", TASK, "Content-Encoding: br"))), "bad_encoding"),
    "over the limit": (
        then(read_request, send(http("200 OK", TASK + b" " * 1_200_000))), "too_large"),
    "over the limit in chunks": (
        then(read_request, send(chunked("200 OK", *([b" " * 1000] * 1200)))), "too_large"),
    "empty 200": (then(read_request, send(http("200 OK", b""))), "empty"),
    "empty 204": (then(read_request, send(b"HTTP/1.1 204 No Content\r\n\r\n")), "empty"),
    "html 200": (then(read_request, send(http("200 OK", b"<html>soon</html>"))), "html"),
    "500 and close": (then(read_request, send(http("500 No", b'{"error":"x"}', "Connection: close"))), "http_500"),
}  # fmt: skip


@pytest.mark.parametrize("fault", AFTER)
def test_what_breaks_off_once_a_byte_may_have_left_is_in_doubt(fault: str) -> None:
    behaviour, code = AFTER[fault]
    timeout = 0.5 if "timeout" in code else 5.0
    outcome, server = tried(behaviour, post_timeout=timeout)
    assert (outcome.kind, outcome.code) == (OutcomeKind.IN_DOUBT, code), outcome.message
    assert outcome.message or code == "empty"
    assert server.connections == 1, "a POST is never repeated by itself"
    assert len(outcome.evidence) <= 65536


@pytest.mark.parametrize("fault", ["reset in the answer", "hang in the body", "garbage", "gzip with a tail"])
def test_what_came_of_a_broken_answer_is_kept_as_evidence(fault: str) -> None:
    behaviour, code = AFTER[fault]
    outcome, _ = tried(behaviour, post_timeout=0.5 if "timeout" in code else 5.0)
    assert outcome.evidence


@pytest.mark.parametrize("how", [fin, reset])
@pytest.mark.parametrize(
    "answer",
    [http("200 OK", TASK, "Content-Type: application/json"), chunked("200 OK", TASK[:9], TASK[9:])],
    ids=["length", "chunked"],
)
def test_an_answer_cut_at_any_byte_is_in_doubt(answer: bytes, how: Behaviour) -> None:
    async def scenario() -> list[tuple[int, OutcomeKind]]:
        said = []
        for cut in range(len(answer) + 1):
            async with FaultServer(then(read_request, send(answer[:cut]), how)) as server:
                outcome = await post(server.url)
                assert server.read_whole == 1
                said.append((cut, outcome.kind))
        return said

    *cut, whole = asyncio.run(scenario())
    assert [kind for _, kind in cut] == [OutcomeKind.IN_DOUBT] * len(answer)
    assert whole[1] is OutcomeKind.ACCEPTED


@pytest.mark.parametrize("how", [fin, reset])
def test_a_request_that_is_read_up_to_any_byte_is_in_doubt(how: Behaviour) -> None:
    """However little of it the server took: never called not sent."""

    async def scenario() -> None:
        async with FaultServer(serve(http("200 OK", TASK))) as server:
            await post(server.url)
            length = len(server.requests[0])
        for taken in range(1, length, 3):
            async with FaultServer(then(read_exactly(taken), how)) as server:
                outcome = await post(server.url)
                assert (outcome.kind, server.bytes_seen) == (OutcomeKind.IN_DOUBT, taken)

    asyncio.run(scenario())


def test_a_close_delimited_answer_is_in_doubt_wherever_it_ends() -> None:
    answer = until_close("200 OK", TASK)

    async def scenario() -> set[OutcomeKind]:
        said = set()
        for cut in range(len(answer) + 1):
            async with FaultServer(then(read_request, send(answer[:cut]), fin)) as server:
                said.add((await post(server.url)).kind)
        return said

    assert asyncio.run(scenario()) == {OutcomeKind.IN_DOUBT}


def test_a_reset_on_accept_is_never_called_sent_or_accepted() -> None:
    """Whether the RST is seen before or after our first byte is a race; both sayings must be true."""

    async def scenario() -> None:
        for _ in range(50):
            async with FaultServer(reset) as server:
                outcome = await post(server.url)
                assert outcome.kind in (OutcomeKind.NOT_SENT, OutcomeKind.IN_DOUBT)
                assert outcome.kind is OutcomeKind.IN_DOUBT or server.bytes_seen == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("read", [0, 1, 100, 5000, 300_000])
def test_a_reset_while_a_large_body_is_written_is_in_doubt(read: int) -> None:
    outcome, server = tried(then(read_some(read) if read else nothing_read, reset), body=b"x" * 8_000_000)
    assert outcome.kind is OutcomeKind.IN_DOUBT or server.bytes_seen == 0
    assert outcome.kind in (OutcomeKind.IN_DOUBT, OutcomeKind.NOT_SENT)
    assert server.read_whole == 0


async def nothing_read(_peer: object) -> None:
    pass


def test_a_whole_refusal_while_a_large_body_is_written_counts() -> None:
    """A service that stops reading and says 413 has refused."""

    async def refuse_early(peer: object) -> None:
        await peer.read(1000)  # type: ignore[attr-defined]
        await peer.send(http("413 Too Large", b'{"error":{"message":"too large"}}', "Connection: close"))  # type: ignore[attr-defined]
        while await peer.read(1 << 16):  # type: ignore[attr-defined]
            pass

    outcome, _ = tried(refuse_early, body=b"x" * 8_000_000)
    assert outcome.kind is OutcomeKind.REJECTED


def test_interim_answers_are_skipped() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    outcome, _ = tried(then(read_request, send(hints * 3 + http("200 OK", TASK))))
    assert outcome.kind is OutcomeKind.ACCEPTED


def test_a_sound_gzip_answer_is_accepted() -> None:
    outcome, _ = tried(then(read_request, send(http("200 OK", PACKED, "Content-Encoding: gzip"))))
    assert (outcome.kind, outcome.task_id) == (OutcomeKind.ACCEPTED, "task_12345")


def test_an_answer_is_whole_though_the_server_resets_after_it() -> None:
    outcome, _ = tried(then(read_request, send(http("200 OK", TASK)), reset))
    assert outcome.kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_never_followed(status: str) -> None:
    async def scenario() -> Outcome:
        async with FaultServer(serve(http("200 OK", TASK))) as other:
            answer = http(status, b"", f"Location: {other.url}/v1/videos/generations")
            async with FaultServer(then(read_request, send(answer))) as server:
                outcome = await post(server.url)
            assert other.connections == 0
            return outcome

    outcome = asyncio.run(scenario())
    expected = OutcomeKind.REFUSED if status[:3] in ("307", "308") else OutcomeKind.IN_DOUBT
    assert outcome.kind is expected


def test_the_key_is_taken_out_of_what_the_service_repeats() -> None:
    echo = b'{"error":{"message":"bad key ' + KEY.encode() + b'"}}'
    outcome, _ = tried(then(read_request, send(http("400 Bad", echo, f"X-Echo: {KEY}"))))
    assert KEY not in repr(outcome)
    broken, _ = tried(then(read_request, send(http("400 Bad", echo, length=999)), fin))
    assert KEY not in repr(broken)
    assert broken.evidence


# -- idle connections ------------------------------------------------------------------------------------------


def test_a_connection_that_ended_while_idle_is_noticed_before_the_begin() -> None:
    """The FIN waits in the socket, the loop has not seen it: a new connection is made, and no doubt."""

    async def scenario() -> None:
        async with FaultServer(
            each(then(read_request, send(http("200 OK", TASK)), fin), serve(http("200 OK", TASK)))
        ) as server:
            client = api(server.url)
            assert (await client.submit(CALL, "key-1", nothing)).kind is OutcomeKind.ACCEPTED
            connections_at_begin = []

            async def note() -> None:
                connections_at_begin.append(server.connections)

            await asyncio.sleep(0.02)
            assert (await client.submit(CALL, "key-2", note)).kind is OutcomeKind.ACCEPTED
            assert server.connections == 2
            await client.aclose()

    asyncio.run(scenario())


def test_a_post_takes_no_connection_that_was_idle_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchgen.service.http.transport.IDLE_POST", 0.05)

    async def scenario() -> FaultServer:
        async with FaultServer(serve(http("200 OK", TASK))) as server:
            client = api(server.url)
            for pause in (0.0, 0.0, 0.1, 0.0):
                await asyncio.sleep(pause)
                assert (await client.submit(CALL, "key-1", nothing)).kind is OutcomeKind.ACCEPTED
            await client.aclose()
        return server

    assert asyncio.run(scenario()).connections == 2


def test_bytes_that_follow_an_answer_are_not_taken_for_the_next_one() -> None:
    """A forged second answer behind the first must not answer another POST."""
    forged = http("200 OK", TASK) + http("200 OK", b'{"id":"forged"}')

    async def scenario() -> None:
        async with FaultServer(each(then(read_request, send(forged), hang), serve(http("200 OK", TASK)))) as server:
            client = api(server.url)
            for _ in range(2):
                outcome = await client.submit(CALL, "key-1", nothing)
                assert outcome.task_id == "task_12345"
            assert server.connections == 2
            await client.aclose()

    asyncio.run(scenario())
