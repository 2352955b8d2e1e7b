"""Files, folders, standard input; what is read stays flat in memory and light to start."""

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, find_manifests, jobs, survey
from batchgen.errors import ManifestError
from batchgen.manifest import source

ROW = "kie,m,text-to-video,A cat\n"
SHEET = "provider,model,scene,prompt\n" + ROW


def test_a_folder_stands_for_its_manifests_by_name(tmp_path: Path) -> None:
    for name in ("b.csv", "a.yaml", "c.jsonl.gz", ".hidden.csv", "~$open.xlsx", "notes.md", "picture.png"):
        (tmp_path / name).write_text(SHEET)
    assert [Path(path).name for path in find_manifests([str(tmp_path)])] == ["a.yaml", "b.csv", "c.jsonl.gz"]


def test_what_lies_in_a_folder_and_is_no_manifest_is_named_in_a_warning(tmp_path: Path) -> None:
    """Notes beside the tables do not make a folder unusable, and a folder below is not passed over in silence."""
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "b.csv").write_text(SHEET)
    for name in ("a.csv", "notes.txt", "README.md", "more.txt.gz", ".hidden"):
        (tmp_path / name).write_text(SHEET if name == "a.csv" else "Call Anna: about\nthe mug.\n")
    found = survey(find_manifests([str(tmp_path)]), ReadOptions(), PriceTable.load())
    assert (found.rows, found.problems) == (1, ())
    assert [warning.code for warning in found.warnings] == ["not_read"]
    assert found.warnings[0].message.endswith(": README.md, more.txt.gz, notes.txt, older/.")


def test_a_text_file_that_is_named_itself_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(SHEET)
    (tmp_path / "rows.txt").write_text(SHEET.replace("A cat", "A dog"))
    found = find_manifests([str(tmp_path), str(tmp_path / "rows.txt")])
    assert [Path(path).name for path in found] == ["a.csv", "rows.txt"]


def test_a_folder_of_notes_only_names_them(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text(SHEET)
    with pytest.raises(ManifestError) as raised:
        find_manifests([str(tmp_path)])
    assert "notes.txt" in raised.value.hint


def test_what_is_named_is_read_in_the_order_of_naming(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(SHEET)
    (tmp_path / "two.csv").write_text(SHEET)
    names = [str(tmp_path / "two.csv"), "-", str(tmp_path / "missing.csv"), str(tmp_path / "o*.csv")]
    found = [Path(path).name for path in find_manifests(names)]
    assert found == ["two.csv", "-", "missing.csv", "one.csv"]


def test_a_manifest_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    """Its rows would otherwise be paid for twice, or clash with themselves."""
    path = tmp_path / "a.csv"
    path.write_text("id," + SHEET.replace("kie,", "x,kie,"))
    names = [str(path), str(tmp_path), str(tmp_path / ".." / tmp_path.name / "a.csv")]
    assert [Path(found).name for found in find_manifests(names)] == ["a.csv"]
    found = survey([path, path], ReadOptions(), PriceTable.load())
    assert (found.rows, found.problems) == (1, ())
    assert len(list(jobs([path, path], ReadOptions(), PriceTable.load()))) == 1


def test_a_folder_without_manifests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError):
        find_manifests([str(tmp_path)])
    with pytest.raises(ManifestError):
        find_manifests([])


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    found = survey([tmp_path / "missing.csv"], ReadOptions(), PriceTable.load())
    assert [problem.code for problem in found.problems] == ["missing_file"]
    assert (found.rows, found.file_problems) == (0, 1)


def test_a_file_without_permission_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.csv"
    path.write_text(SHEET)

    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    found = survey([path], ReadOptions(), PriceTable.load())
    assert [problem.message for problem in found.problems] == [f'"{path}" can\'t be read: Permission denied.']


ROW_JSON = b'{"provider":"kie","model":"m","scene":"text-to-video","prompt":"x"}'
ROW_YAML = b"jobs:\n- {provider: kie, model: m, scene: text-to-video, prompt: x}\n"


@pytest.mark.parametrize("data", [SHEET.encode(), ROW_JSON + b"\n", ROW_YAML, b"[" + ROW_JSON + b"]"])
def test_standard_input_may_hold_any_format_and_is_read_twice(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    source._spool_stdin.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    for _ in range(2):
        assert survey(["-"], ReadOptions(), PriceTable.load()).valid == 1
    source._spool_stdin().unlink()
    source._spool_stdin.cache_clear()


def test_several_manifests_add_up(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(SHEET)
    (tmp_path / "b.csv").write_text("provider,model,scene\nkie,m,text-to-video\n")
    (tmp_path / "c.csv").write_text("")
    found = survey([tmp_path / name for name in ("a.csv", "b.csv", "c.csv")], ReadOptions(), PriceTable.load())
    problems = [(Path(problem.manifest).name, problem.code) for problem in found.problems]
    assert problems == [("b.csv", "missing_prompt"), ("c.csv", "empty_file")]


def test_validating_loads_neither_pandas_nor_the_network() -> None:
    """A third of a second each, at every start; and promise 4: validate opens no connection."""
    program = (
        "import sys; from batchgen.check.survey import *; from batchgen.check.prices import PriceTable\n"
        "found = survey(['manifests/marketing.csv', 'manifests/dataset.yaml'], ReadOptions(), PriceTable.load())\n"
        "assert found.valid == 54\n"
        "heavy = ('pandas', 'httpx', 'aiohttp', 'sqlalchemy', 'jsonschema')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    root = Path(__file__).parent.parent.parent
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=True)
    assert made.stdout.strip() == "[]"


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """20,000 and 200,000 rows, in chunks of 64 KB: what Python holds at most differs by less than the ids need."""
    program = (
        "import sys, tracemalloc; from batchgen.manifest import feed; feed.CHUNK = 1 << 16\n"
        "from batchgen.check.survey import *; from batchgen.check.prices import PriceTable\n"
        "prices = PriceTable.load(); survey([sys.argv[1]], ReadOptions(), prices); tracemalloc.start()\n"
        "survey([sys.argv[1]], ReadOptions(), prices); print(tracemalloc.get_traced_memory()[1])"
    )
    peaks = []
    for rows in (20_000, 200_000):
        path = tmp_path / f"{rows}.csv"
        with path.open("w") as file:
            file.write("id,provider,model,scene,prompt\n")
            file.writelines(f"row {number},kie,m,text-to-video,A cat no. {number}\n" for number in range(rows))
        made = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
        )
        peaks.append(int(made.stdout))
    assert peaks[1] - peaks[0] < 180_000 * 24, peaks


@pytest.mark.parametrize("name", ["pipe", "pipe.csv"])
def test_a_pipe_is_read_like_standard_input_and_twice(tmp_path: Path, name: str) -> None:
    """`batchgen validate <(cat plan.csv)`; its format is told by the content."""
    path = tmp_path / name
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text(SHEET + ROW.replace("cat", "dog")))
    writer.start()
    for _ in range(2):
        assert survey([path], ReadOptions(), PriceTable.load()).valid == 2
    writer.join()


def test_a_device_is_no_manifest() -> None:
    found = survey(["/dev/zero"], ReadOptions(), PriceTable.load())
    assert [problem.code for problem in found.problems] == ["not_a_file"]
