"""What the careful pass says of rows that are alike, asked once for each kind of row: the gate of a table.

Columns with few different values (provider, model, scene, most options) are not judged by the bulk pass itself:
the careful pass judges one row of each combination (`Trial`), and all rows with that combination follow it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from batchgen.check import made
from batchgen.check.bulk.columns import Numbers
from batchgen.check.bulk.hashing import content_hash
from batchgen.check.identity import Suspects
from batchgen.check.prices import PriceTable
from batchgen.check.tally import Key
from batchgen.check.verdict import Verdict, judge
from batchgen.check.warnings import prompt_limit
from batchgen.manifest import Entry, Manifest, ReadOptions
from batchgen.manifest.columns import REQUIRED, Column, Header

#: A column with more different values than this in one part is compared with patterns, not judged value by value.
FEW = 200
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
class Judged:
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
    """The columns of one table, and what the careful pass says of their values. Made once for a table."""

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
        self._judged: dict[Any, Judged] = {}

    @property
    def needed(self) -> list[Column]:
        """The columns that `decide` looks at."""
        by = [self.by] if self.by is not None else []
        others = (*self.empty, *self.leading, *self.telling, *(self.loud or ()))
        return [*self.keys.values(), *self.options, *others, *by]

    def judged(self, sample: dict[int, Any], aside: frozenset[str]) -> Judged:
        """The careful verdict on a combination of values; options in `aside` are not part of its content."""
        key = (tuple((index, type(value), value) for index, value in sample.items()), aside)
        with self._lock:
            if key not in self._judged:
                if len(self._judged) > 100_000:
                    self._judged.clear()
                self._judged[key] = self._try(sample, aside)
            return self._judged[key]

    def _try(self, sample: dict[int, Any], aside: frozenset[str]) -> Judged:
        found = self._trial(sample)
        if found is None or found[0].request is None:
            return Judged(False)
        if self.loud is None:
            self.loud = self._loud(sample)
        (verdict, notes), request = found, found[0].request
        asked = {key: request[key] for key in REQUIRED}
        asked["options"] = {name: each for name, each in request.get("options", {}).items() if name not in aside}
        names = (request["provider"], request["model"], request["scene"])
        return Judged(True, content_hash(asked), names, verdict.price, prompt_limit(names[1]), notes)

    def _loud(self, sample: dict[int, Any]) -> list[Column]:
        """The columns of one's own that draw a word beside a good sample."""
        own = [column for column in self.own if column not in self.telling]
        if self._trial(sample | {column.index: "x" for column in own}) is not None:
            return []
        return own if len(own) > FEW else [c for c in own if self._trial({**sample, c.index: "x"}) is None]
