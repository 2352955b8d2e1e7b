"""Small MP4s built by hand, box by box, in every arrangement that a file host may send."""

import struct

SAMPLE = bytes(range(256)) * 4


def box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def wide_box(kind: bytes, *content: bytes) -> bytes:
    """The same with a 64-bit length."""
    data = b"".join(content)
    return struct.pack(">I4sQ", 1, kind, 16 + len(data)) + data


def open_box(kind: bytes, *content: bytes) -> bytes:
    """The same with the length 0: up to the end of the file."""
    return struct.pack(">I4s", 0, kind) + b"".join(content)


FTYP = box(b"ftyp", b"isom\0\0\2\0isommp41")
TURN = {0: (0x10000, 0, 0, 0, 0x10000, 0), 90: (0, 0x10000, 0, -0x10000, 0, 0)}


def moov(
    *chunks: int,
    per_chunk: int = 1,
    sample: int = len(SAMPLE),
    handler: bytes = b"vide",
    seconds: float = 2.5,
    turned: int = 0,
    long: bool = False,
    more: bytes = b"",
) -> bytes:
    """The tables: one track of chunks at these offsets, `per_chunk` samples of `sample` bytes in each."""
    times = (0, 0, 1000, int(seconds * 1000))
    mvhd = box(b"mvhd", struct.pack(">B3xQQIQ" if long else ">B3xIIII", int(long), *times), bytes(80))
    matrix = struct.pack(">9i", *TURN[turned][:2], 0, *TURN[turned][3:5], 0, 0, 0, 0x40000000)
    before = bytes(36) if long else bytes(24)
    tkhd = box(
        b"tkhd",
        struct.pack(">B3x", int(long)),
        before,
        bytes(12),
        matrix,
        struct.pack(">II", 640 << 16, 360 << 16),
    )
    hdlr = box(b"hdlr", bytes(8), handler, bytes(13))
    offsets = (
        box(b"co64", struct.pack(f">II{len(chunks)}Q", 0, len(chunks), *chunks))
        if long
        else box(b"stco", struct.pack(f">II{len(chunks)}I", 0, len(chunks), *chunks))
    )
    total = per_chunk * len(chunks)
    stsc = box(
        b"stsc",
        struct.pack(">II", 0, 1 if chunks else 0),
        struct.pack(">III", 1, per_chunk, 1) if chunks else b"",
    )
    sizes = (
        struct.pack(f">III{total}I", 0, 0, total, *[sample] * total)
        if long
        else struct.pack(">III", 0, sample, total)
    )
    stbl = box(b"stbl", offsets, stsc, box(b"stsz", sizes))
    trak = box(b"trak", tkhd, box(b"mdia", hdlr, box(b"minf", stbl)))
    return box(b"moov", mvhd, trak, more)


def moov_first(*, close: str = "box", **kind: object) -> bytes:
    """ftyp, moov, mdat: what browsers like best. `close`: how mdat says its length."""
    make = {"box": box, "wide": wide_box, "open": open_box}[close]
    size = len(FTYP) + len(moov(0, **kind))  # type: ignore[arg-type]
    head = 16 if close == "wide" else 8
    return FTYP + moov(size + head, **kind) + make(b"mdat", SAMPLE)  # type: ignore[arg-type]


def moov_last() -> bytes:
    return FTYP + box(b"mdat", SAMPLE) + moov(len(FTYP) + 8)


def two_chunks() -> bytes:
    """Two mdat boxes: a cut between them leaves only whole boxes."""
    at = len(FTYP) + len(moov(0, 0))
    second = at + 8 + len(SAMPLE) + 8
    return FTYP + moov(at + 8, second) + box(b"mdat", SAMPLE) + box(b"mdat", SAMPLE)


def fragmented(*, index: bool = True) -> bytes:
    """moov without samples, an index, then two fragments."""
    mvex = box(b"mvex", box(b"mehd", struct.pack(">II", 0, 4000)))
    fragment = box(b"moof", box(b"mfhd", bytes(8))) + box(b"mdat", SAMPLE)
    parts = [(len(fragment), 2000, 0)] * 2
    rows = b"".join(struct.pack(">III", *part) for part in parts)
    sidx = box(b"sidx", struct.pack(">III", 0, 1, 1000), struct.pack(">IIHH", 0, 0, 0, 2), rows)
    return FTYP + moov(seconds=0, more=mvex) + (sidx if index else b"") + fragment * 2


def quicktime() -> bytes:
    start = box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"wide")
    return start + box(b"mdat", SAMPLE) + moov(len(start) + 8)


ARRANGEMENTS = {
    "moov first": moov_first(),
    "moov last": moov_last(),
    "64-bit mdat": moov_first(close="wide"),
    "mdat up to the end": moov_first(close="open"),
    "long tables": moov_first(long=True),
    "two mdat": two_chunks(),
    "fragmented": fragmented(),
    "QuickTime": quicktime(),
}
