"""Small servers that speak as the services behind the gateway do, and keep their own books: what was asked of them.

They share no code with the client's dialects: a test compares what was sent with what is written here.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

CLIP = next(
    path for path in sorted(files("batchgen.sandbox").joinpath("assets").iterdir()) if path.name.endswith(".mp4")
).read_bytes()


class Vendor:
    """One server. `posts` are the creations (path, headers, body) in their order; `answers` come first, if any."""

    def __init__(self, kind: str, *, headers: dict[str, str] | None = None) -> None:
        self.kind, self.headers = kind, headers or {}
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.gets: list[tuple[str, dict[str, str]]] = []
        #: What the next POSTs get instead of a task: (status, body).
        self.answers: list[tuple[int, Any]] = []
        #: A path that is full: it answers 429 to everything.
        self.full = ""
        #: Which POSTs (from 1) make a task and get no answer; which are not in the list; which are there twice.
        self.lost: set[int] = set()
        self.unlisted: set[int] = set()
        self.listed_again: list[int] = []
        self.page = 100
        self.lock = threading.Lock()
        self.base_url = ""

    def post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        with self.lock:
            self.posts.append((path, headers, body))
            number = len(self.posts)
            if self.answers:
                return self.answers.pop(0)
            if path == self.full:
                return 429, {"detail": "Too many requests"}
        match self.kind:
            case "fal":
                base = f"{self.base_url}/requests/r{number}"
                urls = {"status_url": base + "/status", "response_url": base, "cancel_url": base + "/cancel"}
                return 200, {"status": "IN_QUEUE", "request_id": f"r{number}", **urls}
            case "kie":
                return 200, {"code": 200, "msg": "success", "data": {"taskId": f"k{number}"}}
            case "ark":
                return 200, {"id": f"cgt-{number}"}
            case "replicate":
                return 201, {"id": f"p{number}", "status": "starting", "error": None, "output": None}
            case _:
                return 200, {"id": f"video_{number}=", "object": "video", "status": "queued"}

    def _listed(self, path: str) -> Any:
        """fal's list, a page at a time."""
        query = parse_qs(urlsplit(path).query)
        model, start = query["endpoint_id"][0], int(query.get("cursor", ["0"])[0])
        numbers = {f"r{n}": n for n in range(1, len(self.posts) + 1) if n not in self.unlisted}
        numbers |= {f"again{n}": n for n in self.listed_again}
        items = [
            {
                "request_id": name,
                "endpoint_id": model,
                "json_input": json.loads(self.posts[number - 1][2]),
                "sent_at": datetime.now(UTC).isoformat(),
            }
            for name, number in numbers.items()
            if self.posts[number - 1][0] == f"/{model}"
        ]
        more = start + self.page < len(items)
        cursor = {"next_cursor": str(start + self.page)} if more else {"next_cursor": None}
        return {"items": items[start : start + self.page], "has_more": more, **cursor}

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        with self.lock:
            self.gets.append((path, headers))
        video = f"{self.base_url}/files/clip.mp4"
        if path.startswith("/files/"):
            return 200, CLIP
        if "/requests/by-endpoint" in path:
            return 200, self._listed(path)
        last = path.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
        match self.kind:
            case "fal" if last == "status":
                return 200, {"status": "COMPLETED", "request_id": path.split("/")[-2]}
            case "fal":
                return 200, {"video": {"url": video}}
            case "kie":
                result = json.dumps({"resultUrls": [video]})
                data = {"taskId": path.partition("taskId=")[2], "state": "success", "resultJson": result}
                return 200, {"code": 200, "msg": "success", "data": data}
            case "ark":
                return 200, {"id": last, "model": "m", "status": "succeeded", "content": {"video_url": video}}
            case "replicate":
                return 200, {"id": last, "status": "succeeded", "output": video, "error": None}
            case _ if last == "content":
                return (200, CLIP) if "authorization" in headers else (401, {"error": {"message": "no key"}})
            case _:
                name = last.replace("%3D", "=")
                return 200, {"id": name, "object": "video", "status": "completed"}


@contextmanager
def vendor(kind: str, **settings: Any) -> Iterator[Vendor]:
    """A server of this kind on this machine."""
    served = Vendor(kind, **settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = served.post(self.path, self._named(), body)
            if len(served.posts) in served.lost:
                self.close_connection = True
                return
            self._answer(*answer)

        def do_GET(self) -> None:
            self._answer(*served.get(self.path, self._named()))

        def _named(self) -> dict[str, str]:
            return {name.lower(): value for name, value in self.headers.items()}

        def _answer(self, status: int, body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            kind = "application/json" if data is not body else "video/mp4" if body == CLIP else "text/html"
            self.send_response(status)
            for name, value in {"content-type": kind, "content-length": str(len(data)), **served.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
