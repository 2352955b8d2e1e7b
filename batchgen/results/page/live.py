"""The page while a run goes on: the same page from a server on 127.0.0.1, read-only, and what changes in it.

    GET /TOKEN/                 the page, with all jobs so far
    GET /TOKEN/data?since=N     the jobs that changed behind change number N, the summary, whether it ended
    GET /TOKEN/videos/...       the files, with Range

It shows prompts, and other people may work on this machine: TOKEN is drawn anew for each run, and without it
there is nothing (404). It answers only to its own page besides: the port is bound to loopback, the Host header
must name it (a foreign name that resolves to 127.0.0.1 gets nothing), and a browser that says the request comes
from another site is refused. An OUT has the same port each time, if it is free: browsers keep the marks
of a page by its address.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from batchgen.job import Result
from batchgen.results.page.changes import Changes
from batchgen.results.page.page import meta, page
from batchgen.results.summary import Summary

#: Returns the summary and the results as they are now. Called in a thread of its own, one call at a time.
Read = Callable[[], tuple[Summary, Iterable[Result]]]

#: Seconds: a page that asked so lately is open, and how long it is waited for at the end.
_STILL_OPEN = 35.0
_LAST_WORD = 5.0
#: Seconds for the posters of the last videos.
_POSTERS = 0.8
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@asynccontextmanager
async def watch(read: Read, other: Sequence[str], out_dir: Path) -> AsyncIterator[str]:
    """Serve the page for as long as the block runs, and until a page that is open has seen the end; the value is
    its URL.
    """
    app = web.Application(middlewares=[_guard])
    live = _Live(read, other, out_dir)
    token = secrets.token_urlsafe(16)
    app.router.add_get(f"/{token}/", live.page)
    app.router.add_get(f"/{token}/data", live.data)
    app.router.add_get(f"/{token}/videos/{{name:.+}}", live.video)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port_of(out_dir)).start()
        except OSError:  # somebody else has it
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/{token}/"
        await live.end()
    finally:
        await runner.cleanup()


def port_of(out_dir: Path) -> int:
    """The port of an OUT's page: always the same one, below those that systems hand out by themselves."""
    digest = hashlib.sha256(os.fsencode(out_dir.resolve())).digest()
    return 20_000 + int.from_bytes(digest[:4], "big") % 10_000


@web.middleware
async def _guard(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse whoever is not the page itself."""
    socket = request.get_extra_info("sockname")
    if request.headers.get("Host") not in {f"127.0.0.1:{socket[1]}", f"localhost:{socket[1]}"}:
        raise web.HTTPForbidden(text="This page answers on 127.0.0.1 only.")
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise web.HTTPForbidden(text="This page answers to itself only.")
    answer = await handler(request)
    answer.headers.update(_HEADERS)
    return answer


class _Live:
    """Reads the results when somebody asks, one reader at a time."""

    def __init__(self, read: Read, other: Sequence[str], out_dir: Path) -> None:
        self._read = read
        self._other = other
        self._videos = (out_dir / "videos").resolve()
        self._changes = Changes()
        self._lock = asyncio.Lock()
        self._ended = False
        self._told = asyncio.Event()
        self._asked_at: float | None = None  # when a page asked last
        self._seen_at = 0.0  # when it had a piece of a video, or the end

    async def end(self) -> None:
        """Let a page that is open hear how it all ended; one that does not ask any more is not waited for."""
        self._ended = True
        now = asyncio.get_running_loop().time()
        if self._asked_at is not None and now - self._asked_at < _STILL_OPEN:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORD):
                    await self._told.wait()
                    while asyncio.get_running_loop().time() - self._seen_at < _POSTERS:  # noqa: ASYNC110 - quiet, not an event
                        await asyncio.sleep(0.1)

    async def page(self, _: web.Request) -> web.Response:
        async with self._lock:
            body = await asyncio.to_thread(self._page)
        return web.Response(body=body, content_type="text/html", charset="utf-8")

    def _page(self) -> bytes:
        # The first reading gives every result a number; what changes until the second is sent again later.
        self._changes.read(self._read()[1], since=self._changes.number)
        number = self._changes.number
        summary, results = self._read()
        text = "".join(page(results, summary, self._other, live=number))
        return text.encode("utf-8", "backslashreplace")

    async def data(self, request: web.Request) -> web.Response:
        try:
            since = int(request.query.get("since", "0"))
            facets = [int(place) for place in request.query.get("facets", "").split(",") if place]
        except ValueError:
            raise web.HTTPBadRequest(text="since and facets are numbers.") from None
        if not all(0 <= place < len(self._other) for place in facets):
            raise web.HTTPBadRequest(text="There is no such column.")
        self._asked_at = asyncio.get_running_loop().time()
        ended = self._ended
        async with self._lock:
            body, more = await asyncio.to_thread(self._data, since, facets, ended)
        response = web.Response(body=body, content_type="application/json", charset="utf-8")
        if ended and not more:
            response.headers.update(_HEADERS)  # the guard comes too late for an answer that has left
            await response.prepare(request)
            await response.write_eof()
            self._seen_at = asyncio.get_running_loop().time()
            self._told.set()
        return response

    def _data(self, since: int, facets: Sequence[int], ended: bool) -> tuple[bytes, bool]:
        began = time.monotonic()
        summary, results = self._read()
        answer = self._changes.answer(results, since, self._other, facets)
        answer["meta"] = meta(summary, self._other)
        # A large ledger takes a while to read: ask less often, so that reading stays a small part of the time.
        answer["wait"] = min(30.0, max(1.0, 20 * (time.monotonic() - began)))
        answer["ended"] = ended
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace"), bool(answer["more"])

    async def video(self, request: web.Request) -> web.StreamResponse:
        self._seen_at = asyncio.get_running_loop().time()
        try:
            path = (self._videos / request.match_info["name"]).resolve()
            found = path.is_relative_to(self._videos) and not path.name.startswith(".") and path.is_file()
        except (OSError, ValueError):  # a name that no file can have: too long, or with a NUL in it
            found = False
        if not found:
            raise web.HTTPNotFound
        return web.FileResponse(path)
