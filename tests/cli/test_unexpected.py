"""What nobody foresaw ends with 70 and the one document; a key is in no file; somebody else's work is 75."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from desk import Desk

import batchgen
from batchgen import errors
from batchgen.errors import Exit
from batchgen.ledger import Ledger

KEY = "sk-of-nobody-0123456789"


def broken(*_: object, **__: object) -> None:
    raise RuntimeError(f"the answer quoted {KEY}")


@pytest.mark.parametrize("json_", [True, False])
def test_an_error_in_batchgen_itself_is_one_sentence_a_document_and_a_file_without_the_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, json_: bool
) -> None:
    monkeypatch.setenv("BATCHGEN_API_KEY", KEY)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("batchgen.running.flow.take_in", broken)
    desk.jobs("shots.csv", "one")
    with desk.service():
        monkeypatch.setenv("BATCHGEN_API_KEY", KEY)
        said = desk.give("run", "shots.csv", "--yes", *(["--json"] if json_ else []))
    assert said.exit == Exit.UNEXPECTED == 70
    assert "Traceback" not in said.err
    (file,) = tmp_path.glob("batchgen-error-*.txt")
    assert str(file) in said.err
    text = file.read_text()
    assert "RuntimeError: the answer quoted [key]" in text
    assert KEY not in text + said.err + said.out
    assert file.stat().st_mode & 0o077 == 0
    if json_:
        assert (said.json["error"]["code"], said.json["exit"]) == ("unexpected", 70)
        assert set(said.json) == {"error", "plan", "exit"}


def test_an_unexpected_error_says_what_the_ledger_knows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.service():
        desk.jobs("shots.csv", "one")
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        monkeypatch.setattr("batchgen.running.flow.Board", broken)
        desk.jobs("shots.csv", "one", "two")
        said = desk.give("run", "shots.csv", "--yes")
    assert said.exit == 70
    assert "1 not submitted, 1 succeeded. 6 credits charged." in said.err


def test_a_folder_in_which_another_batchgen_works_is_busy(desk: Desk) -> None:
    with desk.service() as service:
        desk.jobs("shots.csv", "one")
        ledger = Ledger.open(desk.folder / "outputs/shots", service.base_url)
        try:
            said = desk.give("run", "shots.csv", "--yes", "--json")
        finally:
            ledger.close()
    assert (said.exit, said.json["exit"], said.json["error"]["code"]) == (75, 75, "busy")


def test_a_ledger_without_a_row_is_not_done(desk: Desk) -> None:
    Ledger.open(desk.folder / "out", "https://service.test").close()
    said = desk.give("status", "out", "--json")
    assert (said.exit, said.json["error"]["code"]) == (2, "no_jobs")


def test_a_reader_that_has_seen_enough_changes_no_exit_code_of_a_refusal_either(desk: Desk) -> None:
    desk.write("bad.csv", *[f"{n},kie,m,nonsense,x" for n in range(5000)])
    read, write = os.pipe()
    os.close(read)
    line = [sys.executable, "-m", "batchgen", "validate", "bad.csv", "--json"]
    ran = subprocess.run(line, check=False, stdout=write, stderr=subprocess.PIPE, timeout=60)
    os.close(write)
    assert ran.returncode == 3
    assert b"Exception" not in ran.stderr


def classes(kind: type[errors.BatchgenError]) -> list[type[errors.BatchgenError]]:
    """The classes of errors.py; others have arguments of their own."""
    children = [each for child in kind.__subclasses__() for each in classes(child)]
    return [each for each in [kind, *children] if each.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", classes(errors.BatchgenError))
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_travels_whole(kind: type[errors.BatchgenError], again: object) -> None:
    error = kind("A sentence.", code="a_code", hint="A hint.")
    same = again(error)  # type: ignore[operator]
    assert same == error
    assert type(same) is kind
    assert (same.message, same.code, same.hint, same.exit) == ("A sentence.", "a_code", "A hint.", kind.exit)
    assert str(same) == "A sentence."


def _validate(name: str) -> None:
    batchgen.run(name, sandbox=True)


def test_an_error_comes_out_of_a_process_pool_with_its_problems(desk: Desk) -> None:
    desk.write("bad.csv", "a,kie,m,nonsense,x")
    with ProcessPoolExecutor(1) as pool, pytest.raises(batchgen.ManifestError) as told:
        pool.submit(_validate, str(desk.folder / "bad.csv")).result(timeout=60)
    assert told.value.problems[0].code == "unknown_scene"
    assert told.value.survey.invalid == 1
    assert told.value.exit == 3
