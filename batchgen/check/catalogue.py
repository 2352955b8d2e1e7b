"""What a service sells, as data: its models, what their fields take, what they are called on its wire. Pure.

The data itself lies beside each dialect (`service/dialects/NAME.toml`); this is what rows are checked against.
Text from a spreadsheet becomes what the model takes on the way to the wire; a fingerprint is never made of that.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from batchgen.check.rates import Rate
from batchgen.check.video_model import Misfit, Model, word
from batchgen.job import Row
from batchgen.manifest.entry import shown

GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What one service sells. `usual` stands for a model that is not in the data; `dated` is the data's date.

    `rates` are what its models cost where it counts by seconds, videos or tokens; `rates_dated` is their date.
    """

    service: str = GATEWAY
    unit: str = "credits"
    scale: int = 1
    dated: str = ""
    gone_since: str = ""
    usual: Model = field(default_factory=lambda: Model(""))
    models: Mapping[str, Model] = field(default_factory=dict)
    rates: Mapping[str, Rate] = field(default_factory=dict)
    rates_dated: str = ""

    @property
    def is_gateway(self) -> bool:
        return self.service == GATEWAY

    def model(self, name: str) -> Model:
        """The model's data, or the service's usual names."""
        return self.models.get(name, self.usual)

    def folded(self, row: Row) -> Row:
        """A row whose blank provider is filled: with another service than the gateway, that one is meant."""
        if self.is_gateway or not row.values or row.values.get("provider"):
            return row
        return replace(row, values={**row.values, "provider": self.service})

    def problems(self, request: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
        """(key, code, message, hint) of everything that the service will not take, before money."""
        if self.is_gateway:
            return
        provider = str(request["provider"])
        if provider.lower() != self.service:
            yield (
                "provider",
                "other_provider",
                f"The provider is {shown(provider)}, but this run buys at {self.service}.",
                f"Choose the rows with --select provider={self.service}, or leave the provider blank.",
            )
            return
        model = self.models.get(str(request["model"]))
        if model is None:
            return
        options = request.get("options", {})
        for name, value in options.items():
            if (known := model.options.get(name)) is not None:
                try:
                    known.wire(value)
                except Misfit as why:
                    message = f"{name} is {shown(_said(value))}, which {model.name} does not take."
                    yield f"options.{name}", "bad_option", message, f"It takes: {why.allowed}."
        for name in model.needs:
            if name not in options:
                allowed = model.options[name].allowed if name in model.options else "a value"
                message = f"{model.name} needs the option {name}, and the row has none."
                yield "options", "missing_option", message, f"Give options.{name}: {allowed}."
        yield from self._inputs(model, request)

    def _inputs(self, model: Model, request: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
        scene = str(request["scene"])
        if model.scenes and scene not in model.scenes:
            message = f"{model.name} does not make {scene} on {self.service}."
            yield "scene", "wrong_scene", message, f"It makes: {', '.join(model.scenes)}."
            return
        for key in ("image_input", "video_input"):
            given = request.get(key, ())
            if given and model.placed(key, given) is None:
                most = len(model.inputs[key].split(","))
                message = f"{model.name} takes {most} in {key} at most, and the row has {len(given)}."
                yield key, "too_many_inputs", message, "Leave some of them out."

    def warnings(self, request: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
        """(key, code, message, hint) of what may be meant otherwise."""
        if self.is_gateway or not self.models:
            return
        name = str(request["model"])
        model = self.models.get(name)
        if model is None:
            close = difflib.get_close_matches(name, self.models, 1, 0.8)
            guess = f' Did you mean "{close[0]}"?' if close else ""
            message = f"The model {shown(name)} is not among those that are known of {self.service}.{guess}"
            yield (
                "model",
                "unknown_model",
                message,
                "Its options go as they are; `batchgen models` lists the known.",
            )
            return
        if model.gone_since:
            message = f"The model {shown(name)} is gone since {model.gone_since}."
            yield "model", "dead_model", message, "Choose another model; `batchgen models` lists them."
        for option in request.get("options", {}):
            if model.options and option not in model.options:
                close = difflib.get_close_matches(option, model.options, 1, 0.8)
                guess = f' Did you mean "{close[0]}"?' if close else ""
                message = f"{option} is no known option of {name}.{guess}"
                yield f"options.{option}", "unknown_option", message, "It goes as it is."


def _said(value: Any) -> str:
    return value if isinstance(value, str) else word(value)
