"""How long the service asks us to wait: Retry-After in its many forms, and the same in words.

Retry-After is seconds or a date (RFC 9110, 10.2.3). Seen besides: fractions, `retry-after-ms`, an instant in
seconds or milliseconds since 1970, and only a sentence in the body ("retry after 60 seconds", "resets in
~30s", "try again in 6m0s"). What can't be understood is ignored, never slept on.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: A longer wait than this is taken for nonsense and ignored.
LONGEST = 366 * 86400.0
#: Numbers from here on are instants since 1970, in seconds, and from the second on in milliseconds.
EPOCH_SECONDS, EPOCH_MILLISECONDS = 1e9, 1e12

_NUMBER = re.compile(r"\d{1,20}(?:\.\d{0,20})?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT = r"(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)"
_PART = re.compile(rf"(\d{{1,12}}(?:\.\d{{1,9}})?)\s*{_UNIT}(?![a-z])", re.IGNORECASE)
_FILLER = r"(?:[\s:=~_-]|\b(?:in|after|for|is|about|approximately|another|at\s+least)\b)*"
_SENTENCE = re.compile(
    rf"(?:retry(?:ing)?|try\s+(?:again|later)|resets?|wait|available(?:\s+again)?){_FILLER}"
    rf"((?:\d{{1,12}}(?:\.\d{{1,9}})?\s*{_UNIT}(?![a-z])[\s,]*(?:and\s+)?)+)"
    r"|retry[\s_-]*after\W{0,5}(\d{1,12})(?![\d.:-]*\w)",
    re.IGNORECASE,
)


def retry_after(headers: Mapping[str, str], *, wall: float, text: str = "") -> float | None:
    """Seconds from now until the service wants to hear from us again; None when it does not say.

    `headers` have lower-case names. `wall` is our clock in seconds since 1970: only used for dates, and
    corrected by the answer's own Date header, because clocks disagree. `text` is the body's message.
    """
    skew = _skew(headers, wall)
    if (value := number(headers.get("retry-after-ms", ""))) is not None and value / 1000 <= LONGEST:
        return value / 1000
    said = headers.get("retry-after", "").strip()
    if (value := number(said)) is not None:
        waiting = until(value, wall=wall + skew)
    else:
        waiting = duration(said)
        if waiting is None and (instant := _date(said)) is not None:
            waiting = max(0.0, instant - (wall + skew))
    if waiting is not None and waiting <= LONGEST:
        return waiting
    return in_words(text)


def in_words(text: str) -> float | None:
    """`retry after 60 seconds`, `resets in ~30s`, `try again in 1m30s` -> seconds. A bare number is seconds."""
    found = _SENTENCE.search(text[:4000])
    if not found:
        return None
    waiting = duration(found[1].rstrip().removesuffix("and")) if found[1] else number(found[3])
    return waiting if waiting is not None and waiting <= LONGEST else None


def number(text: str) -> float | None:
    """A plain number that is not negative, or None: no exponents, no `inf`, no `nan`, no other digits."""
    text = text.strip()
    return float(text) if text.isascii() and _NUMBER.fullmatch(text) else None


def duration(text: str) -> float | None:
    """`30s`, `1m30s`, `20 ms`, `6m0s`, `2 minutes and 5 seconds` -> seconds; None when it is none of these."""
    parts = list(_PART.finditer(text))
    rest = re.sub(r"[\s,]|and", "", _PART.sub("", text))
    if not parts or rest:
        return None
    return sum(float(part[1]) * _UNITS[_letter(part[2])] for part in parts)


def until(value: float, *, wall: float) -> float | None:
    """Seconds until `value`: a duration in seconds, or an instant since 1970 in seconds or milliseconds.

    An instant more than a day in the past is no instant: None.
    """
    if value < EPOCH_SECONDS:
        return value
    instant = value / 1000 if value >= EPOCH_MILLISECONDS else value
    return max(0.0, instant - wall) if instant > wall - 86400 else None


def _letter(unit: str) -> str:
    unit = unit.lower()
    return "ms" if unit.startswith(("ms", "milli")) else unit[0]


def _skew(headers: Mapping[str, str], wall: float) -> float:
    """How far the service's clock is ahead of ours, by its Date header (whole seconds); 0 when it has none."""
    there = _date(headers.get("date", ""))
    return there - wall if there is not None else 0.0


def _date(text: str) -> float | None:
    """An HTTP date in its three old forms, or ISO 8601, as seconds since 1970."""
    text = text.strip()
    if not 8 <= len(text) <= 64:
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        if math.isfinite(seconds):
            return seconds
    return None
