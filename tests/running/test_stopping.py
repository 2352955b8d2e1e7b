"""Ctrl-C, a cancelled task, `stop`, a callback that fails stop a run gently; a second interrupt leaves at once.

The interrupts are real: signals to this process, or to one of its own. Nothing here waits for a set time.
"""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

import batchgen
from batchgen.sandbox import SandboxServer

#: Many jobs, submitted slowly: there is something left to buy whenever a run is stopped.
JOBS = [f"prompt {n}" for n in range(60)]
SLOWLY = {"rate": "5/s", "download": False, "poll_rate": "2/s"}


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("batchgen", "ledger"))}


def interrupt(after: int, times: int = 1) -> Callable[[batchgen.Event], None]:
    """A callback that sends this process SIGINT when so many jobs were accepted."""
    heard = []

    def hear(event: batchgen.Event) -> None:
        heard.append(event.event == "accepted")
        if sum(heard) == after and heard[-1]:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    return hear


@contextmanager
def checked(desk: Desk, service: SandboxServer, *, in_doubt: int | None = 0) -> Iterator[None]:
    """What holds after any stop: no thread and no lock is left, what was paid is known, and a run goes on."""
    yield
    assert threads() == set()
    charged = sum(task.credits for task in service.audit().tasks)
    with closing(sqlite3.connect(desk.folder / "out/ledger.sqlite3")) as ledger:
        known, doubtful, reserved = ledger.execute("SELECT charged, in_doubt, reserved FROM account").fetchone()
    assert known <= charged <= known + doubtful
    assert reserved == 0
    if in_doubt is not None:
        assert doubtful == in_doubt
    assert 0 < len(service.audit().tasks) < len(JOBS), "nothing began after the stop"


def test_ctrl_c_stops_gently_saves_everything_and_goes_on_to_the_caller(desk: Desk) -> None:
    desk.jobs("m.csv", *JOBS)
    with desk.service() as service, checked(desk, service):
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            batchgen.run("m.csv", out="out", on_event=interrupt(2), **SLOWLY)
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
        assert (desk.folder / "out/results.csv").read_bytes().count(b"\n") == len(JOBS) + 1


def test_a_stopped_run_goes_on_when_it_is_called_again(desk: Desk) -> None:
    desk.jobs("m.csv", *JOBS[:6])
    with desk.service() as service:
        with pytest.raises(KeyboardInterrupt):
            batchgen.run("m.csv", out="out", on_event=interrupt(2), **SLOWLY)
        assert batchgen.run("m.csv", out="out", download=False).exit == 0
        assert len(service.audit().tasks) == 6


def test_open_submissions_are_waited_for_and_then_known(desk: Desk) -> None:
    """The answer to the second POST takes a while: it is read before the interrupt goes on."""
    desk.jobs("m.csv", *JOBS)
    with desk.service(latency=0.8) as service, checked(desk, service), pytest.raises(KeyboardInterrupt):
        batchgen.run("m.csv", out="out", on_event=interrupt(1), **SLOWLY)


def test_grace_is_how_long_they_are_waited_for_and_the_rest_is_in_doubt(desk: Desk) -> None:
    desk.jobs("m.csv", *JOBS)
    stop = threading.Event()
    with desk.service(latency=60) as service:
        timer = threading.Thread(target=lambda: _when(lambda: len(service.audit().posts) > 0, stop.set))
        timer.start()
        run = batchgen.run("m.csv", out="out", stop=stop, grace=0.3, **SLOWLY)
        timer.join()
        assert run.exit == 130
        assert run.status.states["in_doubt"] == len(service.audit().posts) >= 1
        assert threads() == set()


def _when(is_so: Callable[[], bool], do: Callable[[], None]) -> None:
    never = threading.Event()
    while not is_so():
        never.wait(0.02)
    do()


def test_a_second_ctrl_c_leaves_at_once_and_what_was_open_is_in_doubt(desk: Desk) -> None:
    """Answers take a minute; the two interrupts come as soon as a POST is out."""
    desk.jobs("m.csv", *JOBS)
    with desk.service(latency=60) as service:

        def twice() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.3)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=lambda: _when(lambda: len(service.audit().posts) > 0, twice))
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            batchgen.run("m.csv", out="out", **SLOWLY)
        thread.join()
        assert threads() == set()
        status = batchgen.status("out")
        assert status.exit == 5
        assert status.states["in_doubt"] == len(service.audit().posts)


def test_stop_ends_it_like_ctrl_c_but_run_returns(desk: Desk) -> None:
    desk.jobs("m.csv", *JOBS)
    stop = threading.Event()
    with desk.service() as service, checked(desk, service):
        run = batchgen.run("m.csv", out="out", stop=stop, on_event=lambda event: stop.set(), **SLOWLY)
        assert (run.exit, run.ok) == (130, False)
        assert run.messages == ("Interrupted.",)


def test_an_exception_of_a_callback_stops_it_and_reaches_the_caller(desk: Desk) -> None:
    desk.jobs("m.csv", *JOBS)

    def tired(event: batchgen.Event) -> None:
        if event.event == "accepted":
            raise LookupError("no more")

    with desk.service() as service, checked(desk, service), pytest.raises(LookupError, match="no more"):
        batchgen.run("m.csv", out="out", on_event=tired, **SLOWLY)


def test_events_are_those_of_the_file_in_the_calling_thread(desk: Desk) -> None:
    import json

    desk.jobs("m.csv", "one", "two")
    heard: list[batchgen.Event] = []
    where: set[str] = set()

    def hear(event: batchgen.Event) -> None:
        heard.append(event)
        where.add(threading.current_thread().name)

    with desk.service():
        batchgen.run("m.csv", out="out", on_event=hear)
    lines = [json.loads(line) for line in (desk.folder / "out/events.jsonl").read_text().splitlines()]
    assert [event.asdict() for event in heard] == lines
    assert where == {threading.current_thread().name}
    accepted = next(event for event in heard if event.event == "accepted")
    assert (accepted.job_id, bool(accepted.task_id), accepted.attempt_no) == ("j1", True, 1)
    with pytest.raises(AttributeError):
        _ = accepted.nothing_of_the_kind


def test_a_run_in_a_coroutine_stops_when_its_task_is_cancelled(desk: Desk) -> None:
    """As asyncio.run does at the first Ctrl-C, which raises nothing in code that blocks."""
    desk.jobs("m.csv", *JOBS)

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        batchgen.run("m.csv", out="out", on_event=lambda event: _cancel_once(task), **SLOWLY)

    with desk.service() as service, checked(desk, service), pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def _cancel_once(task: "asyncio.Task[Any]") -> None:
    if not task.cancelling():
        task.cancel()


def test_ctrl_c_under_asyncio_run_stops_a_run_in_a_coroutine(desk: Desk) -> None:
    desk.jobs("m.csv", *JOBS)

    async def main() -> None:
        batchgen.run("m.csv", out="out", on_event=interrupt(2), **SLOWLY)

    with desk.service() as service, checked(desk, service), pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


def test_arun_gives_the_loop_back_and_ends_when_it_is_cancelled(desk: Desk) -> None:
    desk.jobs("m.csv", *JOBS)
    heard: list[str] = []

    async def main() -> None:
        begun = asyncio.Event()

        def hear(event: batchgen.Event) -> None:
            heard.append(threading.current_thread().name)
            if event.event == "accepted":
                begun.set()

        task = asyncio.create_task(batchgen.arun("m.csv", out="out", on_event=hear, **SLOWLY))
        await begun.wait()
        task.cancel()
        await task

    with desk.service() as service, checked(desk, service), pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert set(heard) == {threading.current_thread().name}


def test_arun_is_run(desk: Desk) -> None:
    desk.jobs("m.csv", "one", "two")
    with desk.service():
        run = asyncio.run(batchgen.arun("m.csv", out="out"))
        assert (run.exit, run.credits) == (0, 12)
        assert asyncio.run(batchgen.acollect("out")).exit == 0
        plan = asyncio.run(batchgen.arun("m.csv", out="out", dry_run=True))
        assert plan.to_pay == (0, 0)


def test_a_callback_of_arun_that_fails_stops_it(desk: Desk) -> None:
    desk.jobs("m.csv", *JOBS)

    def tired(event: batchgen.Event) -> None:
        if event.event == "accepted":
            raise LookupError("no more")

    with desk.service() as service, checked(desk, service), pytest.raises(LookupError):
        asyncio.run(batchgen.arun("m.csv", out="out", on_event=tired, **SLOWLY))


def test_a_script_that_is_interrupted_begins_no_next_batch(desk: Desk) -> None:
    """A signal to a process of its own, in a loop over manifests."""
    desk.jobs("a.csv", *JOBS)
    desk.jobs("b.csv", *(f"other {prompt}" for prompt in JOBS))
    script = """
import os, signal, batchgen
def hear(event):
    if event.event == "accepted":
        os.kill(os.getpid(), signal.SIGINT)
for name in ("a.csv", "b.csv"):
    batchgen.run(name, rate="5/s", download=False, on_event=hear)
"""
    with desk.service() as service:
        ran = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, timeout=100)
        assert ran.returncode in (-signal.SIGINT, 130)
        assert b"KeyboardInterrupt" in ran.stderr
        assert not Path("outputs/b").exists()
        assert 0 < len(service.audit().tasks) < len(JOBS)
