"""Warnings that cost nothing and save credits: what is allowed, and probably not what was meant. No network."""

from collections.abc import Iterator
from typing import Any

from batchgen.job import Problem, Row


def cautions(row: Row, request: dict[str, Any]) -> Iterator[Problem]:
    """Everything worth a second look in a valid row."""
    yield from ()
