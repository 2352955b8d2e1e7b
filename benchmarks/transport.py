"""Which transport says the truth about a POST, how fast, and does it survive cancels?

    python -m benchmarks.transport            # all three tables, a minute or two
    python -m benchmarks.transport --markdown docs/how/transport.md   # writes them between the marks in that file

Peers that are not installed (httpx-aiohttp, pyreqwest) are left out.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "harness")]

from fault_server import (  # noqa: E402
    Behaviour,
    FaultServer,
    chunked,
    client_context,
    drip,
    each,
    fin,
    hang,
    http,
    read_request,
    read_some,
    reset,
    send,
    serve,
    then,
    until_close,
)

from benchmarks.http_peers import PEERS, Httpx, Own  # noqa: E402

Peer = Own | Httpx
TASK = b'{"id":"task_12345","object":"video.generation.task","status":"pending","data":{"id":"task_12345"}}'
BODY = json.dumps(
    {"provider": "kie", "model": "m", "scene": "text-to-video", "prompt": "A glass city at sunrise"}
).encode()
DEADLINE = 0.5
OK = http("200 OK", TASK)


async def nothing() -> None:
    pass


async def commit() -> None:
    """A ledger's commit, while which a server may hang up."""
    await asyncio.sleep(0.02)


# -- 1. what is said of each fault -------------------------------------------------------------------------------

FAULTS: dict[str, Behaviour] = {
    "closes at once, while the ledger commits": fin,
    "resets at once": reset,
    "resets after reading the request": then(read_request, reset),
    "closes after reading the request": then(read_request, fin),
    "says nothing after reading the request": then(read_request, hang),
    "drips its answer past the deadline": then(read_request, drip(http("200 OK", TASK + b" " * 400), 0.01)),
    "resets while 8 MB are written": then(read_some(100_000), reset),
    "answer cut in the body": then(read_request, send(http("200 OK", TASK)[:-20])),
    "chunked answer cut before its end": then(read_request, send(chunked("200 OK", TASK)[:-3])),
    "close-delimited answer cut in the id": then(read_request, send(until_close("200 OK", b'{"id":"task_1'))),
    "close-delimited answer, perhaps whole": then(read_request, send(until_close("200 OK", TASK))),
    "gzip that is none": then(read_request, send(http("200 OK", b"no", "Content-Encoding: gzip"))),
    "garbage for a status line": then(read_request, send(b"\x00\xffgarbage\r\n\r\n")),
    "1 MB header": then(read_request, send(http("200 OK", TASK, "X: " + "a" * 1_000_000))),
    "flood of interim answers": then(read_request, send(b"HTTP/1.1 103 x\r\n\r\n" * 5000), hang),
    "idle connection that ended before the begin": each(then(read_request, send(OK), fin), serve(OK)),
    "closes when the second request arrives": each(then(read_request, send(OK), read_request, fin), serve(OK)),
}


async def one_fault(make: Callable[[], Peer], fault: str) -> str:
    second = fault.startswith(("idle", "closes when"))
    async with FaultServer(FAULTS[fault]) as server:
        peer = make()
        if second:
            await peer.post(server.url, BODY, nothing)
            await asyncio.sleep(0.02)
        before, bytes_before = server.read_whole, server.bytes_seen
        body = BODY if "8 MB" not in fault else b"x" * 8_000_000
        started = time.perf_counter()
        said = await verdict(peer, server.url, body)
        late = " (late)" if time.perf_counter() - started > 3 * DEADLINE else ""
        await asyncio.sleep(0.02)
        await peer.aclose()
        return judged(said, server.read_whole - before, server.bytes_seen - bytes_before, fault) + late


async def verdict(peer: Peer, url: str, body: bytes = BODY) -> str:
    try:
        async with asyncio.timeout(10):
            said, answer = await peer.post(url, body, commit)
    except TimeoutError:
        return "hangs"
    except Exception as error:
        return f"raises {type(error).__name__}"
    if said != "answer":
        return said
    with contextlib.suppress(ValueError):
        return f"accepted {json.loads(answer)['id']}"
    return "in doubt"  # an answer that is no JSON is in doubt in any client that looks


def judged(said: str, whole: int, seen: int, fault: str) -> str:
    """`said`, marked where it is not the truth: ✗ costs money, ? is a doubt that need not be."""
    if whole > 1:
        return f"✗ {said}, sent {whole} times"
    if said == "not sent" and seen:
        return "✗ not sent"
    if said.startswith("accepted") and "close-delimited" in fault:
        return f"✗ {said}"
    return f"? {said}" if said == "in doubt" and not seen else said


async def faults_without_a_server(make: Callable[[], Peer]) -> dict[str, str]:
    found = {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        peer = make()
        found["refused"] = judged(await verdict(peer, f"http://127.0.0.1:{free.getsockname()[1]}"), 0, 0, "")
        await peer.aclose()
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (one, two):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        peer = make()
        said = await verdict(peer, f"http://127.0.0.1:{full.getsockname()[1]}")
        found["connection never stands"] = judged(said, 0, 0, "")
        await peer.aclose()
    for cert in ("wrong-name", "self-signed"):
        async with FaultServer(serve(OK), cert=cert, name="localhost") as server:
            peer = make()
            found[f"TLS: {cert}"] = judged(
                await verdict(peer, server.url), server.read_whole, server.bytes_seen, ""
            )
            await peer.aclose()
    for name, behaviour in {
        "proxy answers CONNECT with 407": then(read_request, send(http("407 No", b""))),
        "proxy closes on CONNECT": then(read_request, fin),
    }.items():
        async with FaultServer(behaviour) as proxy, FaultServer(serve(OK), cert="good", name="localhost") as server:
            os.environ["https_proxy"] = proxy.url
            peer = make()
            found[name] = judged(await verdict(peer, server.url), server.read_whole, server.bytes_seen, "")
            await peer.aclose()
            del os.environ["https_proxy"]
    return found


async def fault_column(kind: type[Peer]) -> dict[str, str]:
    def make() -> Peer:
        return kind(client_context(), DEADLINE, 10)

    found = await faults_without_a_server(make)
    for fault in FAULTS:
        found[fault] = await one_fault(make, fault)
    return found


# -- 2. how fast ---------------------------------------------------------------------------------------------------

SERVER = """
import asyncio, itertools
HEAD = (b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json; charset=utf-8\\r\\n'
        b'Date: Sun, 22 Nov 2026 15:00:00 GMT\\r\\nContent-Length: %d\\r\\n\\r\\n%s')
TASK = b'{"id":"task_%d","object":"video.generation.task","status":"pending","data":{"videoUrls":[]}}'
COUNT = itertools.count()
class Server(asyncio.Protocol):
    def connection_made(self, transport): self.transport, self.data = transport, b''
    def data_received(self, data):
        self.data += data
        head, blank, rest = self.data.partition(b'\\r\\n\\r\\n')
        length = int(head.lower().partition(b'content-length:')[2].split(b'\\r\\n')[0] or 0)
        if blank and len(rest) >= length:
            self.data = b''
            body = TASK % next(COUNT)
            self.transport.write(HEAD % (len(body), body))
async def main():
    server = await asyncio.get_running_loop().create_server(Server, '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


async def speed(kind: type[Peer], url: str, requests: int) -> tuple[float, float]:
    """(requests a second, microseconds of this process a request) at 64 connections."""
    peer = kind(client_context(), 30.0, 64)
    left = requests + 640

    async def worker() -> None:
        nonlocal left, started, cpu
        while left > 0:
            left -= 1
            if left == requests:
                started, cpu = time.perf_counter(), time.process_time()
            said, answer = await peer.post(url, BODY, nothing)
            assert said == "answer", said
            json.loads(answer)

    started, cpu = 0.0, 0.0
    await asyncio.gather(*(worker() for _ in range(64)))
    took, used = time.perf_counter() - started, time.process_time() - cpu
    await peer.aclose()
    return requests / took, used / requests * 1e6


# -- 3. a storm of cancels -----------------------------------------------------------------------------------------


async def storm(kind: type[Peer]) -> str:
    """600 GETs cancelled at random moments over 8 connections; then 40 that nobody cancels."""

    async def jitter(server_peer: object) -> None:
        while await server_peer.read_request():  # type: ignore[attr-defined]
            await asyncio.sleep(random.uniform(0, 0.004))
            await server_peer.send(OK)  # type: ignore[attr-defined]

    async with FaultServer(jitter) as server:
        peer = kind(client_context(), 2.0, 8)

        async def cancelled() -> None:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError, httpx.HTTPError):
                async with asyncio.timeout(random.uniform(0, 0.006)):
                    await peer.get(server.url)

        for _ in range(15):
            await asyncio.gather(*(cancelled() for _ in range(40)))
        after = await asyncio.gather(*(peer.get(server.url) for _ in range(40)), return_exceptions=True)
        await peer.aclose()
    good = sum(1 for status in after if status == 200)
    why = {type(error).__name__ for error in after if isinstance(error, BaseException)}
    return f"{good} of 40" + (f" ({', '.join(sorted(why))})" if why else "")


# -- the report -----------------------------------------------------------------------------------------------


def available() -> list[type[Peer]]:
    lacks = {name for name in ("httpx_aiohttp", "pyreqwest") if importlib.util.find_spec(name) is None}
    return [p for p in PEERS if not any(p.name.replace("-", "_").startswith(name) for name in lacks)]


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def in_new_loop(work: Callable[[], Awaitable[object]]) -> object:
    async def run() -> object:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        return await work()

    return asyncio.run(run())


def report(requests: int, rounds: int) -> str:
    peers = available()
    columns = [cast(dict[str, str], in_new_loop(lambda peer=peer: fault_column(peer))) for peer in peers]
    rows = [[fault, *(column[fault] for column in columns)] for fault in columns[0]]
    parts = [table(["fault", *(peer.name for peer in peers)], rows)]
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1/videos/generations"
        figures: dict[str, list[tuple[float, float]]] = {peer.name: [] for peer in peers}
        for _ in range(rounds):
            for peer in peers:
                figure = in_new_loop(lambda peer=peer: speed(peer, url, requests))
                figures[peer.name].append(cast(tuple[float, float], figure))
    finally:
        server.terminate()
        server.wait()
    own = statistics.median(rate for rate, _ in figures[Own.name])
    rows = []
    for peer in peers:
        rate = statistics.median(rate for rate, _ in figures[peer.name])
        cpu = statistics.median(cpu for _, cpu in figures[peer.name])
        storms = str(in_new_loop(lambda peer=peer: storm(peer)))
        rows.append([peer.name, f"{rate:,.0f}", f"{cpu:,.0f} µs", f"{own / rate:.1f}", storms])
    parts.append(
        table(["transport", "POSTs a second", "client CPU a POST", "batchgen is × faster", "after the storm"], rows)
    )
    return "\n\n".join(parts)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=4000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--markdown", type=Path)
    chosen = options.parse_args()
    random.seed(7)
    text = report(chosen.requests, chosen.rounds)
    print(text)
    if chosen.markdown:
        page = chosen.markdown.read_text(encoding="utf-8")
        begin, end = "<!-- tables begin -->", "<!-- tables end -->"
        before, _, rest = page.partition(begin)
        after = rest.partition(end)[2]
        chosen.markdown.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
