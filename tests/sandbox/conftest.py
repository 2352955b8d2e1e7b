"""Starts sandboxes for the tests of this folder."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import Client, Start

from batchgen.sandbox import Options, SandboxServer


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a sandbox with the given options; time stands still unless `manual_time=False`."""
    with ExitStack() as stack:

        def begin(state_dir: Path | None = None, **options: Any) -> Client:
            chosen: dict[str, Any] = {"manual_time": True, "duration": "4"} | options
            return Client(stack.enter_context(SandboxServer(Options(**chosen), state_dir)))

        yield begin
