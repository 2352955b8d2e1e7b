"""Sandboxes, manifests and commands for the tests of this folder. Only waiting times are shorter than in life."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from batch import Batch, Start

from batchgen.running import poll
from batchgen.running import stations as drive
from batchgen.running.pacing import Durations, schedule
from batchgen.sandbox import Options, SandboxServer
from batchgen.videos.download import Limits, download


def _used_to_quick_tasks() -> Durations:
    """What a service whose tasks take up to a second has taught the poller in earlier runs."""
    durations = Durations()
    for n in range(60):
        durations.observe(("sandbox-1", "text-to-video"), 0.05 + n / 60, since=n / 60)
    return durations


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "Durations", _used_to_quick_tasks)
    monkeypatch.setattr(drive, "PollSchedule", partial(schedule.PollSchedule, price=0.004, min_gap=0.04))
    monkeypatch.setattr(drive, "download", partial(download, limits=Limits(pauses=(0.01, 0.02), deadline=5.0)))
    monkeypatch.setattr(schedule, "FIRST_TROUBLE", 0.05)
    monkeypatch.setattr(schedule, "LONGEST_TROUBLE", 0.4)
    monkeypatch.setattr(poll, "NOT_FOUND_GRACE", 0.6)
    monkeypatch.setattr(poll, "EMPTY_WAITS", (0.05, 0.2, 0.8))


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Start]:
    """Start a sandbox with the given options, and a batch of so many jobs against it."""
    with ExitStack() as stack:

        def begin(jobs: int = 1, *, key: str = "sk-sandbox-0123456789abcdef", **options: Any) -> Batch:
            chosen: dict[str, Any] = {"duration": "0.08", "keys": (key,)} | options
            sandbox = stack.enter_context(SandboxServer(Options(**chosen)))
            (tmp_path / "desk").mkdir()
            monkeypatch.chdir(tmp_path / "desk")
            monkeypatch.setenv("BATCHGEN_API_KEY", key)
            return Batch(sandbox, tmp_path / "desk", capfd, jobs)

        yield begin
