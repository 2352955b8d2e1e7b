"""The key goes to the service alone: not to a false one, a proxy or another host, and into no dump of a crash.

Besides tests/service, which says the same of each request: here it is the whole program, with all that it writes.
"""

import base64
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from books import find_key
from processes import BASE_ENV, ROOT, Zygote
from world import World, key_pattern, make_world

SEED = 20266
CERTS = Path(__file__).resolve().parents[2] / "harness" / "certs"
PASSWORD = "Kpr0xy-paSSw/rd+zzQ7"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def _nothing(_head: bytes) -> bytes:
    return b""


class Recorder:
    """A host that answers each request as `answer(head)` says, and keeps every byte that it was sent."""

    def __init__(self, answer: Callable[[bytes], bytes] = _nothing, cert: str = "") -> None:
        self._answer, self.seen, self.connections = answer, b"", 0
        self._context: ssl.SSLContext | None = None
        if cert:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(CERTS / f"{cert}.pem")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with suppress(OSError), connection:
                connection.settimeout(5)
                self.seen += connection.recv(1 << 16, socket.MSG_PEEK)
                if self._context is None:
                    self._serve(connection)
                else:
                    with self._context.wrap_socket(connection, server_side=True) as safe:
                        self._serve(safe)

    def _serve(self, connection: socket.socket) -> None:
        """One request, one answer, and the connection is closed."""
        request = b""
        while data := connection.recv(1 << 16):
            self.seen += data
            request += data
            head, _, body = request.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if b"\r\n\r\n" in request and len(body) >= int(length[1] if length else 0):
                connection.sendall(self._answer(head))
                return

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@contextmanager
def host(answer: Callable[[bytes], bytes] = _nothing, cert: str = "") -> Iterator[Recorder]:
    one = Recorder(answer, cert)
    try:
        yield one
    finally:
        one.close()


def _answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def _run_until(world: World, enough: Callable[[], bool], **env: str) -> int:
    """Run until the hosts have seen enough, then Ctrl-C; returns the exit code."""
    process = world.start(env=env)
    deadline = time.monotonic() + 30
    while not enough() and not process.ended.is_set() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert enough(), process.said()
    process.signal(signal.SIGINT)
    return process.wait()


def _found(world: World, *hosts: Recorder, secret: str = "") -> list[str]:
    """Where the key (or another secret) is: files, screens, hosts."""
    pattern = key_pattern(secret or world.key)
    written = [path.read_bytes() for path in world.out.rglob("*") if path.is_file()] if secret else []
    found = [] if secret else find_key(world)
    found += [f"host {n} saw it" for n, one in enumerate(hosts) if pattern.search(one.seen)]
    return found + ["it was written" for text in [*written, world.said()] if pattern.search(text)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("cert", ["self-signed", "wrong-name", "expired"])
def test_a_service_whose_certificate_does_not_hold_never_sees_the_key(zygote: Zygote, cert: str) -> None:
    with make_world(zygote, SEED, jobs=3) as world, host(cert=cert) as false:
        world.base_url = f"https://localhost:{false.port}"
        code = _run_until(world, lambda: false.connections >= 2, SSL_CERT_FILE=str(CERTS / "ca.pem"))
        assert code == 130
        assert b"POST" not in false.seen
        assert _found(world, false) == []


@pytest.mark.timeout(120)
def test_a_netrc_and_a_proxy_for_plain_http_change_nothing(zygote: Zygote) -> None:
    """The password of .netrc is not sent in the key's place, and no proxy sees a request that nothing hides."""
    with make_world(zygote, SEED, jobs=3) as world, host() as proxy:
        home = world.folder.parent
        lines = [f"machine {name} login me password {PASSWORD}" for name in ("127.0.0.1", "localhost")]
        (home / ".netrc").write_text("\n".join([*lines, f"default login me password {PASSWORD}", ""]))
        (home / ".netrc").chmod(0o600)
        via = f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:{proxy.port}"
        env = {
            "HOME": str(home),
            "NETRC": str(home / ".netrc"),
            "HTTP_PROXY": via,
            "http_proxy": via,
            "ALL_PROXY": via,
        }
        assert world.start(env=env).wait() == 0
        assert {post["auth"] for post in world.audit()["posts"]} == {"good"}
        assert proxy.connections == 0
        assert _found(world) == []
        assert _found(world, secret=PASSWORD) == []


@pytest.mark.timeout(120)
def test_a_proxy_sees_its_password_and_not_the_key_and_nobody_is_shown_either(zygote: Zygote) -> None:
    """The proxy refuses, and repeats what it was sent: also that is written nowhere."""

    def refuse(head: bytes) -> bytes:
        return _answer("407 Proxy Authentication Required", head, "X-Seen: " + head.decode().splitlines()[-1])

    with make_world(zygote, SEED, jobs=3) as world, host(refuse) as proxy, host(cert="good") as service:
        world.base_url = f"https://localhost:{service.port}"
        via = f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:{proxy.port}"
        env = {"HTTPS_PROXY": via, "https_proxy": via, "SSL_CERT_FILE": str(CERTS / "ca.pem")}
        assert _run_until(world, lambda: proxy.connections >= 2, **env) == 130
        for command in ("config", "doctor", "status", "report"):
            given = [command] if command == "config" else [command, str(world.out)]
            settings = env | {"BATCHGEN_API_KEY": world.key, "BATCHGEN_BASE_URL": world.base_url}
            world.runs.append(zygote.start("client", given, world.folder, env=settings))
            world.runs[-1].wait()
        assert base64.b64encode(f"me:{PASSWORD}".encode()) in proxy.seen
        assert service.connections == 0
        assert _found(world, proxy, service) == []
        assert _found(world, service, secret=PASSWORD) == []
        assert _found(world, service, secret=f"me:{PASSWORD}") == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_another_host_is_told_nothing_by_a_redirect(zygote: Zygote, method: str, status: str) -> None:
    with make_world(zygote, SEED, jobs=3) as world, host() as other:
        away = _answer(status, b"", f"Location: http://localhost:{other.port}/v1/videos/generations")
        ids = iter(range(1000))

        def answer(head: bytes) -> bytes:
            if head.startswith(method.encode()):
                return away
            return _answer("200 OK", b'{"id": "task_%d", "status": "queued"}' % next(ids))

        with host(answer) as service:
            world.base_url = f"http://127.0.0.1:{service.port}"
            asked = f"{method} /v1/".encode()
            _run_until(world, lambda: asked in service.seen)
            assert world.key.encode() in service.seen
            assert other.connections == 0
            assert _found(world) == []


@pytest.mark.timeout(120)
@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="no /proc: a limit can't be looked up")
def test_a_crash_leaves_no_key_behind(zygote: Zygote) -> None:
    """A dump of all threads names functions and lines, and the process's memory goes into no core file."""
    with make_world(zygote, SEED, "--latency", "30", jobs=3) as world:
        argv = [sys.executable, "-X", "dev", "-W", "ignore", "-m", "batchgen", "run", str(world.manifest), "--yes",
                "--out", str(world.out), "--base-url", world.base_url]  # fmt: skip
        env = BASE_ENV | {"PYTHONPATH": str(ROOT), "BATCHGEN_API_KEY": world.key, "PYTHONASYNCIODEBUG": "1"}
        shell = ["sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$@"', "sh"]  # as much as the machine allows
        run = subprocess.Popen(
            [*shell, *argv], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=world.folder.parent
        )
        assert world.wait_for_event("run", seconds=60)
        limits = Path(f"/proc/{run.pid}/limits").read_text()
        run.send_signal(signal.SIGABRT)
        said = run.communicate(timeout=60)[0]
        assert run.returncode == -signal.SIGABRT
        assert b"Fatal Python error: Aborted" in said
        assert re.search(r"Max core file size +0 ", limits), limits
        assert not key_pattern(world.key).search(said)
        assert find_key(world) == []
        assert not [path for path in world.folder.parent.rglob("core*") if path.is_file()]
