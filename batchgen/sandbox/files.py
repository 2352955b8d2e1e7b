"""The file host: GET /files/{task}.mp4 with Range, ETag and If-Range, and its faults."""

import re
from hashlib import sha256
from urllib.parse import unquote

from aiohttp import web

from .audit import FileGet, Task
from .clips import video
from .fault import Moment
from .faults import FAULTS
from .rules import Picker
from .service import Service
from .urls import Urls
from .wire import Wire

PATH = "/files/"

_EXPIRED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>\n"
)


class Files:
    """Serves the videos of finished tasks. The service's key has no business here; one that comes is noted."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.apply()

    def apply(self) -> None:
        """Take the service's options as they are now."""
        options = self._service.options
        self._picker = Picker(options.rules(), "file", options.seed)

    async def get(self, request: web.BaseRequest, name: str, query: str) -> web.StreamResponse:
        """One download, whole or a part."""
        service, books = self._service, self._service.books
        books.file_gets += 1
        task = books.tasks.get(unquote(name).removesuffix(".mp4"))
        words = (task.prompt, task.model, task.provider, task.scene) if task is not None else ()
        rule = self._picker.pick(books.file_gets, words)
        wanted = None
        if task is None or task.created + task.duration > service.clock.now():
            answer, data, etag = Wire(404, b"Not found\n", kind="text/plain"), b"", ""
        else:
            data, etag = self._content(task)
            wanted = wanted_range(request, etag, len(data))
            expired = Urls.expired(query, service.clock.now())
            answer = (
                Wire(403, _EXPIRED, kind="application/xml") if expired else whole_or_part(data, etag, wanted)
            )
        if rule is not None and data:
            books.planned(rule.text).fired += 1
            answer = FAULTS[rule.name].make(
                Moment(
                    arg=rule.arg,
                    proper=answer,
                    style=service.options.style,
                    clock=service.clock,
                    base_url=service.urls.base,
                    file_url=service.urls.files,
                    task=task,
                    data=data,
                    etag=etag,
                    path=request.raw_path,
                    wanted=wanted if isinstance(wanted, tuple) else None,
                )
            )
        books.served(
            task,
            FileGet(
                at=service.clock.real(),
                task_id=task.task_id if task is not None else "",
                status=answer.code,
                authorization="Authorization" in request.headers,
                range=request.headers.get("Range", ""),
                fault=rule.text if rule is not None else "",
            ),
        )
        return answer

    def _content(self, task: Task) -> tuple[bytes, str]:
        data = video(task.clip, task.task_id, task.prompt, self._service.options.file_bytes)
        return data, f'"{sha256(data).hexdigest()[:24]}"'


def wanted_range(request: web.BaseRequest, etag: str, size: int) -> tuple[int, int] | None | str:
    """First and last byte of a single satisfiable Range; None for all of it; "unsatisfiable"."""
    m = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", "").replace(" ", ""))
    if not m or m.group() == "bytes=-" or request.headers.get("If-Range", etag) != etag:
        return None
    if not m[1]:
        length = min(int(m[2]), size)
        return (size - length, size - 1) if length else "unsatisfiable"
    first = int(m[1])
    last = min(int(m[2]), size - 1) if m[2] else size - 1
    if m[2] and int(m[2]) < first:
        return None
    return (first, last) if first < size else "unsatisfiable"


def whole_or_part(data: bytes, etag: str, wanted: tuple[int, int] | None | str) -> Wire:
    """200 with everything, 206 with a part, or 416."""
    headers = [("Accept-Ranges", "bytes"), ("ETag", etag)]
    if wanted is None:
        return Wire(200, data, headers, kind="video/mp4")
    if isinstance(wanted, str):
        return Wire(416, b"", [*headers, ("Content-Range", f"bytes */{len(data)}")], kind="")
    first, last = wanted
    headers.append(("Content-Range", f"bytes {first}-{last}/{len(data)}"))
    return Wire(206, data[first : last + 1], headers, kind="video/mp4")
