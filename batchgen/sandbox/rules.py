"""When a fault strikes: by share, by number, or by pattern.

A rule is `NAME[@ARG]:WHERE`. WHERE is a share (`3%`), numbers of what the fault strikes, counted from 1
(`#4`, `#1,5-9`, `#10-`), or a glob pattern over prompt, model, provider, scene, Idempotency-Key and the
options' JSON (`*tiger*`). What it strikes is part of the fault: a POST, a task, a GET or a file.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml

from .clock import chance
from .fault import On
from .faults import FAULTS

_SECTIONS: dict[str, On] = {"posts": "post", "tasks": "task", "gets": "get", "files": "file"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault and where it strikes; exactly one of share, ranges and pattern is set."""

    name: str
    arg: str
    on: On
    share: float | None = None
    ranges: tuple[tuple[int, float], ...] = ()
    pattern: str = ""

    @property
    def text(self) -> str:
        """`NAME@ARG`, as in the audit."""
        return f"{self.name}@{self.arg}" if self.arg else self.name


def parse_rule(text: str, *, on: On | None = None) -> Rule:
    """Read one rule. Raises ValueError with a sentence that says what is wrong."""
    spec, colon, where = text.partition(":")
    if not colon or not where:
        raise ValueError(f"“{text}” is no fault: write NAME:3%, NAME:#5 or NAME:*pattern*.")
    name, arg, its_on = _fault(spec)
    if on is not None and its_on != on:
        raise ValueError(f"The fault “{name}” strikes a {its_on}, not a {on}.")
    if where.endswith("%"):
        try:
            share = float(where[:-1]) / 100
        except ValueError:
            raise ValueError(f"“{where}” is no share: write 3%.") from None
        if not 0 <= share <= 1:
            raise ValueError(f"“{where}” is no share: it must be between 0% and 100%.")
        return Rule(name, arg, its_on, share=share)
    if where.startswith("#"):
        return Rule(name, arg, its_on, ranges=_ranges(where[1:]))
    return Rule(name, arg, its_on, pattern=where)


def _fault(spec: str) -> tuple[str, str, On]:
    name, _, arg = spec.strip().partition("@")
    if name not in FAULTS:
        raise ValueError(f"There is no fault “{name}”; `batchgen sandbox --list-faults` lists them.")
    fault = FAULTS[name]
    fault.check(arg)
    return name, arg, fault.on


def _ranges(text: str) -> tuple[tuple[int, float], ...]:
    ranges: list[tuple[int, float]] = []
    for part in text.split(","):
        m = re.fullmatch(r"\s*(\d+)(-)?(\d+)?\s*", part)
        if not m or (m[3] and not m[2]) or int(m[1]) < 1:
            raise ValueError(f"“#{text}” are no numbers: write #4, #1,5-9 or #10-.")
        first = int(m[1])
        ranges.append((first, float(m[3]) if m[3] else float("inf") if m[2] else float(first)))
    return tuple(ranges)


def parse_script(text: str) -> list[Rule]:
    """Read a YAML script: sections `posts`, `tasks`, `gets`, `files`.

    Each section is a list (the n-th entry for the n-th POST; `ok` is no fault) or a mapping from numbers,
    ranges (`5-9`), shares (`3%`) or patterns to a fault.
    """
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"The script is no YAML: {error}") from error
    if not isinstance(document, dict) or set(document) - set(_SECTIONS):
        raise ValueError(f"A script has the sections {', '.join(_SECTIONS)} and no others.")
    rules: list[Rule] = []
    for section, entries in document.items():
        pairs: Iterable[tuple[Any, Any]]
        if isinstance(entries, dict):
            pairs = entries.items()
        elif isinstance(entries, list):
            pairs = enumerate(entries, start=1)
        else:
            raise ValueError(f"The section “{section}” must be a list or a mapping.")
        for where, name in pairs:
            if name in (None, "ok"):
                continue
            place = str(where)
            if re.fullmatch(r"[\d\s,-]+", place):
                place = f"#{place}"
            rules.append(parse_rule(f"{name}:{place}", on=_SECTIONS[section]))
    return rules


def check_shares(rules: Sequence[Rule]) -> None:
    """Raise ValueError when the shares of the faults of one kind add up to more than everything."""
    for on in _SECTIONS.values():
        if sum(rule.share or 0.0 for rule in rules if rule.on == on) > 1 + 1e-9:
            raise ValueError(f"The shares of the faults that strike a {on} add up to more than 100%.")


class Picker:
    """Chooses the fault, if any, for the n-th POST, task, GET or file; counts what it chose."""

    def __init__(self, rules: Sequence[Rule], on: On, seed: int) -> None:
        mine = [rule for rule in rules if rule.on == on]
        self._exact = [rule for rule in mine if rule.share is None]
        self._shares = [(rule, rule.share) for rule in mine if rule.share is not None]
        self._salt = (seed, on)

    def pick(self, number: int, words: Iterable[str] = ()) -> Rule | None:
        """The rule for number `number` whose texts are `words`. Numbers and patterns go before shares."""
        if self._exact:
            texts = list(words)
            for rule in self._exact:
                if any(first <= number <= last for first, last in rule.ranges):
                    return rule
                if rule.pattern and any(fnmatchcase(text, rule.pattern) for text in texts):
                    return rule
        if self._shares:
            drawn = chance(*self._salt, number)
            for rule, share in self._shares:
                if drawn < share:
                    return rule
                drawn -= share
        return None
