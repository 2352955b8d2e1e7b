"""Is this really a WebM or Matroska video? A look at its EBML elements. Pure.

The service's videos are MP4; a model that answers with WebM is taken as well. An element is an id, a length
(both of variable width, RFC 8794) and its content; a Segment of unknown length is allowed, so a cut can only
be seen where the length is stated.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from batchgen.videos.mp4 import Flaw, Video

_MAGIC = b"\x1a\x45\xdf\xa3"
_DOC_TYPE, _SEGMENT, _INFO, _TRACKS, _CLUSTER = 0x4282, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
_SCALE, _DURATION, _TRACK, _VIDEO, _WIDTH, _HEIGHT = 0x2AD7B1, 0x4489, 0xAE, 0xE0, 0xB0, 0xBA
_TYPE, _CODEC, _LENGTH = 0x83, 0x86, 0x23E383
#: The name of a codec -> what people call it.
_CODECS = {"V_VP8": "vp8", "V_VP9": "vp9", "V_AV1": "av1", "V_MPEG4/ISO/AVC": "h264", "V_MPEGH/ISO/HEVC": "hevc"}
_AUDIO = 2
_MAX_ELEMENTS = 100_000


class _BadElementError(Exception):
    """The walk can't go on; the message becomes the Flaw."""


def may_be_webm(head: bytes) -> bool:
    """Whether the first bytes of a file can be those of a WebM or Matroska file."""
    return head.startswith(_MAGIC)


def read_webm(file: BinaryIO) -> Video | Flaw:
    """Judge a whole file, opened for reading and seekable. Never raises for its content."""
    try:
        return _read(file, file.seek(0, 2))
    except _BadElementError as error:
        return Flaw(str(error))


def _read(file: BinaryIO, size: int) -> Video:
    top = list(_elements(file, 0, size))
    header = dict(_content(file, top[0])) if top and top[0][0] == 0x1A45DFA3 else {}
    kind = header.get(_DOC_TYPE, b"").rstrip(b"\0").decode("ascii", "replace")
    segment = next((element for element in top if element[0] == _SEGMENT), None)
    if kind not in {"webm", "matroska"} or segment is None:
        raise _BadElementError("does not start like a video")
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    clusters, codec, fps, sound = 0, "", None, False
    for element in _elements(file, segment[1], segment[2]):
        if element[0] == _INFO:
            info = dict(_content(file, element))
            seconds = _float(info.get(_DURATION, b"")) * _int(info.get(_SCALE, b"\x0f\x42\x40")) / 1e9 or None
        elif element[0] == _TRACKS:
            for track in (e for e in _elements(file, *element[1:]) if e[0] == _TRACK):
                said = dict(_content(file, track))
                sound |= _int(said.get(_TYPE, b"")) == _AUDIO
                for video in (e for e in _elements(file, *track[1:]) if e[0] == _VIDEO):
                    numbers = dict(_content(file, video))
                    width, height = _int(numbers.get(_WIDTH, b"")), _int(numbers.get(_HEIGHT, b""))
                    word = said.get(_CODEC, b"").rstrip(b"\0").decode("ascii", "replace")
                    codec = _CODECS.get(word, word)
                    length = _int(said.get(_LENGTH, b""))
                    fps = round(1e9 / length, 3) if length else None
        elif element[0] == _CLUSTER:
            clusters += 1
    if not clusters or not width or not height:
        raise _BadElementError("has no picture in it")
    return Video(kind, seconds, width, height, fps, codec, sound)


Element = tuple[int, int, int]
"""Id, start and end of the content."""


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[Element]:
    for _ in range(_MAX_ELEMENTS):
        if start >= end:
            return
        file.seek(start)
        head = file.read(min(12, end - start))
        name, used, _ = _number(head, keep_marker=True)
        length, more, unknown = _number(head[used:], keep_marker=False)
        start += used + more
        stop = end if unknown else start + length
        if stop > end:
            raise _BadElementError(f"is cut off: {stop - end} bytes are missing")
        yield name, start, stop
        start = stop
    raise _BadElementError("has more elements than any video")


def _content(file: BinaryIO, element: Element) -> Iterator[tuple[int, bytes]]:
    """The small elements inside one, with their bytes."""
    for name, start, end in _elements(file, *element[1:]):
        file.seek(start)
        yield name, file.read(min(end - start, 64))


def _number(head: bytes, *, keep_marker: bool) -> tuple[int, int, bool]:
    """A number of variable width: its value, its width and whether it means "unknown" (all ones)."""
    if not head or not head[0]:
        raise _BadElementError("has an element of an impossible length")
    width = 9 - head[0].bit_length()
    if len(head) < width or (keep_marker and width > 4):
        raise _BadElementError("is cut off inside its tables")
    value = int.from_bytes(head[:width], "big")
    bare = value & ((1 << 7 * width) - 1)
    return (value if keep_marker else bare), width, bare == (1 << 7 * width) - 1


def _int(data: bytes) -> int:
    return int.from_bytes(data[:8], "big")


def _float(data: bytes) -> float:
    """A float of 4 or 8 bytes; anything else, infinite and not-a-number are 0."""
    if len(data) not in {4, 8}:
        return 0.0
    (value,) = struct.unpack(">f" if len(data) == 4 else ">d", data)
    return float(value) if 0 <= value < 1e15 else 0.0
