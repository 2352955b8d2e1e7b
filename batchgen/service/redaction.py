"""A key in every form in which a service, a proxy or a library may repeat it, and texts without it.

as it is            sk-live/9f2c==
escaped             sk-live\\/9f2c==   \\u0073k-live…   also twice, inside JSON that is a text in JSON
in a URL, in HTML   sk-live%2F9f2c%3D%3D   sk-live&#x2F;9f2c
in base64           of the key, and of any header that holds it, at each of the three offsets; in hexadecimal
in part             twelve of its characters in a row
"""

import base64
import re
from functools import cached_property

MARK = "[key]"
#: So many characters of a key in a row are as good as the key to whoever looks for the rest.
PIECE = 12
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos", "/": "sol", "+": "plus", "=": "equals"}
_ESCAPES = re.compile(r"[\\%&]")


class Redactor:
    """Takes one key out of texts. The patterns are made when the first text may need them."""

    def __init__(self, key: str) -> None:
        self._key = key

    def text(self, text: str) -> str:
        """`text` with the key, in whatever form, replaced by `[key]`."""
        text = text.replace(self._key, MARK)
        if _ESCAPES.search(text):
            text = self._escaped.sub(MARK, text)
        text = self._encoded.sub(MARK, text)
        return self._without_pieces(text)

    def data(self, data: bytes) -> bytes:
        """The same for bytes of whatever encoding: a key is ASCII."""
        return self.text(data.decode("latin-1")).encode("latin-1")

    def _without_pieces(self, text: str) -> str:
        spans: list[tuple[int, int]] = []
        for piece in self._pieces:
            found = text.find(piece)
            while found >= 0:
                spans.append((found, found + PIECE))
                found = text.find(piece, found + 1)
        if not spans:
            return text
        kept, end = [], 0
        for begin, until in sorted(spans):
            if begin >= end:
                kept += [text[end:begin], MARK]
            end = max(end, until)
        return "".join([*kept, text[end:]])

    @cached_property
    def _pieces(self) -> frozenset[str]:
        if len(self._key) < PIECE + 4:
            return frozenset()
        return frozenset(self._key[start : start + PIECE] for start in range(len(self._key) - PIECE + 1))

    @cached_property
    def _escaped(self) -> re.Pattern[str]:
        return re.compile("".join(_forms_of(char) for char in self._key))

    @cached_property
    def _encoded(self) -> re.Pattern[str]:
        """Base64 (and its form for URLs) with the key at any of the three offsets, and hexadecimal."""
        raw = self._key.encode("ascii")
        forms = [f"(?i:{raw.hex()})"]
        for offset in range(3):
            coded = base64.b64encode(bytes(offset) + raw).decode("ascii")
            certain = coded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
            forms.append("".join(_BASE64.get(char, char) for char in certain) + r"[\w+/\-]{0,2}(?:=|%3[Dd]){0,2}")
        return re.compile("|".join(forms))


_BASE64 = {"+": r"(?:[+\-]|%2[Bb]|\\{1,8}u002[Bb])", "/": r"(?:\\{0,8}[/_]|%2[Ff]|\\{1,8}u002[Ff])"}


def _forms_of(char: str) -> str:
    """A pattern for one character, however it is escaped. Each repetition is bounded: the text is a stranger's."""
    number = ord(char)
    forms = [re.escape(char), rf"(?i:%(?:25){{0,4}}{number:02x}|\\{{1,8}}(?:u00|x){number:02x})"]
    forms.append(rf"(?i:&(?:amp;){{0,4}}#(?:0{{0,6}}{number}|x0{{0,6}}{number:x});?)")
    if not char.isalnum() and char != "\\":
        forms.append(r"\\{1,8}" + re.escape(char))
    if char in _ENTITIES:
        forms.append(f"(?i:&(?:amp;){{0,4}}{_ENTITIES[char]};)")
    return f"(?:{'|'.join(forms)})"
