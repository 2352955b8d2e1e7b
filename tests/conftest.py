"""Every test: no BATCHGEN_* settings of the person who runs it, and no connection but to this machine."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from till import Till

_connect = socket.socket.connect


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BATCHGEN_") or name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def connect(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if host and not (str(host).startswith("127.") or host in ("::1", "localhost")):
            raise AssertionError(f"a test opened a connection to {host}")
        _connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a machine lacks is skipped with a plain reason; in CI its absence is a failure."""
    needs = {"browser": ("chromium", "Chromium"), "office": ("soffice", "LibreOffice")}
    for item in items:
        for mark, (command, name) in needs.items():
            if item.get_closest_marker(mark) and not shutil.which(command) and not os.environ.get("CI"):
                item.add_marker(pytest.mark.skip(reason=f"{name} is not installed on this machine"))
        if item.get_closest_marker("slow") and not os.environ.get("BATCHGEN_PROOF"):
            item.add_marker(pytest.mark.skip(reason="the long form of a proof: `make proof` runs it"))


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    """A ledger in a folder of its own, which must be in order at the end."""
    with Till(tmp_path) as one:
        yield one
        assert one.violations() == []
