"""A page of ours in the user's browser, which is another's program: it is handed no key."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from batchgen.running.environment import remember_keys
from batchgen.service.secret import concealed

_SECRET = re.compile(r"BATCHGEN_.*|.*(?:KEY|TOKEN|SECRET|PASSW|CREDENTIAL).*", re.IGNORECASE)


def open_in_browser(page: Path) -> None:
    """Open the page; what is started for it sees no variable that holds, or may hold, a key."""
    with _without(secrets_in(os.environ)):
        click.launch(str(page))


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """The variables that are called like a secret, or hold a key of ours under another name."""
    remember_keys(environment)
    return [name for name, value in environment.items() if _SECRET.fullmatch(name) or concealed(value) != value]


@contextmanager
def _without(names: list[str]) -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(kept)
