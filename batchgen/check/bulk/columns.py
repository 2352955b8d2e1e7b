"""Columns of text as numpy sees them, and what is certainly plain in them: the pieces of `gate`.

Each `plain_*` function gives True only for cells that the careful path would take without a word. Patterns
are RE2's, in which every one of them is linear.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batchgen.check import made, oddities, rules
from batchgen.check.bulk.hashing import column_hashes
from batchgen.manifest.words import UNSEEN

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


def _any(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, names))


_HOST = r"^https://[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24}(?::[0-9]{1,5})?(?:/[A-Za-z0-9_~%+=@.-]*)*"
_QUERY = r"(?:\?[A-Za-z0-9._~/%&=+:@-]*)?$"
#: A plain address of a file whose ending fits, or that has none.
_ADDRESS = {
    key: f"{_HOST}(?:/[A-Za-z0-9_~%+=@-]*|(?i:{_any(endings)})){_QUERY}"
    for key, endings in (("image_input", rules.PICTURES), ("video_input", rules.VIDEOS))
}
#: Hosts that a warning may be about.
_ODD_HOST = rf"^https://(?:(?:[a-z0-9-]+\.)*(?:{_any(rules.PAGES)})|[^/?:]*(?:{_any(rules.INSIDE)}))(?:[:/?]|$)"


@dataclass(frozen=True)
class Texts:
    """One column of a chunk: text i is `data[offsets[i]:offsets[i + 1]]`."""

    array: Any
    offsets: npt.NDArray[np.int32]
    data: Bytes

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "Texts":
        array = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
        _, offsets, data = array.buffers()
        places = np.frombuffer(offsets, dtype=np.int32)[array.offset : array.offset + len(array) + 1]
        content = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, dtype=np.uint8)
        return cls(array, places, content[: int(places[-1])])

    @cached_property
    def sizes(self) -> Numbers:
        """Bytes of each text."""
        return np.diff(self.offsets).astype(np.int64)

    @cached_property
    def first(self) -> npt.NDArray[np.int16]:
        """The first byte of each text, -1 for an empty one."""
        found = np.full(len(self.sizes), -1, dtype=np.int16)
        filled = self.sizes > 0
        found[filled] = self.data[self.offsets[:-1][filled]]
        return found

    def hashes(self, column: str) -> Numbers:
        """The hash of each text in `column`, 0 for an empty one (unless the column has no name)."""
        found = column_hashes(self.data, self.offsets, column)
        if column:
            found[self.sizes == 0] = 0
        return found

    def dictionary(self) -> tuple[Numbers, list[str]]:
        """An index for each row, and the different texts."""
        encoded = self.array.dictionary_encode()
        words = encoded.dictionary.to_pylist()
        texts = [word.decode("ascii") if isinstance(word, bytes) else word for word in words]
        indexes = np.frombuffer(encoded.indices.buffers()[1], dtype=np.int32, count=len(encoded))
        return indexes.astype(np.int64), texts

    def matches(self, pattern: str) -> Flags:
        """Which texts have a match of an RE2 pattern."""
        found = pc.match_substring_regex(self.array, pattern)
        bits = np.frombuffer(
            found.buffers()[1], dtype=np.uint8
        )  # to_numpy would load pandas, for a third of a second
        flags: Flags = np.unpackbits(bits, count=len(found), bitorder="little").view(np.bool_)
        return flags

    @property
    def is_text(self) -> bool:
        """Whether it is text (UTF-8, checked); else it is bytes that are all ASCII."""
        return bool(pa.types.is_string(self.array.type))


def plain_prompts(texts: Texts, limits: Numbers, data: bytes) -> Flags:
    """Prompts that are there, within the model's limit, without braces or anything odd in them; or blank."""
    good = (texts.sizes <= limits) & plain_texts(texts)
    if rules.BRACES.encode() in data:
        good &= ~texts.matches(re.escape(rules.BRACES))
    return good


def not_commented(texts: Texts) -> Flags:
    """Texts that do not start with the mark of a comment."""
    if b"#" not in texts.data.tobytes() and b"//" not in texts.data.tobytes():
        return np.ones(len(texts.sizes), dtype=np.bool_)
    start = UNSEEN if texts.is_text else r"\x00-\x20\x7f"
    return ~texts.matches(rf"^[{start}]*(?:#|//)")


def plain_counts(texts: Texts) -> Flags:
    """The numbers of rows that pandas writes into a column without a name; or empty."""
    counts: Flags = texts.matches(r"^[0-9]{0,18}$")
    return counts


def not_made(texts: Texts) -> Flags:
    """Texts that certainly do not say that a video is made already."""
    plain: Flags = (texts.sizes == 0) | ~texts.matches(made.SAYS_MADE)
    return plain


def plain_texts(texts: Texts) -> Flags:
    """Texts that nothing is to say of; or empty."""
    plain: Flags = (texts.sizes == 0) | ~texts.matches(oddities.ODD if texts.is_text else oddities.ODD_ASCII)
    return plain


def plain_addresses(texts: Texts, key: str, data: bytes) -> Flags:
    """Cells with exactly one plain address; or empty."""
    empty: Flags = texts.sizes == 0
    if empty.all():
        return empty
    good: Flags = texts.matches(_ADDRESS[key]) & (texts.sizes <= 8000) & ~texts.matches(_ODD_HOST)
    if b"?" in data:
        good &= ~texts.matches("(?i)" + rules.SIGNED)
    return empty | good


def plain_ids(texts: Texts) -> Flags:
    """Ids of visible ASCII characters with single words or blanks inside, no blanks outside."""
    good = texts.sizes <= 200
    if len(texts.data) and not (int(texts.data.min()) > 0x20 and int(texts.data.max()) < 0x7F):
        good &= texts.matches(r"^[!-~](?:[ -~]*[!-~])?$")
    return good & ~texts.matches(oddities.ODD_NAME)


def made_ids(texts: Texts) -> Flags:
    """Ids that look like a fingerprint, perhaps with a number behind it."""
    if int(texts.sizes.max(initial=0)) < 16:
        return np.zeros(len(texts.sizes), dtype=np.bool_)
    return texts.matches(r"^[0-9a-f]{16}(?:-[0-9]+)?$")


def plain_integers(texts: Texts) -> Flags:
    """Whole numbers in JSON's own spelling; or empty."""
    empty: Flags = texts.sizes == 0
    return empty | texts.matches(r"^(?:0|-?[1-9][0-9]{0,17})$")
