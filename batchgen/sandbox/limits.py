"""Rate limits of the service's side: sliding windows, and what a refusal tells the client."""

import math
import re
from collections import deque
from email.utils import formatdate


def parse_rate(text: str) -> list[tuple[int, float]]:
    """`20/10s` -> [(20, 10.0)]; several limits are separated by commas; "" is no limit."""
    limits = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        m = re.fullmatch(r"(\d+)/(\d*\.?\d*)(s|min|m|h)?", part)
        if not m or int(m[1]) < 1:
            raise ValueError(f"“{part}” is no rate: write 2/s, 20/10s or 60/min.")
        unit = {"s": 1, "min": 60, "m": 60, "h": 3600}[m[3] or "s"]
        limits.append((int(m[1]), float(m[2] or 1) * unit))
    return limits


class Windows:
    """At most N admitted in any W seconds, for one or several (N, W)."""

    def __init__(self, text: str = "") -> None:
        self._text = text
        self._limits = [(count, width, deque[float]()) for count, width in parse_rate(text)]

    def changed(self, text: str) -> "Windows":
        """These windows, with what they remember, or new ones when the limits are others now."""
        return self if text == self._text else Windows(text)

    def admit(self, now: float) -> float:
        """Admit one more and return 0, or return the seconds until one would be admitted."""
        wait = 0.0
        for count, width, times in self._limits:
            while times and times[0] <= now - width:
                times.popleft()
            if len(times) >= count:
                wait = max(wait, times[0] + width - now)
        if wait <= 0:
            for _, _, times in self._limits:
                times.append(now)
        return wait

    def headers(self, kind: str, now: float) -> list[tuple[str, str]]:
        """Rate limit headers of the first limit in the form `kind` (options.LIMIT_HEADERS)."""
        if kind == "none" or not self._limits:
            return []
        count, width, times = self._limits[0]
        left = max(count - len(times), 0)
        seconds = max(math.ceil(times[0] + width - now), 0) if times else 0
        if kind == "draft":
            return [
                ("RateLimit-Policy", f'"default";q={count};w={math.ceil(width)}'),
                ("RateLimit", f'"default";r={left};t={seconds}'),
            ]
        if kind == "draft7":
            return [("RateLimit", f"limit={count}, remaining={left}, reset={seconds}")]
        reset = str(seconds) if kind == "x" else str(math.ceil(now + seconds))
        return [
            ("X-RateLimit-Limit", str(count)),
            ("X-RateLimit-Remaining", str(left)),
            ("X-RateLimit-Reset", reset),
        ]


def retry_after(kind: str, seconds: float, now: float) -> tuple[list[tuple[str, str]], str]:
    """Headers and the end of a sentence that say to come back in `seconds` (options.RETRY_AFTER)."""
    whole = max(math.ceil(seconds), 1)
    match kind:
        case "seconds":
            return [("Retry-After", str(whole))], ""
        case "float":
            return [("Retry-After", f"{seconds:.3f}")], ""
        case "date":
            return [("Retry-After", formatdate(now + whole + 1, usegmt=True))], ""
        case "ms":
            return [("Retry-After-Ms", str(max(math.ceil(seconds * 1000), 1)))], ""
        case "text":
            return [], f" Your rate limit resets in ~{whole}s."
        case _:
            return [], ""
