"""The API key: held so that it can be sent and compared, and nothing else."""

import hmac
import re
from typing import NoReturn

from batchgen.errors import UsageError
from batchgen.service.redaction import Redactor

#: Every answer is redacted before it is read: a key that is a short word, such as `task`, would tear ids and URLs.
SHORTEST = 8


#: Every key that this process has held, for texts of which nobody knows where they come from.
_KNOWN: dict[str, Redactor] = {}


def concealed(text: str) -> str:
    """`text` (an error's sentence, a traceback, an address) without any key that this process has held."""
    for redactor in list(_KNOWN.values()):
        text = redactor.text(text)
    return text


def remember(value: str) -> None:
    """A key that may never be used, and that no text may hold all the same."""
    if len(value) >= SHORTEST and value.isascii():
        _KNOWN.setdefault(value, Redactor(value))


class Secret:
    """A key without a face: no repr, text, format, pickle, copy into a log or a traceback.

    `reveal` is the one way to the value; the border to HTTP and the redaction of output call it. Raises
    UsageError for a key that can't stand in a header (blank, line breaks, not ASCII) or is too short to be one,
    unless it is for a service on this machine (`near`); the message never holds the value.
    """

    __slots__ = ("_redactor", "_value")

    def __init__(self, value: str, *, near: bool = False) -> None:
        value = value.strip()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise UsageError(
                "The API key is blank or holds characters that no key has.",
                code="bad_key_text",
                hint="Copy the key again, without quotes, blanks or line breaks.",
            )
        if len(value) < SHORTEST and not near:
            raise UsageError(
                f"The API key has fewer than {SHORTEST} characters: that is no key.",
                code="bad_key_text",
                hint="Copy the whole key again.",
            )
        self._value = value
        self._redactor = Redactor(value)
        if len(value) >= SHORTEST:
            self._redactor = _KNOWN.setdefault(value, self._redactor)

    def reveal(self) -> str:
        """The key itself."""
        return self._value

    def redacted(self, text: str) -> str:
        """`text` without the key, in whatever form it stands there; a short one only where it stands alone."""
        if len(self._value) < SHORTEST:
            return re.sub(rf"(?<![\w-]){re.escape(self._value)}(?![\w-])", "[key]", text)
        return self._redactor.text(text)

    def redacted_bytes(self, data: bytes) -> bytes:
        """`data` without the key, in whatever form it stands there."""
        return self.redacted(data.decode("latin-1")).encode("latin-1")

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a Secret can't be pickled or copied")
