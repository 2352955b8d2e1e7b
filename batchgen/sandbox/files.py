"""The file host: GET /files/{task}.mp4 with Range, ETag and If-Range, and its faults."""

from hashlib import sha256
from urllib.parse import parse_qs, unquote

from aiohttp import web

from .audit import FileGet, Task
from .clips import video
from .fault import Moment
from .faults import FAULTS
from .file_faults import storage_error
from .ranges import wanted_range, whole_or_part
from .rules import Picker
from .service import Service, words
from .urls import Urls
from .wire import Wire

PATH = "/files/"


class Files:
    """Serves the videos of finished tasks, and notes whether a request carries a key (none may)."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.apply()

    def apply(self) -> None:
        """Take the service's options as they are now."""
        options = self._service.options
        self._faults = Picker(options.rules(), "file", options.seed)

    async def get(self, request: web.BaseRequest, name: str, query: str) -> web.StreamResponse:
        """One download, whole or a part."""
        service, books = self._service, self._service.books
        books.file_gets += 1
        task = books.tasks.get(unquote(name).removesuffix(".mp4"))
        rule = None
        if task is None or task.created + task.duration > service.clock.now():
            answer = storage_error(404)
        else:
            asked = parse_qs(query)
            data = self._content(task, asked.get("n", [""])[0])
            etag = f'"{sha256(data).hexdigest()[:24]}"'
            expired = Urls.expired(query, service.clock.now())
            wanted = wanted_range(request, etag, len(data))
            answer = storage_error(403) if expired else whole_or_part(data, etag, wanted)
            rule = None if "moved" in asked else self._faults.pick(books.file_gets, words(task))
            if rule is not None:
                books.planned(rule.text).fired += 1
                moment = self._moment(rule.arg, answer, task, request)
                moment.data, moment.etag = data, etag
                answer = FAULTS[rule.name].make(moment)
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

    def _content(self, task: Task, which: str) -> bytes:
        """The bytes of a task's first video, or of its `which`-th."""
        name = f"{task.task_id}+{which}" if which else task.task_id
        return video(task.clip, name, task.prompt, self._service.options.file_bytes)

    def _moment(self, arg: str, proper: Wire, task: Task, request: web.BaseRequest) -> Moment:
        service = self._service
        return Moment(
            arg=arg,
            proper=proper,
            style=service.options.style,
            clock=service.clock,
            base_url=service.urls.base,
            file_url=service.urls.files,
            task=task,
            path=request.raw_path,
            request=request,
        )
