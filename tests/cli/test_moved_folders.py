"""Folders move, and a run is started from anywhere: what stands in OUT stays true."""

import csv

import pytest
from desk import Desk


def manifests_of(desk: Desk) -> list[str]:
    with (desk.folder / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return [line["manifest"] for line in csv.DictReader(file)]


def test_a_manifest_has_one_name_from_wherever_it_is_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the working folder nor the way to the manifest is in results.csv or on the page."""
    (desk.folder / "spring").mkdir()
    manifest = desk.jobs("spring/jobs.csv", "a mug")
    out = desk.folder / "out"
    with desk.service():
        assert desk.give("run", manifest, "--yes", "--out", out).exit == 0
        assert manifests_of(desk) == ["jobs.csv"]
        assert str(desk.folder) not in (out / "report.html").read_text(encoding="utf-8")
        monkeypatch.chdir(desk.folder / "spring")
        desk.jobs("spring/jobs.csv", "a mug", "a cup")
        assert desk.give("run", "../spring/jobs.csv", "--yes", "--out", out).exit == 0
    assert manifests_of(desk) == ["jobs.csv"] * 2


def test_manifests_of_the_same_name_are_told_apart_by_their_folders(desk: Desk) -> None:
    for market in ("de", "fr"):
        (desk.folder / market).mkdir()
        desk.write(f"{market}/jobs.csv", f"{market}-1,kie,m,text-to-video,a mug in {market}")
    with desk.service():
        assert desk.give("run", "de/jobs.csv", "fr/jobs.csv", "--yes", "--out", "out").exit == 0
    assert manifests_of(desk) == ["de/jobs.csv", "fr/jobs.csv"]


def test_a_ledger_of_another_machine_is_a_warning_and_no_refusal(desk: Desk) -> None:
    """A folder may move to another machine; two machines at once share no lock."""
    manifest = desk.jobs("shots.csv", "take 1")
    with desk.service():
        assert desk.give("run", manifest, "--yes", "--no-download").exit == 0
        owner = '{"pid": 1, "host": "studio-7", "since": 0}'
        assert "worked on this ledger last" not in desk.give("run", manifest, "--dry-run").out
        desk.change_ledger("outputs/shots", f"UPDATE meta SET value = '{owner}' WHERE key = 'owner'")
        assert "warning: studio-7 worked on this ledger last" in desk.give("run", manifest, "--dry-run").out
        assert desk.give("run", manifest, "--yes", "--no-download").exit == 0
