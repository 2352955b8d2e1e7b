"""The quick pass: whole columns of a manifest decided at once, and only what is certain.

A row is *sure* when it certainly becomes a job without any warning; everything else (a problem, a warning, a
blank line, something unusual) is left to the careful path, which alone words messages. So a wrong guess here
costs time, never a verdict: a property test holds this file to that.

The work is in arrow and numpy and lets other threads run, so that several chunks are decided at a time.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from batchgen.check import made
from batchgen.check.bulk import columns
from batchgen.check.bulk.columns import Texts
from batchgen.check.bulk.hashing import content_hash, text_hash
from batchgen.check.identity import Suspects
from batchgen.check.oddities import is_odd
from batchgen.check.prices import PriceTable
from batchgen.check.schema import fast_gate
from batchgen.check.tally import Key
from batchgen.check.warnings import of_combination, prompt_limit
from batchgen.manifest import ReadOptions, values
from batchgen.manifest.columns import REQUIRED, Column, Header

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

#: More different values than this in a JSON or typed column of one chunk are left to the careful path.
FEW = 2000
#: More combinations of provider, model, scene and filled inputs than this likewise.
MOST = 1 << 20
_FILLED = ("prompt", "image_input", "video_input")


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a pass decides: the same for all of its manifests. `by` names the column to sum by."""

    options: ReadOptions
    prices: PriceTable
    by: str | None
    suspects: Suspects


@dataclass(frozen=True, slots=True)
class Bulk:
    """What was decided about one chunk.

    `rows` is how many rows arrow found, `unsure` the indexes of those left to the careful path. `counts` sums
    the sure ones; `ids` or `contents` are their hashes, for the sieve; `made` says that an id looks made.
    """

    rows: int
    unsure: Numbers
    counts: Counter[Key]
    ids: Numbers | None = None
    contents: Numbers | None = None
    made: bool = False


class Gate:
    """Decides chunks of one table. Made once for a manifest, after its columns are known."""

    def __init__(self, header: Header, terms: Terms) -> None:
        columns, by = header.columns, terms.by
        self.header, self.suspects = header, terms.suspects
        self._prices = terms.prices
        self.key = {column.key: column for column in columns if column.kind == "key"}
        options = [c for c in columns if c.kind == "option"]
        self.checked = [c for c in options if c.as_type != "text" or c.is_ratio]
        self.texts = [c for c in options if c.as_type == "text" and not c.is_ratio]
        self.empty = [c for c in columns if c.kind in ("blank", "task_id", "told") or c.header == "task_id"]
        #: Columns of the user's own that may say that a row is made already.
        self.telling = [c for c in columns if c.kind == "own" and made.kind_of(c.key)]
        first = min((c.index for c in columns if c.key in REQUIRED and c.kind == "key"), default=-1)
        #: The columns of which one holds the first filled cell of any good row.
        self.leading = [c for c in columns[: first + 1] if c.kind != "ignored"]
        self.by = next((c for c in columns if c.kind in ("key", "option", "own") and c.shown_as == by), None)
        #: Whether the quick pass can answer at all: `by` may name something inside a JSON cell.
        self.usable = by is None or self.by is not None
        self._combinations: dict[tuple[str, str, str, int], tuple[bool, int, int]] = {}
        self._options: dict[tuple[str, str], int | None] = {}

    def needed(self) -> list[Column]:
        """The columns that `decide` looks at."""
        wanted = [*self.key.values(), *self.checked, *self.texts, *self.empty, *self.leading, *self.telling]
        return [*wanted, self.by] if self.by is not None else wanted

    def decide(self, columns: Mapping[int, Texts], data: bytes, *, with_ids: bool) -> Bulk | None:
        """The verdicts on a chunk: `columns` by their index, `data` the bytes that they came from.

        None where the careful path must read all of it, or (`with_ids`) where a row has no id after all.
        """
        return _Look(self, columns, data).verdict(with_ids)

    def combination(self, provider: str, model: str, scene: str, filled: int) -> tuple[bool, int, int]:
        """(sure, price, longest prompt) of rows with these three; bit i of `filled` is input i of _FILLED."""
        key = (provider, model, scene, filled)
        if key not in self._combinations:
            sample: dict[str, Any] = {"provider": provider, "model": model, "scene": scene}
            for bit, name in enumerate(_FILLED):
                if filled >> bit & 1:
                    sample[name] = "x" if name == "prompt" else ["https://a.example/x"]
            good = all(text == text.strip() for text in (provider, model, scene)) and fast_gate()(sample)
            good = good and not of_combination(provider, model, scene, frozenset(sample))
            price = self._prices.price(provider, model, scene) if good else 0
            self._combinations[key] = (good, price, prompt_limit(model))
        return self._combinations[key]

    def option(self, column: Column, text: str) -> int | None:
        """The content hash of a JSON or typed option cell; None where it is not certainly good."""
        key = (column.header, text)
        if key not in self._options:
            if len(self._options) > 100_000:
                self._options.clear()
            self._options[key] = _option_hash(column, text)
        return self._options[key]


def _option_hash(column: Column, text: str) -> int | None:
    try:
        if column.as_type == "text" and column.is_ratio:
            values.refuse_time(text)
        is_one = column.kind == "option"
        found = {column.key: values.typed(text, column.as_type)} if is_one else values.options(text)
    except values.BadValue:
        return None
    if any(isinstance(said, str) and is_odd(f"options.{name}", said) for name, said in found.items()):
        return None
    sample = {"provider": "x", "model": "x", "scene": "text-to-video", "prompt": "x", "options": found}
    return content_hash({"options": found}) if text.strip() and fast_gate()(sample) else None


class _Look:
    """One chunk while it is decided: `sure` only ever loses rows, `content` adds up hashes."""

    def __init__(self, gate: Gate, columns: Mapping[int, Texts], data: bytes) -> None:
        self._gate, self._data, self._columns = gate, data, columns
        self._rows = len(columns[gate.key["scene"].index].sizes)
        self.sure: Flags = np.ones(self._rows, dtype=np.bool_)
        #: Hashes of what the rows ask for; added up only where there are no ids.
        self._content: Numbers = np.zeros(self._rows, dtype=np.int64)
        ids = self._texts(gate.key.get("id"))
        self._ids = ids if ids is not None and bool(ids.sizes.all()) else None

    def _texts(self, column: Column | None) -> Texts | None:
        return self._columns.get(column.index) if column is not None else None

    def verdict(self, with_ids: bool) -> Bulk | None:
        """Everything about the chunk; None for rows without an id where ids were expected."""
        gate = self._gate
        named = self._ids is not None
        if with_ids and not named:
            return None
        found = self._combined()
        if found is None or not self._options():
            return None
        codes, table = found
        for column in gate.empty:
            if (texts := self._texts(column)) is not None:
                index = column.kind == "blank" and column.index == 0
                self.sure &= columns.plain_counts(texts) if index else texts.sizes == 0
        for column in gate.telling:
            self.sure &= columns.not_made(self._columns[column.index])
        for column in gate.leading:
            self.sure &= columns.not_commented(self._columns[column.index])
        if gate.header.results:
            for texts in self._columns.values():
                self.sure &= texts.first != ord("'")
        hashes, made = self._identity(self._ids)
        ids = self._texts(gate.key.get("id"))
        if ids is not None and not named:
            self.sure &= ids.sizes == 0  # a chunk with both kinds: those with an id go the careful way
        return Bulk(
            rows=self._rows,
            unsure=np.flatnonzero(~self.sure),
            counts=self._counts(codes, table),
            ids=hashes[self.sure] if named else None,
            contents=None if named else hashes[self.sure],
            made=made,
        )

    def _combined(self) -> tuple[Numbers, dict[int, tuple[str, str, str, int]]] | None:
        """For each row the code of its combination, and what each code means: names and price."""
        gate = self._gate
        codes: Numbers = np.zeros(self._rows, dtype=np.int64)
        names: list[list[str]] = []
        for key in ("provider", "model", "scene"):
            texts = self._columns[gate.key[key].index]
            indexes, different = texts.dictionary()
            codes *= len(different)
            codes += indexes
            names.append(different)
            if self._ids is None:
                self._content += np.array([text_hash(text, key) for text in different], dtype=np.int64)[indexes]
        for key in reversed(_FILLED):
            codes *= 2
            if (column := gate.key.get(key)) is not None:
                codes += self._columns[column.index].sizes > 0
        size = len(names[0]) * len(names[1]) * len(names[2]) * 8
        if size > MOST:
            return None
        good = np.zeros(size, dtype=np.bool_)
        limits = np.zeros(size, dtype=np.int64)
        meaning: dict[int, tuple[str, str, str, int]] = {}
        for code in np.flatnonzero(np.bincount(codes, minlength=size)).tolist():
            rest, filled = divmod(code, 8)
            rest, scene = divmod(rest, len(names[2]))
            provider, model = divmod(rest, len(names[1]))
            spelled = (names[0][provider], names[1][model], names[2][scene])
            good[code], price, limits[code] = gate.combination(*spelled, filled)
            meaning[code] = (*spelled, price)
        self.sure &= good[codes]
        self._inputs(limits[codes])
        return codes, meaning

    def _inputs(self, limits: Numbers) -> None:
        """Prompts and addresses."""
        prompt = self._texts(self._gate.key.get("prompt"))
        if prompt is not None:
            self.sure &= columns.plain_prompts(prompt, limits, self._data)
            self._add("prompt", prompt)
        for key in ("image_input", "video_input"):
            texts = self._texts(self._gate.key.get(key))
            if texts is not None:
                self.sure &= columns.plain_addresses(texts, key, self._data)
                self._add(key, texts)

    def _options(self) -> bool:
        """Options; False where a column has too many different values to look at."""
        gate = self._gate
        whole = self._texts(gate.key.get("options"))
        checked = [*gate.checked, *([gate.key["options"]] if whole is not None else [])]
        for column in checked:
            texts = self._columns[column.index]
            indexes, different = texts.dictionary()
            if column.as_type == "int" and len(different) > FEW:
                self.sure &= columns.plain_integers(texts)
                self._add(f"options.{column.key}:json", texts)
                continue
            if len(different) > FEW:
                return False
            hashes = [gate.option(column, text) if text else 0 for text in different]
            good = np.array([found is not None for found in hashes], dtype=np.bool_)
            self.sure &= good[indexes]
            self._content += np.array([found or 0 for found in hashes], dtype=np.int64)[indexes]
        if whole is not None and (gate.checked or gate.texts):
            self.sure &= whole.sizes == 0  # the same option may be given twice
        for column in gate.texts:
            texts = self._columns[column.index]
            self.sure &= columns.plain_texts(texts)
            self._add(f"options.{column.key}", texts)
        return True

    def _add(self, column: str, texts: Texts) -> None:
        if self._ids is None:
            self._content += texts.hashes(column)

    def _identity(self, ids: Texts | None) -> tuple[Numbers, bool]:
        """The hashes that the sieve gets; rows that may have another's id or content are not sure."""
        suspects = self._gate.suspects
        if ids is None:
            if suspects.made:
                self.sure[:] = False
            elif len(suspects.contents):
                self.sure &= ~np.isin(self._content, suspects.contents)
            return self._content, False
        self.sure &= columns.plain_ids(ids)
        hashes = ids.hashes("")
        if len(suspects.ids):
            self.sure &= ~np.isin(hashes, suspects.ids)
        made = columns.made_ids(ids)
        if suspects.made:
            self.sure &= ~made
        return hashes, bool(made.any())

    def _counts(self, codes: Numbers, meaning: dict[int, tuple[str, str, str, int]]) -> Counter[Key]:
        """The sure rows, summed."""
        by = self._texts(self._gate.by)
        indexes, different = by.dictionary() if by is not None else (np.zeros(self._rows, np.int64), [""])
        both = (codes * len(different) + indexes)[self.sure]
        counts: Counter[Key] = Counter()
        for code, number in zip(*(part.tolist() for part in _counted(both)), strict=True):
            counts[*meaning[code // len(different)], different[code % len(different)]] += number
        return counts


def _counted(codes: Numbers) -> tuple[Numbers, Numbers]:
    """The different codes and how often each one is there."""
    if len(codes) and int(codes.max()) < MOST:
        counts = np.bincount(codes)
        different = np.flatnonzero(counts)
        return different, counts[different]
    return np.unique(codes, return_counts=True)
