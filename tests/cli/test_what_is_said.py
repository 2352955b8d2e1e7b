"""What commands say: one clear sentence, exactly one document with --json, and the exit code of the table."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from desk import Desk

from batchgen.running.progress import Progress
from batchgen.running.state import Board

PROGRAM = [sys.executable, "-m", "batchgen"]


# -- one document ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("status", "nowhere"), "no_ledger"),
        (("collect", "nowhere"), "no_ledger"),
        (("retry", "nowhere"), "no_ledger"),
        (("run", "shots.csv", "--bogus"), "usage"),
        (("run", "shots.csv", "--limit", "x"), "usage"),
        (("run", "shots.csv", "--rate", "fast"), "bad_setting"),
        (("run", "shots.csv", "--select", "campaign"), "bad_select"),
        (("run", "shots.csv", "other.csv"), "no_out"),
        (("run", "shots.csv"), "not_confirmed"),
        (("run", "shots.csv", "--yes"), "no_key"),
        (("run", "shots.csv", "--yes", "--out", "shots.csv/out"), "no_key"),
        (("run", "shots.csv", "--sandbox", "--out", "shots.csv"), "usage"),
        (("run", "shots.csv", "--sandbox", "--out", "shots.csv/out"), "system"),
        (("estimate", "shots.csv", "--by", "campain"), "no_such_column"),
        (("validate", "shots.csv", "--select", "campaign"), "bad_select"),
        (("config", "--bogus"), "usage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_wrong_command_with_json_is_one_document_and_exit_2(
    desk: Desk, command: tuple[str, ...], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    desk.jobs("shots.csv", "one")
    desk.jobs("other.csv", "two")
    said = desk.give(*command, "--json")
    assert said.exit == 2
    assert said.json["error"]["code"] == code
    assert said.json["exit"] == 2
    assert said.json["error"]["message"] in " ".join(said.err.split())


def test_over_the_cap_the_document_has_the_plan(desk: Desk) -> None:
    desk.jobs("shots.csv", "one", "two")
    said = desk.give("run", "shots.csv", "--yes", "--max-credits", "5", "--json")
    assert said.exit == 4
    assert (said.json["error"]["code"], said.json["plan"]["submit"]) == ("over_cap", {"jobs": 2, "credits": 12})


def test_a_reader_that_has_seen_enough_changes_no_exit_code(desk: Desk) -> None:
    with desk.service():
        desk.jobs("shots.csv", "one")
        for command in ("run shots.csv --yes", "status outputs/shots", "estimate shots.csv"):
            read, write = os.pipe()
            os.close(read)
            line = [*PROGRAM, *command.split()]
            ran = subprocess.run(line, check=False, stdout=write, stderr=subprocess.PIPE, timeout=60)
            os.close(write)
            assert ran.returncode == 0, command
            assert b"Traceback" not in ran.stderr
            assert b"Exception" not in ran.stderr


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="needs a shell that closes streams")
@pytest.mark.parametrize(
    ("ending", "code"),
    [("<&-", 2), ("2>&-", 2), ("--yes >&- 2>&- <&-", 0),
     ("--yes --json >&-", 2), ("--yes --json <&-", 0)],
)  # fmt: skip
def test_a_stream_that_is_closed_is_as_good_as_a_terminal_that_is_not_there(
    desk: Desk, ending: str, code: int
) -> None:
    """Nothing breaks off, and 1 is not said: that means jobs without a video."""
    with desk.service() as service:
        desk.jobs("shots.csv", "one")
        line = f'"{sys.executable}" -m batchgen run shots.csv {ending}'
        ran = subprocess.run(["/bin/sh", "-c", line], check=False, capture_output=True, timeout=60)
        assert ran.returncode == code
        assert b"Traceback" not in ran.stderr
        assert len(service.audit().tasks) == (1 if code == 0 else 0), "refused before anything is bought"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["run shots.csv --yes", "status outputs/shots", "run shots.csv --dry-run"])
def test_a_document_that_can_t_be_written_is_no_success(desk: Desk, command: str) -> None:
    with desk.service():
        desk.jobs("shots.csv", "one")
        assert desk.give("run", "shots.csv", "--yes", "--json").exit == 0
        with open("/dev/full", "wb") as full:
            line = [*PROGRAM, *command.split(), "--json"]
            ran = subprocess.run(line, check=False, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert ran.returncode == 2
    assert b"No space left" in ran.stderr
    assert b"Traceback" not in ran.stderr
    assert b"Exception" not in ran.stderr


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see when it listens")
def test_a_program_that_is_told_to_end_before_it_submits_leaves_with_130() -> None:
    """A job scheduler's SIGTERM means the same as Ctrl-C, whatever the command is about."""
    with subprocess.Popen([*PROGRAM, "validate", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        status = Path(f"/proc/{process.pid}/status")
        mask = 1 << (signal.SIGTERM - 1)
        while process.poll() is None and not int(re.search(r"SigCgt:\s*(\w+)", status.read_text())[1], 16) & mask:
            time.sleep(0.02)
        process.terminate()
        assert process.wait(60) == 130
        assert b"Traceback" not in process.stderr.read()


# -- the plan --------------------------------------------------------------------------------------------------


def test_the_plan_is_shown_also_where_yes_answers_it(desk: Desk) -> None:
    with desk.service():
        desk.jobs("shots.csv", "one", "two")
        said = desk.give("run", "shots.csv", "--yes", "--limit", "1")
        assert "total           2 jobs                    12 credits (no cap)" in said.err
        assert "limit           1 in this run             6 credits at most" in said.err
        assert said.exit == 7
        assert "total" not in desk.give("run", "shots.csv", "--yes", "--quiet").err


# -- sentences -------------------------------------------------------------------------------------------------


def test_a_missing_manifest_is_no_matter_of_rows(desk: Desk) -> None:
    for command in ("validate", "run"):
        said = desk.give(command, "missing.csv")
        assert said.exit == 3
        assert 'There is no file "missing.csv".' in said.out + said.err
        assert "row has" not in said.out + said.err
        assert "--only-valid" not in said.out + said.err


def test_one_bad_row_of_many_is_said_rightly(desk: Desk) -> None:
    desk.write("shots.csv", "j1,kie,m,text-to-video,fine", "j2,kie,m,text-to-video,")
    assert "1 of 2 rows has problems" in desk.give("run", "shots.csv").err


def test_a_ledger_of_another_service_says_how_to_go_on_with_it(desk: Desk) -> None:
    with desk.service() as server:
        desk.jobs("shots.csv", "one")
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        said = desk.give("collect", "outputs/shots", "--base-url", "http://127.0.0.1:1")
        assert said.exit == 2
        assert f"--base-url {server.base_url}" in said.err


# -- nobody there ----------------------------------------------------------------------------------------------


class _Gone:
    """A stream whose other end is gone."""

    encoding = "utf-8"

    def write(self, _text: str) -> int:
        raise BrokenPipeError

    flush = fileno = isatty = lambda _self: (_ for _ in ()).throw(OSError(5, "gone"))


@pytest.mark.parametrize("kind", ["bars", "lines"])
def test_a_terminal_that_is_gone_stops_no_work(kind: str) -> None:
    board = Board(to_submit=3, submitted=1)
    with Progress(board, kind, _Gone()) as progress:  # type: ignore[arg-type]
        progress.show()
        progress.tell("Stopping.")
        progress.show(last=True)


def _wait_for(path: Path, word: str) -> None:
    until = time.monotonic() + 30
    while not (path.exists() and word in path.read_text(encoding="utf-8")):
        assert time.monotonic() < until, f"{path} never said {word}"
        time.sleep(0.05)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_closed_terminal_stops_as_gently_as_ctrl_c(desk: Desk) -> None:
    with desk.service(latency=1.0) as server:
        desk.jobs("shots.csv", *(f"film {n}" for n in range(400)))
        rate = ("--rate", "5/s", "--max-in-flight", "400")
        # the tests themselves may run under nohup, and would hand that down
        code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); from batchgen.cli import main; main()"
        command = [sys.executable, "-c", code, "run", "shots.csv", "--yes", *rate]
        run = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert run.stderr is not None
        try:
            _wait_for(desk.folder / "outputs/shots/events.jsonl", '"accepted"')
            run.stderr.close()
            for _ in range(2):  # once from the kernel, once from the shell
                run.send_signal(signal.SIGHUP)
                time.sleep(0.1)
            assert run.wait(timeout=30) == 130
        finally:
            run.kill()
            run.wait()
        states = desk.give("status", "outputs/shots", "--json").json["states"]
        assert "in_doubt" not in states
        assert 0 < len(server.audit().tasks) < 400


def test_a_run_started_with_nohup_goes_on(desk: Desk) -> None:
    with desk.service(duration="1"):
        desk.jobs("shots.csv", "one")
        code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from batchgen.cli import main; main()"
        run = subprocess.Popen([sys.executable, "-c", code, "run", "shots.csv", "--yes"])
        _wait_for(desk.folder / "outputs/shots/events.jsonl", '"accepted"')
        run.send_signal(signal.SIGHUP)
        assert run.wait(timeout=30) == 0


def test_one_job_is_one_job_and_open_shows_the_page_at_the_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    monkeypatch.setattr("batchgen.cli.browser.open_in_browser", opened.append)
    desk.jobs("shots.csv", "one")
    plan = desk.give("run", "shots.csv", "--dry-run").out
    assert "1 row -> " in plan
    assert "total           1 job " in plan
    said = desk.give("run", "shots.csv", "--sandbox", "--open")
    assert said.exit == 0
    assert [path.name for path in opened] == ["report.html"]
