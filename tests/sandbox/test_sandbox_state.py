"""With a folder, the sandbox forgets nothing that it answered for."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_client import REQUEST, Client, Start, fetch

from batchgen.sandbox import Options, SandboxServer


def run_alone(
    folder: Path, *flags: str, command: tuple[str, ...] = ("-m", "batchgen.sandbox")
) -> tuple[subprocess.Popen[str], str]:
    """A sandbox in a process of its own, and its address."""
    process = subprocess.Popen(
        [sys.executable, *command, "--state", str(folder), *flags],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["base_url"]


def test_after_a_kill_every_answered_task_is_known_and_goes_on(tmp_path: Path) -> None:
    process, base_url = run_alone(tmp_path, "--duration", "0.01")
    body = json.dumps(REQUEST).encode()
    ids = []
    try:
        for _ in range(20):
            answer = fetch(base_url + "/v1/videos/generations", "POST", body, Authorization="Bearer sandbox-key")
            ids.append(answer.json["id"])
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    with SandboxServer(Options(), tmp_path) as sandbox:
        client = Client(sandbox)
        assert [task.task_id for task in sandbox.audit().tasks] == ids
        assert client.finish(ids[0]).endswith(f"{ids[0]}.mp4")
        assert client.buy() not in ids
        assert sandbox.audit().charged == 21 * 6
        assert [post.n for post in sandbox.audit().posts] == list(range(1, 22))


def test_a_process_of_its_own_ends_with_sigterm_and_zero(tmp_path: Path) -> None:
    process, base_url = run_alone(tmp_path)
    with process:
        assert fetch(base_url + "/").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_next_life_has_the_same_books_and_the_same_addresses(start: Start, tmp_path: Path) -> None:
    options = {"credits": 100, "file_host": True, "faults": ("failed:*lion*", "error@500:#3", "get-404:#1")}
    with SandboxServer(Options(manual_time=True, duration="4", **options), tmp_path) as first:  # type: ignore[arg-type]
        client = Client(first)
        tiger, lion = client.buy(), client.buy(prompt="A lion")
        client.post()
        client.sandbox.change(advance=5)
        for task_id in (tiger, lion, tiger):
            client.look(task_id)
        url = client.finish(tiger)
        fetch(url)
        before = first.audit().to_json()
    again = start(tmp_path, **options)
    after = again.sandbox.audit().to_json()
    assert after.pop("lives") == 2 != before.pop("lives")
    assert after == before
    assert after["balance"] == 100 - 12 + 6
    assert again.sandbox.base_url == first.base_url
    assert fetch(url).status == 200


def test_a_half_written_last_line_is_dropped(tmp_path: Path) -> None:
    with SandboxServer(Options(), tmp_path) as first:
        task_id = Client(first).buy()
    with (tmp_path / "sandbox.jsonl").open("ab") as journal:
        journal.write(b'{"post": [2, 1.0')
    with SandboxServer(Options(), tmp_path) as second:
        assert [task.task_id for task in second.audit().tasks] == [task_id]
        Client(second).buy()
    with SandboxServer(Options(), tmp_path) as third:
        assert len(third.audit().tasks) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX thing")
def test_on_a_full_disk_nothing_is_accepted_and_nothing_forgotten(tmp_path: Path) -> None:
    """A file size limit stands for the full disk; the half line that still fitted is taken back."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500));"
        "from batchgen.sandbox.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    process, base_url = run_alone(tmp_path, command=("-c", code))
    body = json.dumps(REQUEST).encode()
    with process:
        answers = [
            fetch(base_url + "/v1/videos/generations", "POST", body, Authorization="Bearer sandbox-key")
            for _ in range(12)
        ]
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    assert {answer.status for answer in answers} == {200, 500}
    ids = [answer.json["id"] for answer in answers if answer.status == 200]
    with SandboxServer(Options(), tmp_path) as again:
        assert [task.task_id for task in again.audit().tasks] == ids
        assert again.audit().charged == 6 * len(ids)


def test_one_folder_belongs_to_one_sandbox_at_a_time(tmp_path: Path) -> None:
    with SandboxServer(Options(), tmp_path), pytest.raises(OSError, match="another run or sandbox"):
        SandboxServer(Options(), tmp_path).start()
    SandboxServer(Options(), tmp_path).start().close()


def test_a_taken_port_is_said_at_once() -> None:
    with SandboxServer() as first, pytest.raises(OSError, match="in use"):
        SandboxServer(Options(port=int(first.base_url.rsplit(":", 1)[1]))).start()


def test_the_audit_stays_readable_after_the_end(start: Start) -> None:
    with SandboxServer() as sandbox:
        Client(sandbox).buy()
    assert sandbox.audit().charged == 6


def test_ids_of_two_sandboxes_never_meet() -> None:
    ids = set()
    for _ in range(3):
        with SandboxServer() as sandbox:
            ids.add(Client(sandbox).buy())
    assert len(ids) == 3
