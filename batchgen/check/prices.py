"""Price table -> what a job costs, in the smallest part of the service's unit. Pure, exact integers.

The prices are data (`prices.json`, versioned). A user may override them, in `batchgen.toml`:

    [prices]
    text-to-video = 7               # a scene, everywhere
    [prices.kie]                    # a provider
    text-to-video = 5
    [prices."kie/veo3"]             # a provider's model; the first "/" ends the provider
    image-to-video = 20

A provider or model may also have one number for all its scenes: `"kie/veo3" = 20`. The most specific entry
wins: model, then provider, then scene, then the table that comes with the tool.

The services behind the gateway count by seconds, videos or tokens (`rates`); there an entry is

    [prices."fal/bytedance/seedance-2.0/text-to-video"]
    per_second = 0.05               # or per_video; per_second_480p … where resolutions differ
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from batchgen.amount import Unit
from batchgen.check.catalogue import Catalogue
from batchgen.check.rates import Rate, amount_of, is_rate_name
from batchgen.errors import UsageError
from batchgen.job import SCENES


@dataclass(frozen=True, slots=True)
class PriceTable:
    """What the chosen service sells and for how much: its catalogue, and credits by scene or rates by model.

    `exceptions` are those for a provider or a provider's model, `rates` those that a person named for this service.
    `version` names the table's content: the built-in version, plus a hash of the overrides where there are any.
    `lenient`: a job without a price is a warning (`validate`), not a problem.
    """

    version: str
    scenes: Mapping[str, int]
    exceptions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue)
    rates: Mapping[str, Rate] = field(default_factory=dict)
    lenient: bool = False

    @classmethod
    def load(
        cls,
        overrides: Mapping[str, Any] | None = None,
        catalogue: Catalogue | None = None,
        *,
        lenient: bool = False,
    ) -> "PriceTable":
        """The built-in table with `overrides` over it; UsageError names an override that makes no sense."""
        if catalogue is not None and not catalogue.is_gateway:
            return cls._of_service(overrides or {}, catalogue, lenient)
        table = _built_in()
        overrides = {name: value for name, value in (overrides or {}).items() if not _is_rates(value)}
        scenes = dict(table["scenes"])
        exceptions: dict[str, Mapping[str, int]] = {}
        for name, value in overrides.items():
            if name in SCENES:
                scenes[name] = _credits(name, value)
            elif isinstance(value, Mapping):
                exceptions[name] = {scene: _credits(name, value[scene], scene) for scene in value}
            else:
                exceptions[name] = dict.fromkeys(SCENES, _credits(name, value))
        version = str(table["version"])
        if overrides:
            digest = hashlib.sha256(json.dumps([scenes, exceptions], sort_keys=True).encode()).hexdigest()
            version = f"{version}+{digest[:8]}"
        return cls(version=version, scenes=scenes, exceptions=exceptions)

    @classmethod
    def _of_service(cls, overrides: Mapping[str, Any], catalogue: Catalogue, lenient: bool) -> "PriceTable":
        """The dated rates of a service behind the gateway, with those that a person named for it."""
        rates: dict[str, Rate] = {}
        for name, value in overrides.items():
            service, _, model = name.partition("/")
            if service == catalogue.service and _is_rates(value):
                rates[model] = Rate({key: _rate(name, key, value[key]) for key in value}, source="[prices]")
        version = f"{catalogue.service} {catalogue.rates_dated or catalogue.dated}"
        if rates:
            said = {
                name: {key: str(amount) for key, amount in rate.amounts.items()} for name, rate in rates.items()
            }
            digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
            version = f"{version}+{digest[:8]}"
        return cls(version, {}, catalogue=catalogue, rates=rates, lenient=lenient)

    @property
    def unit(self) -> Unit:
        """What the service counts in."""
        return Unit(self.catalogue.unit, self.catalogue.scale)

    def of(self, request: Mapping[str, Any]) -> int | None:
        """The price of a valid job, in the smallest part of the unit; None where none is known."""
        if self.catalogue.is_gateway:
            return self.price(request["provider"], request["model"], request["scene"])
        name = str(request["model"])
        rate = self.rate(name)
        if rate is None:
            return None
        return rate.price(self.catalogue.model(name), request.get("options", {}), self.catalogue.scale)

    def rate(self, model: str) -> Rate | None:
        """What a person named for the model, or for all of the service; else the dated data."""
        return self.rates.get(model) or self.rates.get("") or self.catalogue.rates.get(model)

    def price(self, provider: str, model: str, scene: str) -> int:
        """Credits for one video of a valid job, at the gateway."""
        return self._found(provider, model, scene)[1]

    def entry(self, provider: str, model: str, scene: str) -> str:
        """The entry that set the price, as a person would look for it: `prices."kie/veo3".text-to-video`."""
        if not self.catalogue.is_gateway:
            return f'prices."{self.catalogue.service}/{model}"'
        return self._found(provider, model, scene)[0]

    def cheaper(self) -> list[tuple[str, int, int]]:
        """Overrides below the table that comes with the tool: (entry, its price, the table's)."""
        usual: Mapping[str, int] = _built_in()["scenes"]
        named = [(f"prices.{scene}", scene, price) for scene, price in self.scenes.items()]
        named += [
            (f'prices."{name}".{scene}', scene, price)
            for name, prices in self.exceptions.items()
            for scene, price in prices.items()
        ]
        return [(entry, price, usual[scene]) for entry, scene, price in named if price < usual[scene]]

    def _found(self, provider: str, model: str, scene: str) -> tuple[str, int]:
        for name in (f"{provider}/{model}", provider):
            if scene in self.exceptions.get(name, ()):
                return f'prices."{name}".{scene}', self.exceptions[name][scene]
        return f"prices.{scene}", self.scenes[scene]


def _is_rates(value: object) -> bool:
    """A table of rates, not of scenes: it belongs to a service behind the gateway."""
    return isinstance(value, Mapping) and any(str(name).startswith("per_") for name in value)


def _rate(name: str, key: str, value: object) -> Any:
    if not is_rate_name(key):
        raise UsageError(
            f'The price for "{name}" names {key!r}, which is no rate.',
            code="bad_price",
            hint="Write per_second, per_video, or per_second_480p … where resolutions differ.",
        )
    amount = amount_of(value)
    if amount is None:
        raise UsageError(
            f'The price for "{name}" is {value!r}; a rate is a number that is more than 0.',
            code="bad_price",
            hint="Write, for example, per_second = 0.05.",
        )
    return amount


@cache
def _built_in() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files("batchgen.check").joinpath("prices.json").read_text(encoding="utf-8"))
    return loaded


def _credits(name: str, value: object, scene: str | None = None) -> int:
    if scene is not None and scene not in SCENES:
        raise UsageError(
            f'The price for "{name}" names the scene "{scene}", which does not exist.',
            code="bad_price",
            hint=f"Scenes are {', '.join(SCENES)}.",
        )
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(
            f'The price for "{name}" is {value!r}; prices are whole credits, 0 or more.',
            code="bad_price",
            hint='Write, for example, text-to-video = 6 or "kie/veo3" = 20.',
        )
    return value
