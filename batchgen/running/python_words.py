"""Sentences of the command line, in the words of Python: `--max-credits` is `max_credits=` there.

The errors are made where the rule is known, once, in the command line's words; whoever called a function sees them
in its own.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from batchgen.errors import BatchgenError, system_says_no

#: Options that stand for another word in Python.
_OTHERWISE = {
    "--no-wait": "wait=False",
    "--no-download": "download=False",
    "--no-check-inputs": "check_inputs=False",
    "--yes": "confirm=None",
    "--from": "from_",
    "--all": "all_=True",
    "--state": "state",
    "--code": "code",
    "--job": "jobs",
    "--zip": "zip=True",
}
#: Options without a value.
_FLAGS = (
    "only-valid", "dry-run", "sandbox", "fill-cap", "resubmit-changed", "buy-again", "not-charged", "paid-lost",
    "give-up", "plain-http", "must-resume", "notes", "link", "append", "check-inputs", "idempotent",
)  # fmt: skip
#: Commands that are functions of the same name.
_COMMANDS = (
    "validate", "estimate", "plan", "apply", "run", "collect", "status", "resolve", "retry", "review", "export",
    "report", "share", "verify",
)  # fmt: skip
_OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)\b")
_COMMAND = re.compile(rf"\bbatchgen ({'|'.join(_COMMANDS)})\b(?: ([A-Z]+|\S*/\S+))?")


def in_python(text: str) -> str:
    """A sentence of the command line as a sentence of Python.

    >>> in_python("Raise --max-credits, or add --only-valid. `batchgen status OUT` shows more.")
    'Raise max_credits=, or add only_valid=True. `batchgen.status(OUT)` shows more.'
    """
    return _COMMAND.sub(_function, _OPTION.sub(_argument, text))


def _argument(found: re.Match[str]) -> str:
    option, name = found[0], found[1]
    if option in _OTHERWISE:
        word = _OTHERWISE[option]
        return word if "=" in word else f"{word}="
    return name.replace("-", "_") + ("=True" if name in _FLAGS else "=")


def _function(found: re.Match[str]) -> str:
    return f"batchgen.{found[1]}({found[2] or ''})"


@contextmanager
def speaking_python() -> Iterator[None]:
    """Errors that leave the library say what to do in Python; what the system refuses is one of them."""
    try:
        yield
    except BatchgenError as error:
        _translate(error)
        raise
    except OSError as error:
        said = system_says_no(error)
        _translate(said)
        raise said from error


def _translate(error: BatchgenError) -> None:
    error.message, error.hint = in_python(error.message), in_python(error.hint)
    error.args = (error.message,)
