"""`--metrics-file`: numbers that a monitor reads, whole at any moment."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from batchgen.job import State
from batchgen.ledger.clock import Clock
from batchgen.running.metrics import EVERY, MetricsFile, metrics_text

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\+Inf|[0-9.]+)')


@pytest.fixture
def desk(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, capfd, monkeypatch)


def read(text: str) -> dict[tuple[str, str], str]:
    """(name, labels) -> value, as strictly as the text format asks for."""
    found = {}
    for line in text.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        found[match[1], match[2] or ""] = match[3]
    return found


def test_the_numbers_are_those_of_status(desk: Desk) -> None:
    desk.jobs("m.csv", "a", "b")
    with desk.service():
        said = desk.give("run", "m.csv", "--yes", "--no-download", "--max-credits", 20, "--metrics-file", "m.prom")
    assert said.exit == 0
    numbers = read((desk.folder / "m.prom").read_text(encoding="utf-8"))
    assert numbers["batchgen_jobs", 'state="succeeded"'] == "2"
    assert {key[1] for key in numbers if key[0] == "batchgen_jobs"} == {f'state="{state}"' for state in State}
    credits_ = {kind: numbers["batchgen_credits", f'kind="{kind}"'] for kind in ("estimated", "charged", "cap")}
    assert credits_ == {"estimated": "12", "charged": "12", "cap": "20"}
    events = [json.loads(line) for line in (desk.folder / "outputs/m/events.jsonl").read_text().splitlines()]
    assert len(run_ids := {event["run_id"] for event in events}) == 1
    assert ("batchgen_run_info", f'run_id="{run_ids.pop()}",out="outputs/m"') in numbers
    assert [event["credits"] for event in events if event["event"] == "accepted"] == [6, 6]


def test_each_run_has_a_name_of_its_own(desk: Desk) -> None:
    desk.jobs("m.csv", "a")
    with desk.service():
        for _ in range(2):
            assert desk.give("run", "m.csv", "--yes", "--no-download").exit == 0
    events = [json.loads(line) for line in (desk.folder / "outputs/m/events.jsonl").read_text().splitlines()]
    assert len({event["run_id"] for event in events}) == 2


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_bought(desk: Desk) -> None:
    desk.jobs("m.csv", "a")
    (desk.folder / "taken").write_text("", encoding="utf-8")
    with desk.service() as server:
        said = desk.give("run", "m.csv", "--yes", "--metrics-file", "taken/m.prom", "--json")
        assert server.audit().posts == []
    assert (said.exit, said.json["error"]["code"]) == (2, "bad_metrics_file")


def test_a_folder_does_not_choose_what_is_overwritten(desk: Desk) -> None:
    desk.jobs("m.csv", "a")
    (desk.folder / "batchgen.toml").write_text('metrics_file = "m.csv"\n', encoding="utf-8")
    assert desk.give("run", "m.csv", "--sandbox").exit == 2
    assert (desk.folder / "m.csv").read_text(encoding="utf-8").startswith("id,")


def test_hostile_names_are_quoted_and_no_cap_is_infinite() -> None:
    document: dict[str, Any] = {"out": 'a"b\\c\nd', "states": {}, "credits": {"charged": 0, "cap": None}}
    numbers = read(metrics_text(document, "r", 1.5))
    assert numbers["batchgen_run_info", 'run_id="r",out="a\\"b\\\\c\\nd"'] == "1"
    assert numbers["batchgen_credits", 'kind="cap"'] == "+Inf"


def test_it_is_written_every_five_seconds_and_at_the_end(desk: Desk) -> None:
    desk.jobs("m.csv", "a")
    with desk.service():
        assert desk.give("run", "m.csv", "--yes", "--no-download").exit == 0
    now = 100.0
    file = MetricsFile(Path("m.prom"), Path("outputs/m"), "r", Clock(now=lambda: now, wall=lambda: now))
    times = []
    for step in range(0, 12):
        now = 100.0 + step
        file.keep()
        times.append(read(Path("m.prom").read_text(encoding="utf-8"))["batchgen_updated_seconds", ""])
    assert sorted(set(times)) == ["100.000", f"{100 + EVERY:.3f}", f"{100 + 2 * EVERY:.3f}"]
    file.end()
    assert read(Path("m.prom").read_text(encoding="utf-8"))["batchgen_updated_seconds", ""] == "111.000"
