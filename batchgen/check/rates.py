"""What a job costs at a service that counts by the second, the video or the token. Pure, exact decimals.

    price = rate(model, resolution) x seconds x outputs, in the smallest part of the unit, rounded up

Seconds are those of `options.duration` or `options.seconds`, else what the model does when it is not told. Where
the model chooses its length itself (`auto`), the longest that it makes is counted: a cap must hold.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

from batchgen.check.video_model import Model, Option, option_of

PER_SECOND, PER_VIDEO, PER_TOKENS = "per_second", "per_video", "per_million_tokens"
_DURATIONS = ("duration", "seconds")
_OUTPUTS = ("n", "num_videos", "num_outputs")
_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:s|sec|seconds)?")
_SIZE = re.compile(r"([0-9]{2,5})\s*[x*×]\s*([0-9]{2,5})")
#: Frames a second, and pixels to a token, of models that count tokens (Seedance).
_FPS, _PIXELS = 24, 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """What one model costs: `amounts` by name (`per_second`, `per_second_480p`, `per_video`, …).

    `pixels` are the most that a frame has, by resolution, where tokens are counted.
    """

    amounts: Mapping[str, Decimal]
    pixels: Mapping[str, int] = field(default_factory=dict)
    source: str = ""

    def price(self, model: Model, options: Mapping[str, Any], scale: int) -> int | None:
        """The price of one job; None where the rate does not tell."""
        resolution = resolution_of(model, options)
        outputs = outputs_of(options)
        if (per_video := self._amount(PER_VIDEO, resolution)) is not None:
            return _whole(per_video * outputs, scale)
        seconds = seconds_of(model, options)
        if seconds is None:
            return None
        if (per_second := self._amount(PER_SECOND, resolution)) is not None:
            return _whole(per_second * seconds * outputs, scale)
        pixels = self.pixels.get(resolution) or max(self.pixels.values(), default=0)
        per_million = self.amounts.get(PER_TOKENS)
        if per_million is None or not pixels:
            return None
        tokens = Decimal(pixels) * (_FPS * seconds + 1) / _PIXELS
        return _whole(per_million * tokens / 1_000_000 * outputs, scale)

    def of_tokens(self, tokens: int, scale: int) -> int | None:
        """What so many tokens cost."""
        per_million = self.amounts.get(PER_TOKENS)
        return None if per_million is None else _whole(per_million * tokens / 1_000_000, scale)

    def _amount(self, name: str, resolution: str) -> Decimal | None:
        exact = self.amounts.get(f"{name}_{resolution}") if resolution else None
        return exact if exact is not None else self.amounts.get(name)

    def shown(self, unit: str) -> str:
        """The rate for a person: `0.3034 usd per second (480p 0.1346, 1080p 0.682)`."""
        parts = []
        for name in (PER_SECOND, PER_VIDEO, PER_TOKENS):
            some = {key: value for key, value in self.amounts.items() if key == name or key.startswith(f"{name}_")}
            if not some:
                continue
            others = ", ".join(f"{key[len(name) + 1 :]} {value}" for key, value in some.items() if key != name)
            base = some.get(name)
            what = name.replace("_", " ")
            parts.append(
                f"{base} {unit} {what}" + (f" ({others})" if others else "") if base is not None
                else f"{unit} {what}: {others}"
            )  # fmt: skip
        return "; ".join(parts)


def _whole(amount: Decimal, scale: int) -> int:
    return int((amount * scale).to_integral_value(rounding=ROUND_CEILING))


def seconds_of(model: Model, options: Mapping[str, Any]) -> Decimal | None:
    """How long the video will be, in seconds; the longest where the model decides; None where nothing says."""
    known = next((model.options[name] for name in _DURATIONS if name in model.options), None)
    said = option_of(options, _DURATIONS)
    if said is None and known is not None:
        said = known.default
    number = _number(said)
    if number is not None and number > 0:
        return number
    return None if known is None else _longest(known)


def _longest(option: Option) -> Decimal | None:
    found = [number for value in option.values if (number := _number(value)) is not None]
    if option.most is not None:
        found.append(Decimal(str(option.most)))
    return max(found, default=None)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _SECONDS.fullmatch(str(value).strip().lower())
    return Decimal(match[1]) if match else None


def resolution_of(model: Model, options: Mapping[str, Any]) -> str:
    """The resolution by which rates differ, in lower case (`720p`, `4k`); "" where nothing says."""
    said = options.get("resolution")
    if said is None and (size := _SIZE.fullmatch(str(options.get("size", "")).strip().lower())):
        said = f"{min(int(size[1]), int(size[2]))}p"
    if said is None and "resolution" in model.options:
        said = model.options["resolution"].default
    return str(said).strip().lower() if said is not None else ""


def outputs_of(options: Mapping[str, Any]) -> int:
    """How many videos one request makes."""
    number = _number(option_of(options, _OUTPUTS))
    return max(1, int(number)) if number is not None else 1


def amount_of(value: object) -> Decimal | None:
    """A rate as it is written in a file: a number that is more than 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() and found > 0 else None


def is_rate_name(name: str) -> bool:
    """Whether a line of a price table is one of these: `per_second`, `per_second_480p`, `per_video`, …"""
    return re.fullmatch(r"per_(?:second|video)(?:_[a-z0-9_]{1,20})?|per_million_tokens", name) is not None
