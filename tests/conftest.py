"""Every test: no BATCHGEN_* settings of the person who runs it, and no connection but to this machine."""

import glob
import os
import shutil
import socket
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from till import Till

#: `make quick` asks property tests for fewer examples; `make test` for all.
# How long a busy machine takes to draw examples says nothing about the program.
settings.register_profile("patient", suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("patient"), max_examples=20, deadline=None)
settings.load_profile("patient")

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


#: A skip for this reason is a failure in CI.
MISSING = "is not installed on this machine"
#: mark -> (command, its name for a person)
NEEDS = {
    "browser": ("chromium", "Chromium"),
    "office": ("soffice", "LibreOffice"),
    "postgres": ("postgres", "PostgreSQL"),
}


def _is_here(command: str) -> bool:
    return bool(shutil.which(command) or glob.glob(f"/usr/lib/postgresql/*/bin/{command}"))


#: Tests that fail today, each to be mended: known_failures.txt names them, and a run reports them as such.
_KNOWN = set((Path(__file__).parent / "known_failures.txt").read_text(encoding="utf-8").split())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.split("[")[0] in _KNOWN:
            item.add_marker(pytest.mark.xfail(strict=False, reason="fails today: tests/known_failures.txt"))
    _skip_what_is_not_here(items)


def _skip_what_is_not_here(items: list[pytest.Item]) -> None:
    """What a machine lacks is skipped with a plain reason; in CI its absence is a failure."""
    for item in items:
        for mark, (command, name) in NEEDS.items():
            if item.get_closest_marker(mark) and not _is_here(command):
                item.add_marker(pytest.mark.skip(reason=f"{name} {MISSING}"))
        if item.get_closest_marker("slow") and not os.environ.get("BATCHGEN_PROOF"):
            item.add_marker(pytest.mark.skip(reason="the long form of a proof: `make proof` runs it"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing that a test needs may be missing: a skip for that reason is a failure."""
    report = yield
    if report.skipped and os.environ.get("CI") and MISSING in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {report.longrepr}"
    return report


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    """A ledger in a folder of its own, which must be in order at the end."""
    with Till(tmp_path) as one:
        yield one
        assert one.violations() == []
