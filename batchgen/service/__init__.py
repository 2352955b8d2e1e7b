"""The border to HTTP: submit a job, ask for a task, in a service's dialect. The only part that imports httpx.

A POST either did not leave (NOT_SENT), or was answered (the dialect judges the answer), or is in doubt.
The line is the moment when `before_send` has returned: it is awaited when the connection stands, and nothing
is written before.
"""

import asyncio
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx

from batchgen import __version__
from batchgen.job import Answer, Look, Outcome, OutcomeKind, Trouble
from batchgen.service import reply
from batchgen.service.address import about, speaks_another_api
from batchgen.service.dialects import GATEWAY, Call, Candidate, service_of
from batchgen.service.http.dial import NotConnected, Origin
from batchgen.service.http.transport import Exchange, Reply, Transport, evidence_of
from batchgen.service.keyless import look_without, outcome_without
from batchgen.service.received import Received, kept, received, unpacked_as_far_as_it_goes
from batchgen.service.reply.body import parsed_or_none
from batchgen.service.reply.signs import says_yes
from batchgen.service.secret import Secret

#: The longest answer that is read, in bytes, packed and unpacked.
ANSWER_LIMIT = 1024 * 1024
#: Pages of a service's list that are read at most.
MOST_PAGES = 1000
EVIDENCE_LIMIT = 64 * 1024


class _BadAnswer(Exception):
    """An answer that can't be used as a whole; `code` says why, `came` what came of it."""

    def __init__(self, code: str, message: str, came: Received) -> None:
        super().__init__(message)
        self.code = code
        self.came = came


class Api:
    """The service at `base_url`, for one run (one event loop), spoken to in the dialect of `service`.

    Deadlines in seconds, from the first byte sent to the last one received. `idempotent` says that the
    service is configured to honour Idempotency-Key. Without a key none is sent (a service on this machine).
    HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE are honoured.
    """

    def __init__(
        self,
        base_url: str,
        key: Secret | None,
        *,
        service: str = GATEWAY,
        post_timeout: float = 120.0,
        poll_timeout: float = 90.0,
        connect_timeout: float = 10.0,
        max_connections: int = 256,
        idempotent: bool = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._service = service_of(service)
        self._dialect = self._service.dialect
        self._base_url = base_url.rstrip("/")
        url = httpx.URL(base_url)
        self._origin = Origin.of(url)
        self._path = url.raw_path.rstrip(b"/")
        self._key = key
        self._post_timeout = post_timeout
        self._poll_timeout = poll_timeout
        self._idempotent = idempotent
        self._headers = [
            (b"Host", url.netloc),
            (b"User-Agent", f"batchgen/{__version__}".encode("ascii")),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
        ]
        if key is not None:
            self._headers.append((b"Authorization", f"{self._service.auth} {key.reveal()}".encode("ascii")))
        # Two pools: slow polls must never take the connections of submissions.
        self._posts, self._gets = (
            Transport(max_connections=max_connections, connect_timeout=connect_timeout, ssl_context=ssl_context)
            for _ in range(2)
        )

    def create(self, request: Mapping[str, Any]) -> Call:
        """The POST for a job, as it will leave."""
        return self._dialect.create(request)

    async def submit(
        self,
        call: Call,
        idempotency_key: str,
        before_send: Callable[[], Awaitable[None]],
    ) -> Outcome:
        """Send one POST and say what is known after it.

        `before_send` is awaited when the connection stands and before the first byte leaves; what it raises
        passes unchanged, and nothing is sent. From its return on the POST can't be cancelled: it ends by an
        answer or its deadline, and a cancel that came meanwhile is left in the task's `cancelling()`.
        """
        begun = False

        async def begin() -> None:
            nonlocal begun
            await before_send()
            begun = True

        headers = [*_encoded(call), (b"Content-Length", b"%d" % len(call.body))]
        if self._service.idempotency == "header":
            headers.append((b"Idempotency-Key", idempotency_key.encode("ascii")))
        exchange = self._exchange(call, headers, begin, self._post_timeout)
        try:
            answer = await self._answer(await self._posts.open(exchange))
            outcome = self._dialect.created(answer, call, idempotent=self._idempotent)
            return outcome_without(self._key, self._of_address(answer, outcome))
        except NotConnected as exc:
            return Outcome(OutcomeKind.NOT_SENT, code=exc.code, message=self._redacted(str(exc)))
        except (Exception, asyncio.CancelledError) as exc:
            if not begun:
                raise
            return self._in_doubt(exc)

    def _of_address(self, answer: Answer, outcome: Outcome) -> Outcome:
        """The outcome, marked where it is the word of an address that does not speak this API."""
        doubt = outcome.kind is OutcomeKind.IN_DOUBT
        if outcome.kind not in (OutcomeKind.REJECTED, OutcomeKind.REFUSED, OutcomeKind.IN_DOUBT):
            return outcome
        if not speaks_another_api(answer) or (doubt and says_yes(parsed_or_none(answer.body))):
            return outcome
        return replace(outcome, address=about(answer, self._base_url, self._service.name))

    async def task(self, task_id: str, model: str = "") -> Look:
        """What the service says of a task; trouble on the way is a Look too, never an exception."""
        answers: list[Answer] = []
        try:
            for call in self._dialect.ask(task_id, model):
                answers.append(await self._get(call))
                if (look := self._dialect.asked(answers, task_id)) is not None:
                    return look_without(self._key, self._at_home(look))
        except NotConnected as exc:
            return Look(trouble=Trouble.AWAY, message=self._redacted(str(exc)))
        except (httpx.HTTPError, _BadAnswer) as exc:
            return Look(trouble=Trouble.ERROR, message=self._redacted(str(exc)))
        return Look(trouble=Trouble.ERROR, message="the service's answer says nothing of the task")

    def _at_home(self, look: Look) -> Look:
        """A video that the service names by a path alone is fetched from the service itself."""
        status = look.status
        if status is None or not any(url.startswith("/") for url in status.video_urls):
            return look
        urls = tuple(self._base_url + url if url.startswith("/") else url for url in status.video_urls)
        return replace(look, status=replace(status, video_urls=urls))

    def key_for(self, url: str) -> dict[str, str]:
        """The headers with which a video is fetched: the key only to the service's own origin, and only for a
        path that needs it there.
        """
        if self._key is None or not url.startswith(self._base_url + "/"):
            return {}
        path = url.removeprefix(self._base_url)
        if "?" in path or "#" in path or not self._dialect.needs_key(path):
            return {}
        return {"Authorization": f"{self._service.auth} {self._key.reveal()}"}

    @property
    def has_list(self) -> bool:
        """Whether the service lists its requests."""
        return self._dialect.lists is not None

    async def listing(self, endpoint: str, since: float, until: float) -> list[Candidate]:
        """All pages of the service's list. Raises ValueError where one can't be read, or paging does not end."""
        lists, cursor = self._dialect.lists, ""
        found: list[Candidate] = []
        seen: set[str] = set()
        while lists is not None:
            call = lists.page(endpoint, since, until, cursor)
            try:
                page, cursor = lists.listed(await self._get(call), cursor)
            except (NotConnected, httpx.HTTPError, _BadAnswer) as exc:
                raise ValueError(self._redacted(str(exc))) from None
            found += page
            if not cursor:
                break
            if cursor in seen or len(seen) >= MOST_PAGES:
                raise ValueError("the pages of the list do not end")
            seen.add(cursor)
        return found

    async def probe(self) -> bool:
        """Does the service itself answer? A GET of a task that nobody has."""
        try:
            return reply.is_the_service(await self._get(self._dialect.ask("batchgen-probe", "")[0]))
        except (httpx.HTTPError, _BadAnswer):
            return False

    async def aclose(self) -> None:
        await self._posts.aclose()
        await self._gets.aclose()

    async def _get(self, call: Call) -> Answer:
        return await self._answer(
            await self._gets.open(self._exchange(call, _encoded(call), None, self._poll_timeout))
        )

    def _exchange(
        self,
        call: Call,
        headers: list[tuple[bytes, bytes]],
        before_send: Callable[[], Awaitable[None]] | None,
        deadline: float,
    ) -> Exchange:
        origin, host = self._origin, self._headers
        if call.lists and self._service.lists_url and self._base_url == self._service.base_url:
            url = httpx.URL(self._service.lists_url)  # beside the queue; at another address it is there, too
            origin = Origin.of(url)
            host = [(b"Host", url.netloc), *self._headers[1:]]
        return Exchange(
            call.method.encode("ascii"),
            origin,
            self._path + call.path.encode("ascii"),
            [*host, *headers],
            call.body,
            before_send=before_send,
            deadline=deadline,
        )

    async def _answer(self, reply_: Reply) -> Answer:
        """Read an answer whole. Raises httpx's exceptions, or _BadAnswer for one that can't be used."""
        body, is_whole = await reply_.read(ANSWER_LIMIT)
        headers = {name: self._redacted(value) for name, value in kept(reply_.head.headers).items()}
        if not is_whole:
            came = Received(reply_.head.status_code, headers, body)
            raise _BadAnswer("too_large", f"an answer of more than {ANSWER_LIMIT} bytes", came)
        try:
            content = _unpacked(body, headers.get("content-encoding", ""))
        except _Unpackable as exc:
            came = Received(reply_.head.status_code, headers, unpacked_as_far_as_it_goes(body) or body)
            raise _BadAnswer(exc.code, str(exc), came) from None
        return Answer(reply_.head.status_code, headers, self._redacted_bytes(content), reply_.framed)

    def _in_doubt(self, exc: BaseException) -> Outcome:
        raw = evidence_of(exc)
        came = exc.came if isinstance(exc, _BadAnswer) else received(raw)
        return outcome_without(
            self._key,
            Outcome(
                OutcomeKind.IN_DOUBT,
                code=_doubt_code(exc, has_answer=bool(raw)),
                message=str(exc) or type(exc).__name__,
                status=came.status,
                headers=came.headers,
                evidence=self._redacted_bytes(came.body or raw)[:EVIDENCE_LIMIT],
            ),
        )

    def _redacted(self, text: str) -> str:
        return text if self._key is None else self._key.redacted(text)

    def _redacted_bytes(self, data: bytes) -> bytes:
        return data if self._key is None else self._key.redacted_bytes(data)


def _encoded(call: Call) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in call.headers]


def _doubt_code(exc: BaseException, *, has_answer: bool) -> str:
    """The word for what broke off a POST after it had left."""
    match exc:
        case _BadAnswer():
            return exc.code
        case httpx.TimeoutException():
            return "answer_timeout" if has_answer else "read_timeout"
        case httpx.ReadError() | httpx.WriteError():
            return "answer_reset" if has_answer else "reset"
        case httpx.RemoteProtocolError():
            return "answer_broken" if has_answer else "closed"
        case _:
            return "broken_off"


class _Unpackable(Exception):
    """A body in an encoding that can't be taken off it; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _unpacked(body: bytes, encoding: str) -> bytes:
    """The content of a body, as long as it is plain or one whole gzip member."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                content = unpacker.decompress(body, ANSWER_LIMIT + 1)
            except zlib.error as exc:
                raise _Unpackable("bad_encoding", f"a damaged gzip body: {exc}") from None
            if len(content) > ANSWER_LIMIT:
                raise _Unpackable("too_large", "an answer that unpacks to too much")
            if not unpacker.eof or unpacker.unused_data:
                raise _Unpackable("bad_encoding", "a gzip body that is cut or goes on")
            return content
        case other:
            raise _Unpackable("bad_encoding", f"an encoding that was not asked for: {other[:40]}")
