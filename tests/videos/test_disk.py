"""What a full or stubborn disk does to a download, and what a part file vouches for."""

import asyncio
import errno
import json
import os
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from boxes import moov_first
from raw_host import RawHost, head, ranged, whole

from batchgen.videos.addresses import Reach
from batchgen.videos.download import DownloadError, Limits, download
from batchgen.videos.host import FileHost
from batchgen.videos.part import Note, Part

PLACES = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "harness"), str(Path(__file__).parents[2])]
VIDEO = moov_first()
TAG = {"ETag": '"one"'}
NOTE = Note.of("http://a.test/v", etag='"one"', last_modified="", date="", total=1000)


def failed(target: Path, play: object, limits: Limits | None = None) -> DownloadError:
    async def scenario() -> DownloadError:
        async with RawHost([play]) as host:  # type: ignore[list-item]
            with pytest.raises(DownloadError) as caught:
                await download(FileHost(near=Reach.LOOPBACK), host.url(), target, limits or Limits())
            return caught.value

    return asyncio.run(scenario())


def test_free_room_is_looked_at_first(tmp_path: Path) -> None:
    """A video that would fill the disk is not begun: the ledger and the results need room too."""
    full = Limits(free_bytes=lambda _: 100_000_000 + len(VIDEO) - 1)
    error = failed(tmp_path / "a.mp4", whole(VIDEO), full)
    assert error.kind == "disk_full"
    assert "100.0 MB" in error.message
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_in_the_middle_is_said_to_be(tmp_path: Path) -> None:
    """A real refusal by the system (no file over 1.5 MB), and the part makes room again."""
    script = f"""
import asyncio, resource, sys
sys.path[:0] = {PLACES!r}
from pathlib import Path
from test_disk import failed, head, VIDEO
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
play = lambda _: [head("200 OK", ETag='"one"'), VIDEO, bytes(3_000_000)]
print(failed(Path({str(tmp_path / "a.mp4")!r}), play).kind)
"""
    pytest.importorskip("resource")
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "disk_full\n", ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EACCES])
def test_another_refusal_of_the_disk_is_no_fault_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(self: Part, data: bytes) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Part, "write", refuse)
    error = failed(tmp_path / "a.mp4", whole(VIDEO))
    assert error.kind == "disk"
    assert os.strerror(number) in error.message


def test_a_folder_that_can_not_be_made_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "videos").write_text("a file")
    assert failed(tmp_path / "videos" / "a.mp4", whole(VIDEO)).kind == "disk"


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="no such flag on this system")
def test_a_link_in_the_parts_place_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    (tmp_path / "a.mp4.part").symlink_to(tmp_path / "mine.txt")
    assert failed(tmp_path / "a.mp4", whole(VIDEO)).kind == "disk"
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_only_what_was_synced_is_gone_on_with(tmp_path: Path) -> None:
    """What was merely written when the power went may be zeros."""
    with closing(Part(tmp_path / "a.mp4")) as part:
        part.begin(NOTE)
        part.write(b"a" * 100)
        part.sync()
        part.write(b"b" * 50)
    with closing(Part(tmp_path / "a.mp4")) as again:
        assert (again.length, again.note.validator("http://a.test/v")) == (100, '"one"')
        assert (tmp_path / "a.mp4.part").stat().st_size == 100


def test_a_long_part_is_synced_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchgen.videos.part.SYNC_EVERY", 1000)
    with closing(Part(tmp_path / "a.mp4")) as part:
        part.begin(NOTE)
        for _ in range(25):
            part.write(bytes(100))
    with closing(Part(tmp_path / "a.mp4")) as again:
        assert again.length == 2000


@pytest.mark.parametrize(
    "note",
    ["", "{", "[]", "null", '{"unknown": 1}', '{"durable": "5"}', '{"durable": 5, "total": "x"}', "\udcff",
     '{"durable": -1}', '{"durable": 500}', '{"durable": 5, "etag": 7}'],
)  # fmt: skip
def test_a_note_that_makes_no_sense_starts_from_nothing(tmp_path: Path, note: str) -> None:
    (tmp_path / "a.mp4.part").write_bytes(bytes(100))
    (tmp_path / "a.mp4.part.json").write_bytes(note.encode("utf-8", "surrogateescape"))
    with closing(Part(tmp_path / "a.mp4")) as part:
        assert (part.length, part.note) == (0, Note())


def test_a_note_holds_no_url(tmp_path: Path) -> None:
    """A signed URL is a secret, and OUT is sent around."""
    with closing(Part(tmp_path / "a.mp4")) as part:
        part.begin(Note.of("https://a.test/v?signature=secret", etag='"1"', last_modified="", date="", total=5))
    text = (tmp_path / "a.mp4.part.json").read_text()
    assert "secret" not in text
    assert "a.test" not in text
    assert json.loads(text)["etag"] == '"1"'


def test_a_replace_that_windows_refuses_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A player or a virus scanner holds the old file for a moment."""
    refusals = [PermissionError(errno.EACCES, "in use")] * 2
    slept: list[float] = []
    real = Path.replace

    def refusing(self: Path, target: Path) -> Path:
        if self.name == "a.mp4.part" and refusals:
            raise refusals.pop()
        return real(self, target)

    monkeypatch.setattr(Path, "replace", refusing)
    monkeypatch.setattr("time.sleep", slept.append)
    part = Part(tmp_path / "a.mp4")
    part.begin(NOTE)
    part.write(b"x" * 1000)
    part.finish()
    assert (tmp_path / "a.mp4").read_bytes() == b"x" * 1000
    assert len(slept) == 2


def test_a_kill_in_the_middle_leaves_no_half_video_and_a_part_to_go_on_with(tmp_path: Path) -> None:
    """SIGKILL while the host still sends; the next run takes over."""
    big = moov_first() + b"\x01\x30\x00\x08free" + bytes(0x1300000)
    target = tmp_path / "a.mp4"
    script = f"""
import asyncio, os, signal, sys
sys.path[:0] = {PLACES!r}
from pathlib import Path
from batchgen.videos.addresses import Reach
from batchgen.videos.host import FileHost
from batchgen.videos.download import download
asyncio.run(download(FileHost(near=Reach.LOOPBACK), sys.argv[1], Path({str(target)!r})))
"""

    async def scenario() -> list[int]:
        from raw_host import HANG

        def first(_: object) -> list[bytes | str]:
            return [head("200 OK", Content_Length=len(big), **TAG), big[:-1000], HANG]

        async with RawHost([first, ranged(big, **TAG)]) as host:
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, host.url())
            try:
                note = tmp_path / "a.mp4.part.json"
                while not note.exists() or json.loads(note.read_text())["durable"] < 16_000_000:
                    assert child.returncode is None, "the download ended by itself"
                    await asyncio.sleep(0.02)  # another process writes it
            finally:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
            assert not target.exists()
            await download(FileHost(near=Reach.LOOPBACK), host.url(), target, replace(Limits(), pauses=()))
            return [request.start for request in host.requests]

    starts = asyncio.run(scenario())
    assert target.read_bytes() == big
    assert starts[1] >= 16_000_000
