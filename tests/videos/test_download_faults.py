"""Every fault of the sandbox's file host: the video arrives, or it is said why, and nothing wrong is kept."""

import asyncio
import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from batchgen.sandbox import Options, SandboxServer
from batchgen.sandbox.faults import FAULTS
from batchgen.videos.addresses import Reach
from batchgen.videos.download import Downloaded, DownloadError, Limits, download
from batchgen.videos.host import FileHost

Start = Callable[..., tuple[SandboxServer, str]]

#: Fault -> what comes of a download whose every answer has it. "" means that the video arrives.
ALWAYS = {
    "file-error": "gone",
    "file-error@404": "gone",
    "file-error@410": "gone",
    "file-error@500": "network",
    "file-truncated": "network",  # half of what is left, and so for ever
    "file-truncated@2000": "",  # each answer brings a little more
    "file-reset": "network",
    "file-reset@2000": "",
    "file-cut": "not_a_video",
    "file-long": "network",
    "file-short": "not_a_video",
    "file-html": "not_a_video",
    "file-html-page": "not_a_video",
    "file-garbage": "not_a_video",
    "file-empty": "not_a_video",
    "file-redirect": "",
    "file-redirect@other": "",
    "file-redirect@alias": "",
    "file-redirect@number": "",
    "file-redirect@private": "refused",
    "file-redirect@metadata": "refused",
    "file-redirect@file": "refused",
    "file-redirect@ftp": "refused",
    "file-redirect@loop": "refused",
    "file-no-length": "",
    "file-no-length-cut": "network",
    "file-chunked": "",
    "file-slow": "",
    "file-hang": "network",
    "file-416": "http",
    "file-no-range": "",
    "file-changes": "",
    "file-gzip": "http",
}


@pytest.fixture
def start() -> Iterator[Start]:
    """A sandbox with these faults and one finished task: the sandbox, and the URL of its video."""
    with ExitStack() as stack:

        def begin(*faults: str) -> tuple[SandboxServer, str]:
            options = Options(manual_time=True, faults=faults, speed=1000, file_host=True)
            sandbox = stack.enter_context(SandboxServer(options))
            body = {"provider": "kie", "model": "m", "scene": "text-to-video", "prompt": "A tiger"}
            task_id = _ask(f"{sandbox.base_url}/v1/videos/generations", json.dumps(body).encode())["id"]
            sandbox.change(advance=60)
            task = _ask(f"{sandbox.base_url}/v1/tasks/{task_id}")
            return sandbox, task["data"]["videoUrls"][0]

        yield begin


def _ask(url: str, body: bytes | None = None) -> dict[str, object]:
    request = urllib.request.Request(url, body, {"Authorization": "Bearer sandbox-key"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def fetch(url: str, target: Path) -> Downloaded | DownloadError:
    async def sleep(_: float) -> None:
        """No waiting between tries."""

    async def scenario() -> Downloaded | DownloadError:
        files = FileHost(near=Reach.LOOPBACK, read_timeout=1)
        try:
            return await download(files, url, target, Limits(sleep=sleep))
        except DownloadError as error:
            return error
        finally:
            await files.aclose()

    return asyncio.run(scenario())


def content(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


def test_every_fault_of_the_file_host_is_tried() -> None:
    known = {fault.name for fault in FAULTS.values() if fault.on == "file"}
    assert {name.split("@")[0] for name in ALWAYS} == known


@pytest.mark.parametrize("fault", ALWAYS)
def test_a_fault_that_lasts_ends_as_promised(start: Start, tmp_path: Path, fault: str) -> None:
    sandbox, url = start(f"{fault}:100%")
    ended = fetch(url, tmp_path / "a.mp4")
    assert sandbox.audit().faults[fault].fired
    assert sandbox.audit().files_with_authorization == 0
    if ALWAYS[fault]:
        assert isinstance(ended, DownloadError)
        assert ended.kind == ALWAYS[fault], ended.message
        assert not (tmp_path / "a.mp4").exists()
    else:
        assert isinstance(ended, Downloaded), ended
        sandbox.change(faults=())
        if fault != "file-changes":
            assert (tmp_path / "a.mp4").read_bytes() == content(url)
        assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("fault", ALWAYS)
def test_a_fault_that_happens_once_costs_no_video(start: Start, tmp_path: Path, fault: str) -> None:
    """The next try, or the next run, has it, and it is the right one."""
    sandbox, url = start(f"{fault}:#1")
    if isinstance(fetch(url, tmp_path / "a.mp4"), DownloadError):
        assert isinstance(fetch(url, tmp_path / "a.mp4"), Downloaded)
    assert sandbox.audit().faults[fault].fired == 1
    assert (tmp_path / "a.mp4").read_bytes() == content(url)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
