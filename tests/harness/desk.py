"""A folder to work in, a service on this machine, and the commands that a person gives there."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchgen.cli import invoke
from batchgen.sandbox import Options, SandboxServer

HEADER = "id,provider,model,scene,prompt"
KEY = "sk-sandbox-0123456789abcdef"


@dataclass(frozen=True)
class Said:
    """What one command said and how it ended."""

    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


class Desk:
    """The current folder of a test, and commands in this process."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._capfd = capfd
        self._monkeypatch = monkeypatch

    def write(self, name: str, *rows: str, header: str = HEADER) -> Path:
        """A manifest with these rows."""
        path = self.folder / name
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    def jobs(self, name: str, *prompts: str) -> Path:
        """A manifest with a job j1, j2, … for each prompt."""
        return self.write(name, *(f"j{n},kie,m,text-to-video,{text}" for n, text in enumerate(prompts, start=1)))

    def give(self, *arguments: object) -> Said:
        """Give a command."""
        self._capfd.readouterr()
        code = invoke([str(argument) for argument in arguments])
        return Said(code, *self._capfd.readouterr())

    @contextmanager
    def service(self, **options: Any) -> Iterator[SandboxServer]:
        """A service that every command of this test talks to, with its key in the environment."""
        with SandboxServer(Options(**{"duration": "0.05", "keys": (KEY,)} | options)) as server:
            self._monkeypatch.setenv("BATCHGEN_API_KEY", KEY)
            self._monkeypatch.setenv("BATCHGEN_BASE_URL", server.base_url)
            yield server

    def change_ledger(self, out: str, statement: str) -> None:
        """What time would have done."""
        with closing(sqlite3.connect(self.folder / out / "ledger.sqlite3")) as connection, connection:
            connection.execute(statement)

    def read_ledger(self, out: str, query: str) -> list[tuple[Any, ...]]:
        """What the ledger says."""
        with closing(sqlite3.connect(self.folder / out / "ledger.sqlite3")) as connection:
            return connection.execute(query).fetchall()
