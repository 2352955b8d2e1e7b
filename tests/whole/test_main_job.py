"""The main job, as a person runs it: a manifest goes in, videos and a results CSV come out."""

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchgen.cli import invoke
from batchgen.ledger.audit import violations
from batchgen.ledger.sqlite.store import reading
from batchgen.sandbox import Options, SandboxServer

MANIFESTS = Path(__file__).parents[2] / "manifests"
QUICK = Options(duration="0.05-0.2")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    with SandboxServer(QUICK) as server:
        monkeypatch.setenv("BATCHGEN_API_KEY", server.key)
        monkeypatch.setenv("BATCHGEN_BASE_URL", server.base_url)
        yield server


def results(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: int, *, prompt: str = "A red kite over the sea take") -> Path:
    lines = ["id,provider,model,scene,prompt,campaign"]
    lines += [f"job-{n},kie,kling-2.6/text-to-video,text-to-video,{prompt} {n},spring" for n in range(1, rows + 1)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def command(*arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "batchgen", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )


def assert_ledger_agrees(out: Path, server: SandboxServer) -> None:
    """Nothing paid twice, nothing paid that the ledger does not know, every promise kept."""
    audit = server.audit()
    with reading(out) as connection:
        assert violations(connection) == []
        tasks = set(connection.exec_driver_sql("SELECT task_id FROM task").scalars())
        charged, in_doubt = connection.exec_driver_sql("SELECT charged, in_doubt FROM account").one()
        bodies = set(connection.exec_driver_sql("SELECT body_sha256 FROM attempt").scalars())
        most = connection.exec_driver_sql("SELECT max(purchase_no) FROM job").scalar_one()
    assert {post.sha256 for post in audit.posts if post.complete} <= bodies
    assert {task.task_id for task in audit.tasks} >= tasks
    assert charged <= audit.charged <= charged + in_doubt
    assert max(map(len, audit.tasks_by_body_sha256.values()), default=0) <= most


def sent_requests(out: Path, server: SandboxServer) -> list[dict[str, Any]]:
    """What the service received, as JSON: the ledger's frozen bodies, which are the service's by their hash."""
    received = {post.sha256 for post in server.audit().posts}
    with reading(out) as connection:
        bodies = connection.exec_driver_sql("SELECT body FROM attempt ORDER BY job_no").scalars().all()
    assert {hashlib.sha256(body).hexdigest() for body in bodies} == received
    return [json.loads(body) for body in bodies]


@pytest.mark.parametrize("name", ["examples.csv", "examples.yaml"])
def test_the_documented_requests_reach_the_service_as_documented(
    here: Path, service: SandboxServer, name: str
) -> None:
    assert invoke(["run", str(MANIFESTS / name), "--out", "out", "--yes", "--quiet"]) == 0
    assert sent_requests(here / "out", service) == [
        {
            "provider": "kie", "model": "sora-2-pro-text-to-video", "scene": "text-to-video",
            "prompt": "A cinematic shot of a glass city at sunrise",
        },
        {
            "provider": "kie", "model": "sora-2-pro-image-to-video", "scene": "image-to-video",
            "image_input": ["https://cdn.example.com/reference.png"], "options": {"duration": "10"},
        },
        {
            "provider": "fal", "model": "fal-ai/kling-video/o1/video-to-video/edit", "scene": "video-to-video",
            "video_input": ["https://cdn.example.com/source.mp4"],
        },
    ]  # fmt: skip
    assert_ledger_agrees(here / "out", service)


@pytest.mark.parametrize("name", ["examples.csv", "marketing.csv", "dataset.yaml", "catalogue.yaml"])
def test_the_estimate_is_what_the_service_charges_to_the_credit(
    here: Path, service: SandboxServer, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["estimate", str(MANIFESTS / name), "--json"]) == 0
    estimate = json.loads(capsys.readouterr().out)
    assert invoke(["run", str(MANIFESTS / name), "--out", "out", "--yes", "--quiet", "--rate", "500/s"]) == 0
    capsys.readouterr()
    assert service.audit().charged == estimate["credits"] == estimate["to_pay"]["credits"]
    assert invoke(["estimate", str(MANIFESTS / name), "--json", "--out", "out"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["to_pay"] == {"jobs": 0, "credits": 0}


def test_a_finished_manifest_run_again_sends_nothing(here: Path, service: SandboxServer) -> None:
    manifest = write(here / "m.csv", 12)
    assert invoke(["run", str(manifest), "--yes", "--quiet", "--rate", "100/s"]) == 0
    posts, gets = len(service.audit().posts), len(service.audit().files)
    assert invoke(["run", str(manifest), "--yes", "--quiet"]) == 0
    assert invoke(["run", str(here / "outputs" / "m" / "results.csv"), "--yes", "--quiet"]) == 0
    assert (len(service.audit().posts), len(service.audit().files)) == (posts, gets)


def test_results_csv_has_the_rows_in_order_with_own_columns_and_whole_videos(
    here: Path, service: SandboxServer
) -> None:
    manifest = write(here / "m.csv", 8)
    assert invoke(["run", str(manifest), "--yes", "--quiet", "--rate", "100/s"]) == 0
    lines = results(here / "outputs" / "m")
    assert [line["job_id"] for line in lines] == [f"job-{n}" for n in range(1, 9)]
    assert {line["campaign"] for line in lines} == {"spring"}
    assert {line["state"] for line in lines} == {"succeeded"}
    for line in lines:
        data = (here / "outputs" / "m" / line["video_path"]).read_bytes()
        assert data[4:8] == b"ftyp"
        assert line["task_id"]
        assert line["task_id"].encode() in data
    assert sum(int(line["charged_credits"]) for line in lines) == service.audit().charged == 48


def test_one_bad_row_and_nothing_is_submitted(
    here: Path, service: SandboxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = write(here / "m.csv", 5)
    manifest.write_text(
        manifest.read_text().replace("text-to-video,A red kite over the sea take 3", "text-to-vide,x")
    )
    assert invoke(["run", str(manifest), "--yes"]) == 3
    assert not service.audit().posts
    assert "text-to-video" in capsys.readouterr().err
    assert invoke(["run", str(manifest), "--yes", "--only-valid", "--quiet", "--rate", "100/s"]) == 1
    assert len(service.audit().tasks) == 4
    states = [line["state"] for line in results(here / "outputs" / "m")]
    assert states == ["succeeded", "succeeded", "invalid", "succeeded", "succeeded"]


def test_kill_9_in_the_middle_and_run_again_pays_for_nothing_twice(here: Path, service: SandboxServer) -> None:
    manifest = write(here / "m.csv", 200)
    arguments = ("run", manifest, "--yes", "--rate", "200/s", "--max-in-flight", "200", "--no-download")
    first = command(*arguments)
    while len(service.audit().tasks) < 60:
        assert first.poll() is None, first.stderr.read() if first.stderr else ""
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    again = command(*arguments)
    again.communicate()
    out = here / "outputs" / "m"
    audit = service.audit()
    assert max(Counter(task.prompt for task in audit.tasks).values()) == 1
    lines = results(out)
    assert len(lines) == 200
    doubts = sum(line["state"] == "in_doubt" for line in lines)
    assert again.returncode == (5 if doubts else 0)
    assert len(audit.tasks) >= 200 - doubts
    assert_ledger_agrees(out, service)


def test_ctrl_c_once_saves_and_run_again_goes_on(here: Path, service: SandboxServer) -> None:
    manifest = write(here / "m.csv", 80)
    first = command("run", manifest, "--yes", "--rate", "40/s", "--max-in-flight", "200")
    while len(service.audit().tasks) < 20:
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=30)
    assert first.returncode == 130, err
    assert "Traceback" not in err
    sent = len(service.audit().tasks)
    assert 20 <= sent < 80
    assert invoke(["run", str(manifest), "--yes", "--quiet", "--rate", "500/s"]) == 0
    assert len(service.audit().tasks) == 80
    assert_ledger_agrees(here / "outputs" / "m", service)


def test_a_cap_that_the_plan_does_not_fit_under_submits_nothing(
    here: Path, service: SandboxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = write(here / "m.csv", 10)
    assert invoke(["run", str(manifest), "--yes", "--max-credits", "59", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert document["exit"] == 4
    assert document["plan"]["submit"] == {"jobs": 10, "credits": 60}
    assert not service.audit().posts
    assert invoke(["run", str(manifest), "--yes", "--max-credits", "59", "--fill-cap", "--quiet"]) == 4
    assert service.audit().charged == 54
    assert invoke(["run", str(manifest), "--yes", "--quiet"]) == 4, "the cap stays for later runs"
    assert service.audit().charged == 54
    assert invoke(["run", str(manifest), "--yes", "--quiet", "--max-credits", "none"]) == 0
    assert service.audit().charged == 60


def test_without_a_key_a_yes_or_a_manifest_there_is_one_sentence_and_no_traceback(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = write(here / "m.csv", 1)
    (here / "empty.csv").write_text("")
    read_only = here / "read-only"
    read_only.write_text("a file, not a folder")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for arguments, code, words in (
        (["run", str(manifest), "--yes"], 2, "no API key"),
        (["run", str(manifest)], 2, "--yes"),
        (["run", "nowhere.csv", "--yes"], 3, "nowhere.csv"),
        (["run", "empty.csv", "--yes"], 3, "empty"),
        (["run", str(manifest), "--sandbox", "--out", "read-only/out"], 2, "read-only"),
        (["run", str(manifest), "--rate", "fast"], 2, "rate"),
        (["status", "nowhere"], 2, "nowhere"),
        (["runn"], 2, "Did you mean 'run'"),
    ):
        assert invoke(arguments) == code, arguments
        said = capsys.readouterr()
        assert words in said.err, (arguments, said.err)
        assert "Traceback" not in said.err
        assert len(said.err.strip().splitlines()) <= 8, said.err


def test_a_dry_run_opens_no_connection_needs_no_key_and_writes_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    before = sorted(here.rglob("*"))
    assert invoke(["run", str(MANIFESTS / "examples.csv"), "--dry-run"]) == 0
    assert invoke(["validate", str(MANIFESTS / "examples.csv")]) == 0
    assert invoke(["estimate", str(MANIFESTS / "examples.csv"), "--max-credits", "24"]) == 0
    assert invoke(["estimate", str(MANIFESTS / "examples.csv"), "--max-credits", "23"]) == 4
    assert sorted(here.rglob("*")) == before
    assert "24" in capsys.readouterr().out


def test_an_out_belongs_to_one_service(here: Path, service: SandboxServer) -> None:
    manifest = write(here / "m.csv", 1)
    assert invoke(["run", str(manifest), "--yes", "--quiet"]) == 0
    assert invoke(["run", str(manifest), "--yes", "--base-url", "http://127.0.0.1:9"]) == 2


def test_the_sandbox_has_an_out_of_its_own_and_resumes_there(here: Path) -> None:
    manifest = write(here / "m.csv", 3)
    assert invoke(["run", str(manifest), "--sandbox", "--quiet"]) == 0
    assert (here / "outputs" / "m-sandbox" / "results.csv").exists()
    before = (here / "outputs" / "m-sandbox" / "sandbox" / "sandbox.jsonl").read_text().count("prompt")
    for line in results(here / "outputs" / "m-sandbox"):
        (here / "outputs" / "m-sandbox" / line["video_path"]).unlink()
    assert invoke(["run", str(manifest), "--sandbox", "--quiet"]) == 0
    assert (here / "outputs" / "m-sandbox" / "sandbox" / "sandbox.jsonl").read_text().count("prompt") == before
    assert all(
        (here / "outputs" / "m-sandbox" / line["video_path"]).exists()
        for line in results(here / "outputs" / "m-sandbox")
    )


def test_a_bad_key_stops_the_batch_once_and_the_next_run_submits_it(
    here: Path, service: SandboxServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = write(here / "m.csv", 30)
    key = os.environ["BATCHGEN_API_KEY"]
    monkeypatch.setenv("BATCHGEN_API_KEY", "wrong-key-1234567890")
    assert invoke(["run", str(manifest), "--yes"]) == 6
    said = capsys.readouterr()
    assert said.err.count("does not accept the API key") == 1
    assert "Check BATCHGEN_API_KEY" in said.err
    assert "wrong-key-1234567890" not in said.out + said.err
    assert len(service.audit().posts) <= 3
    monkeypatch.setenv("BATCHGEN_API_KEY", key)
    assert invoke(["run", str(manifest), "--yes", "--quiet", "--rate", "500/s"]) == 0
    assert len(service.audit().tasks) == 30


def test_a_row_changed_after_it_was_bought_is_bought_again_only_when_asked(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SandboxServer(QUICK) as server:
        monkeypatch.setenv("BATCHGEN_API_KEY", server.key)
        monkeypatch.setenv("BATCHGEN_BASE_URL", server.base_url)
        manifest = write(here / "m.csv", 3)
        assert invoke(["run", str(manifest), "--yes", "--quiet"]) == 0
        manifest.write_text(manifest.read_text().replace("take 2", "take two"))
        assert invoke(["run", str(manifest), "--yes", "--quiet"]) == 1
        assert len(server.audit().tasks) == 3
        assert [line["state"] for line in results(here / "outputs" / "m")] == ["succeeded", "changed", "succeeded"]
        assert invoke(["run", str(manifest), "--yes", "--quiet", "--resubmit-changed"]) == 0
        assert len(server.audit().tasks) == 4
        rows = manifest.read_text().splitlines()
        manifest.write_text(
            "\n".join([rows[0], rows[3], rows[1], "new,kie,m,text-to-video,Another,x", rows[2]]) + "\n"
        )
        assert invoke(["run", str(manifest), "--yes", "--quiet"]) == 0
        assert len(server.audit().tasks) == 5
        assert [line["job_id"] for line in results(here / "outputs" / "m")] == ["job-3", "job-1", "new", "job-2"]


def test_an_id_column_added_later_buys_nothing_twice(here: Path, service: SandboxServer) -> None:
    manifest = write(here / "m.csv", 3)
    with_ids = manifest.read_text()
    manifest.write_text("\n".join(line.partition(",")[2] for line in with_ids.splitlines()) + "\n")
    assert invoke(["run", str(manifest), "--yes", "--quiet"]) == 0
    manifest.write_text(with_ids)
    assert invoke(["run", str(manifest), "--yes", "--quiet"]) == 0
    assert len(service.audit().tasks) == 3
    assert [line["job_id"] for line in results(here / "outputs" / "m")] == ["job-1", "job-2", "job-3"]


def test_json_is_exactly_one_document_on_stdout(here: Path, service: SandboxServer) -> None:
    manifest = write(here / "m.csv", 2)
    done = command("run", manifest, "--yes", "--json")
    out, _ = done.communicate()
    document = json.loads(out)
    assert set(document) == {"out", "jobs", "states", "credits", "results", "exit"}
    assert document["states"] == {"succeeded": 2}
    assert set(document["credits"]) == {"estimated", "charged", "refunded", "reserved", "in_doubt", "cap"}
    status = command("status", Path("outputs") / "m", "--json")
    assert json.loads(status.communicate()[0]) == document
