"""Whatever came of an answer is shown to the person who settles the doubt: its text, ids, headers and time."""

import asyncio
import gzip
import json
import time

import pytest
from fault_server import (
    Behaviour,
    FaultServer,
    chunked,
    client_context,
    hang,
    http,
    read_request,
    reset,
    send,
    then,
)
from hypothesis import given
from hypothesis import strategies as st

from batchgen.job import Outcome, OutcomeKind
from batchgen.ledger.decisions import Doubt
from batchgen.running.status_text import doubts_text
from batchgen.service import Api
from batchgen.service.dialects import Call
from batchgen.service.received import received
from batchgen.service.reply import ids_of
from batchgen.service.secret import Secret

TASK = b'{"object":"video.generation.task","status":"pending","data":{"taskId":"task_12345"},"note":"on its way"}'
CALL = Call("POST", "/v1/videos/generations", b'{"prompt": "a glass city"}')
KEY = "sk-live/9f2c+77aa/Zq=="
HEAD = b"HTTP/1.1 200 OK\r\nX-Request-Id: req-77\r\nX-Trace: abc\r\n"
PIECES = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (TASK[:60], TASK[60:75], TASK[75:]))
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(TASK) + TASK


def answered(behaviour: Behaviour) -> Outcome:
    async def scenario() -> Outcome:
        async with FaultServer(then(read_request, behaviour)) as server:
            client = Api(server.url, Secret(KEY), ssl_context=client_context(), post_timeout=1.0)

            async def nothing() -> None: ...

            outcome = await client.submit(CALL, "key-1", nothing)
            await client.aclose()
            return outcome

    return asyncio.run(scenario())


def listed(outcome: Outcome) -> str:
    doubt = Doubt(
        1, 1, "job-1", 6, time.time(), time.time() + 150, outcome.code, outcome.message, outcome.status,
        dict(outcome.headers), outcome.evidence, {"model": "m", "prompt": "p"}, time.time(),
    )  # fmt: skip
    return "\n".join(doubts_text([doubt]))


BROKEN = {
    "no length": send(HEAD + b"Connection: close\r\n\r\n" + TASK),
    "a byte too few": send(HEAD + b"Content-Length: %d\r\n\r\n" % (len(TASK) + 1) + TASK),
    "cut": send(HEAD + b"Content-Length: %d\r\n\r\n" % (len(TASK) + 900) + TASK[:95]),
    "reset": then(send(HEAD + b"Content-Length: 999\r\n\r\n" + TASK), reset),
    "slow": then(send(HEAD + b"Content-Length: 999\r\n\r\n" + TASK), hang),
    "the last chunk missing": send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + PIECES),
    "cut gzip": send(
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (len(gzip.compress(TASK)) - 4)
        + gzip.compress(TASK)[:-4]
    ),
    "two lengths": send(HEAD + b"Content-Length: 5\r\nContent-Length: 999\r\n\r\n" + TASK),
    "chunks and a length": send(
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % len(TASK) + PIECES + b"0\r\n\r\n"
    ),
    "an error with an id": send(http("500 No", TASK, "X-Request-Id: req-77", "X-Trace: abc")),
    "too long": send(http("200 OK", TASK + b" " * 1_100_000, "X-Request-Id: req-77", "X-Trace: abc")),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_the_listing_of_a_doubt_shows_what_came(fault: str) -> None:
    outcome = answered(BROKEN[fault])
    assert outcome.kind is OutcomeKind.IN_DOUBT
    said = listed(outcome)
    assert "task_12345" in said.split("ids in it:")[1].splitlines()[0]
    assert "x-request-id: req-77; x-trace: abc" in said
    assert '"status":"pending"' in said, "the text is decoded"
    assert "without an answer" not in said
    assert time.strftime("came at %H:") in said
    assert "task_12345" in outcome.message, "and so does results.csv"


def test_a_connection_that_closes_without_an_answer_is_called_so() -> None:
    assert "without an answer" in answered(send(b"")).message


def test_evidence_holds_no_key_however_it_was_cut_into_chunks_or_packed() -> None:
    echo = json.dumps({"message": f"bad key {KEY}"}).replace("/", "\\/").encode()
    cut = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (echo[:25], echo[25:30], echo[30:]))
    packed = gzip.compress(echo)
    for broken in (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + cut,
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (len(packed) - 2) + packed[:-2],
        HEAD + b"Content-Length: 999\r\n\r\n" + echo,
        HEAD + b"X-Echo: " + KEY.encode() + b"\r\nContent-Length: 999\r\n\r\n",
    ):
        outcome = answered(send(broken))
        told = repr(outcome) + outcome.evidence.decode().replace("\\/", "/")
        assert KEY not in told
        assert KEY[:12] not in told
        assert outcome.evidence


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_bytes_can_have_come(tail: bytes, cut: int) -> None:
    for raw in (tail, (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + PIECES + tail)[:cut], WHOLE[:cut] + tail):
        came = received(raw)
        assert len(came.body) <= len(raw)
        ids_of(came.body)


@given(st.integers(0, len(WHOLE)))
def test_a_whole_answer_and_a_cut_one_are_read_alike(cut: int) -> None:
    came = received(WHOLE[:cut])
    assert TASK.startswith(came.body) or came.status is None
    assert received(chunked("200 OK", TASK[:9], TASK[9:])).body == TASK
