"""What the service says about its limits in headers: how many in which time, what is left, when it is full again.

Read: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10, and the forms of drafts up
to -07), `RateLimit-Limit/-Remaining/-Reset`, `X-RateLimit-*` with delta seconds, instants, milliseconds or
`6m0s`, and per-resource or per-window names (`x-ratelimit-limit-requests`, `x-ratelimit-limit-minute`).
Malformed parts are ignored, as the draft demands; nothing here is a promise that the next POST gets through.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .hints import duration, number, until

_WINDOWS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_ITEM = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[\w.*-]+)((?:\s*;\s*[\w-]+\s*=\s*(?:"[^"]*"|:[^:]*:|[^;,"]*))*)\s*')
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*("[^"]*"|:[^:]*:|[^;,"]*)')


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit as far as the service tells it. `seconds` is the window, `reset` is seconds from now.

    `unit` is `requests` or `concurrent-requests`; limits on bytes and the like are left out.
    """

    name: str = ""
    quota: float | None = None
    seconds: float | None = None
    remaining: float | None = None
    reset: float | None = None
    unit: str = "requests"


def limits(headers: Mapping[str, str], *, wall: float) -> tuple[Limit, ...]:
    """Every limit that the headers name (lower-case names). `wall` is for resets given as an instant."""
    found: dict[str, dict[str, float | str | None]] = {}
    for name, value in headers.items():
        if "ratelimit" not in name and "rate-limit" not in name:
            continue
        key = name.removeprefix("x-").replace("rate-limit", "ratelimit")
        if key == "ratelimit-policy":
            _policy(value, found)
        elif key == "ratelimit":
            _state(value, found)
        elif part := re.fullmatch(r"ratelimit-(limit|remaining|reset)(?:-(\w+))?", key):
            _classic(part[1], part[2] or "", value, wall, found)
    return tuple(
        Limit(name=name, **fields)  # type: ignore[arg-type]
        for name, fields in found.items()
        if fields.get("unit", "requests") in ("requests", "concurrent-requests")
        and "token" not in name
        and any(key != "unit" for key in fields)
    )


def _items(value: str) -> list[tuple[str, dict[str, str]]]:
    """The members of a structured list: (bare item, parameters). Members that are no items are left out."""
    members = []
    for member in re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', value[:4000]):
        if found := _ITEM.fullmatch(member):
            parameters = {key: text.strip().strip('"') for key, text in _PARAMETER.findall(found[2])}
            members.append((found[1].strip('"'), parameters))
    return members


def _policy(value: str, found: dict[str, dict[str, float | str | None]]) -> None:
    for item, parameters in _items(value):
        quota = number(parameters.get("q", ""))
        seconds = number(parameters.get("w", ""))
        name = item
        if quota is None and number(item) is not None:  # drafts up to -07: 100;w=60
            quota, name = number(item), f"w{parameters.get('w', '')}"
        if quota is None:
            continue
        fields = found.setdefault(name, {})
        fields["quota"] = quota
        if seconds:
            fields["seconds"] = seconds
        if unit := parameters.get("qu"):
            fields["unit"] = unit


def _state(value: str, found: dict[str, dict[str, float | str | None]]) -> None:
    old = dict(re.findall(r"(?:^|,)\s*(limit|remaining|reset)\s*=\s*(\d+)", value[:4000]))
    if "remaining" in old:
        keys = {"limit": "quota", "remaining": "remaining", "reset": "reset"}
        found.setdefault("", {}).update({keys[key]: float(text) for key, text in old.items()})
        return
    for item, parameters in _items(value):
        remaining = number(parameters.get("r", ""))
        if remaining is None:
            continue
        fields = found.setdefault(item, {})
        fields["remaining"] = remaining
        if (reset := number(parameters.get("t", ""))) is not None:
            fields["reset"] = reset


def _classic(
    part: str, name: str, value: str, wall: float, found: dict[str, dict[str, float | str | None]]
) -> None:
    """`X-RateLimit-Limit: 60`, `-Remaining: 12`, `-Reset: 8 | 1790000000 | 1790000000123 | 6m0s`."""
    first = value.split(",", maxsplit=1)[0].split(";", maxsplit=1)[0]
    amount = number(first)
    fields = found.setdefault(name, {})
    if name in _WINDOWS:
        fields["seconds"] = _WINDOWS[name]
    if part == "reset":
        fields["reset"] = until(amount, wall=wall) if amount is not None else duration(first)
        if fields["reset"] is None:
            del fields["reset"]
        return
    if amount is not None:
        fields["quota" if part == "limit" else "remaining"] = amount
    window = re.search(r";\s*w\s*=\s*(\d{1,9})", value)
    if window and part == "limit":
        fields["seconds"] = float(window[1])
