"""A video is on disk whole or not at all, whatever the file host does; and it is not fetched twice."""

import asyncio
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from boxes import moov_first
from raw_host import HANG, RESET, Play, RawHost, Request, cut, head, part, ranged, says, whole

from batchgen.videos.addresses import Reach
from batchgen.videos.download import Downloaded, DownloadError, Limits, download, is_whole
from batchgen.videos.host import FileHost

VIDEO = moov_first() + b"\0\0\x20\x08free" + bytes(range(256)) * 32
OTHER = VIDEO[:-8] + b"another!"
TAG = {"ETag": '"one"'}
DATED = {"Last_Modified": "Sun, 01 Nov 2026 10:00:00 GMT", "Date": "Sun, 01 Nov 2026 10:00:09 GMT"}


@dataclass
class Ended:
    """What came of one download or several after each other, each with its own plays."""

    done: list[Downloaded | DownloadError]
    requests: list[Request]
    slept: list[float]

    @property
    def error(self) -> DownloadError:
        assert isinstance(self.done[-1], DownloadError), self.done
        return self.done[-1]

    @property
    def ranges(self) -> list[tuple[str | None, str | None]]:
        return [(request.headers.get("range"), request.headers.get("if-range")) for request in self.requests]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "videos" / "a.mp4"


def fetch(
    target: Path,
    *tries: list[Play],
    url: str = "/v.mp4",
    then: str = "",
    read_timeout: float = 20,
    **limits: object,
) -> Ended:
    """Download once for each list of plays; no waiting between tries. `then`: the second try's URL."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def scenario() -> Ended:
        done: list[Downloaded | DownloadError] = []
        files = FileHost(near=Reach.LOOPBACK, read_timeout=read_timeout)
        async with RawHost([]) as host:
            for number, plays in enumerate(tries):
                host.plays = [*host.requests_played(), *plays]
                try:
                    path = then if number and then else url
                    bounds = replace(Limits(sleep=sleep, pauses=(1, 1)), **limits)  # type: ignore[arg-type]
                    done.append(await download(files, host.url(path), target, bounds))
                except DownloadError as error:
                    done.append(error)
                assert_whole_or_absent(target)
            return Ended(done, host.requests, slept)

    return asyncio.run(scenario())


def assert_whole_or_absent(target: Path) -> None:
    """Never half a file under the final name."""
    assert not target.exists() or target.read_bytes() in {VIDEO, OTHER}


def left(target: Path) -> list[str]:
    """The names in the videos' folder."""
    return sorted(path.name for path in target.parent.iterdir())


def test_a_video_arrives_with_its_hash_and_what_its_tables_say(target: Path) -> None:
    ended = fetch(target, [whole(VIDEO)])
    digest = hashlib.sha256(VIDEO).hexdigest()
    assert ended.done == [
        Downloaded(target, len(VIDEO), digest, replace(ended.done[0].video, seconds=2.5, width=640, height=360))
    ]
    assert left(target) == ["a.mp4"]


def test_an_older_video_is_replaced(target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(OTHER)
    fetch(target, [whole(VIDEO)])
    assert target.read_bytes() == VIDEO


@pytest.mark.parametrize("how", ["", RESET, HANG])
@pytest.mark.parametrize("headers", [TAG, DATED])
def test_a_cut_is_gone_on_with_from_where_it_ended(target: Path, how: str, headers: dict[str, str]) -> None:
    """With If-Range, so that the rest of another version is never glued on."""
    ended = fetch(target, [cut(VIDEO, 5000, how=how, **headers), ranged(VIDEO, **headers)], read_timeout=0.3)
    assert target.read_bytes() == VIDEO
    validator = headers.get("ETag") or headers["Last_Modified"]
    start = ended.requests[1].start
    assert ended.ranges == [(None, None), (f"bytes={start}-", validator)]
    assert start == 5000 or how == RESET
    assert len(ended.slept) == 1


def test_cuts_at_every_stage_end_with_the_video(target: Path) -> None:
    """Each answer brings a little more; as long as it does, it is not given up."""
    step = 997

    def play(request: Request) -> list[bytes | str]:
        start = request.start
        lead = part(VIDEO, start, **TAG) if start else head("200 OK", Content_Length=len(VIDEO), **TAG)
        return [lead, VIDEO[start : start + step]]

    ended = fetch(target, [play])
    assert target.read_bytes() == VIDEO
    assert len(ended.requests) == -(-len(VIDEO) // step)


def test_a_host_that_gives_small_pieces_is_asked_for_the_next_one(target: Path) -> None:
    """It may answer a range with less than was asked for."""

    def play(request: Request) -> list[bytes]:
        if "range" not in request.headers:
            return [head("200 OK", Content_Length=len(VIDEO), **TAG), VIDEO[:2000]]
        end = min(request.start + 2000, len(VIDEO))
        span = f"bytes {request.start}-{end - 1}/{len(VIDEO)}"
        lead = head("206 x", Content_Range=span, Content_Length=end - request.start, **TAG)
        return [lead, VIDEO[request.start : end]]

    ended = fetch(target, [play])
    assert target.read_bytes() == VIDEO
    assert [request.start for request in ended.requests] == list(range(0, len(VIDEO), 2000))


def test_a_shorter_version_replaces_a_longer_part(target: Path) -> None:
    """Nothing of the longer one is left behind its end."""
    shorter = moov_first()
    plays = [cut(VIDEO, len(VIDEO) - 5, **TAG), whole(shorter, ETag='"two"')]

    async def scenario() -> None:
        async with RawHost(plays) as host:
            await download(FileHost(near=Reach.LOOPBACK), host.url(), target, Limits(sleep=nothing))

    asyncio.run(scenario())
    assert target.read_bytes() == shorter


@pytest.mark.parametrize("at", [0, 1, 7, 8, 500, len(VIDEO) - 1])
def test_without_a_validator_a_cut_is_started_again(target: Path, at: int) -> None:
    """A weak ETag, or a Last-Modified of the same second, does not promise the same bytes."""
    same_second = {"Last_Modified": DATED["Last_Modified"], "Date": DATED["Last_Modified"]}
    for headers in ({}, {"ETag": 'W/"one"'}, same_second, {"Last_Modified": DATED["Last_Modified"]}):
        ended = fetch(target, [cut(VIDEO, at, **headers), whole(VIDEO)])
        assert target.read_bytes() == VIDEO
        assert ended.ranges == [(None, None)] * 2


def test_a_later_run_goes_on_with_what_an_earlier_one_left(target: Path) -> None:
    ended = fetch(target, [cut(VIDEO, 5000, **TAG)], [ranged(VIDEO, **TAG)], pauses=())
    assert isinstance(ended.done[0], DownloadError)
    assert target.read_bytes() == VIDEO
    assert ended.requests[-1].start == 5000
    assert left(target) == ["a.mp4"]


def test_a_url_that_was_signed_again_is_gone_on_with(target: Path) -> None:
    """The same place, another query, the same strong ETag; a date is not proof enough there."""
    for headers, start in ((TAG, 5000), (DATED, 0)):
        ended = fetch(
            target,
            [cut(VIDEO, 5000, **headers)],
            [ranged(VIDEO, **headers)],
            url="/v?s=1",
            then="/v?s=2",
            pauses=(),
        )
        assert target.read_bytes() == VIDEO
        assert ended.requests[-1].start == start


def test_another_place_is_started_from_nothing(target: Path) -> None:
    ended = fetch(target, [cut(VIDEO, 5000, **TAG)], [ranged(OTHER, **TAG)], url="/a", then="/b", pauses=())
    assert target.read_bytes() == OTHER
    assert ended.ranges[-1] == (None, None)


def lying(**changes: str | int) -> Play:
    """A 206 from the right place but for these headers."""
    return lambda request: [part(VIDEO, request.start, **{**TAG, **changes}), VIDEO[request.start :]]


@pytest.mark.parametrize(
    "lie",
    [
        ranged(OTHER, ETag='"two"'),  # another version: an honest host sends all of it
        says("416 Range Not Satisfiable", Content_Range=f"bytes */{len(VIDEO)}"),
        lambda _: [part(OTHER, 4000, ETag='"one"'), OTHER[4000:]],  # from another place
        lambda _: [part(OTHER, 0, ETag='"one"'), OTHER],  # everything, as a 206
        lying(Content_Range="bytes 5000-6000"),
        lying(Content_Range=f"bytes 5000-{len(VIDEO) - 1}/*"),
        lying(Content_Range=f"bytes 5000-{len(VIDEO)}/{len(VIDEO) + 1}"),
        lying(Content_Range="items 1-2/3"),
        lying(Content_Range=""),
        lying(ETag='"two"'),
        lying(Content_Type="multipart/byteranges; boundary=x", Content_Range=""),
    ],
)
def test_a_range_that_does_not_fit_is_started_again(target: Path, lie: Play) -> None:
    ended = fetch(target, [cut(VIDEO, 5000, **TAG), lie, whole(OTHER, ETag='"two"')])
    assert target.read_bytes() == OTHER
    assert ended.requests[1].start == 5000


def test_two_halves_that_make_no_video_are_thrown_away(target: Path) -> None:
    """A host that gives every version the same ETag: the whole file is fetched once more."""
    junk = b"\x07" * len(VIDEO)

    def glued(request: Request) -> list[bytes]:
        return [part(junk, request.start, **TAG), junk[request.start :]]

    ended = fetch(target, [cut(VIDEO, 900, **TAG), glued, whole(VIDEO)])
    assert target.read_bytes() == VIDEO
    assert len(ended.requests) == 3


def test_a_range_that_nobody_asked_for_is_an_error(target: Path) -> None:
    ended = fetch(target, [lambda _: [part(VIDEO, 0), VIDEO]])
    assert ended.error.kind == "http"
    assert len(ended.requests) == 1


def test_a_whole_part_is_only_renamed(target: Path) -> None:
    """A kill, or a file in use, between the last byte and the renaming costs no second fetch."""

    async def scenario() -> int:
        files = FileHost(near=Reach.LOOPBACK)
        async with RawHost([whole(VIDEO)]) as host:
            target.mkdir(parents=True)  # noqa: ASYNC240 - once, in a test
            with pytest.raises(DownloadError) as caught:
                await download(files, host.url(), target)
            assert caught.value.kind == "disk"
            target.rmdir()  # noqa: ASYNC240
            await download(files, host.url(), target)
            return len(host.requests)

    assert asyncio.run(scenario()) == 1
    assert target.read_bytes() == VIDEO
    assert left(target) == ["a.mp4"]


def test_a_body_without_length_is_taken_whole(target: Path) -> None:
    """Chunked, or ended by the connection: then only the structure tells a cut."""
    pieces = (VIDEO[:70], VIDEO[70:3000], VIDEO[3000:], b"")

    def chunks(_: Request) -> list[bytes]:
        lead = head("200 OK", Transfer_Encoding="chunked")
        return [lead, *(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)]

    def until_closed(_: Request) -> list[bytes]:
        return [head("200 OK", Connection="close"), VIDEO]

    for play in (chunks, until_closed):
        fetch(target, [play])
        assert target.read_bytes() == VIDEO
        target.unlink()


def until_closed(data: bytes, **headers: str | int) -> Play:
    """200 without a length: it ends where the connection does."""
    return lambda _: [head("200 OK", Connection="close", **headers), data]


def test_a_cut_body_without_length_is_gone_on_with_like_any_other_cut(target: Path) -> None:
    """From where it ended where the host can do that, else from the start; in the same run."""
    plays = [until_closed(VIDEO[:5000], **TAG), ranged(VIDEO, **TAG)]
    ended = fetch(target, plays)
    assert target.read_bytes() == VIDEO
    assert ended.ranges == [(None, None), ("bytes=5000-", '"one"')]
    target.unlink()
    ended = fetch(target, [until_closed(VIDEO[:5000]), until_closed(VIDEO)])
    assert target.read_bytes() == VIDEO
    assert ended.ranges == [(None, None)] * 2
    assert len(ended.slept) == 1


def test_a_body_without_length_that_is_always_cut_is_given_up_after_the_usual_tries(target: Path) -> None:
    ended = fetch(target, [until_closed(VIDEO[:-5])])
    assert ended.error.kind == "network"
    assert "cut off" in ended.error.message
    assert len(ended.requests) == 3
    assert left(target) == []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        (b"\xef\xbb\xbf \n<HTML>", "web page"),
        (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "XML"),
        (b'{"error": "gone"}', "JSON"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "something else"),
        (b"", "empty"),
        (VIDEO[:-3], "cut off"),
    ],
)
def test_what_is_no_video_is_not_saved_as_one(target: Path, body: bytes, word: str) -> None:
    ended = fetch(target, [says("200 OK", body, Content_Type="video/mp4")])
    assert ended.error.kind == "not_a_video"
    assert word in ended.error.message
    assert left(target) == []


def test_a_page_without_end_is_not_read_to_its_end(target: Path) -> None:
    sent = 0

    def play(_: Request) -> object:
        nonlocal sent
        yield head("200 OK", Content_Length=10**9)
        yield b"<html>"
        for _n in range(1000):
            sent += 1
            yield b"x" * 100_000

    ended = fetch(target, [play])  # type: ignore[list-item]
    assert ended.error.kind == "not_a_video"
    assert sent < 300


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_url_that_ended_is_said_to_be_gone_at_once(target: Path, status: int) -> None:
    """Signed URLs end with 403 (S3, Azure), 400 (Google) or 404; only a fresh URL helps."""
    ended = fetch(target, [says(f"{status} no", b"<Error><Code>ExpiredToken</Code></Error>")])
    assert (ended.error.kind, ended.error.status) == ("gone", status)
    assert len(ended.requests) == 1


def test_a_fresh_url_goes_on_where_the_old_one_ended(target: Path) -> None:
    ended = fetch(
        target,
        [cut(VIDEO, 5000, **TAG), says("403 Forbidden")],
        [ranged(VIDEO, **TAG)],
        url="/v?signature=old",
        then="/v?signature=new",
    )
    assert ended.done[0].kind == "gone"  # type: ignore[union-attr]
    assert target.read_bytes() == VIDEO
    assert ended.requests[-1].start == 5000


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520])
def test_a_host_in_trouble_is_asked_again(target: Path, status: int) -> None:
    ended = fetch(target, [says(f"{status} later"), whole(VIDEO)])
    assert isinstance(ended.done[0], Downloaded)
    assert len(ended.slept) == 1


def test_retry_after_is_waited_for_within_reason(target: Path) -> None:
    ended = fetch(target, [says("503 x", Retry_After=30), says("429 x", Retry_After=9999), whole(VIDEO)])
    assert ended.slept == [30, 120]


def test_trouble_without_end_is_given_up_and_said_so(target: Path) -> None:
    ended = fetch(target, [says("503 later")])
    assert (ended.error.kind, ended.error.status) == ("network", 503)
    assert len(ended.requests) == 3
    assert left(target) == []


@pytest.mark.parametrize("status", [204, 300, 304, 405, 418, 451])
def test_another_status_is_an_error_once(target: Path, status: int) -> None:
    ended = fetch(target, [lambda _: [head(f"{status} x")]])
    assert ended.error.kind == "http"
    assert len(ended.requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "aws-chunked"])
def test_an_encoded_body_is_refused(target: Path, encoding: str) -> None:
    """It was asked for as it is; decoding could make anything of a few bytes."""
    ended = fetch(target, [whole(VIDEO, Content_Encoding=encoding)])
    assert ended.error.kind == "http"
    assert encoding in ended.error.message


def test_a_video_over_the_limit_is_refused_before_it_is_read(target: Path) -> None:
    ended = fetch(target, [lambda _: [head("200 OK", Content_Length=5 * 10**9, **TAG), HANG]])
    assert ended.error.kind == "too_large"
    assert left(target) == []
    assert "5.0 GB" in ended.error.message


def test_a_video_without_length_is_stopped_at_the_limit(target: Path) -> None:
    endless = VIDEO + bytes(2_500_000)
    ended = fetch(target, [lambda _: [head("200 OK", **TAG), endless]], max_bytes=2_000_000)
    assert ended.error.kind == "too_large"
    assert left(target) == []


def test_a_host_that_drips_is_hung_up_on_and_asked_again(target: Path) -> None:
    """Faster than any single read's limit, slower than any use (here every chunk ends a window)."""
    plays = [cut(VIDEO, 5000, how=HANG, **TAG), ranged(VIDEO, **TAG)]
    ended = fetch(target, plays, speed_window=1e-9, min_speed=10**15)
    assert target.read_bytes() == VIDEO
    assert 0 < ended.requests[1].start <= 5000
    ended = fetch(
        target,
        [lambda _: [head("200 OK", Content_Length=len(VIDEO)), VIDEO[:9], HANG]],
        min_speed=10**15,
        speed_window=1e-9,
    )
    assert "slowly" in ended.error.message


def test_the_deadline_ends_a_download_and_keeps_what_is_there(target: Path) -> None:
    ended = fetch(target, [cut(VIDEO, 5000, how=HANG, **TAG)], deadline=1.0)
    assert ended.error.kind == "network"
    assert "a.mp4.part" in left(target)


def test_a_cancelled_download_is_gone_on_with(target: Path) -> None:
    """Ctrl-C in the middle of a long video costs only what was on the wire."""

    async def scenario() -> list[Request]:
        files = FileHost(near=Reach.LOOPBACK)
        async with RawHost([cut(VIDEO, 5000, how=HANG, **TAG), ranged(VIDEO, **TAG)]) as host:
            worker = asyncio.create_task(download(files, host.url(), target))
            while not (target.parent / "a.mp4.part.json").exists():  # noqa: ASYNC110 - a thread writes it
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            worker.cancel()
            with pytest.raises(asyncio.CancelledError):
                await worker
            await download(files, host.url(), target)
            return host.requests

    requests = asyncio.run(scenario())
    assert target.read_bytes() == VIDEO
    assert 0 < requests[1].start <= 5000


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x.test/v.mp4"])
def test_a_redirect_elsewhere_is_refused_once(target: Path, location: str) -> None:
    ended = fetch(target, [says("302 Found", Location=location)])
    assert ended.error.kind == "refused"
    assert len(ended.requests) == 1


def test_a_private_host_is_refused(target: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(DownloadError) as caught:
            await download(FileHost(), "http://127.0.0.1:1/v.mp4", target)
        assert caught.value.kind == "refused"

    asyncio.run(scenario())
    assert left(target) == []


def test_no_message_holds_the_url(target: Path) -> None:
    """A signed URL is a secret; the host's name is enough."""
    plays = [says("403 x"), says("503 x"), says("302 x", Location="file:///secret"), cut(VIDEO, 1)]
    for play in plays:
        ended = fetch(target, [play], url="/v.mp4?signature=secret")
        assert "secret" not in ended.error.message


def test_a_file_that_is_whole_is_known_to_be(target: Path) -> None:
    fetch(target, [whole(VIDEO)])
    digest = hashlib.sha256(VIDEO).hexdigest()
    assert is_whole(target, len(VIDEO))
    assert is_whole(target, len(VIDEO), digest)
    assert not is_whole(target, len(VIDEO) - 1)
    assert not is_whole(target, len(VIDEO), hashlib.sha256(OTHER).hexdigest())
    assert not is_whole(target.parent, len(VIDEO))
    target.unlink()
    assert not is_whole(target, len(VIDEO))


def test_downloads_side_by_side_do_not_disturb_each_other(target: Path) -> None:
    def play(request: Request) -> list[bytes | str]:
        data = VIDEO if int(request.path[2:]) % 2 else OTHER
        if "range" not in request.headers:
            return [head("200 OK", Content_Length=len(data), **TAG), data[:3000], RESET]
        return [part(data, request.start, **TAG), data[request.start :]]

    async def scenario() -> None:
        files, limits = FileHost(near=Reach.LOOPBACK), Limits(sleep=nothing)
        async with RawHost([play]) as host:
            paths = [target.with_name(f"{n}.mp4") for n in range(24)]
            await asyncio.gather(
                *(download(files, host.url(f"/v{n}"), path, limits) for n, path in enumerate(paths))
            )
        for n, path in enumerate(paths):
            assert path.read_bytes() == (VIDEO if n % 2 else OTHER)

    asyncio.run(scenario())


async def nothing(_: float) -> None:
    """Instead of a pause."""
