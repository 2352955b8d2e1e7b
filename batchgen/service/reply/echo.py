"""What an answer repeats of the request is not the service's own word.

A prompt may say "we ran out of credits". Only a text of the request as a whole, and in quotation marks, is taken
out: what the service says itself always stays.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from batchgen.service.reply.body import parsed_or_none
from batchgen.service.reply.words import plain

_MARKS = (('"', '"'), ("'", "'"), ("`", "`"), ("“", "”"), ("‘", "’"), ("«", "»"), ("「", "」"))


def texts_of(sent: bytes) -> tuple[str, ...]:
    """Every text in a request's body, in the form in which words are compared."""
    return tuple(dict.fromkeys(text for one in _strings(parsed_or_none(sent)) if (text := plain(one))))


def without_echo(said: str, texts: Sequence[str]) -> str:
    """What is said (in `plain` form) without the request's own texts in quotation marks.

    >>> without_echo("prompt 'please sign in' is not allowed", ["please sign in"])
    "prompt '' is not allowed"
    """
    for text in texts:
        if text in said:
            for opening, closing in _MARKS:
                said = said.replace(f"{opening}{text}{closing}", opening + closing)
    return said


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
