"""Quick 64-bit hashes of texts and numbers, the same for one value in Python and for a whole column in numpy.

Only a sieve: equal values have equal hashes, and values that share one are compared in full elsewhere. Eight
bytes at a time: h = (h ^ word) * ODD; h ^= h >> 29, from a start that depends on the length and the column.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from batchgen.job import canonical_json

_ODD = 0x9E3779B97F4A7C15
_LENGTH = 0xC2B2AE3D27D4EB4F
_ALL = (1 << 64) - 1
_MASKS = np.array([(1 << (8 * count)) - 1 for count in range(8)], dtype=np.uint64)


def text_hash(text: str, column: str = "") -> int:
    """The hash of one text in a column, as a signed 64-bit number."""
    return _hash(text.encode("utf-8", "surrogatepass"), column)


def _hash(data: bytes, column: str) -> int:
    found = (len(data) * _LENGTH & _ALL) ^ _start(column)
    for at in range(0, len(data), 8):
        found = (found ^ int.from_bytes(data[at : at + 8], "little")) * _ODD & _ALL
        found ^= found >> 29
    return _signed(found)


def _signed(number: int) -> int:
    number &= _ALL
    return number - (1 << 64) if number >> 63 else number


def column_hashes(data: np.ndarray, offsets: np.ndarray, column: str = "") -> np.ndarray:
    """The hashes of a column: text i is `data[offsets[i]:offsets[i + 1]]` (uint8), as int64."""
    starts, sizes = offsets[:-1].astype(np.int64), np.diff(offsets).astype(np.int64)
    padded = np.concatenate((data, np.zeros(8, dtype=np.uint8)))
    words = np.ndarray(shape=(len(padded) - 7,), dtype="<u8", buffer=padded, strides=(1,))
    found = (sizes.astype(np.uint64) * np.uint64(_LENGTH)) ^ np.uint64(_start(column))
    longest = int(sizes.max(initial=0))
    rows: Any = slice(None)
    for at in range(0, longest, 8):
        if at:  # only the rows that go on
            rows = np.flatnonzero(sizes > at)
        elif int(sizes.min(initial=0)) == 0:
            rows = np.flatnonzero(sizes > 0)
        word = words[starts[rows] + at]
        left = sizes[rows] - at
        short = np.flatnonzero(left < 8)
        word[short] &= _MASKS[left[short]]
        mixed = (found[rows] ^ word) * np.uint64(_ODD)
        mixed ^= mixed >> np.uint64(29)
        found[rows] = mixed
    return found.view(np.int64)


def number_hashes(numbers: np.ndarray, column: str) -> np.ndarray:
    """The hashes of a column of float64: a number is hashed by its eight bytes, 7 like 7.0."""
    data = (numbers + 0.0).astype("<f8").view(np.uint8)  # + 0.0: there is one zero
    return column_hashes(data, np.arange(len(numbers) + 1) * 8, column)


def _start(column: str) -> int:
    return zlib.crc32(column.encode("utf-8", "surrogatepass")) * _LENGTH & _ALL if column else 0


def content_hash(request: Mapping[str, Any]) -> int:
    """The hash of a request: the sum of those of its parts, so that columns can be added up in any order."""
    total = 0
    for key, value in request.items():
        if key == "options":
            total += sum(_option(name, each) for name, each in value.items())
        elif isinstance(value, list):
            total += text_hash("\n".join(map(str, value)), key)
        else:
            total += text_hash(str(value), key)
    return _signed(total)


def _option(name: str, value: Any) -> int:
    if isinstance(value, str):
        return text_hash(value, f"options.{name}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _hash(struct.pack("<d", float(value) + 0.0), f"options.{name}:number")
    return text_hash(canonical_json(value).decode("utf-8", "surrogatepass"), f"options.{name}:json")
