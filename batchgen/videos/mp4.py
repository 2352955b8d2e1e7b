"""Is this really a whole MP4, and how long and large is its picture? A walker of ISO-BMFF boxes. Pure.

A box is a length (32 bits; 1 = a 64-bit length follows; 0 = up to the end), four letters and its content;
content may be boxes again (ISO/IEC 14496-12). What makes a file whole:

    ftyp? … moov (a video track in it) … mdat     in any order, fragments (moof, mdat) too
    - every top-level box ends inside the file, and the last one at its end;
    - every chunk of samples that moov's tables name ends inside the file, which shows a cut even where
      mdat says "up to the end";
    - every part that a segment index (sidx) names ends inside the file.

QuickTime (MOV) is the same format and counts as well. Nothing is decoded.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

#: Tables are read one at a time; 8 MB are two million pictures, nine hours.
_MAX_TABLE = 8 * 1024 * 1024
#: A file has a handful of top-level boxes, a fragmented one two for each second or so.
_MAX_BOXES = 100_000
_FIRST = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"sidx"})


@dataclass(frozen=True, slots=True)
class Video:
    """What the file's own tables say; None (or "") is unsaid. `width` and `height` are as shown.

    `fps` is the mean, `codec` the usual name of the picture's (h264, hevc, av1, vp9, else the format's own word).
    """

    container: str
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    codec: str = ""
    has_audio: bool | None = None


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why this is no whole video, as the end of a sentence that starts with "the file"."""

    message: str


class _BadBoxError(Exception):
    """The walk can't go on; the message becomes the Flaw."""


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int  # of the content
    end: int


class _Source:
    """The bytes of a file by offset. A read that the file can't satisfy is a _BadBoxError, never short."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or offset + length > self.size:
            raise _BadBoxError("is cut off inside its tables")
        if length > _MAX_TABLE:
            raise _BadBoxError("has a table that is larger than any video's")
        self._file.seek(offset)
        return self._file.read(length)

    def numbers(self, layout: str, offset: int) -> tuple[int, ...]:
        return struct.unpack(layout, self.read(offset, struct.calcsize(layout)))

    def boxes(self, start: int, end: int) -> Iterator[_Box]:
        """The boxes between two offsets, each checked to end there at the latest."""
        for _ in range(_MAX_BOXES):
            if start >= end:
                return
            if end - start < 8:
                raise _BadBoxError(f"ends with {end - start} bytes that are no box")
            length, kind = struct.unpack(">I4s", self.read(start, 8))
            head = 8
            if length == 1:
                (length,) = self.numbers(">Q", start + 8)
                head = 16
            elif length == 0:
                length = end - start
            name = kind.decode("ascii", "replace")
            if length < head:
                raise _BadBoxError(f"has a box {name!r} of an impossible length")
            if start + length > end:
                missing = start + length - end
                raise _BadBoxError(f"is cut off: its box {name!r} lacks the last {missing} bytes")
            yield _Box(kind, start + head, start + length)
            start += length
        raise _BadBoxError("has more boxes than any video")

    def child(self, box: _Box, *path: bytes) -> _Box | None:
        """The first box at a path of four-letter names below `box`."""
        for name in path:
            found = next((inner for inner in self.boxes(box.start, box.end) if inner.kind == name), None)
            if found is None:
                return None
            box = found
        return box


def may_be_mp4(head: bytes) -> bool:
    """Whether the first bytes of a file (8 or more) can be those of an MP4 or MOV."""
    return len(head) >= 8 and head[4:8] in _FIRST


def read_mp4(file: BinaryIO) -> Video | Flaw:
    """Judge a whole file, opened for reading and seekable. Never raises for its content."""
    source = _Source(file)
    try:
        if source.size < 8:
            return Flaw("is empty" if not source.size else f"has only {source.size} bytes")
        if not may_be_mp4(source.read(0, 8)):
            return Flaw("does not start like a video")
        return _read(source)
    except (_BadBoxError, struct.error) as error:
        return Flaw(str(error) or "has tables that make no sense")


def _read(source: _Source) -> Video:
    boxes = list(source.boxes(0, source.size))
    moov = next((box for box in boxes if box.kind == b"moov"), None)
    if moov is None:
        raise _BadBoxError("has no 'moov' box: its tables are missing, no player can show it")
    if not any(box.kind == b"mdat" and box.end > box.start for box in boxes):
        raise _BadBoxError("has no 'mdat' box: there is no picture in it")
    brand = source.read(boxes[0].start, 4) if boxes[0].kind == b"ftyp" else b"qt  "
    width: int | None = None
    height: int | None = None
    videos, codec, fps, sound = 0, "", None, False
    for trak in source.boxes(moov.start, moov.end):
        if trak.kind != b"trak":
            continue
        _check_samples(source, trak)
        kind = _handler(source, trak)
        sound |= kind == b"soun"
        if kind == b"vide":
            videos += 1
            if videos == 1:
                width, height = _dimensions(source, trak)
                codec, fps = _codec(source, trak), _fps(source, moov, trak)
    if not videos:
        raise _BadBoxError("has no video track")
    parts = [_index_seconds(source, box) for box in boxes if box.kind == b"sidx"]
    seconds = _movie_seconds(source, moov) or (sum(parts) or None)
    return Video("mov" if brand == b"qt  " else "mp4", seconds, width, height, fps, codec, sound)


def _movie_seconds(source: _Source, moov: _Box) -> float | None:
    """mvhd's duration, or mehd's for a fragmented file; 0 and all ones mean that it is not known."""
    mvhd = source.child(moov, b"mvhd")
    if mvhd is None:
        raise _BadBoxError("has no 'mvhd' box in its tables")
    long = source.read(mvhd.start, 1)[0] == 1
    scale, duration = source.numbers(">IQ" if long else ">II", mvhd.start + (20 if long else 12))
    mehd = source.child(moov, b"mvex", b"mehd")
    if mehd is not None:
        long = source.read(mehd.start, 1)[0] == 1
        (fragments,) = source.numbers(">Q" if long else ">I", mehd.start + 4)
        duration = duration or fragments
    unknown = duration in (0, 2**32 - 1, 2**64 - 1)
    return None if unknown or not scale else duration / scale


def _handler(source: _Source, trak: _Box) -> bytes:
    hdlr = source.child(trak, b"mdia", b"hdlr")
    return source.read(hdlr.start + 8, 4) if hdlr else b""


def _dimensions(source: _Source, trak: _Box) -> tuple[int | None, int | None]:
    """tkhd's width and height, swapped where its matrix turns the picture by a quarter."""
    tkhd = source.child(trak, b"tkhd")
    if tkhd is None:
        return None, None
    matrix = tkhd.start + (52 if source.read(tkhd.start, 1)[0] == 1 else 40)
    a, b = source.numbers(">ii", matrix)
    width, height = (number >> 16 for number in source.numbers(">II", matrix + 36))
    if not width or not height:
        return None, None
    return (height, width) if a == 0 and b != 0 else (width, height)


#: The name of a sample's format -> what people call it.
_CODECS = {
    b"avc1": "h264", b"avc3": "h264", b"hvc1": "hevc", b"hev1": "hevc", b"av01": "av1", b"vp09": "vp9",
    b"vp08": "vp8", b"mp4v": "mpeg4",
}  # fmt: skip


def _codec(source: _Source, trak: _Box) -> str:
    """stsd's first entry: a count, then boxes named by their format."""
    stsd = source.child(trak, b"mdia", b"minf", b"stbl", b"stsd")
    if stsd is None or stsd.end - stsd.start < 16:
        return ""
    kind = source.read(stsd.start + 12, 4)
    word = kind.decode("ascii", "replace").strip()
    return _CODECS.get(kind, word if word.isprintable() else "")


def _fps(source: _Source, moov: _Box, trak: _Box) -> float | None:
    """Pictures a second: stts's runs of (count, length), or of a fragmented file the length that trex gives."""
    mdhd = source.child(trak, b"mdia", b"mdhd")
    if mdhd is None:
        return None
    long = source.read(mdhd.start, 1)[0] == 1
    (scale,) = source.numbers(">I", mdhd.start + (20 if long else 12))
    stts = source.child(trak, b"mdia", b"minf", b"stbl", b"stts")
    count = length = 0
    if stts is not None:
        (runs,) = source.numbers(">I", stts.start + 4)
        for each, ticks in struct.iter_unpack(">II", source.read(stts.start + 8, 8 * runs)):
            count, length = count + each, length + each * ticks
    trex = source.child(moov, b"mvex", b"trex")
    if not count and trex is not None:
        count, (length,) = 1, source.numbers(">I", trex.start + 12)
    return round(count * scale / length, 3) if count and length and scale else None


def _check_samples(source: _Source, trak: _Box) -> None:
    """Refuse a track whose last chunk of samples ends behind the end of the file.

    stco/co64: where each chunk starts; stsc: runs of (first chunk, samples in each, …); stsz: sizes.
    """
    table = source.child(trak, b"mdia", b"minf", b"stbl")
    if table is None:
        return
    start, last = _last_chunk(source, table)
    if last is None:
        return
    end = start + _chunk_length(source, table, last)
    if end > source.size:
        raise _BadBoxError(f"is cut off: {end - source.size} bytes of its picture or sound are missing")


def _last_chunk(source: _Source, table: _Box) -> tuple[int, int | None]:
    """Offset and number (from 0) of the chunk that lies farthest back; fragmented files name none here."""
    for name, layout, width in ((b"stco", ">I", 4), (b"co64", ">Q", 8)):
        box = source.child(table, name)
        if box is not None:
            (count,) = source.numbers(">I", box.start + 4)
            offsets = struct.iter_unpack(layout, source.read(box.start + 8, width * count))
            return max(((start, number) for number, (start,) in enumerate(offsets)), default=(0, None))
    return 0, None


def _chunk_length(source: _Source, table: _Box, chunk: int) -> int:
    """The bytes of one chunk (from 0), as far as the tables say; 1 where they do not."""
    stsc, stsz = source.child(table, b"stsc"), source.child(table, b"stsz")
    if stsc is None or stsz is None:
        return 1
    (count,) = source.numbers(">I", stsc.start + 4)
    runs = list(struct.iter_unpack(">III", source.read(stsc.start + 8, 12 * count)))
    before = samples = 0
    for place, (first, each, _) in enumerate(runs):
        after = runs[place + 1][0] - 1 if place + 1 < count else chunk + 1
        samples = each
        if chunk < after:
            before += (chunk - (first - 1)) * each
            break
        before += (after - (first - 1)) * each
    same, total = source.numbers(">II", stsz.start + 4)
    samples = max(0, min(samples, total - before))
    if same:
        return same * samples
    return sum(source.numbers(f">{samples}I", stsz.start + 12 + 4 * before))


def _index_seconds(source: _Source, sidx: _Box) -> float:
    """The seconds that a segment index names; refuses a file that ends before its parts do."""
    version = source.read(sidx.start, 1)[0]
    (scale,) = source.numbers(">I", sidx.start + 8)
    layout = ">QQHH" if version else ">IIHH"
    _, first, _, count = source.numbers(layout, sidx.start + 12)
    at = sidx.start + 12 + struct.calcsize(layout)
    parts = list(struct.iter_unpack(">III", source.read(at, 12 * count)))
    end = sidx.end + first + sum(size & 0x7FFFFFFF for size, _, _ in parts)
    if end > source.size:
        raise _BadBoxError(f"is cut off: its index names {end - source.size} bytes more")
    return sum(duration for _, duration, _ in parts) / scale if scale else 0.0
