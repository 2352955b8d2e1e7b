"""The file host: real MP4s that differ per task, in whole, in parts, and broken on demand."""

import hashlib
import http.client
import socket
import struct
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from sandbox_client import Client, Start, fetch

from batchgen.sandbox.clips import LANDSCAPE, clip, video
from batchgen.sandbox.fault import Fault
from batchgen.sandbox.faults import FAULTS


def boxes(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Type, first byte and end of each box in `data`; fails when they don't fill it exactly."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        assert 8 <= size <= len(data) - at
        yield data[at + 4 : at + 8].decode("latin-1"), at, at + size
        at += size


def chunk_offsets(data: bytes) -> list[int]:
    """The file offsets of the media chunks (`stco`)."""
    at = data.index(b"stco") + 4
    (count,) = struct.unpack(">I", data[at + 4 : at + 8])
    return list(struct.unpack(f">{count}I", data[at + 8 : at + 8 + 4 * count]))


@pytest.mark.parametrize("name", [*LANDSCAPE, "portrait", "square"])
def test_a_video_is_a_whole_mp4_whose_media_stands_where_its_index_says(name: str) -> None:
    data = video(name, "task-1", "A tiger “at dawn”")
    found = {kind: (first, end) for kind, first, end in boxes(data)}
    assert list(found)[:2] == ["ftyp", "moov"]
    assert "uuid" in found
    first, end = found["mdat"]
    assert all(first < offset < end for offset in chunk_offsets(data))
    assert b"avc1" in data
    assert data.startswith(clip(name))


def test_padding_keeps_a_video_whole() -> None:
    data = video("square", "task-1", "x", 100_000)
    assert len(data) == 100_000
    assert [kind for kind, _, _ in boxes(data)][-1] == "free"


def test_videos_of_two_tasks_differ_and_one_stays_the_same(start: Start) -> None:
    client = start()
    first, second = client.finish(client.buy()), client.finish(client.buy())
    hashes = [hashlib.sha256(fetch(url).body).hexdigest() for url in (first, second, first)]
    assert hashes[0] == hashes[2] != hashes[1]


@pytest.mark.parametrize(
    ("ratio", "size"), [("16:9", (320, 180)), ("9:16", (180, 320)), ("portrait", (180, 320)), ("1:1", (240, 240))]
)
def test_a_video_has_the_shape_that_was_asked_for(start: Start, ratio: str, size: tuple[int, int]) -> None:
    client = start()
    data = fetch(client.finish(client.buy(options={"aspect_ratio": ratio}))).body
    at = data.index(b"avc1", data.index(b"stsd")) + 4 + 24
    assert struct.unpack(">HH", data[at : at + 4]) == size


def test_a_video_is_not_there_before_its_task_ends(start: Start) -> None:
    client = start()
    task_id = client.buy()
    url = f"{client.sandbox.base_url}/files/{task_id}.mp4"
    assert fetch(url).status == 404
    client.finish(task_id)
    assert fetch(url).status == 200


@pytest.fixture
def film(start: Start) -> tuple[Client, str, bytes]:
    client = start()
    url = client.finish(client.buy())
    return client, url, fetch(url).body


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=5-99999999", 206, slice(5, None)),
        ("bytes=9-5", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
    ],
)
def test_a_range_gives_that_part(film: tuple[Client, str, bytes], asked: str, status: int, part: slice) -> None:
    _, url, whole = film
    answer = fetch(url, Range=asked)
    assert answer.status == status
    assert answer.body == whole[part]
    assert int(answer.headers["content-length"]) == len(whole[part])


def test_a_range_beyond_the_end_is_416_with_the_size(film: tuple[Client, str, bytes]) -> None:
    _, url, whole = film
    answer = fetch(url, Range=f"bytes={len(whole)}-")
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(whole)}"


def test_if_range_with_another_etag_gives_everything(film: tuple[Client, str, bytes]) -> None:
    _, url, whole = film
    etag = fetch(url).headers["etag"]
    assert fetch(url, Range="bytes=0-9", If_Range=etag).status == 206
    assert fetch(url, Range="bytes=0-9", If_Range='"old"').body == whole


def test_head_gives_the_length_alone(film: tuple[Client, str, bytes]) -> None:
    _, url, whole = film
    answer = fetch(url, "HEAD")
    assert answer.body == b""
    assert int(answer.headers["content-length"]) == len(whole)


def test_a_key_that_reaches_the_file_host_is_noticed(film: tuple[Client, str, bytes]) -> None:
    client, url, _ = film
    assert client.sandbox.audit().files_with_authorization == 0
    fetch(url, Authorization="Bearer sandbox-key")
    assert client.sandbox.audit().files_with_authorization == 1


def test_a_url_expires_and_a_fresh_one_comes_from_the_task(start: Start) -> None:
    client = start(url_life=60)
    task_id = client.buy()
    old = client.finish(task_id)
    assert fetch(old).status == 200
    client.sandbox.change(advance=61)
    assert fetch(old).status == 403
    fresh = client.look(task_id).json["data"]["videoUrls"][0]
    assert fresh != old
    assert fetch(fresh).status == 200


def test_urls_may_change_at_each_look(start: Start) -> None:
    client = start(fresh_urls=True)
    task_id = client.buy()
    urls = {client.finish(task_id) for _ in range(3)}
    assert len(urls) == 3
    assert len({fetch(url).body for url in urls}) == 1


def test_the_file_host_may_be_another_host(start: Start) -> None:
    client = start(file_host=True)
    url = client.finish(client.buy())
    assert urlsplit(url).netloc != urlsplit(client.sandbox.base_url).netloc
    assert fetch(url).status == 200


def test_several_videos_of_a_task_differ(start: Start) -> None:
    client = start(faults=("several-urls@3:100%",))
    task_id = client.buy()
    client.finish(task_id)
    urls = client.look(task_id).json["data"]["videoUrls"]
    assert len({fetch(url).body for url in urls}) == 3


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS.values() if fault.on == "file"], ids=lambda fault: fault.name
)
def test_a_file_fault_spoils_one_download_and_the_next_is_proper(start: Start, fault: Fault) -> None:
    client = start(faults=(f"{fault.name}:#1",), speed=1000)
    url = client.finish(client.buy())
    try:
        spoiled = fetch(url)
        told = (spoiled.status, spoiled.headers.get("content-length"), spoiled.body)
    except (OSError, http.client.HTTPException):
        told = (0, None, b"")
    proper = fetch(url)
    assert proper.status == 200
    if fault.name not in {"file-slow", "file-no-range"}:
        assert told != (200, str(len(proper.body)), proper.body)
    assert client.sandbox.audit().faults[fault.name].fired == 1


def test_a_cut_download_says_its_full_length(start: Start) -> None:
    client = start(faults=("file-reset@1000:#1",))
    parts = urlsplit(client.finish(client.buy()))
    with socket.create_connection((parts.hostname, parts.port or 80)) as sock:
        sock.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got = b""
        with pytest.raises(ConnectionResetError):
            while piece := sock.recv(65536):
                got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    assert len(body) == 1000
    assert b"Content-Length: 1" in head


def test_a_file_that_changes_has_another_etag_and_gives_no_part_of_the_old(start: Start) -> None:
    client = start(faults=("file-changes:100%",))
    url = client.finish(client.buy())
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        fetch(url)
    again = fetch(url, Range="bytes=100-", If_Range='"the old etag"')
    assert again.status == 200
    assert again.body.endswith(b"CHANGED!")
    client.sandbox.change(faults=["file-changes@silently:100%"])
    assert fetch(url, Range="bytes=100-", If_Range='"the old etag"').status == 206


@pytest.mark.parametrize(
    ("where", "target"),
    [
        ("same", "/files/"),
        ("alias", "http://localhost:"),
        ("number", "http://2130706433:"),
        ("file", "file:///etc/"),
    ],
)
def test_a_redirect_goes_where_it_was_told(start: Start, where: str, target: str) -> None:
    client = start(faults=(f"file-redirect@{where}:100%",))
    url = client.finish(client.buy())
    answer = fetch(url)
    assert answer.status == 302
    assert answer.headers["location"].startswith(target)
    if where == "same":
        assert fetch(client.sandbox.base_url + answer.headers["location"]).status == 200
