"""The sandbox as a server: routes, listeners, and the three ways to run it."""

import asyncio
import contextlib
import json
import signal
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from .audit import Audit
from .books import Books
from .clock import Clock
from .control import Control
from .files import PATH as FILES_PATH
from .files import Files
from .looks import PATH as GET_PATH
from .looks import Looks
from .options import Options
from .service import Service
from .submissions import PATH as POST_PATH
from .submissions import Submissions
from .wire import Wire, json_answer

HOST = "127.0.0.1"


class App:
    """One sandbox on the running event loop."""

    def __init__(self, options: Options, state_dir: Path | None) -> None:
        self.books = Books(state_dir)
        start = None
        if self.books.last_now:
            passed = max(time.time() - self.books.last_wall, 0.0)
            start = self.books.last_now + (0.0 if options.manual_time else passed * options.speed)
        self.clock = Clock(options.speed, manual=options.manual_time, start=start)
        self.service = Service(options, self.books, self.clock)
        self.submissions = Submissions(self.service)
        self.looks = Looks(self.service)
        self.files = Files(self.service)
        self.control = Control(self.service, self._apply)
        self._servers: list[asyncio.Server] = []
        self._web: web.Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._back: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def _apply(self) -> None:
        for station in (self.submissions, self.looks, self.files):
            station.apply()

    async def start(self) -> None:
        """Listen. The port of an earlier life is taken again where it is free, so that its URLs go on."""
        options = self.service.options
        self._web = web.Server(
            self.handle,
            access_log=None,
            keepalive_timeout=options.idle_close,
            lingering_time=0,
            tcp_keepalive=False,
        )
        ports = list(self.books.ports)
        ports[0] = await self._listen(options.port, ports[0])
        self.service.urls.base = self.service.urls.files = f"http://{HOST}:{ports[0]}"
        if options.file_host:
            ports[1] = await self._listen(0, ports[1])
            self.service.urls.files = f"http://{HOST}:{ports[1]}"
        self.books.start(ports, self.clock.now())
        self._ticker = asyncio.create_task(self._tick())

    async def _listen(self, port: int, wish: int = 0) -> int:
        assert self._web is not None  # noqa: S101
        loop = asyncio.get_running_loop()
        if not port and wish:
            try:
                server = await loop.create_server(self._web, HOST, wish, backlog=1024)
            except OSError:
                server = await loop.create_server(self._web, HOST, 0, backlog=1024)
        else:
            server = await loop.create_server(self._web, HOST, port, backlog=1024)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _tick(self) -> None:
        """Once a second: write the counters, let tasks end."""
        while True:
            await asyncio.sleep(1)
            with contextlib.suppress(OSError):  # a full disk: tried again in a second
                self.books.flush_counters()
                self.service.settle()

    async def stop(self) -> None:
        """Close the listeners and every connection, and write what is left to write."""
        if self._ticker is not None:
            self._ticker.cancel()
        self._stopping.set()
        if self._back is not None:  # never cancelled: a listener that is just being made would stay open
            await self._back
        for server in self._servers:
            server.close()
        if self._web is not None:
            self._web.pre_shutdown()
            await self._web.shutdown(0.05)
        await asyncio.sleep(0)  # closed transports tell their sockets one turn later
        self.books.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; a journal that can't be written is the service's own failure."""
        try:
            return await self._route(request)
        except ConnectionError:
            raise
        except OSError as error:
            return json_answer(500, {"error": {"code": "sandbox_disk", "message": str(error.strerror)}})

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        """By hand: a router would cost as much as the rest of a POST."""
        path, _, query = request.raw_path.partition("?")
        if path == POST_PATH and request.method == "POST":
            answer = await self.submissions.post(request)
            if self.service.away_for:
                await self._go_away()
            return answer
        if request.method in {"GET", "HEAD"}:
            if path.startswith(GET_PATH):
                return await self.looks.get(request, path[len(GET_PATH) :])
            if path.startswith(FILES_PATH):
                return await self.files.get(request, path[len(FILES_PATH) :], query)
        if path in {POST_PATH} or path.startswith(GET_PATH):
            return Wire(405, b'{"error":{"code":"method_not_allowed","message":"Method not allowed."}}')
        answer = await self.control.handle(request, path, query)
        if self.service.away_for:
            await self._go_away()
        return answer

    async def _go_away(self) -> None:
        """Refuse connections for a while, then listen on the same port again."""
        seconds, self.service.away_for = self.service.away_for, 0.0
        server = self._servers[0]
        if not server.is_serving():
            return
        port = int(server.sockets[0].getsockname()[1])
        server.close()
        if self._web is not None:
            self._web.pre_shutdown()

        async def come_back() -> None:
            assert self._web is not None  # noqa: S101
            await sleep_until(self._stopping, seconds)
            loop = asyncio.get_running_loop()
            while not self._stopping.is_set():
                try:
                    self._servers[0] = await loop.create_server(self._web, HOST, port, backlog=1024)
                    return
                except OSError:  # taken for a moment by somebody's outgoing connection
                    await sleep_until(self._stopping, 0.05)

        self._back = asyncio.create_task(come_back())

    def audit(self) -> Audit:
        """The books as they are now."""
        with contextlib.suppress(OSError):
            self.service.settle()
        return self.books.audit(self.service.options.credits)


async def sleep_until(event: asyncio.Event, seconds: float) -> None:
    """Sleep so long, or until the event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class SandboxServer:
    """A sandbox in a thread of this process: `with SandboxServer(Options()) as sandbox: sandbox.base_url`.

    With `state_dir` it goes on where the last one with that folder stopped. Raises OSError when another sandbox
    uses the folder (EBUSY), or when the port is taken (EADDRINUSE).
    """

    def __init__(self, options: Options | None = None, state_dir: Path | str | None = None) -> None:
        self.options = options or Options()
        self._folder = Path(state_dir) if state_dir is not None else None
        self._app: App | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._last: Audit | None = None
        self.base_url = ""

    @property
    def key(self) -> str:
        """A key that is good."""
        return self.options.keys[0]

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="sandbox", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> Self:
        """The same as entering the context; `close` ends it."""
        return self.__enter__()

    def close(self) -> None:
        """Stop; the audit stays readable."""
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        self._thread = None

    def audit(self) -> Audit:
        """What the sandbox saw and did until now."""
        if self._thread is not None and self._app is not None:
            now: Audit = self._call(self._app.audit)
            return now
        if self._last is None:
            raise RuntimeError("The sandbox has not been started.")
        return self._last

    def change(self, **changes: Any) -> None:
        """Change live options by name, or `advance=S`, `grant=N`, `away=S`, as /sandbox/control does."""
        if self._app is None:
            raise RuntimeError("The sandbox has not been started.")
        app = self._app
        self._call(lambda: app.control.change(**changes))
        if "away" in changes:
            self._call_async(app._go_away())
        self.options = app.service.options

    def _call(self, function: Any) -> Any:
        async def inside() -> Any:
            return function()

        return self._call_async(inside())

    def _call_async(self, work: Any) -> Any:
        assert self._loop is not None  # noqa: S101
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _run(self, ready: threading.Event) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            self._stopping = asyncio.Event()
            try:
                self._app = App(self.options, self._folder)
                await self._app.start()
                self.base_url = self._app.service.urls.base
            except BaseException as error:  # noqa: BLE001, RUF100 handed to the thread that waits
                self._failure = error
                return
            finally:
                ready.set()
            await self._stopping.wait()
            self._last = self._app.audit()
            await self._app.stop()

        asyncio.run(main())


def serve(options: Options, *, state_dir: Path | None = None, as_json: bool = False) -> int:
    """Run in the foreground until Ctrl-C or SIGTERM; says where it listens. Returns the exit code."""

    async def main() -> None:
        app = App(options, state_dir)
        await app.start()
        base_url, key = app.service.urls.base, options.keys[0]
        if as_json:
            sys.stdout.write(json.dumps({"base_url": base_url, "key": key}) + "\n")
        else:
            sys.stdout.write(
                f"The sandbox listens on {base_url} with the key {key}. Nothing here costs anything.\n"
                f"Try it:  BATCHGEN_API_KEY={key} batchgen run MANIFEST --base-url {base_url}\n"
                f"Audit:   {base_url}/sandbox/audit    Ctrl-C ends it.\n"
            )
        sys.stdout.flush()
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
                loop.add_signal_handler(number, stopping.set)
        await stopping.wait()
        await app.stop()

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        return 0
    return 0
