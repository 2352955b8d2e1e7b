"""One HTTP/1.1 connection: bytes in, h11 events out, and exact knowledge of what has happened on it."""

import asyncio
import select
from collections import deque
from typing import Any, cast

import h11
import httpx

#: The longest head of an answer (status line and headers), in bytes.
MAX_HEAD = 256 * 1024
#: Reading pauses above this many bytes that nobody has taken yet.
MAX_BUFFERED = 1024 * 1024
#: How much of the raw answer is kept for the ledger when it goes wrong, in bytes.
EVIDENCE = 64 * 1024
#: Turns of the event loop in which what waits on a socket is read (a FIN, or what TLS says for itself), and how
#: many after the last of it until everybody has heard of it.
TURNS, SETTLING = 16, 3
#: More interim (1xx) answers than this are an attack or a fault.
MAX_INTERIM = 20


class Connection(asyncio.Protocol):
    """A standing connection. One exchange at a time: `send`, then `event` until h11.EndOfMessage.

    Raises only httpx's exceptions: ReadTimeout (deadline or silence), ReadError (reset), RemoteProtocolError
    (closed early, cut, or not HTTP).
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self.exchanges = 0
        self.idle_since = 0.0
        self.until: float | None = None
        self.silence: float | None = None
        self.shielded = False
        self.received: bytearray | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._came = False
        self._eof = False
        self._lost: Exception | None = None
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._poll: select.poll | None = None

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._buffered += len(data)
        if self._buffered > MAX_BUFFERED:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._eof = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._lost = exc
        self._wake()

    # the pool and the transport call these

    async def is_usable(self) -> bool:
        """Nothing has come and nothing has ended since the last exchange.

        Looks at the socket itself too, because a FIN may wait there that the loop has not seen yet. What waits need
        not be one: a server sends TLS 1.3's session tickets when it likes. So the loop reads it first, and what it
        was shows. From the answer on nothing may be awaited before the first byte.
        """
        settling = 0
        for _ in range(TURNS):
            if self._has_ended():
                return False
            settling = SETTLING if self._is_readable() else settling - 1
            if settling < 0:
                return True
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                if not self.shielded:
                    raise
        return False

    def _has_ended(self) -> bool:
        return bool(self._closed or self._eof or self._chunks or self.transport.is_closing())

    def is_reusable(self) -> bool:
        """After an exchange: is the connection whole, in step, and empty?"""
        if self.h11.our_state is h11.DONE and self.h11.their_state is h11.DONE:
            if self.h11.trailing_data[0]:
                return False
            self.h11.start_next_cycle()
        in_step = self.h11.our_state is h11.IDLE and self.transport.get_write_buffer_size() == 0
        return in_step and not (self._closed or self._eof or self._chunks)

    def _is_readable(self) -> bool:
        """Does something wait on the socket (bytes, a FIN, an error)?"""
        if self._poll is None:
            fd = self.transport.get_extra_info("socket").fileno()
            if not hasattr(select, "poll"):  # Windows
                return bool(select.select([fd], [], [], 0)[0])
            self._poll = select.poll()
            self._poll.register(fd, select.POLLIN)
        return bool(self._poll.poll(0))

    def abort(self) -> None:
        self.transport.abort()

    def begin_tunnel(self) -> None:
        """The proxy has said yes: what follows is a new conversation, with the origin."""
        self.h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self.exchanges = 0

    def send(self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Write one request whole. The first byte leaves here and nowhere else."""
        self._came = False
        self.exchanges += 1
        head = self.h11.send(h11.Request(method=method, target=target, headers=headers)) or b""
        data = self.h11.send(h11.Data(data=body)) or b"" if body else b""
        self.h11.send(h11.EndOfMessage())
        self.transport.write(head + data)

    async def head(self) -> h11.Response:
        """The head of the final answer; interim ones are skipped."""
        for _ in range(MAX_INTERIM):
            event = await self.event()
            if isinstance(event, h11.Response):
                if {b"transfer-encoding", b"content-length"} <= {name for name, _ in event.headers}:
                    raise httpx.RemoteProtocolError("the answer names a length and chunks, so its end is not known")
                return event
        raise httpx.RemoteProtocolError("too many interim answers")

    async def event(self) -> Any:
        """The next h11 event of the answer, not later than `until` and without more than `silence`."""
        try:
            while (event := self.h11.next_event()) is h11.NEED_DATA:
                await self._feed()
        except h11.RemoteProtocolError as exc:
            raise httpx.RemoteProtocolError(self._what_broke(exc)) from None
        if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
            raise httpx.RemoteProtocolError("the answer breaks off")
        return event

    def _what_broke(self, exc: h11.RemoteProtocolError) -> str:
        if not self._eof or self._chunks:
            return f"the answer is not HTTP: {exc}"
        if self._came:
            return "the connection was closed in the middle of the answer"
        return "the connection was closed without an answer"

    async def _feed(self) -> None:
        while not self._chunks and not self._eof and not self._closed:
            await self._wait()
        if self._chunks:
            chunk = self._chunks.popleft()
            self._came = True
            self._buffered -= len(chunk)
            if self._buffered <= MAX_BUFFERED // 2 and not self._closed:
                self.transport.resume_reading()
            if self.received is not None and len(self.received) < EVIDENCE:
                self.received += chunk
            self.h11.receive_data(chunk)
        elif self._eof and self._lost is None:
            self.h11.receive_data(b"")
        else:
            raise httpx.ReadError(f"connection lost: {self._lost or 'closed here'}")

    async def _wait(self) -> None:
        now = self.loop.time()
        limits = [t for t in (self.until, self.silence and now + self.silence) if t is not None]
        if limits and now >= min(limits):
            raise httpx.ReadTimeout("no whole answer in time")
        timer = self.loop.call_at(min(limits), self._wake) if limits else None
        started = self._waiter = self.loop.create_future()
        try:
            await started
        except asyncio.CancelledError:
            if not self.shielded:
                raise
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
        silent = not self._chunks and not self._eof and not self._closed
        if silent and self.silence and self.loop.time() >= now + self.silence:
            raise httpx.ReadTimeout("the answer stalls")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
