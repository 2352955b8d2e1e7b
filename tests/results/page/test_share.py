"""What a client is sent: the page and the films, and no byte of money, makers, tasks or failures."""

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from page_desk import Desk

from batchgen.job import Film, Result, State, Take
from batchgen.results.share import Wish, fill, shown
from batchgen.videos.names import video_name

#: Something that a client must not get, in every place that a result has for a text.
CANARIES = {
    "task_id": "canary-task",
    "video_urls": ("https://canary-host.example/v.mp4",),
    "scene": "canary-scene",
    "provider": "canary-provider",
    "model": "canary-model",
    "manifest": "canary-manifest.csv",
    "error_code": "canary_code",
    "error": "canary-error",
    "review_note": "canary-note",
    "estimated_credits": 7771,
    "charged_credits": 7772,
    "refunded_credits": 7773,
    "submitted_at": 1795342503.0,
    "finished_at": 1795342603.0,
    "takes": (Take("canary-old-task", "canary-old-prompt", (), ("videos/a+p2.mp4",)),),
    "cells": {"prompt": "canary-prompt", "budget": "canary-budget", "title": "Spring hero"},
    "request": {"prompt": "canary-prompt", "model": "canary-model", "options": {"seed": "canary-seed"}},
}
WORDS = ("canary", "7771", "7772", "7773", "17953425", "17953426", "credit", "rejected", "refunded", "provider")


def film(job_id: str, **more: object) -> Result:
    values = {**CANARIES, "video_paths": (f"videos/{job_id}+p2.mp4",), "film": Film(16, 9, 2.0), **more}
    return Result(job_id=job_id, row=1, state=State.SUCCEEDED, **values)  # type: ignore[arg-type]


def written(out: Path, results: list[Result], wish: Wish) -> tuple[bytes, list[str]]:
    """Every byte of the folder but those of the films, and the names of the films."""
    (out / "videos").mkdir(exist_ok=True)
    for result in results:
        for path in result.video_paths:
            (out / path).write_bytes(b"a film")
    folder = out / "share"
    folder.mkdir()
    fill(folder, out, results, wish, video_name)
    names = sorted(path.name for path in (folder / "videos").iterdir())
    return b"".join(path.read_bytes() for path in folder.rglob("*.html")), names


def test_no_byte_tells_of_money_makers_tasks_or_failures(tmp_path: Path) -> None:
    """Everything that a result knows is a canary: none is in the folder, and no word of the owner's page."""
    failed = replace(film("b-failed"), state=State.FAILED, video_paths=())
    text, names = written(tmp_path, [film("a"), failed], Wish("Spring"))
    for word in WORDS:
        assert word.encode() not in text.lower(), word
    assert b"Spring" in text
    assert names == ["a.mp4"]
    assert b"b-failed" not in text


def test_notes_and_columns_are_there_where_they_are_named(tmp_path: Path) -> None:
    """--notes and --with COLUMN, also the prompt: those, and no others."""
    text, _ = written(tmp_path, [film("a")], Wish(notes=True, columns=("title", "prompt")))
    for word in ("canary-note", "Spring hero", "canary-prompt"):
        assert word.encode() in text
    for word in ("canary-budget", "canary-model", "canary-seed", "canary-old"):
        assert word.encode() not in text


def test_what_is_marked_reject_stays_here() -> None:
    """Unmarked and accepted videos go; with only=accept the accepted ones alone."""
    results = [film("a"), replace(film("b"), review="accept"), replace(film("c"), review="reject")]
    assert [one.job_id for one in shown(results, Wish())] == ["a", "b"]
    assert [one.job_id for one in shown(results, Wish(only="accept"))] == ["b"]


def test_a_video_that_is_not_the_one_that_came_is_left_out(tmp_path: Path) -> None:
    """Changed bytes are named, and not sent as the film that was bought."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a+p2.mp4").write_bytes(b"other")
    (tmp_path / "share").mkdir()
    tally = fill(tmp_path / "share", tmp_path, [film("a", sha256=("0" * 64,))], Wish(), video_name)
    assert tally.videos == 0
    assert "not the file that was downloaded" in tally.sentences[0]


@pytest.mark.browser
def test_a_client_opens_it_from_disk(
    desk: Desk, tmp_path: Path, make_batch: Callable[..., list[Result]], make_page: Callable[..., Path]
) -> None:
    """The page works alone: films with names, no tabs, no marks, no console error."""
    results = [replace(r, review="") for r in make_batch(8) if r.video_paths]
    make_page(tmp_path, results)
    (tmp_path / "share").mkdir()
    fill(tmp_path / "share", tmp_path, results, Wish("Spring", columns=("prompt", "campaign")), video_name)
    desk.open(tmp_path / "share" / "index.html")
    assert desk.page.locator("h1").inner_text() == "Spring"
    assert desk.page.locator(".card").count() == len(results)
    assert desk.page.locator("[role=tab], .marks, .chip").count() == 0
    desk.page.locator(".poster").nth(0).click()
    desk.until("document.querySelector('.card video')?.videoWidth > 0")
    desk.page.locator(".card .prompt").nth(1).click()
    assert results[1].job_id in desk.page.locator("#facts").inner_text()
    assert "campaign" in desk.page.locator("#facts").inner_text()


def test_one_zip_unpacks_to_the_folder(tmp_path: Path) -> None:
    """The same page and films, in a folder of their own."""
    from batchgen.results.share import zip_folder

    written(tmp_path, [film("a")], Wish())
    with (tmp_path / "s.zip").open("wb") as file:
        zip_folder(tmp_path / "share", file, "spring")
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert sorted(archive.namelist()) == ["spring/index.html", "spring/videos/a.mp4"]
