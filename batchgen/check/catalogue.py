"""What a service sells, as data: its models, what their fields take, what they are called on its wire. Pure.

The data itself lies beside each dialect (`service/dialects/NAME.toml`); this is what rows are checked against.
Text from a spreadsheet becomes what the model takes on the way to the wire; a fingerprint is never made of that.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchgen.manifest.entry import shown

GATEWAY = "gateway"
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_SPOKEN = {
    "text": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "list": "a list", "object": "a group of keys",
}  # fmt: skip


class Misfit(Exception):
    """Why a model does not take a value; `allowed` says what it takes."""

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed)
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a model: its type on the wire, and what it may be.

    `values` are all that are allowed (none: any of the type); `least` and `most` bound numbers; `default` is what
    the model does when it is not told.
    """

    type: str = "text"
    values: tuple[Any, ...] = ()
    least: float | None = None
    most: float | None = None
    default: Any = None

    def wire(self, value: Any) -> Any:
        """`value` as the model takes it. Raises Misfit.

        >>> Option("integer", least=4, most=12).wire("5")
        5
        """
        for candidate in self._readings(value):
            if self._takes(candidate):
                return candidate
        raise Misfit(self.allowed)

    def _readings(self, value: Any) -> Iterator[Any]:
        """What the value may mean in the type that the model takes, itself first."""
        yield value
        text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        match self.type:
            case "integer" if _INTEGER.fullmatch(text):
                yield int(text)
            case "number" if _NUMBER.fullmatch(text):
                yield float(text) if "." in text else int(text)
            case "boolean" if text.lower() in _TRUTH:
                yield _TRUTH[text.lower()]
            case "text" if text:
                yield text
                yield from (known for known in self.values if str(known).lower() == text.lower())

    def _takes(self, value: Any) -> bool:
        if not _is(value, self.type):
            return False
        if self.values and not any(value == known and type(value) is type(known) for known in self.values):
            return False
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        return True

    @property
    def allowed(self) -> str:
        """What may stand there, for a person."""
        if self.values:
            return ", ".join(_word(value) for value in self.values)
        if self.least is not None and self.most is not None:
            return f"{_SPOKEN[self.type]} from {self.least:g} to {self.most:g}"
        if self.least is not None:
            return f"{_SPOKEN[self.type]}, {self.least:g} or more"
        return _SPOKEN[self.type]


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    kinds: dict[str, type | tuple[type, ...]] = {
        "text": str, "integer": int, "number": (int, float), "list": list, "object": dict,
    }  # fmt: skip
    return name in kinds and isinstance(value, kinds[name])


def _word(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a service: the scenes that it makes, what its inputs are called, its options.

    `inputs` names the fields of prompt, image_input and video_input on the wire: `image_url` takes one,
    `image_urls[]` a list. `renamed` are options with another name there. `needs` are options without which the
    service refuses. `gone_since` is a date, or "".
    """

    name: str
    scenes: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Option] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    gone_since: str = ""
    source: str = ""
    most_images: int | None = None

    def wire_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options by their names on the wire, in the types that the model takes; what is unknown goes as it is."""
        found: dict[str, Any] = {}
        for name, value in options.items():
            known = self.options.get(name)
            try:
                found[self.renamed.get(name, name)] = value if known is None else known.wire(value)
            except Misfit:  # said before money; an old ledger may hold what newer data does not take
                found[self.renamed.get(name, name)] = value
        return found


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What one service sells. `usual` stands for a model that is not in the data; `dated` is the data's date."""

    service: str = GATEWAY
    unit: str = "credits"
    scale: int = 1
    dated: str = ""
    gone_since: str = ""
    usual: Model = field(default_factory=lambda: Model(""))
    models: Mapping[str, Model] = field(default_factory=dict)

    @property
    def is_gateway(self) -> bool:
        return self.service == GATEWAY

    def model(self, name: str) -> Model:
        """The model's data, or the service's usual names."""
        return self.models.get(name, self.usual)

    def folded(self, values: dict[str, Any]) -> dict[str, Any]:
        """A row's values with a blank provider filled: with another service than the gateway it is meant."""
        if self.is_gateway or values.get("provider"):
            return values
        return {"provider": self.service, **values}

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
            given, place = request.get(key, ()), model.inputs.get(key, "")
            if len(given) > 1 and place and not place.endswith("[]") and "," not in place:
                message = f"{model.name} takes one address in {key}, and the row has {len(given)}."
                yield key, "too_many_inputs", message, "Leave one of them."

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
    return value if isinstance(value, str) else _word(value)


def option_of(options: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of these options that is there, or None."""
    return next((options[name] for name in names if name in options), None)
