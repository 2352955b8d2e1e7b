"""How a text is written into results.csv so that no spreadsheet runs it, and how it is read back.

A spreadsheet takes a cell that starts with `=`, `+`, `-`, `@` (also in full width), a tab or a line break for a
formula (OWASP, "CSV Injection"). Where lists are separated by `;`, a comma file falls apart at each `;` and
each line break of a text, and what follows is a cell of its own. `guard` puts one apostrophe in front of such a
sign, and in front of apostrophes that stand before one already, so that `unguard` can take exactly one away
there: for every text, `unguard(guard(text)) == text`. Numbers (`-5`, `+1.5e3`, `-1,25`, `-5%`) run nothing and
stay as they are.

A column of the user's own that is named like one of results.csv's is written as `own.NAME`.
"""

import re

from batchgen.job import RESULT_COLUMNS, USD_COLUMNS

_SIGNS = "=+@\uff1d\uff0b\uff0d\uff20-"
#: The first characters that make a spreadsheet take a cell for a formula.
TRIGGERS = f"{_SIGNS}\t\r\n"
_START = re.compile(f"'*(?=[{re.escape(TRIGGERS)}])")
#: Further on in a text: behind `;` and line breaks. A CR at the very start is a trigger itself.
_LEAD = re.compile("'*\r?")
_OPEN = re.compile(f"([;\n\r]'*)(?=[{re.escape(_SIGNS)}])")
_SHUT = re.compile(f"([;\n\r])'(?='*[{re.escape(_SIGNS)}])")

_NUMBER = re.compile(r"[+-](?:[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?%?", re.ASCII)
_OURS = re.compile(r"(?:own\.)*(?:" + "|".join((*RESULT_COLUMNS, *USD_COLUMNS)) + ")")


def guard(text: str) -> str:
    """`text` with an apostrophe wherever a spreadsheet could run it: `=1+1` -> `'=1+1`, `-5` -> `-5`."""
    if not text or (text[0] not in _FIRST and ";" not in text and "\n" not in text and "\r" not in text):
        return text  # nearly every cell leaves here
    if _NUMBER.fullmatch(text):
        return text
    lead = _lead(text)
    return ("'" if _START.match(text) else "") + text[:lead] + _OPEN.sub(r"\1'", text[lead:])


def unguard(text: str) -> str:
    """The text that `guard` was given: takes one apostrophe away wherever `guard` puts one."""
    if "'" not in text:
        return text
    if text[0] == "'" and _START.match(text):
        text = text[1:]
    lead = _lead(text)
    return text[:lead] + _SHUT.sub(r"\1", text[lead:])


def _lead(text: str) -> int:
    found = _LEAD.match(text)
    return found.end() if found else 0


_FIRST = frozenset(f"{TRIGGERS}'")


def own_header(name: str) -> str:
    """The header of the user's own column `name`: `state` -> `own.state`, `sku` -> `sku`."""
    return f"own.{name}" if _OURS.fullmatch(name) else name


def own_name(header: str) -> str:
    """The user's own name of a column of results.csv that is not one of ours: `own.state` -> `state`."""
    return header[4:] if header.startswith("own.") and _OURS.fullmatch(header) else header
