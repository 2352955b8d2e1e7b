"""Columns as numpy sees them: texts as offsets and bytes, numbers and yes/no as arrow arrays."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batchgen.check.bulk.hashing import column_hashes, number_hashes

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
#: An index for each row, and the different values.
Choices = tuple[Numbers, list[Any]]


def flags_of(array: pa.Array) -> Flags:
    """A boolean array without nulls for numpy; arrow's own to_numpy would load pandas, for a third of a second."""
    bits = np.unpackbits(np.frombuffer(array.buffers()[1], dtype=np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].view(np.bool_)


def boolean(flags: Flags) -> pa.Array:
    """The way back; like the others here it is made of buffers, because `pa.array` and `pa.scalar` load pandas."""
    bits = pa.py_buffer(np.packbits(flags, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, bits])


def integers(numbers: Numbers, kept: Flags | None = None) -> pa.Array:
    """Whole numbers for arrow, null where they are not kept."""
    valid = None if kept is None else boolean(kept).buffers()[1]
    return pa.Array.from_buffers(pa.int64(), len(numbers), [valid, pa.py_buffer(numbers.astype(np.int64))])


def there(array: pa.Array) -> Flags:
    """Which values are not null."""
    if not array.null_count:
        return np.ones(len(array), dtype=np.bool_)
    if array.null_count == len(array):
        return np.zeros(len(array), dtype=np.bool_)
    return flags_of(array.is_valid())


@dataclass(frozen=True)
class Texts:
    """A column of text: text i is `data[offsets[i]:offsets[i + 1]]`; null is empty."""

    array: Any
    offsets: npt.NDArray[np.int32]
    data: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, array: pa.Array) -> "Texts":
        """From an array of string (UTF-8, checked), or of binary that is all ASCII."""
        _, offsets, data = array.buffers()
        places = np.frombuffer(offsets, dtype=np.int32)[array.offset : array.offset + len(array) + 1]
        if array.null_count:
            if np.diff(places)[~there(array)].any():  # something stands behind a null
                return cls.of(array.fill_null(""))
            array = pa.Array.from_buffers(
                array.type, len(array), [None, offsets, data], null_count=0, offset=array.offset
            )
        content = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, dtype=np.uint8)
        return cls(array, places, content[: int(places[-1])])

    @classmethod
    def empty(cls, rows: int) -> "Texts":
        """As many blank cells."""
        offsets = pa.py_buffer(np.zeros(rows + 1, dtype=np.int32))
        return cls.of(pa.Array.from_buffers(pa.string(), rows, [None, offsets, pa.py_buffer(b"")]))

    @cached_property
    def sizes(self) -> Numbers:
        """Bytes of each text."""
        return np.diff(self.offsets).astype(np.int64)

    @cached_property
    def filled(self) -> Flags:
        return self.sizes > 0

    @cached_property
    def first(self) -> npt.NDArray[np.int16]:
        """The first byte of each text, -1 for an empty one."""
        found = np.full(len(self.sizes), -1, dtype=np.int16)
        found[self.filled] = self.data[self.offsets[:-1][self.filled]]
        return found

    @cached_property
    def _bytes(self) -> bytes:
        return self.data[int(self.offsets[0]) :].tobytes()

    def holds(self, mark: str) -> bool:
        """Whether some text has these characters: a quick look that saves slow ones."""
        return mark.encode("utf-8") in self._bytes

    def hashes(self, column: str) -> Numbers:
        """The hash of each text in `column`, 0 for an empty one (unless the column has no name)."""
        found = column_hashes(self.data, self.offsets, column)
        if column:
            found[~self.filled] = 0
        return found

    def choices(self, most: int) -> Choices | None:
        """The different texts; None for more than `most`."""
        found = _choices(self.array, most)
        if found is None:
            return None
        return found[0], [text.decode("ascii") if isinstance(text, bytes) else text for text in found[1]]

    def matches(self, pattern: str) -> Flags:
        """Which texts have a match of an RE2 pattern, in which every pattern is linear."""
        return flags_of(pc.match_substring_regex(self.array, pattern))

    @property
    def is_text(self) -> bool:
        """Whether it is text; else it is bytes that are all ASCII."""
        return bool(pa.types.is_string(self.array.type))


@dataclass(frozen=True)
class Typed:
    """A column of numbers, or of yes and no; null and NaN are blank."""

    array: Any

    @cached_property
    def numbers(self) -> npt.NDArray[np.float64]:
        """As float64, NaN where it is blank."""
        return floats(self.array)

    @cached_property
    def filled(self) -> Flags:
        return ~np.isnan(self.numbers)

    def hashes(self, column: str) -> Numbers:
        """The hash of each number, 0 for a blank one."""
        return hashes_of(self.numbers, column)

    def choices(self, most: int) -> Choices | None:
        """The different values, None for a blank; None in all for more than `most`."""
        return _choices(self.array, most)


def floats(array: pa.Array) -> npt.NDArray[np.float64]:
    """Numbers, or yes and no, as float64; NaN where they are null."""
    whole = array.cast(pa.float64(), safe=False)
    numbers = np.frombuffer(whole.buffers()[1], dtype=np.float64)[whole.offset : whole.offset + len(whole)].copy()
    numbers[~there(array)] = np.nan
    return numbers


def hashes_of(numbers: npt.NDArray[np.float64], column: str) -> Numbers:
    """The hash of each number, 0 for NaN."""
    found = number_hashes(numbers, f"{column}:number")
    found[np.isnan(numbers)] = 0
    return found


def _choices(array: pa.Array, most: int) -> Choices | None:
    encoded = array.dictionary_encode(null_encoding="encode")
    if len(encoded.dictionary) > most:
        return None
    indices = encoded.indices
    indexes = np.frombuffer(indices.buffers()[1], dtype=np.int32)[indices.offset : indices.offset + len(array)]
    return indexes.astype(np.int64), encoded.dictionary.to_pylist()


@dataclass(slots=True)
class Part:
    """Rows of a table by their columns: what is seen of each, by its index, and rows that only care can read."""

    rows: int
    columns: dict[int, Texts | Typed]
    doubtful: Flags

    def texts(self, index: int) -> Texts | None:
        """A column of text."""
        found = self.columns.get(index)
        return found if isinstance(found, Texts) else None
