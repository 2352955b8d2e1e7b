"""Entries of a YAML list that a program wrote alike, as columns: raw texts, certain lines, defaults filled in."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from batchgen.check.bulk import columns
from batchgen.check.bulk.columns import Flags, Texts
from batchgen.manifest.columns import Column
from batchgen.manifest.layout import Layout
from batchgen.manifest.yaml import TEXT_KEYS
from batchgen.manifest.yaml_events import Keyed, Written


@dataclass(slots=True)
class Columns:
    """The columns of a part, as the gate wants them, and rows that only the parser can read."""

    doubtful: Flags
    templated: Flags
    header: list[Column] = field(default_factory=list)
    texts: list[Texts] = field(default_factory=list)

    def add(self, kind: str, key: str, texts: Texts, as_type: str = "text", header: str = "") -> None:
        self.header.append(Column(len(self.header), header or key, kind, key, as_type))
        self.texts.append(texts)


@dataclass(slots=True)
class Part:
    """Entries at the start of a chunk whose every line is certain: `count` of them, up to `end`."""

    text: bytes
    layout: Layout
    found: list[tuple[bytes, ...]]
    end: int

    @property
    def count(self) -> int:
        return len(self.found)

    @classmethod
    def of(cls, text: bytes, layout: Layout) -> "Part | None":
        """The certain entries; None where the text is not UTF-8."""
        found = layout.pattern.findall(text)
        end = len(text)
        if found and (tail := found[-1][-1]):
            found.pop()
            end -= len(tail)
            if found and not tail.startswith(layout.indent + b"- "):  # the last entry goes on
                found.pop()
                end = text.rfind(b"\n" + layout.indent + b"-", 0, end) + 1
        part = cls(text, layout, found, end)
        try:
            certain = part._certain()
        except pa.ArrowInvalid:
            return None
        if certain < len(found):
            part.end = part.starts()[certain]
            del found[certain:]
        return part

    def _certain(self) -> int:
        """How many entries there are before the first doubtful line."""
        first = len(self.found)
        for index in range(len(self.layout.paths)):
            texts = self.raw(index)
            good = (texts.sizes == 0) | columns.plain_scalars(texts)
            if not good.all():
                first = min(first, int(np.argmin(good)))
        return first

    def raw(self, index: int) -> Texts:
        """The raw texts of one key."""
        return self._texts([entry[index] for entry in self.found])

    def _texts(self, found: list[bytes]) -> Texts:
        return Texts.of(pa.chunked_array([pa.array(found, self._kind)]))

    @property
    def _kind(self) -> Any:
        return pa.binary() if self.text.isascii() else pa.string()

    def starts(self) -> list[int]:
        """Where each entry starts, and where the last one ends."""
        places = [m.start() for m in re.finditer(rb"^" + self.layout.indent + rb"- ", self.text[: self.end], re.M)]
        return [*places, self.end]

    def columns(self, defaults: Keyed) -> Columns | None:
        """The columns with the defaults filled in; None where a default can't be said in one cell."""
        found = Columns(np.zeros(self.count, dtype=np.bool_), np.zeros(self.count, dtype=np.bool_))
        own, options = defaults.get("own") or {}, defaults.get("options") or {}
        for index, path in enumerate(self.layout.paths):
            raw = [entry[index] for entry in self.found]
            if b": null\n" in self.text and path[0] != "options":
                found.doubtful |= np.array([text == b"null" for text in raw], dtype=np.bool_)
            if b"{{" in self.text:
                found.templated |= np.array([b"{{" in text for text in raw], dtype=np.bool_)
            if path[0] == "options":
                default = _raw(options[path[1]]) if path[1] in options else b""
                if default is None:
                    return None
                filled = [text or default for text in raw] if default else raw
                found.add("option", path[1], self._texts(filled), "yaml", f"options.{path[1]}")
            else:
                default = _said((own if path[0] == "own" else defaults).get(path[-1])).encode("utf-8")
                texts = self._texts([_unquoted(text) if text else default for text in raw])
                found.add("own" if path[0] == "own" else "key", path[-1], texts)
        self._constants(defaults, found)
        found.doubtful |= found.templated
        return found

    def _constants(self, defaults: Keyed, found: Columns) -> None:
        """Columns of which only the defaults speak."""
        have = set(self.layout.paths)
        for key, value in defaults.items():
            if key == "options":
                for name in [name for name in value or {} if ("options", name) not in have]:
                    text = json.dumps(value[name], ensure_ascii=False)
                    found.add("option", name, self._same(text), "json", f"options.{name}:json")
            elif key == "own":
                for name in [name for name in value or {} if ("own", name) not in have]:
                    found.add("own", name, self._same(_said(value[name])))
            elif (key,) not in have and value is not None:
                found.add("key", key, self._same(value))

    def _same(self, text: str) -> Texts:
        kind = pa.binary() if text.isascii() else pa.string()
        return Texts.of(pa.chunked_array([pa.repeat(pa.scalar(text.encode("utf-8"), kind), self.count)]))

    def shown(self, columns: Columns, certain: Flags, defaults: Keyed) -> list[str]:
        """The columns that results.csv shows again, in the order in which the rows have them."""
        names = {key: 0 for key in ("options", "own") if defaults.get(key) is not None}
        firsts: list[tuple[int, int, str]] = []
        for index, (column, texts) in enumerate(zip(columns.header, columns.texts, strict=True)):
            written = column.kind == "own" and index < len(self.layout.paths)
            there = (self.raw(index).sizes > 0) & ~columns.templated if written else (texts.sizes > 0) & certain
            shows = "options" if column.kind == "option" else column.key
            if there.any() and shows not in TEXT_KEYS - {"prompt", "image_input", "video_input"}:
                firsts.append((int(np.argmax(there)), index, shows))
        known = [*(defaults.get("own") or {}), *(["options"] if "options" in names else [])]
        return [*known, *(name for _, _, name in sorted(firsts))]


def plain_defaults(defaults: Keyed) -> bool:
    """Whether the defaults are texts and simple options, so that columns can hold them."""
    for key, value in defaults.items():
        if key in ("options", "own"):
            if not isinstance(value, dict | None) or "{{" in json.dumps(value):
                return False
        elif key == "id" or key not in TEXT_KEYS or not isinstance(value, str | None) or "{{" in (value or ""):
            return False
    return not defaults.troubles


def _said(value: Any) -> str:
    """An own default, or a text, as its cell."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _raw(value: Any) -> bytes | None:
    """A default as a scalar that reads back as itself; None for what takes more than that."""
    if isinstance(value, str):
        return f'"{value}"'.encode() if value.isprintable() and not set(value) & {'"', "\\"} else None
    if isinstance(value, Written):
        return value.text.encode()
    return json.dumps(value).encode() if isinstance(value, bool | int | None) else None


def _unquoted(text: bytes) -> bytes:
    return text[1:-1] if text[:1] in (b'"', b"'") else text
