"""Names that are blank, places that are taken, consoles that know no Unicode: a sentence each, never a guess."""

import json
import os
import subprocess
import sys

import pytest
from desk import Desk

import batchgen
from batchgen.cli import streams
from batchgen.sandbox import Options, SandboxServer


@pytest.mark.parametrize(
    "command",
    [
        ("run", "", "--sandbox", "--out", "out"),
        ("validate", "shots.csv", " "),
        ("estimate", ""),
        ("validate", "shots.csv", "--fix", ""),
        ("estimate", "shots.csv", "--out", ""),
        ("init", ""),
    ],
)
def test_a_blank_name_is_refused_not_taken_for_the_current_folder(desk: Desk, command: tuple[str, ...]) -> None:
    desk.jobs("shots.csv", "one")
    said = desk.give(*command)
    assert said.exit == 2
    assert "is blank" in said.err
    assert not (desk.folder / "out").exists()


@pytest.mark.parametrize("command", [("run", "shots.csv", "--sandbox", "--out"), ("status",), ("collect",)])
def test_a_file_where_a_folder_belongs_is_called_a_file(desk: Desk, command: tuple[str, ...]) -> None:
    desk.jobs("shots.csv", "one")
    said = desk.give(*command, "shots.csv")
    assert said.exit == 2
    assert "shots.csv is a file, not a folder" in said.err


def test_a_second_rehearsal_in_the_same_folder_is_refused_in_a_sentence(desk: Desk) -> None:
    desk.jobs("shots.csv", "one")
    with SandboxServer(Options(), state_dir=desk.folder / "outputs/shots-sandbox/sandbox"):
        said = desk.give("run", "shots.csv", "--sandbox", "--json")
        with pytest.raises(batchgen.BatchgenError, match="works there right now"):
            batchgen.run("shots.csv", sandbox=True)
    assert said.exit == 75
    assert said.json["error"]["code"] == "busy"
    assert "Wait until it ends" in said.json["error"]["hint"]


def test_a_sandbox_on_a_port_that_is_taken_or_none_says_so(desk: Desk) -> None:
    with SandboxServer(Options()) as server:
        taken = desk.give("sandbox", "--port", server.base_url.rpartition(":")[2])
    assert (taken.exit, "0 takes a free one" in taken.err) == (2, True)
    assert desk.give("sandbox", "--port", "99999").err == "batchgen: The port must be from 0 to 65535.\n"


def test_a_document_is_json_in_every_encoding(desk: Desk) -> None:
    desk.write("träume.csv", "ä,kie,m,video-to-text 🎬 中,x")
    for encoding in ("utf-8", "cp1252"):
        line = [sys.executable, "-m", "batchgen", "validate", "träume.csv", "--json"]
        ran = subprocess.run(
            line,
            check=False,
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"},
            timeout=60,
        )
        assert ran.returncode == 3
        assert "🎬 中" in json.loads(ran.stdout.decode("utf-8"))["problems"][0]["message"], encoding


def test_a_pipe_that_nobody_reads_is_known_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert streams.pipe_is_closed(BrokenPipeError())
    assert not streams.pipe_is_closed(OSError(22, "Invalid argument"))
    monkeypatch.setattr(streams.sys, "platform", "win32")
    assert streams.pipe_is_closed(OSError(22, "Invalid argument"))
    assert not streams.pipe_is_closed(OSError(22, "Invalid argument", "COM1"))
