"""What the first bytes of a file tell: a picture (and its size), a film, a web page, nothing. Pure.

By content, never by name: a login page called hero.png is a page.
"""

PICTURE, FILM, PAGE, NOTHING, OTHER = "picture", "film", "page", "nothing", "other"


def kind_of(head: bytes, content_type: str = "") -> str:
    """What the first bytes of a file are: a picture, a film, a web page, nothing, or something else. Pure."""
    if not head:
        return NOTHING
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")):
        return PICTURE
    if head.startswith(b"BM") and len(head) >= 26 and head[6:10] == b"\0\0\0\0":
        return PICTURE
    if head.startswith(b"RIFF"):
        return {b"WEBP": PICTURE, b"AVI ": FILM}.get(head[8:12], OTHER)
    if head[4:8] == b"ftyp":
        return PICTURE if head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1") else FILM
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free") or head.startswith(
        (b"\x1aE\xdf\xa3", b"FLV\x01", b"OggS")
    ):
        return FILM
    if head.startswith((b"\0\0\x01\xba", b"\0\0\x01\xb3")) or (head[:1] == b"G" and head[188:189] == b"G"):
        return FILM  # MPEG program and transport streams
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    page = start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or (
        start.startswith(b"<") and (b"<html" in start or b"<!doctype html" in start)
    )
    if page or content_type in ("text/html", "application/xhtml+xml"):
        return PAGE
    return OTHER


def picture_size(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, where the first bytes of a picture tell; None where they do not. Pure."""
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head.startswith(b"GIF8") and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if head.startswith(b"\xff\xd8"):
        return _jpeg_size(head)
    if head[8:15] == b"WEBPVP8" and len(head) >= 30:
        return _webp_size(head)
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[at + 7 : at + 9], "big"), int.from_bytes(head[at + 5 : at + 7], "big")
        at += 2 + max(2, length)
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    form = head[15:16]
    if form == b"X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if form == b"L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b" ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None
