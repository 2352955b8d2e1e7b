"""Price table -> credits of a job. Pure, exact integers.

The prices are data (`prices.json`, versioned). A user may override them, in `batchgen.toml`:

    [prices]
    text-to-video = 7               # a scene, everywhere
    [prices.kie]                    # a provider
    text-to-video = 5
    [prices."kie/veo3"]             # a provider's model; the first "/" ends the provider
    image-to-video = 20

A provider or model may also have one number for all its scenes: `"kie/veo3" = 20`. The most specific entry
wins: model, then provider, then scene, then the table that comes with the tool.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from batchgen.errors import UsageError
from batchgen.job import SCENES


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Credits by scene, with exceptions for a provider or a provider's model.

    `version` names the table's content: the built-in version, plus a hash of the overrides where there are any.
    """

    version: str
    scenes: Mapping[str, int]
    exceptions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def load(cls, overrides: Mapping[str, Any] | None = None) -> "PriceTable":
        """The built-in table with `overrides` over it; UsageError names an override that makes no sense."""
        table = _built_in()
        scenes = dict(table["scenes"])
        exceptions: dict[str, Mapping[str, int]] = {}
        for name, value in (overrides or {}).items():
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

    def price(self, provider: str, model: str, scene: str) -> int:
        """Credits for one video of a valid job."""
        return self._found(provider, model, scene)[1]

    def entry(self, provider: str, model: str, scene: str) -> str:
        """The entry that set the price, as a person would look for it: `prices."kie/veo3".text-to-video`."""
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
