"""What is certainly plain: each function gives True only for cells that the careful pass takes without a word.

The patterns are built from `check.rules` and are narrower than they: what falls through costs time, no verdict.
"""

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batchgen.check import made, oddities, rules
from batchgen.check.bulk.columns import Flags, Numbers, Texts, Typed, boolean, floats
from batchgen.manifest.words import UNSEEN


def _any(names: Iterable[str]) -> str:
    return "|".join(map(re.escape, names))


_HOST = r"https://[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24}(?::[0-9]{1,5})?(?:/[A-Za-z0-9_~%+=@.-]*)*"
_QUERY = r"(?:\?[A-Za-z0-9._~/%&=+:@-]*)?"
#: Addresses of files whose ending fits, or that have none; several are on lines of their own.
_ADDRESSES = {
    key: f"^{address}(?:\n{address})*$"
    for key, endings in (("image_input", rules.PICTURES), ("video_input", rules.VIDEOS))
    for address in [f"{_HOST}(?:/[A-Za-z0-9_~%+=@-]*|(?i:{_any(endings)})){_QUERY}"]
}
#: Hosts that a warning may be about.
_ODD_HOST = (
    rf"(?:^|\n)https://(?:(?:[a-z0-9-]+\.)*(?:{_any(rules.PAGES)})|[^/?:\n]*(?:{_any(rules.INSIDE)}))(?:[:/?\n]|$)"
)


def plain_texts(texts: Texts) -> Flags:
    """Texts that nothing is to say of; or empty."""
    return ~texts.filled | ~texts.matches(oddities.ODD if texts.is_text else oddities.ODD_ASCII)


def plain_prompts(texts: Texts, limits: Numbers) -> Flags:
    """Plain texts without braces, within the model's limit of characters."""
    good = plain_texts(texts) & (texts.sizes <= limits)
    for mark in (rules.BRACES, "\0"):
        if texts.holds(mark):
            good &= ~texts.matches(re.escape(mark))
    return good


def not_commented(texts: Texts) -> Flags:
    """Texts that do not start with the mark of a comment."""
    if not texts.holds("#") and not texts.holds("//"):
        return np.ones(len(texts.sizes), dtype=np.bool_)
    start = UNSEEN if texts.is_text else r"\x00-\x20\x7f"
    return ~texts.matches(rf"^[{start}]*(?:#|//)")


def plain_counts(texts: Texts) -> Flags:
    """The numbers of rows that pandas writes into a column without a name; or empty."""
    return texts.matches(r"^[0-9]{0,18}$")


def not_guarded(texts: Texts) -> Flags:
    """Texts from which no apostrophe is to be taken away."""
    if not bool((texts.data == ord("'")).any()):
        return np.ones(len(texts.sizes), dtype=np.bool_)
    return ~texts.matches(r"(?:^|[;\n\r])'")


def not_made(texts: Texts) -> Flags:
    """Texts that certainly do not say that a video is made already."""
    return ~texts.filled | ~texts.matches(made.SAYS_MADE)


def plain_addresses(texts: Texts, key: str) -> Flags:
    """Cells with plain addresses; or empty."""
    empty = ~texts.filled
    if empty.all():
        return empty
    good: Flags = texts.matches(_ADDRESSES[key]) & (texts.sizes <= 8000) & ~texts.matches(_ODD_HOST)
    if texts.holds("?"):
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


def plain_integers(found: Texts | Typed) -> tuple[Flags, npt.NDArray[np.float64]]:
    """Whole numbers that a float64 holds, in JSON's own spelling where they are text; or empty. And the numbers."""
    if isinstance(found, Typed):
        numbers = found.numbers
        return ~found.filled | ((np.abs(numbers) < 2**53) & (np.floor(numbers) == numbers)), numbers
    good = found.filled & found.matches(r"^(?:0|-?[1-9][0-9]{0,14})$")
    numbers = np.full(len(good), np.nan)
    numbers[good] = floats(found.array.filter(boolean(good)).cast(pa.string()).cast(pa.int64()))
    return good | ~found.filled, numbers
