"""Servers send TLS 1.3's session tickets when they like: they are no closed connection, however far the server."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fault_server import (
    SLOW_WIRES,
    WIRES,
    Behaviour,
    FaultServer,
    Peer,
    Wire,
    client_context,
    http,
    read_request,
    send,
    serve,
    then,
)

from batchgen.service import Api
from batchgen.service.dialects import Call
from batchgen.service.secret import Secret

TASK = b'{"id":"task_12345","object":"video.generation.task","status":"pending"}'
CALL = Call("POST", "/v1/videos/generations", b'{"prompt": "a glass city"}')
ONCE = then(read_request, send(http("200 OK", TASK, "Connection: close")))


@contextmanager
def elsewhere(behaviour: Behaviour, wire: Wire) -> Iterator[tuple[FaultServer, threading.Event]]:
    """The server in a thread of its own, as if on another machine; the event says that a connection stands, so that
    all that TLS sends by itself is on its way."""
    stands, ready, over = threading.Event(), threading.Event(), threading.Event()
    server = FaultServer(behaviour, wire=wire)

    async def tell(_peer: Peer) -> None:
        stands.set()

    server.behaviour = then(tell, behaviour)

    async def live() -> None:
        async with server:
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    ready.wait(10)
    try:
        yield server, stands
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("behaviour", [ONCE, serve(http("200 OK", TASK))], ids=["once", "kept"])
@pytest.mark.parametrize("wire", [*WIRES, *SLOW_WIRES], ids=str)
def test_session_tickets_are_not_taken_for_a_closed_connection(wire: Wire, behaviour: Behaviour) -> None:
    with elsewhere(behaviour, wire) as (server, stands):

        async def commit() -> None:
            """A busy program: what arrives meanwhile waits in the socket."""
            stands.wait(10)
            time.sleep(wire.round_trip)  # noqa: ASYNC251 - it is meant to hold everything up

        async def scenario() -> list[str]:
            client = Api(server.url, Secret("sk-canary-0123456789"), ssl_context=client_context())
            codes = [(await client.submit(CALL, f"key-{n}", commit)).code for n in range(4)]
            await client.aclose()
            return codes

        assert asyncio.run(scenario()) == ["accepted"] * 4
