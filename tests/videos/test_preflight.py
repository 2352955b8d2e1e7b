"""Inputs are looked at before they are paid for: what is certain is a problem, what may differ a warning."""

import asyncio
import struct
from collections.abc import Callable

import pytest
from boxes import moov_first
from hypothesis import given
from hypothesis import strategies as st
from raw_host import HANG, RESET, Play, RawHost, head

from batchgen.videos import host
from batchgen.videos.first_bytes import FILM, PICTURE, kind_of, picture_size
from batchgen.videos.preflight import Input, Preflight, Seen, judge, look, sample, shown

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 1280, 720) + b"\x08\x02\0\0\0" + b"x" * 60
DOT = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 1, 1) + b"\x08\x02\0\0\0" + b"x" * 60
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(9) + b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 1080, 1920) + b"\3"
WEBP = b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (799).to_bytes(3, "little") + (599).to_bytes(3, "little")
FILMS = [
    moov_first()[:4096],
    b"\x1aE\xdf\xa3" + bytes(60),
    b"RIFF\0\0\0\0AVI LIST",
    b"\0\0\0\x14ftypqt  " + bytes(20),
]
PICTURES = [
    PNG,
    JPEG,
    WEBP,
    b"GIF89a" + struct.pack("<HH", 320, 240),
    b"II*\0" + bytes(20),
    b"\0\0\0 ftypavif" + bytes(20),
]
PAGES = [
    b"<!DOCTYPE html><title>x</title>", b"\xef\xbb\xbf\n <HTML><body>",
    b"<?xml version='1.0'?><!DOCTYPE html><html>",
    b"<!-- hello --><html>",
]  # fmt: skip


def at(url: str, key: str = "image_input", row: int = 1) -> Input:
    return Input(url, key, "plan.csv", row, row + 1, key, f"E{row + 1}")


def asked(play: Play, *, key: str = "image_input", path: str = "/hero.png", **limits: float) -> Preflight:
    async def main() -> Preflight:
        async with RawHost([play]) as server:
            return await look([at(server.url(path), key)], **limits)

    return asyncio.run(main())


def gives(body: bytes, status: str = "200 OK", **headers: str) -> Play:
    return lambda _: [head(status, **{"Content_Length": str(len(body))} | headers), body]


def codes(found: Preflight) -> tuple[list[str], list[str]]:
    return [one.code for one in found.problems], [one.code for one in found.warnings]


@pytest.mark.parametrize("body", PICTURES)
def test_a_picture_is_known_by_its_bytes_whatever_it_is_called(body: bytes) -> None:
    for name, kind in (("/hero.mp4", "video/mp4"), ("/x", "application/octet-stream"), ("/x.png", "image/png")):
        assert codes(asked(gives(body, Content_Type=kind), path=name)) == ([], [])
    assert codes(asked(gives(body), key="video_input")) == (["input_wrong_kind"], [])


@pytest.mark.parametrize("body", FILMS)
def test_a_film_is_known_by_its_bytes_whatever_it_is_called(body: bytes) -> None:
    assert codes(asked(gives(body, Content_Type="image/png"), key="video_input", path="/x.png")) == ([], [])
    assert codes(asked(gives(body, Content_Type="image/png"))) == (["input_wrong_kind"], [])


@pytest.mark.parametrize("body", PAGES)
@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "image/png"])
def test_a_web_page_is_a_problem_also_when_it_is_called_a_picture(body: bytes, kind: str) -> None:
    assert codes(asked(gives(body, Content_Type=kind))) == (["input_is_page"], [])


def test_a_login_page_is_called_so() -> None:
    page = b"<!doctype html><form><input type='password'></form>"
    assert "a login page" in asked(gives(page)).problems[0].message


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_an_address_with_nothing_behind_it_is_a_problem_with_its_cell(status: str) -> None:
    [problem] = asked(gives(b"<html>no</html>", status)).problems
    assert (problem.code, problem.manifest, problem.row, problem.line, problem.cell) == (
        "input_gone", "plan.csv", 1, 2, "E2",
    )  # fmt: skip


@pytest.mark.parametrize(
    "play",
    [gives(b""), gives(b"", "416 Range Not Satisfiable"), gives(b"", "204 No Content"), gives(b"", "206 Partial")],
)
def test_an_empty_file_is_a_problem(play: Play) -> None:
    assert codes(asked(play)) == (["input_empty"], [])


@pytest.mark.parametrize("status", [300, 400, 401, 403, 405, 407, 408, 418, 429, 451, 500, 502, 503, 504])
def test_what_the_service_may_be_answered_otherwise_is_a_warning(status: int) -> None:
    assert codes(asked(gives(b"<html>no</html>", f"{status} x"))) == ([], ["input_refused"])


@pytest.mark.parametrize("play", [lambda _: [RESET], lambda _: [b"garbage\r\n\r\n"], lambda _: [HANG]])
def test_a_host_that_fails_or_hangs_is_a_warning(play: Play) -> None:
    assert codes(asked(play, each=0.3)) == ([], ["input_unreachable"])


def test_a_page_at_the_end_of_a_redirect_is_a_page_and_nobody_is_sent_inside() -> None:
    def play(request: object) -> list[bytes | str]:
        path = request.path  # type: ignore[attr-defined]
        if path == "/to-page.png":
            return [head("302 Found", Location="/login", Content_Length="0")]
        if path == "/to-metadata.png":
            return [head("302 Found", Location="http://169.254.169.254/latest/meta-data", Content_Length="0")]
        if path == "/round.png":
            return [head("302 Found", Location="/round.png", Content_Length="0")]
        return list(gives(PAGES[0])(request))  # type: ignore[arg-type]

    assert codes(asked(play, path="/to-page.png")) == (["input_is_page"], [])  # type: ignore[arg-type]
    assert codes(asked(play, path="/to-metadata.png")) == ([], ["input_not_asked"])  # type: ignore[arg-type]
    assert codes(asked(play, path="/round.png")) == ([], ["input_not_asked"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.7/x.png", "http://169.254.169.254/x.png", "http://192.168.1.1/x"],
)
def test_addresses_inside_are_not_asked_and_that_is_a_warning(url: str) -> None:
    assert codes(asyncio.run(look([at(url)], each=2.0))) == ([], ["input_not_asked"])


def test_this_machine_is_asked_only_where_the_manifest_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of somebody else's that resolves to this machine is not asked."""

    async def main() -> Preflight:
        async with RawHost([gives(PNG)]) as server:
            return await look([at(f"http://localhost.example:{server.port}/x.png")], each=2.0)

    async def resolves(*_: object, **__: object) -> list[object]:
        import socket

        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", resolves)
    assert codes(asyncio.run(main())) == ([], ["input_not_asked"])


def test_each_address_is_asked_once_and_said_for_each_of_its_rows() -> None:
    async def main() -> tuple[Preflight, RawHost]:
        async with RawHost([gives(b"", "404 Not Found")]) as server:
            url = server.url("/gone.png")
            return await look([at(url, row=row) for row in (3, 1, 2)]), server

    found, server = asyncio.run(main())
    assert [problem.row for problem in found.problems] == [1, 2, 3]
    assert len(server.requests) == 1
    assert server.requests[0].line.startswith("GET "), "a HEAD is refused by some hosts that give the file"
    assert not {"authorization", "cookie"} & server.requests[0].headers.keys()


def test_a_large_file_is_not_read_whole() -> None:
    sent = []

    def play(_: object) -> list[bytes | str]:
        def pieces() -> object:
            yield head("200 OK", Content_Length=str(10**9))
            for _ in range(100_000):
                sent.append(1)
                yield PNG + bytes(65_000)

        return pieces()  # type: ignore[return-value]

    assert codes(asked(play)) == ([], [])  # type: ignore[arg-type]
    assert len(sent) < 200


def test_a_counting_pixel_is_a_warning() -> None:
    assert codes(asked(gives(DOT))) == ([], ["input_tiny"])


def test_of_many_addresses_a_sample_is_asked_and_that_is_said() -> None:
    assert sample([str(n) for n in range(10)], 20) == [str(n) for n in range(10)]
    chosen = sample([str(n) for n in range(10_000)], 1_000)
    assert len(set(chosen)) == 1_000
    assert (chosen[0], chosen[-1]) == ("0", "9990")
    found = asyncio.run(look([at(f"http://10.0.{n // 250}.{n % 250}/x", row=n) for n in range(1, 1_200)]))
    assert found.asked == 1_000
    assert found.warnings[-1].code == "inputs_sampled"
    assert "Of 1,199 addresses 1,000 were looked at" in found.warnings[-1].message


def test_when_the_time_is_up_the_rest_is_left_out_and_that_is_said() -> None:
    async def main() -> Preflight:
        async with RawHost([lambda _: [HANG]]) as server:
            return await look([at(server.url(f"/{n}.png"), row=n) for n in range(40)], seconds=0.5, each=0.4)

    found = asyncio.run(main())
    assert found.warnings[-1].code == "inputs_sampled"
    assert found.asked < 40


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (PNG, (1280, 720)),
        (JPEG, (1920, 1080)),
        (WEBP, (800, 600)),
        (PICTURES[3], (320, 240)),
        (b"II*\0", None),
        (b"", None),
    ],
)
def test_a_pictures_size_is_read_from_its_first_bytes(body: bytes, size: tuple[int, int] | None) -> None:
    assert picture_size(body) == size


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8", b"\x89PNG\r\n\x1a\n", b"GIF8"]),
)
def test_any_bytes_have_a_kind_and_no_size_is_negative(tail: bytes, start: bytes) -> None:
    assert kind_of(start + tail) in ("picture", "film", "page", "nothing", "other")
    size = picture_size(start + tail)
    assert size is None or min(size) >= 0


@given(st.integers(100, 599), st.binary(max_size=64), st.sampled_from([PICTURE, FILM]))
def test_only_404_410_416_and_2xx_can_be_problems(status: int, body: bytes, belongs: str) -> None:
    finding = judge(Seen("h", status, "", body), belongs)
    if finding is not None and finding.is_problem:
        assert status in (404, 410, 416) or 200 <= status < 300


def test_a_signature_in_an_address_is_not_shown() -> None:
    assert shown("https://x.example/a.png?sig=secret#part") == "https://x.example/a.png"
    assert len(shown("https://x.example/" + "a" * 500)) <= 90


def test_no_exception_of_a_host_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Callable[[], None]:
        raise host.FileTrouble("x: broken")

    monkeypatch.setattr(host.FileHost, "stream", broken)
    assert codes(asyncio.run(look([at("https://x.example/a.png")]))) == ([], ["input_unreachable"])
