"""One video model of a service, as data: its options and what they take, what its inputs are called on the wire."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
            return ", ".join(word(value) for value in self.values)
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


def word(value: Any) -> str:
    """A value as it is written in a spreadsheet."""
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

    def placed(self, key: str, values: Sequence[Any]) -> dict[str, Any] | None:
        """An input's values in the fields of the wire; None where the model has no room for so many.

        >>> Model("m", inputs={"image_input": "image_url,image_urls[]"}).placed("image_input", ["a", "b"])
        {'image_urls': ['a', 'b']}
        """
        slots = [slot for slot in self.inputs.get(key, key).split(",") if slot]
        ones = [slot for slot in slots if not slot.endswith("[]")]
        many = next((slot[:-2] for slot in slots if slot.endswith("[]")), "")
        if len(values) <= len(ones):
            return dict(zip(ones, values, strict=False))
        return {many: list(values)} if many else None

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


def option_of(options: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of these options that is there, or None."""
    return next((options[name] for name in names if name in options), None)
