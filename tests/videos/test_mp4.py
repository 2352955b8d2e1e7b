"""What counts as a whole video file, and what is read from its tables."""

import io
import struct
from pathlib import Path

import pytest
from boxes import ARRANGEMENTS, FTYP, SAMPLE, box, fragmented, moov, moov_first
from hypothesis import given
from hypothesis import strategies as st

import batchgen.sandbox
from batchgen.videos.mp4 import Flaw, Video, may_be_mp4, read_mp4

CLIPS = sorted((Path(batchgen.sandbox.__path__[0]) / "assets").glob("*.mp4"))


def judge(data: bytes) -> Video | Flaw:
    return read_mp4(io.BytesIO(data))


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_every_arrangement_of_a_whole_file_is_a_video(name: str) -> None:
    found = judge(ARRANGEMENTS[name])
    assert isinstance(found, Video), found
    assert (found.width, found.height) == (640, 360)
    assert found.seconds == (4.0 if name == "fragmented" else 2.5)
    assert found.container == ("mov" if name == "QuickTime" else "mp4")


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_a_file_cut_anywhere_is_never_whole(name: str) -> None:
    data = ARRANGEMENTS[name]
    whole = [end for end in range(len(data)) if isinstance(judge(data[:end]), Video)]
    assert whole == []


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_real_clips_are_videos_of_their_size_and_length(clip: Path) -> None:
    found = judge(clip.read_bytes())
    size = {"portrait": (180, 320), "square": (240, 240)}.get(clip.stem, (320, 180))
    assert found == Video("mp4", 2.0, *size)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_a_real_clip_cut_anywhere_is_never_whole(clip: Path) -> None:
    data = clip.read_bytes()
    ends = [*range(2000), *range(2000, len(data), 97), len(data) - 1]
    assert [end for end in ends if isinstance(judge(data[:end]), Video)] == []


def test_there_are_real_clips() -> None:
    """The tests over the sandbox's clips are not empty."""
    assert len(CLIPS) >= 3


@given(st.binary(max_size=400))
def test_random_bytes_are_a_flaw_and_never_an_exception(data: bytes) -> None:
    assert isinstance(judge(data), Flaw)


@given(
    st.sampled_from(sorted(ARRANGEMENTS)),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_tables_never_raise(name: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(ARRANGEMENTS[name])
    for place, value in damage:
        data[place % len(data)] = value
    assert isinstance(judge(bytes(data)), Video | Flaw)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "start"),
        (b'{"error": "not found"}', "start"),
        (FTYP + box(b"mdat", SAMPLE), "moov"),
        (FTYP + moov(), "mdat"),
        (FTYP + moov(handler=b"soun") + box(b"mdat", SAMPLE), "video track"),
        (moov_first() + b"\0" * 5, "no box"),
        (FTYP + struct.pack(">I4s", 3, b"moov"), "impossible"),
        (FTYP + box(b"free") * 100_001, "more boxes"),
    ],
)
def test_a_flaw_says_what_is_wrong(data: bytes, word: str) -> None:
    found = judge(data)
    assert isinstance(found, Flaw)
    assert word in found.message


def test_a_picture_turned_by_a_quarter_has_its_sides_swapped() -> None:
    """Phones film upright by a matrix in tkhd."""
    found = judge(moov_first(turned=90))
    assert isinstance(found, Video)
    assert (found.width, found.height) == (360, 640)


def test_a_length_that_the_file_does_not_know_is_none() -> None:
    found = judge(moov_first(seconds=0))
    assert isinstance(found, Video)
    assert found.seconds is None


def test_a_table_that_claims_millions_of_entries_is_not_read() -> None:
    """A file of a few hundred bytes must not cost gigabytes of memory."""
    lie = struct.pack(">II", 0, 0xFFFFFFFF)
    data = moov_first().replace(struct.pack(">II", 0, 1) + struct.pack(">III", 1, 1, 1), lie + bytes(12))
    assert isinstance(judge(data), Flaw)


class Vast(io.RawIOBase):
    """A file of nearly 2 GB, nothing but zeros behind its first bytes; keeps the longest read."""

    def __init__(self, start: bytes, size: int) -> None:
        self.start, self.size, self.at, self.longest = start, size, 0, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = self.size if whence == 2 else offset
        return self.at

    def read(self, length: int = -1) -> bytes:
        self.longest = max(self.longest, length)
        assert length < 100_000_000
        return self.start[self.at : self.at + length].ljust(length, b"\0")


def test_a_table_that_really_has_millions_of_entries_is_not_read() -> None:
    """Such a file can be made to order; looking at it must stay cheap."""
    size = 1_900_000_000
    start = FTYP + box(b"mdat", SAMPLE) + struct.pack(">I4s", 0, b"moov") + box(b"mvhd", bytes(100))
    for name in (b"trak", b"mdia", b"minf", b"stbl"):
        start += struct.pack(">I4s", 0, name)
    start += struct.pack(">I4sII", 0, b"stco", 0, 400_000_000)
    file = Vast(start, size)
    assert isinstance(read_mp4(file), Flaw)  # type: ignore[arg-type]
    assert file.longest < 10_000_000


def test_a_fragmented_file_without_index_has_its_length_from_mehd() -> None:
    found = judge(fragmented(index=False))
    assert isinstance(found, Video)
    assert found.seconds == 4.0


def test_the_first_bytes_tell_a_video_from_a_page() -> None:
    assert all(may_be_mp4(data[:16]) for data in ARRANGEMENTS.values())
    assert not may_be_mp4(b"<html><body>")
    assert not may_be_mp4(b"ftyp")
