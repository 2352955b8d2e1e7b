"""YAML events -> plain values, with lines: our own builder on PyYAML's C parser.

Why not `yaml.safe_load`: it reads 16:9 as 969, `no` as false and 012 as 10 (YAML 1.1), keeps the last of two
equal keys in silence, has no line numbers, crashes the process on 100,000 nested brackets, and is six times
slower than the events. Here plain scalars are what JSON would make of them (null, true, false, and numbers
in JSON's spelling); everything else stays the text that it looks like.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import yaml

from batchgen.manifest.comments import Comments
from batchgen.manifest.entry import shown
from batchgen.manifest.source import Unreadable

#: Deeper nesting and more nodes in one job than this are refused: they are mistakes or attacks.
DEPTH = 64
NODES = 100_000
_TOO_DEEP = f"Something is nested deeper than {DEPTH} levels."

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(?P<part>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]{1,3})?")
_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_FIRST = frozenset("-0123456789~nNtTfF.")


Trouble = tuple[int, str, str, str]  # line, code, message, hint


class Written(float):
    """A number with a decimal point that remembers how it was written (1.50), for texts that quote it."""

    __slots__ = ("text",)
    text: str

    def __str__(self) -> str:
        return self.text


class Keyed(dict[str, Any]):
    """A mapping of the manifest that knows where it stands: its own line, and the line of each key.

    `troubles` are (line, code, message, hint) of what is wrong inside without ending the reading, `cuts` the same
    for texts of which YAML took the end for a comment.
    """

    __slots__ = ("cuts", "line", "lines", "troubles")

    def __init__(self, line: int | None) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}
        self.troubles: Sequence[Trouble] = ()
        self.cuts: Sequence[Trouble] = ()


def keyed(found: dict[str, Any]) -> Keyed:
    """A dictionary from elsewhere (JSON) as a mapping that knows no lines."""
    made = Keyed(None)
    made.update(found)
    return made


def scalar(text: str) -> Any:
    """The value of a plain scalar: null, true, false, a number in JSON's spelling, else its own text."""
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    if number["part"] is None and number["exponent"] is None:
        return int(text)
    value = Written(text)
    value.text = text
    return text if value in (float("inf"), float("-inf")) else value


@dataclass(slots=True)
class Builder:
    """Builds one node after the other from an event stream; `raw` keeps a plain scalar's own text."""

    events: Iterator[Any]
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    nodes: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    comments: Comments | None = None
    cuts: list[Trouble] = field(default_factory=list)
    _key: str = ""

    def note(self, event: Any, code: str, message: str, hint: str) -> None:
        """Something is wrong, and reading can go on: a problem of the entry that is being built."""
        self.troubles.append((event.start_mark.line + 1, code, message, hint))

    def _refuse(self, event: Any, code: str, message: str, hint: str) -> Unreadable:
        return Unreadable(code, message, hint, line=event.start_mark.line + 1)

    def next(self) -> Any:
        """The next event. Unreadable with line and column where it is not YAML."""
        try:
            return next(self.events)
        except yaml.MarkedYAMLError as error:
            raise _syntax(error) from None
        except yaml.reader.ReaderError:
            message = "The file holds a character that YAML does not allow."
            raise Unreadable("bad_character", message, "Retype it.") from None
        except (UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
            raise Unreadable("bad_yaml", "The file is not YAML.", f"The parser says: {shown(error)}.") from None

    def build(self, event: Any, depth: int = 0, *, raw: bool = False) -> Any:
        """The value of the node that starts with `event`. Scalars keep their own text when `raw`."""
        self.nodes += 1
        if self.nodes > NODES:
            raise self._refuse(event, "too_large", f"One entry is larger than {NODES:,} values.", "Is it one job?")
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self._alias(event)
        before = self.nodes
        self._tag(event)
        if kind is yaml.ScalarEvent:
            plain = event.implicit[0] and not raw
            value = scalar(event.value) if plain else event.value
            if plain and event.value.lower() in (".nan", ".inf", "-.inf"):
                self.note(
                    event, "bad_number", f"{event.value} is not a number that can be sent.", "Write a number."
                )
            if raw and event.implicit[0] and event.value in ("", "~", "null"):
                value = None
            value = self._whole(event, value)
            if self.comments is not None and not event.style and (value is None or isinstance(value, str)):
                self._cut(event, self.comments)
        else:
            if depth >= DEPTH:
                raise self._refuse(event, "too_deep", _TOO_DEEP, "Is it YAML?")
            if event.anchor:
                self.anchors[event.anchor] = (_BUILDING, 0)
            if kind is yaml.SequenceStartEvent:
                value = self._list(depth, raw)
            else:
                value = self.mapping(event, depth, None if raw else frozenset())
        if event.anchor:
            self.anchors[event.anchor] = (value, self.nodes - before + 1)
        return value

    def _cut(self, event: Any, comments: Comments) -> None:
        """Say of a text without quotes that its end was taken for a comment."""
        mark = event.end_mark
        rest = comments.behind(mark.line, mark.column)
        if rest:
            kept = f"{self._key} is {shown(event.value)}" if event.value else f"{self._key} is blank"
            message = f"Everything from {shown(rest)} on is a comment: {kept}."
            self.cuts.append((mark.line + 1, "cut_by_comment", message, "Quote the text if it belongs to it."))

    def _whole(self, event: Any, value: Any) -> Any:
        """The scalar's value, or a mark in its place where no file could hold it."""
        if "\0" in event.value:
            self.note(event, "nul", "The text holds a NUL character.", "Take the \\0 out of it.")
        elif not event.value.isascii() and _SURROGATES.search(event.value):
            self.note(event, "bad_character", "A text holds half a character.", "Retype it.")
        else:
            return value
        return "\ufffd"

    def _list(self, depth: int, raw: bool) -> list[Any]:
        items = []
        while type(event := self.next()) is not yaml.SequenceEndEvent:
            items.append(self.build(event, depth + 1, raw=raw))
        return items

    def mapping(self, start: Any, depth: int = 0, raw: frozenset[str] | None = frozenset()) -> Keyed:
        """A mapping whose start was read. Values of the keys in `raw` keep their own text (None: all)."""
        found = Keyed(start.start_mark.line + 1)
        merged: list[Any] = []
        while type(event := self.next()) is not yaml.MappingEndEvent:
            key, line = self.key(event), event.start_mark.line + 1
            if key == "<<" and event.implicit[0]:
                value = self.build(self.next(), depth + 1)
                merged.extend(value if isinstance(value, list) else [value])
                continue
            if key in found:
                self.note(event, "duplicate_key", f"The key {shown(key)} stands twice.", "Keep one of them.")
            self._key = key
            found[key] = self.build(self.next(), depth + 1, raw=raw is None or key in raw)
            found.lines[key] = line
        for value in merged:
            if not isinstance(value, dict):
                raise self._refuse(start, "bad_merge", '"<<" takes a group of keys, or a list of them.', "")
            for key in value:
                if key not in found:
                    found[key] = value[key]
                    found.lines[key] = start.start_mark.line + 1
        return found

    def key(self, event: Any) -> str:
        """The key of a mapping; Unreadable for a list or a group of keys in its place."""
        self.nodes += 1
        if type(event) is not yaml.ScalarEvent:
            raise self._refuse(
                event, "bad_key", "A key must be a text.", 'Does a text with "{" or "[" need quotes?'
            )
        self._tag(event)
        key: str = event.value
        return key

    def _tag(self, event: Any) -> None:
        if event.tag and event.tag not in ("!", "tag:yaml.org,2002:str"):
            message = f"The tag {shown(event.tag)} is not allowed: a manifest holds texts, numbers and lists."
            self.note(event, "tag", message, "Take it out, or put the text in quotes.")

    def _alias(self, event: Any) -> Any:
        value, size = self.anchors.get(event.anchor, (_BUILDING, 0))
        if event.anchor not in self.anchors:
            message = f"*{event.anchor} refers to nothing."
            raise self._refuse(event, "bad_alias", message, "A text that starts with * needs quotes around it.")
        if value is _BUILDING:
            raise self._refuse(
                event, "bad_alias", f"*{event.anchor} stands inside what it names, or before it.", ""
            )
        self.nodes += size
        if self.nodes > NODES:
            raise self._refuse(
                event, "too_large", f"One entry is larger than {NODES:,} values.", "Aliases multiply it."
            )
        return value


_BUILDING = object()
_SURROGATES = re.compile("[\ud800-\udfff]")


def events(stream: IO[bytes] | bytes, comments: Comments | None = None) -> Builder:
    """A builder over the events of a stream, by the C parser where PyYAML has it."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Builder(yaml.parse(stream, Loader=loader), comments=comments)


def _syntax(error: yaml.MarkedYAMLError) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    column = f" (column {mark.column + 1})" if mark else ""
    words = (error.problem or error.context or "").strip()
    if "nesting" in words:  # newer libyaml has a limit of its own, and may reach it while it looks ahead
        return Unreadable("too_deep", _TOO_DEEP, "Is it YAML?", line=line)
    if "quoted scalar" in (error.context or "") and "end of stream" in words and error.context_mark:
        line = error.context_mark.line + 1
        message = "A text in quotes starts here and never ends."
        return Unreadable("bad_yaml", message, "Close the quotes.", line=line)
    hint = "Check the indentation of that line and the one above it."
    if "\\t" in words or "tab" in words or "cannot start any token" in words:
        hint = "YAML indents with spaces, not tabs; a text that starts with @, %, ` or a tab needs quotes."
    elif "mapping values are not allowed" in words or "did not find expected" in words:
        hint = 'A text with ": " or " #" in it needs quotes around it; otherwise check the indentation.'
    elif "undefined alias" in words:
        hint = "A text that starts with * needs quotes around it."
    # The parser's own words change from version to version: they stand in the hint, ours in the message.
    hint = f"The parser says: {words}. {hint}" if words else hint
    return Unreadable("bad_yaml", f"This is not YAML{column}.", hint, line=line)
