"""WebM and Matroska files, which some models make, are told from other bytes."""

import io
import struct

from hypothesis import given
from hypothesis import strategies as st

from batchgen.videos.mp4 import Flaw, Video
from batchgen.videos.webm import may_be_webm, read_webm


def element(name: str, content: bytes, *, unknown: bool = False) -> bytes:
    length = b"\x01" + b"\xff" * 7 if unknown else struct.pack(">Q", len(content) | 1 << 56)
    return bytes.fromhex(name) + length + content


def webm(kind: bytes = b"webm", *, unknown: bool = False) -> bytes:
    header = element("1A45DFA3", element("4282", kind))
    info = element("1549A966", element("2AD7B1", b"\x0f\x42\x40") + element("4489", struct.pack(">d", 5000.0)))
    picture = element("E0", element("B0", b"\x05\x00") + element("BA", b"\x02\xd0"))
    tracks = element("1654AE6B", element("AE", element("D7", b"\x01") + picture))
    cluster = element("1F43B675", element("E7", b"\x00") + element("A3", bytes(500)))
    return header + element("18538067", info + tracks + cluster, unknown=unknown)


def judge(data: bytes) -> Video | Flaw:
    return read_webm(io.BytesIO(data))


def test_length_and_size_are_read_from_a_webm() -> None:
    assert judge(webm()) == Video("webm", 5.0, 1280, 720)
    assert judge(webm(b"matroska")) == Video("matroska", 5.0, 1280, 720)


def test_a_segment_of_unknown_length_is_a_video_too() -> None:
    """Encoders that stream write it so."""
    assert judge(webm(unknown=True)) == Video("webm", 5.0, 1280, 720)


def test_a_webm_cut_anywhere_is_never_whole() -> None:
    data = webm()
    assert [end for end in range(len(data)) if isinstance(judge(data[:end]), Video)] == []


def test_another_ebml_document_is_no_video() -> None:
    assert isinstance(judge(webm(b"notes")), Flaw)


@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_are_a_flaw_and_never_an_exception(data: bytes, magic: bool) -> None:
    assert isinstance(judge((webm()[:20] if magic else b"") + data), Flaw)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_elements_never_raise(damage: list[tuple[int, int]]) -> None:
    data = bytearray(webm())
    for place, value in damage:
        data[place % len(data)] = value
    assert isinstance(judge(bytes(data)), Video | Flaw)


def test_the_first_bytes_tell_a_webm() -> None:
    assert may_be_webm(webm()[:16])
    assert not may_be_webm(b"RIFF....WEBP")
