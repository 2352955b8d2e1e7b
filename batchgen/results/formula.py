"""How a text is written into results.csv so that no spreadsheet runs it, and how it is read back.

A spreadsheet takes a cell that starts with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula
(OWASP, "CSV Injection"). `guard` puts one apostrophe in front of such a text, and in front of a text that
already has apostrophes there, so that `unguard` can take exactly one away: for every text,
`unguard(guard(text)) == text`. Numbers (`-5`, `+1.5e3`, `-1,25`, `-5%`) run nothing and stay as they are.

A column of the user's own that is named like one of results.csv's is written as `own.NAME`.
"""

import re

from batchgen.job import RESULT_COLUMNS, USD_COLUMNS

#: The first characters that make a spreadsheet take a cell for a formula.
TRIGGERS = "=+-@\t\r"

_NUMBER = re.compile(r"[+-](?:[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?%?", re.ASCII)
_OURS = re.compile(r"(?:own\.)*(?:" + "|".join((*RESULT_COLUMNS, *USD_COLUMNS)) + ")")


def guard(text: str) -> str:
    """`text` with an apostrophe in front if a spreadsheet could run it: `=1+1` -> `'=1+1`, `-5` -> `-5`."""
    if not text or text[0] not in "=+-@\t\r'":  # nearly every cell leaves here
        return text
    behind = text.lstrip("'")
    if not behind or behind[0] not in TRIGGERS:
        return text
    return text if _NUMBER.fullmatch(text) else "'" + text


def unguard(text: str) -> str:
    """The text that `guard` was given: takes one apostrophe away where `guard` puts one."""
    if not text.startswith("'"):
        return text
    behind = text.lstrip("'")
    return text[1:] if behind and behind[0] in TRIGGERS else text


def own_header(name: str) -> str:
    """The header of the user's own column `name`: `state` -> `own.state`, `sku` -> `sku`."""
    return f"own.{name}" if _OURS.fullmatch(name) else name


def own_name(header: str) -> str:
    """The user's own name of a column of results.csv that is not one of ours: `own.state` -> `state`."""
    return header[4:] if header.startswith("own.") and _OURS.fullmatch(header) else header
