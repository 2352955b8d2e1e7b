"""A small client of the sandbox's own tests: the standard library alone, nothing of batchgen's client."""

import http.client
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from batchgen.sandbox import SandboxServer

REQUEST = {"provider": "kie", "model": "m-1", "scene": "text-to-video", "prompt": "A tiger at dawn"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def fetch(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """One request on a connection of its own; header names with `_` for `-`."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        lower = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, lower, answer.read())
    finally:
        connection.close()


@dataclass
class Client:
    """The sandbox, and how to talk to it."""

    sandbox: SandboxServer

    def post(self, request: Any = None, *, key: str | None = "sandbox-key", **headers: str) -> Answer:
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        data = request if isinstance(request, bytes) else json.dumps(request or REQUEST).encode()
        return fetch(f"{self.sandbox.base_url}/v1/videos/generations", "POST", data, **headers)

    def buy(self, **changes: Any) -> str:
        """The id of a new task."""
        return str(self.post(REQUEST | changes).json["id"])

    def look(self, task_id: str, key: str = "sandbox-key") -> Answer:
        return fetch(f"{self.sandbox.base_url}/v1/tasks/{task_id}", Authorization=f"Bearer {key}")

    def finish(self, task_id: str) -> str:
        """Let all tasks end; the URL of this one's video."""
        self.sandbox.change(advance=60)
        return str(self.look(task_id).json["data"]["videoUrls"][0])

    def raw(self, request: Any = None) -> tuple[bytes, str]:
        """All bytes that come back for a POST, and how they end: `fin` or `rst`."""
        data = json.dumps(request or REQUEST).encode()
        parts = urlsplit(self.sandbox.base_url)
        head = (
            f"POST /v1/videos/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sandbox-key\r\n"
            f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=20) as sock:
            sock.sendall(head.encode() + data)
            got = b""
            try:
                while piece := sock.recv(65536):
                    got += piece
            except ConnectionResetError:
                return got, "rst"
            return got, "fin"


Start = Callable[..., Client]
