"""The bulk pass: rows of a table decided by whole columns, and only what is certain.

A row is *sure* when it certainly becomes a job without any warning; everything else (a problem, a warning, a
blank line, something unusual) is left to the careful pass, which alone words messages. So a wrong guess here
costs time, never a verdict: a property test holds this file to that.

What a row has in common with others is judged by the careful pass, once (`gate`). What differs from row to row
(prompts, addresses, ids, seeds) is compared with patterns of what is certainly plain.

The work is in arrow and numpy and lets other threads run, so that several parts are decided at a time.
"""

from collections import Counter
from typing import Any

import numpy as np

from batchgen.check.bulk import plain
from batchgen.check.bulk.columns import Flags, Numbers, Part, Texts, Typed, hashes_of
from batchgen.check.bulk.gate import FEW, Bulk, Gate, Judged
from batchgen.check.tally import Key
from batchgen.manifest.columns import REQUIRED, Column
from batchgen.manifest.objects import as_text

#: With more combinations than this in one part the careful pass is as quick.
MOST = 5000
#: What stands for the prompt and the inputs of a row when its combination is judged.
_STANDS_FOR = {
    "prompt": "A cat asleep",
    "image_input": "https://a.example/x.png",
    "video_input": "https://a.example/x.mp4",
}


def decide(gate: Gate, part: Part) -> Bulk | None:
    """The verdicts on a part; None where the careful pass must read all of it."""
    return _Look(gate, part).verdict() if part.rows else Bulk(0, np.empty(0, dtype=np.int64), Counter())


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

    def _combined(self) -> tuple[Numbers, list[Judged]] | None:
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
            if self._ids is None:
                self._content += hashes_of(numbers, f"options.{column.key}")
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

    def _counts(self, codes: Numbers, judged: list[Judged]) -> Counter[Key] | None:
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
