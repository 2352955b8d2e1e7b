"""An early picture of a video, small, as JPEG: by PyAV where it is installed (the extra `posters`), else none."""

from fractions import Fraction
from pathlib import Path

HEIGHT = 90  # pixels


def can_draw() -> bool:
    """Whether PyAV is here."""
    try:
        import av  # noqa: F401 - only whether it is there
    except ImportError:
        return False
    return True


def poster(path: Path) -> bytes | None:
    """The picture half a second in (the first one of a shorter video); None for what can't be read."""
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            for frame in container.decode(stream):
                if frame.time is None or frame.time >= 0.5 or (stream.frames and stream.frames < 12):
                    break
            width = max(2, round(frame.width * HEIGHT / frame.height / 2) * 2)
            small = frame.reformat(width, HEIGHT, "yuvj420p")
            codec = av.CodecContext.create("mjpeg", "w")
            codec.width, codec.height, codec.pix_fmt, codec.time_base = width, HEIGHT, "yuvj420p", Fraction(1, 25)
            small.pts = None
            return b"".join(bytes(packet) for packet in [*codec.encode(small), *codec.encode(None)])
    except (av.FFmpegError, IndexError, ValueError, UnboundLocalError):
        return None
