"""The texts of a YAML entry with the variables of one row in them: what is sent, and where a blank left a hole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchgen.manifest import filters, templates, words
from batchgen.manifest.filters import Blank
from batchgen.manifest.values import BadValue

#: Keys of which every value is text, whatever a variable holds.
TEXTS = frozenset({"id", "provider", "model", "scene", "prompt", "image_input", "video_input", "own"})
_ABSENT = object()


class Unfilled(BadValue):
    """A text that can't be worked out in this row; `variable` is the one to blame, if it is one alone."""

    def __init__(self, bad: BadValue, variable: str | None) -> None:
        super().__init__(bad.code, bad.message, bad.hint)
        self.variable = variable


@dataclass(slots=True)
class Filled:
    """The job of one row, and its holes: (key, variable, the text around it)."""

    job: dict[str, Any] = field(default_factory=dict)
    holes: list[tuple[str, str, str]] = field(default_factory=list)


def is_templated(value: Any) -> bool:
    """Whether a text in it has braces."""
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, dict):
        return any(is_templated(item) for item in value.values())
    return isinstance(value, list) and any(is_templated(item) for item in value)


def names_of(value: Any) -> frozenset[str]:
    """The variables that the texts of a value use."""
    if isinstance(value, str):
        return templates.compiled(value).names if "{{" in value else frozenset()
    if isinstance(value, dict):
        value = list(value.values())
    return frozenset().union(*map(names_of, value)) if isinstance(value, list) else frozenset()


def uses(body: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The variables of each key that has some; an option is `options.NAME`."""
    found = {key: names_of(value) for key, value in body.items()}
    options = body.get("options")
    if isinstance(options, dict):
        found.update((f"options.{name}", names_of(value)) for name, value in options.items())
    return {key: tuple(sorted(names)) for key, names in found.items() if names}


def fill(body: Mapping[str, Any], variables: Mapping[str, Any]) -> Filled:
    """The entry with these variables; what is blank alone is absent."""
    filled = Filled()
    for key, value in body.items():
        made = _filled(value, variables, key, filled, text=key in TEXTS)
        if made is not _ABSENT:
            filled.job[key] = made
    return filled


def value_of(text: str, variables: Mapping[str, Any]) -> Any:
    """What one text gives; None where it is blank."""
    made = _filled(text, variables, "", Filled(), text=False)
    return None if made is _ABSENT else made


def _filled(value: Any, variables: Mapping[str, Any], key: str, filled: Filled, *, text: bool) -> Any:
    """A value with its templates filled in. Outside of options, what comes out is always text."""
    if isinstance(value, str):
        return _text(value, variables, key, filled, text=text) if "{{" in value else value
    if isinstance(value, dict):
        nested = "own" if key == "own" else "options.{}" if key == "options" else key
        pairs = (
            (name, _filled(item, variables, nested.format(name), filled, text=text or name in TEXTS))
            for name, item in value.items()
        )
        found = {name: made for name, made in pairs if made is not _ABSENT}
        return found if found or not value or key != "options" else _ABSENT
    if isinstance(value, list):
        made = [_filled(item, variables, key, filled, text=text) for item in value]
        return [item for item in made if item is not _ABSENT]
    return value


def _text(value: str, variables: Mapping[str, Any], key: str, filled: Filled, *, text: bool) -> Any:
    template = templates.compiled(value)
    try:
        made = template.render(variables)
        if isinstance(made, Blank):
            return _ABSENT
        if text or isinstance(made, str):
            made = templates.spoken(made)
    except BadValue as bad:
        raise Unfilled(bad, next(iter(template.names)) if len(template.names) == 1 else None) from None
    if template.alone:
        return _ABSENT if isinstance(made, str) and words.is_blank(made) else made
    filled.holes.extend((key, name, made) for name in filters.holes())
    return made
