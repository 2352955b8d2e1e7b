"""The addresses in one cell: several may stand there, however a person set them apart."""

import re

#: What people put between two addresses, besides white space.
_MARKS = ",;|，、；｜"
_SCHEME = "[A-Za-z][A-Za-z0-9+.-]*://"
_APART = re.compile(f"[{_MARKS}]+(?={_SCHEME})")
_RUN_ON = re.compile("[A-Za-z0-9._-]https?://", re.IGNORECASE)


def split(text: str) -> list[str]:
    """The addresses of a text, apart by white space, commas, semicolons or bars, also at its end.

    A mark inside of an address stays (`/w_400,h_300/a.png`): it only divides where another address follows.
    """
    words = text.split()
    if "://" not in text:
        return words
    found: list[str] = []
    for word in words:
        if word[-1] in _MARKS or word[0] in _MARKS or word.count("://") > 1:
            parts = [part.strip(_MARKS) for part in _APART.split(word)]
            found.extend(part for part in parts if part)
        else:
            found.append(word)
    return found


def split_item(item: str) -> list[str]:
    """The addresses of one item of a list: nearly always itself, without outer blanks."""
    bare = item.strip()
    return split(bare) if bare.count("://") > 1 or bare[-1:] in tuple(_MARKS) else [bare]


def is_joined(address: str) -> bool:
    """Whether two addresses stand in one word with nothing between them that is known to set them apart.

    An address that is handed on in a query (`?url=https://…`) is part of the one before it.
    """
    if address.count("://") < 2:
        return False
    path, _, query = address.partition("?")
    return path.count("://") > 1 or _RUN_ON.search(query) is not None
