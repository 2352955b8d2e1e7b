"""A file host in a thread of its own, for commands that run in this process: pictures, pages and nothing."""

import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 1280, 720) + b"\x08\x02\0\0\0" + b"x" * 60


class FileServer:
    """Gives a picture for a path with `good`, a page for one with `page`, 404 for one with `gone`."""

    def __enter__(self) -> "FileServer":
        self.paths: list[str] = []
        self._fixed: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.paths.append(self.path)
                gone = "gone" in self.path and self.path not in outer._fixed
                body = b"<!doctype html><p>hello</p>" if "page" in self.path else PNG
                self.send_response(404 if gone else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def fix(self, path: str) -> None:
        """There is a picture now."""
        self._fixed.add(path)
