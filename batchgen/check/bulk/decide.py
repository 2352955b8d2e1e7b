"""The bulk pass: rows of a table decided by whole columns, and only what is certain.

A row is *sure* when it certainly becomes a job without any warning; everything else (a problem, a warning, a
blank line, something unusual) is left to the careful pass, which alone words messages. So a wrong guess here
costs time, never a verdict: a property test holds this file to that.

Columns with few different values (provider, model, scene, most options) are not judged here at all: the careful
pass judges one row of each combination (`Trial`), and all rows with that combination follow it. What differs
from row to row (prompts, addresses, ids, seeds) is compared with patterns of what is certainly plain.

The work is in arrow and numpy and lets other threads run, so that several parts are decided at a time.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from batchgen.check import made
from batchgen.check.bulk import plain
from batchgen.check.bulk.columns import Flags, Numbers, Part, Texts, Typed
from batchgen.check.bulk.hashing import content_hash
from batchgen.check.identity import Suspects
from batchgen.check.prices import PriceTable
from batchgen.check.tally import Key
from batchgen.check.verdict import Verdict, judge
from batchgen.check.warnings import prompt_limit
from batchgen.manifest import Entry, Manifest, ReadOptions
from batchgen.manifest.columns import REQUIRED, Column, Header
from batchgen.manifest.objects import as_text

#: A column with more different values than this in one part is compared with patterns, not judged value by value.
FEW = 200
#: With more combinations than this in one part the careful pass is as quick.
MOST = 5000
#: What stands for the prompt and the inputs of a row when its combination is judged.
_STANDS_FOR = {
    "prompt": "A cat asleep",
    "image_input": "https://a.example/x.png",
    "video_input": "https://a.example/x.mp4",
}

#: The careful pass on one row, given by column index: the verdict, and what it notes of the manifest; None where it
#: has a word to say of the row.
Trial = Callable[[Mapping[int, Any]], tuple[Verdict, tuple[str, ...]] | None]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a pass decides: the same for all of its manifests. `by` names the column to sum by."""

    options: ReadOptions
    prices: PriceTable
    by: str | None
    suspects: Suspects


@dataclass(frozen=True, slots=True)
class Bulk:
    """What was decided about one part.

    `rows` is how many rows it has, `unsure` the indexes of those left to the careful pass. `counts` sums the sure
    ones; `ids` or `contents` are their hashes, for the sieve; `made` says that an id looks made.
    """

    rows: int
    unsure: Numbers
    counts: Counter[Key]
    ids: Numbers | None = None
    contents: Numbers | None = None
    made: bool = False


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the careful pass says of one combination; `content` is the hash of what it asks for."""

    good: bool
    content: int = 0
    names: tuple[str, str, str] = ("", "", "")
    price: int = 0
    longest: int = 0
    notes: tuple[str, ...] = ()


def quiet(
    read: Callable[[], Entry], scratch: Manifest, prices: PriceTable
) -> tuple[Verdict, tuple[str, ...]] | None:
    """What a trial answers, for a row read within the manifest `scratch`."""
    verdict = judge(read(), scratch, prices, None)
    said = verdict.problems or verdict.warnings or scratch.problems or scratch.warnings
    notes = tuple(scratch.notes)
    for each in (scratch.problems, scratch.warnings, scratch.notes):
        each.clear()
    return None if said else (verdict, notes)


class Gate:
    """Decides parts of one table. Made once for its columns."""

    def __init__(self, header: Header, terms: Terms, trial: Trial, notes: list[str]) -> None:
        """`notes`: those of the manifest, which grow: the first row that adds one is left to the careful pass."""
        columns = header.columns
        self.header, self.suspects, self.notes = header, terms.suspects, notes
        self.keys = {column.key: column for column in columns if column.kind == "key"}
        whole = [self.keys["options"]] if "options" in self.keys else []
        self.options = [*whole, *(c for c in columns if c.kind == "option")]
        self.empty = [c for c in columns if c.kind in ("blank", "task_id", "told") or c.header == "task_id"]
        self.own = [c for c in columns if c.kind == "own" and c not in self.empty]
        self.by = next((c for c in columns if c.kind in ("key", "option", "own") and c.shown_as == terms.by), None)
        #: Whether columns can answer at all: `by` may name something inside a JSON cell.
        self.usable = {*REQUIRED} <= self.keys.keys() and (terms.by is None or self.by is not None)
        #: Columns in front of the first that every row fills: the mark of a comment may stand there.
        first = min((self.keys[key].index for key in REQUIRED if key in self.keys), default=0)
        self.leading = [c for c in columns if c.index < first and c.kind != "ignored"]
        #: Columns of one's own that may say that a row is made already.
        self.telling = [column for column in self.own if made.kind_of(column.key)]
        #: Columns of one's own about which the careful pass has a word to say; None until that was tried.
        self.loud: list[Column] | None = None
        self._trial, self._lock = trial, Lock()
        self._judged: dict[Any, _Judged] = {}

    @property
    def needed(self) -> list[Column]:
        """The columns that `decide` looks at."""
        by = [self.by] if self.by is not None else []
        others = (*self.empty, *self.leading, *self.telling, *(self.loud or ()))
        return [*self.keys.values(), *self.options, *others, *by]

    def decide(self, part: Part) -> Bulk | None:
        """The verdicts on a part; None where the careful pass must read all of it."""
        return _Look(self, part).verdict() if part.rows else Bulk(0, np.empty(0, dtype=np.int64), Counter())

    def judged(self, sample: dict[int, Any], aside: frozenset[str]) -> _Judged:
        """The careful verdict on a combination of values; options in `aside` are not part of its content."""
        key = (tuple((index, type(value), value) for index, value in sample.items()), aside)
        with self._lock:
            if key not in self._judged:
                if len(self._judged) > 100_000:
                    self._judged.clear()
                self._judged[key] = self._try(sample, aside)
            return self._judged[key]

    def _try(self, sample: dict[int, Any], aside: frozenset[str]) -> _Judged:
        found = self._trial(sample)
        if found is None or found[0].request is None:
            return _Judged(False)
        if self.loud is None:
            self.loud = self._loud(sample)
        (verdict, notes), request = found, found[0].request
        asked = {key: request[key] for key in REQUIRED}
        asked["options"] = {name: each for name, each in request.get("options", {}).items() if name not in aside}
        names = (request["provider"], request["model"], request["scene"])
        return _Judged(True, content_hash(asked), names, verdict.price, prompt_limit(names[1]), notes)

    def _loud(self, sample: dict[int, Any]) -> list[Column]:
        """The columns of one's own that draw a word beside a good sample."""
        own = [column for column in self.own if column not in self.telling]
        if self._trial(sample | {column.index: "x" for column in own}) is not None:
            return []
        return own if len(own) > FEW else [c for c in own if self._trial({**sample, c.index: "x"}) is None]


class _Look:
    """One part while it is decided: `sure` only ever loses rows, `content` adds up hashes."""

    def __init__(self, gate: Gate, part: Part) -> None:
        self._gate, self._part = gate, part
        self.sure: Flags = ~part.doubtful
        #: Hashes of what the rows ask for; added up only where there are no ids.
        self._content: Numbers = np.zeros(part.rows, dtype=np.int64)
        ids = self._texts("id")
        self._ids = ids if ids is not None and bool(ids.filled.all()) else None

    def _texts(self, key: str) -> Texts | None:
        column = self._gate.keys.get(key)
        return self._part.texts(column.index) if column is not None else None

    def verdict(self) -> Bulk | None:
        """Everything about the part; None where the careful pass must read all of it."""
        combined = self._combined()
        if combined is None:
            return None
        codes, judged = combined
        self._inputs(np.array([each.longest for each in judged], dtype=np.int64)[codes])
        if not self._others():
            return None
        hashes, made = self._identity()
        ids = self._texts("id")
        if ids is not None and self._ids is None:
            self.sure &= ~ids.filled  # a part with both kinds: those with an id go the careful way
        counts = self._counts(codes, judged)
        if counts is None:
            return None
        return Bulk(
            rows=self._part.rows,
            unsure=np.flatnonzero(~self.sure),
            counts=counts,
            ids=hashes[self.sure] if self._ids is not None else None,
            contents=None if self._ids is not None else hashes[self.sure],
            made=made,
        )

    def _others(self) -> bool:
        """Columns that are not sent; False where one is not at hand that must be looked at."""
        gate, found = self._gate, self._part.columns
        if any(column.index not in found for column in (*gate.telling, *(gate.loud or ()))):
            return False  # the next part is read with them
        for column in (*gate.empty, *(gate.loud or ())):
            each = found.get(column.index)
            if isinstance(each, Texts) and column.kind == "blank" and column.index == 0:
                self.sure &= plain.plain_counts(each)
            elif each is not None:
                self.sure &= ~each.filled
        for column in gate.telling:
            each = found[column.index]
            self.sure &= plain.not_made(each) if isinstance(each, Texts) else ~each.filled
        for column in gate.leading:
            if (texts := self._part.texts(column.index)) is not None:
                self.sure &= plain.not_commented(texts)
        if gate.header.guarded:
            for each in found.values():
                if isinstance(each, Texts):
                    self.sure &= plain.not_guarded(each)
        return True

    def _combined(self) -> tuple[Numbers, list[_Judged]] | None:
        """For each row the number of its combination, and what the careful pass says of each."""
        gate, rows = self._gate, self._part.rows
        codes: Numbers = np.zeros(rows, dtype=np.int64)
        size = 1
        chosen: list[tuple[Column, Numbers, list[Any]]] = []
        filled: list[tuple[Column, Flags, Any]] = []
        many: list[str] = []
        for column in (*(gate.keys[key] for key in REQUIRED), *gate.options):
            found = self._part.columns.get(column.index)
            if found is None:
                continue
            if (choices := found.choices(FEW)) is not None:
                chosen.append((column, *choices))
                codes, size = codes * len(choices[1]) + choices[0], size * len(choices[1])
            elif (sample := self._varied(column, found)) is not None:
                many.append(column.key)
                filled.append((column, found.filled, sample))
            else:
                return None
            if size > 1 << 40:
                codes, size = _numbered(codes, size)[0], rows
        for key, text in _STANDS_FOR.items():
            if (texts := self._texts(key)) is not None:
                filled.append((gate.keys[key], texts.filled, text))
        for _, flags, _ in filled:
            codes, size = codes * 2 + flags, size * 2
        codes, firsts = _numbered(codes, size)
        if len(firsts) > MOST:
            return None
        aside = frozenset(many)
        judged = []
        for row in firsts.tolist():
            sample = {column.index: values[indexes[row]] for column, indexes, values in chosen}
            sample |= {column.index: stands_for for column, flags, stands_for in filled if flags[row]}
            judged.append(gate.judged({i: value for i, value in sample.items() if value not in ("", None)}, aside))
        self.sure &= np.array([each.good for each in judged], dtype=np.bool_)[codes]
        new = [
            row for row, each in zip(firsts.tolist(), judged, strict=True) if not set(each.notes) <= set(gate.notes)
        ]
        self.sure[new] = False
        if self._ids is None:
            self._content += np.array([each.content for each in judged], dtype=np.int64)[codes]
        return codes, judged

    def _varied(self, column: Column, found: Texts | Typed) -> Any:
        """An option with many different values: what may stand for them, None where columns can't tell."""
        if column.key == "options" and column.kind == "key":
            return None
        if isinstance(found, Texts) and column.as_type == "text" and not column.is_ratio:
            self.sure &= plain.plain_texts(found)
            self._add(f"options.{column.key}", found)
            return "A cat asleep"
        if "seed" in column.key.casefold() and (isinstance(found, Typed) or column.as_type == "int"):
            good, numbers = plain.plain_integers(found)
            self.sure &= good
            self._add(f"options.{column.key}", numbers)
            return "7" if isinstance(found, Texts) else 7
        return None

    def _inputs(self, limits: Numbers) -> None:
        """Prompts and addresses."""
        if (prompt := self._texts("prompt")) is not None:
            self.sure &= plain.plain_prompts(prompt, limits)
            self._add("prompt", prompt)
        for key in ("image_input", "video_input"):
            if (texts := self._texts(key)) is not None:
                self.sure &= plain.plain_addresses(texts, key)
                self._add(key, texts)

    def _add(self, column: str, found: Texts | Typed) -> None:
        if self._ids is None:
            self._content += found.hashes(column)

    def _identity(self) -> tuple[Numbers, bool]:
        """The hashes that the sieve gets; rows that may have another's id or content are not sure."""
        suspects, ids = self._gate.suspects, self._ids
        if ids is None:
            if suspects.made:
                self.sure[:] = False
            elif len(suspects.contents):
                self.sure &= ~np.isin(self._content, suspects.contents)
            return self._content, False
        self.sure &= plain.plain_ids(ids)
        hashes = ids.hashes("")
        if len(suspects.ids):
            self.sure &= ~np.isin(hashes, suspects.ids)
        made = plain.made_ids(ids)
        if suspects.made:
            self.sure &= ~made
        return hashes, bool(made.any())

    def _counts(self, codes: Numbers, judged: list[_Judged]) -> Counter[Key] | None:
        """The sure rows, summed; None where what they are summed by can't be told from a column."""
        by, indexes, values = self._gate.by, codes, [""]
        at = REQUIRED.index(by.key) if by is not None and by.kind == "key" and by.key in REQUIRED else None
        if by is not None and at is None:
            found = self._part.columns.get(by.index)
            if found is None or (isinstance(found, Typed) and by.kind != "own"):
                return None
            indexes, values = found.choices(self._part.rows) or (codes, [""])
        both = codes * len(values) + (indexes if len(values) > 1 else 0)
        both, firsts = _numbered(both[self.sure], len(judged) * len(values))
        counts: Counter[Key] = Counter()
        sure = np.flatnonzero(self.sure)[firsts]
        for row, number in zip(sure.tolist(), np.bincount(both).tolist(), strict=True):
            its = judged[codes[row]]
            value = as_text(values[indexes[row] if len(values) > 1 else 0]) if at is None else its.names[at]
            counts[*its.names, its.price, value] += number
        return counts


def _numbered(codes: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """The codes numbered from 0 without gaps, and the first row of each. All of them are below `size`."""
    if size <= 1 << 16:
        first = np.full(size, -1, dtype=np.int64)
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of equal ones the last that is written stays
        present = np.flatnonzero(first >= 0)
        numbers = np.empty(size, dtype=np.int64)
        numbers[present] = np.arange(len(present))
        return numbers[codes], first[present]
    _, firsts, numbers = np.unique(codes, return_index=True, return_inverse=True)
    return numbers, firsts
