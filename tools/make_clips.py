"""Makes the clips of the sandbox (`python tools/make_clips.py`; needs `pip install av numpy`).

Nothing at run time imports this: it documents how the packaged files were made. Each clip is two seconds of
H.264 (constrained baseline, yuv420p, 24 frames a second) in an MP4 whose `moov` box stands first, so that
browsers start before the whole file is there. The content is drawn here: a slow colour gradient and a few
discs that move over it.
"""

from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parent.parent / "batchgen" / "sandbox" / "assets"
FRAMES = 48
RATE = 24

#: name -> (width, height, two colours of the gradient, colour of the discs)
CLIPS: dict[str, tuple[int, int, tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
    "landscape-1": (320, 180, (16, 42, 88), (240, 128, 84), (255, 226, 168)),
    "landscape-2": (320, 180, (8, 78, 84), (150, 214, 160), (244, 250, 214)),
    "landscape-3": (320, 180, (64, 20, 84), (236, 92, 140), (255, 214, 224)),
    "portrait": (180, 320, (18, 30, 60), (92, 160, 232), (250, 236, 160)),
    "square": (240, 240, (60, 34, 20), (232, 174, 72), (255, 246, 220)),
}


def frame(number: int, clip: str) -> Any:
    """One RGB picture: the gradient turns, three discs go round, all of it back at the start at the end."""
    import numpy as np

    width, height, low, high, disc = CLIPS[clip]
    turn = 2 * np.pi * number / FRAMES
    y, x = np.mgrid[0:height, 0:width].astype(float)
    u, v = x / width - 0.5, y / height - 0.5
    mix = np.clip(0.5 + u * np.cos(turn) * 0.6 + v * 0.9 + 0.12 * np.sin(turn), 0, 1)[..., None]
    picture = np.array(low) * (1 - mix) + np.array(high) * mix
    for k in range(3):
        angle = turn + k * 2.1
        cx, cy = 0.28 * np.cos(angle), 0.24 * np.sin(angle * (1 if k < 2 else 2))
        size = min(width, height)
        distance = np.hypot((u - cx) * width, (v - cy) * height) / size
        cover = np.clip((0.07 + 0.03 * k - distance) * size / 2, 0, 1)[..., None] * (0.9 - 0.2 * k)
        picture = picture * (1 - cover) + np.array(disc) * cover
    return np.clip(picture, 0, 255).astype("uint8")


def make(clip: str, folder: Path) -> Path:
    """Encode one clip into `folder` and return its path."""
    import av  # type: ignore[import-not-found, unused-ignore]

    path = folder / f"{clip}.mp4"
    options = {"movflags": "+faststart", "brand": "mp42"}
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream(
            "libx264",
            rate=RATE,
            options={"profile": "baseline", "preset": "veryslow", "crf": "27", "g": "24"},
        )
        stream.width, stream.height, stream.pix_fmt = *CLIPS[clip][:2], "yuv420p"
        for number in range(FRAMES):
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame(number, clip), format="rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return path


if __name__ == "__main__":
    for name in CLIPS:
        made = make(name, ASSETS)
        print(made, made.stat().st_size)
