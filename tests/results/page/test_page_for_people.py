"""The page for somebody who looks at films: each thing that hurt when a person tried it, in a real browser."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_desk import Desk, films, marks_of

from batchgen.job import Film, Result, State, Take

pytestmark = pytest.mark.browser

Batch = Callable[..., list[Result]]
Page = Callable[..., Path]
SIZES = {390: 844, 820: 1180, 1440: 900}
RATIOS = ("16:9", "9:16", "16:9", "1:1")
SHAPES = {"16:9": Film(1920, 1080, 5.0), "9:16": Film(1080, 1920, 5.0), "1:1": Film(720, 720, 4.0)}

#: The share of the first screen that films cover, and what sticks out or is cut.
COVERED = """() => {
  let area = 0;
  for (const film of document.querySelectorAll(".card:not(.tile) .poster")) {
    const box = film.getBoundingClientRect();
    const wide = Math.min(innerWidth, box.right) - Math.max(0, box.left);
    const high = Math.min(innerHeight, box.bottom) - Math.max(0, box.top);
    area += Math.max(0, wide) * Math.max(0, high);
  }
  return area / innerWidth / innerHeight;
}"""
CUT = """() => [...document.querySelectorAll(
    "h1, .stats, .chips:not([hidden]) .chip, .name, .why, button, .tabs, #count, .length, .badge, .group h2")]
  .filter((e) => e.checkVisibility() && e.textContent.trim()
    && (e.scrollWidth > e.clientWidth + 2 || e.scrollHeight > e.clientHeight + 4)
    && !e.matches(".prompt, .play, .mark"))
  .map((e) => `${e.className || e.id || e.tagName}: ${e.textContent.trim().slice(0, 40)}`)"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def mixed(results: list[Result]) -> list[Result]:
    """The same jobs in all three shapes, with a title."""
    return [
        replace(
            result,
            cells={"title": f"Spring hero {k}", **result.cells, "options.aspect_ratio": RATIOS[k % 4]},
            film=SHAPES[RATIOS[k % 4]] if result.state is State.SUCCEEDED else Film(),
        )
        for k, result in enumerate(results)
    ]


OTHER = ("title", "prompt", "options.aspect_ratio", "options.duration", "campaign", "market", "sku")


@pytest.mark.parametrize("count", [5, 30, 300, 5000])
@pytest.mark.parametrize("width", SIZES)
def test_films_have_the_first_screen(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page, width: int, count: int
) -> None:
    """At least 60 % of it, from phone to desktop, light and dark; no text is cut, nothing sticks out."""
    desk.page.set_viewport_size({"width": width, "height": SIZES[width]})
    desk.page.emulate_media(color_scheme="dark" if count in {30, 5000} else "light")
    desk.open(make_page(tmp_path, mixed(make_batch(count)), OTHER, videos=False))
    assert desk.page.evaluate(COVERED) >= 0.6
    assert desk.page.evaluate(SIDEWAYS) == 0
    assert desk.page.evaluate(CUT) == []
    assert desk.page.locator(".card.tile").count() == 0
    assert desk.page.locator(".card").first.bounding_box()["y"] <= 112


@pytest.mark.parametrize("ratio", ["16:9", "9:16"])
@pytest.mark.parametrize("width", SIZES)
def test_films_of_one_shape_have_it_too(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page, width: int, ratio: str
) -> None:
    """Also where all of them are portraits, or there are five of them."""
    desk.page.set_viewport_size({"width": width, "height": SIZES[width]})
    for count in (5, 30):
        desk.open(make_page(tmp_path, films(make_batch(count, ratio=ratio)), videos=False))
        assert desk.page.evaluate(COVERED) >= 0.6, count
        assert desk.page.evaluate(SIDEWAYS) == 0


def test_a_card_has_the_title_and_the_id(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """So that two people on the phone can say which one; a fingerprint is no name, then the prompt is."""
    results = films(make_batch(3))
    results[0] = replace(results[0], cells={**results[0].cells, "title": "Spring hero"})
    results[2] = replace(results[2], job_id="0123456789abcdef-2")
    desk.open(make_page(tmp_path, results, OTHER))
    names = [desk.page.locator(".card .prompt").nth(k).inner_text() for k in range(3)]
    assert names[0].startswith(f"Spring hero {results[0].job_id}")
    assert names[1].startswith(results[1].job_id)
    assert "0123456789" not in names[2]
    assert names[2].startswith(results[2].cells["prompt"][:20])


def test_posters_stand_in_justified_rows_in_their_own_shape(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """Each poster is as wide to its height as its film; a row's posters are equally high and fill the width."""
    desk.open(make_page(tmp_path, films(mixed(make_batch(40))), OTHER, videos=False))
    boxes = desk.page.evaluate(
        "[...document.querySelectorAll('.card')].map((c) => { const b = c.querySelector('.poster')"
        ".getBoundingClientRect(); return [Number(c.dataset.job), b.left, b.top, b.width, b.height]; })"
    )
    rows: dict[float, list[list[float]]] = {}
    for box in boxes:
        film = SHAPES[RATIOS[int(box[0]) % 4]]
        assert box[3] / box[4] == pytest.approx((film.width or 0) / (film.height or 1), rel=0.02)
        rows.setdefault(round(box[2]), []).append(box)
    for row in list(rows.values())[:2]:
        assert len({round(box[4]) for box in row}) == 1
        assert min(box[1] for box in row) == pytest.approx(20, abs=1)
        assert max(box[1] + box[3] for box in row) == pytest.approx(1260, abs=2)


def test_films_are_small_or_large_as_one_likes(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """Three sizes, kept by the browser."""
    page = make_page(tmp_path, films(make_batch(80)), videos=False)
    desk.open(page)
    high = "document.querySelector('.poster').clientHeight"
    seen = []
    for size in ("small", "medium", "large"):
        desk.page.click(f"#size [data-size={size}]")
        seen.append(desk.page.evaluate(high))
    assert seen[0] * 1.3 < seen[1] < seen[2] / 1.3
    desk.open(page)
    assert desk.page.evaluate(high) == seen[2]


def test_a_film_moves_under_the_mouse(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """Without a sound, and only while the mouse is there."""
    desk.open(make_page(tmp_path, films(make_batch(12))))
    desk.page.locator(".poster").nth(1).hover()
    desk.until("document.querySelector('video.glance')?.currentTime > 0.05")
    assert desk.page.evaluate("document.querySelector('video.glance').muted")
    assert desk.page.evaluate("document.querySelector('video.glance').closest('.card').dataset.place") == "1"
    desk.page.mouse.move(5, 5)
    desk.until("document.querySelector('video.glance') === null")


def test_failures_wait_behind_their_chip_and_are_smaller_than_films(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """Nothing of them at first; then a tile of less area than a film, behind the films, on a plain ground."""
    results = make_batch(120)
    desk.open(make_page(tmp_path, results, videos=False))
    film = desk.page.locator(".card .poster").first.bounding_box()
    desk.look("rejected")
    desk.settle()
    assert desk.jobs() == [str(k) for k, result in enumerate(results) if result.state is State.REJECTED]
    tile = desk.page.locator(".card.tile").first
    box = tile.bounding_box()
    assert box["width"] * box["height"] < film["width"] * film["height"]
    assert tile.evaluate("(e) => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
    assert "options.duration: 12 is not supported" in tile.inner_text()
    desk.look("all")
    desk.settle()
    assert all(results[int(k)].state is State.SUCCEEDED for k in desk.jobs()[:8])


def test_refused_is_the_services_word_and_redo_is_yours(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """Two words for two things; the marks file says reject, as commands do."""
    desk.open(make_page(tmp_path, [*films(make_batch(2)), replace(make_batch(3)[2], state=State.REJECTED)]))
    assert "Refused by the service" in desk.page.locator("#chips [data-state=rejected]").inner_text()
    desk.page.locator(".card .prompt").first.click()
    assert desk.page.locator(".review .reject").inner_text() == "Redo"
    desk.page.keyboard.press("r")
    desk.page.keyboard.press("Escape")
    assert desk.page.locator("#saved p").inner_text() == "1 to redo"
    assert [line["mark"] for line in marks_of(desk)] == ["reject"]
    assert "Rejected" not in desk.page.evaluate("document.body.innerText")


def test_any_own_column_groups(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """A heading a value with its count, each film under its own; a column of many values does it too."""
    results = films(make_batch(24))
    desk.open(make_page(tmp_path, results, videos=False))
    desk.page.click("#more")
    desk.page.select_option("#group", label="campaign")
    desk.settle()
    heads = desk.page.locator(".group h2").all_inner_texts()
    assert sorted(heads) == ["Always on · 8", "Retail partners · 8", "Spring launch · 8"]
    first = desk.jobs()[0]
    assert heads[0].startswith(results[int(first)].cells["campaign"])
    desk.page.select_option("#group", label="sku")
    desk.settle()
    assert desk.page.locator(".group h2").count() == len({result.cells["sku"] for result in results})


def test_versions_of_a_job_stand_side_by_side(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """After a redo the film before it is still to be seen, beside the new one, with the words that it had."""
    results = films(make_batch(3))
    old = Take("task-0", "The first words", (), (results[2].video_paths[0],))
    results[0] = replace(results[0], task_id="task-0-again", takes=(old,))
    desk.open(make_page(tmp_path, results))
    assert desk.page.locator(".card[data-job='0'] .badge").inner_text() == "Version 2"
    desk.page.locator(".card[data-job='0'] .prompt").click()
    captions = desk.page.locator("#stage figcaption").all_inner_texts()
    assert captions == ["Version 1\nThe first words", "Version 2, the newest"]
    left, right = (desk.page.locator("#stage figure").nth(k).bounding_box() for k in (0, 1))
    assert left["x"] + left["width"] <= right["x"]
    assert left["y"] == right["y"]


def test_a_changed_row_shows_what_was_bought(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """The caption is of the film that is there; what the row reads now stands under it. It can be marked."""
    result = films(make_batch(1))[0]
    result = replace(
        result,
        state=State.CHANGED,
        cells={**result.cells, "prompt": "A glass city at sunset"},
        request={**result.request, "prompt": "A glass city at sunrise"},
    )
    desk.open(make_page(tmp_path, [result]))
    card = desk.page.locator(".card")
    assert "A glass city at sunrise" in card.locator(".prompt").inner_text()
    assert card.locator(".now").inner_text() == "now reads: A glass city at sunset"
    assert card.locator(".badge").inner_text() == "Row changed"
    card.locator(".prompt").click()
    assert desk.page.locator("#details-title").inner_text() == "A glass city at sunrise"
    assert desk.page.locator("#facts .now").inner_text() == "now reads: A glass city at sunset"
    assert desk.page.locator(".review .accept").is_visible()


def test_jobs_without_a_row_have_a_chip_of_their_own(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """What is no longer in the sheet is not among the films that a client is shown."""
    results = films(make_batch(4))
    results[3] = replace(results[3], row=None)
    desk.open(make_page(tmp_path, results))
    assert desk.jobs() == ["0", "1", "2"]
    chip = desk.page.locator("#chips [data-state=gone]")
    assert chip.inner_text().split("\n") == ["No longer in the sheet", "1"]
    chip.click()
    desk.settle()
    assert desk.jobs() == ["3"]


def test_a_text_runs_in_its_own_direction(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """Arabic from right to left, beside a Latin id from left to right."""
    words = "\u0644\u0642\u0637\u0629 \u0628\u0637\u064a\u0626\u0629."
    result = films(make_batch(1))[0]
    result = replace(result, request={"prompt": words}, cells={**result.cells, "prompt": words})
    desk.open(make_page(tmp_path, [result]))
    direction = "(e) => getComputedStyle(e).direction"
    assert desk.page.locator(".card .words").evaluate(direction) == "rtl"
    assert desk.page.locator(".card .name").evaluate(direction) == "ltr"
    desk.page.locator(".card .prompt").click()
    assert desk.page.locator("#details-title").evaluate(direction) == "rtl"


def test_a_question_mark_shows_the_keys(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """Also its button; not while somebody types."""
    desk.open(make_page(tmp_path, films(make_batch(3))))
    desk.page.keyboard.press("?")
    text = desk.page.locator("#help").inner_text()
    assert all(word in text for word in ("Space", "Enter", "accept", "redo"))
    desk.page.keyboard.press("Escape")
    desk.page.click("#keys")
    assert desk.page.locator("#help").is_visible()
    desk.page.keyboard.press("?")
    desk.page.focus("#query")
    desk.page.keyboard.press("?")
    assert not desk.page.locator("#help").is_visible()


def test_the_filter_button_has_a_name_on_a_phone(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """Where only its icon shows; and the kinds of jobs are a list there, whole and without scrolling."""
    desk.page.set_viewport_size({"width": 390, "height": 844})
    desk.open(make_page(tmp_path, make_batch(60), videos=False))
    assert desk.page.get_by_role("button", name="Filters").count() == 1
    assert not desk.page.locator("#chips").is_visible()
    desk.page.select_option("#view", "failed")
    desk.settle()
    assert desk.page.locator(".card.tile").count() > 0


def test_charts_have_an_axis_or_are_a_sentence(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """Times on a scale from 0; a model with a few videos says how long they took."""
    desk.open(make_page(tmp_path, films(make_batch(60)), videos=False))
    desk.page.click("#tab-run")
    axis = desk.page.locator(".box-axis")
    assert axis.locator("text").first.text_content() == "0 s"
    assert axis.locator("text").count() >= 3
    desk.open(make_page(tmp_path, films(make_batch(1)), videos=False))
    desk.page.click("#tab-run")
    assert desk.page.locator(".box-axis, .box").count() == 0
    assert "took" in desk.page.locator(".how-long").inner_text()
    assert desk.page.locator(".panel").first.locator("svg").count() == 0
    assert "Submitted 22 Nov 2026" in desk.page.locator(".panel").first.inner_text()


def test_the_live_page_sees_the_end(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page, serve: Callable[..., Any]
) -> None:
    """When the run is over the page says Finished with the last numbers, hands the marks over, and asks no more."""
    done = films(make_batch(3))
    make_page(tmp_path, done)
    now = [done[0], *(replace(result, state=State.RUNNING, video_paths=()) for result in done[1:])]
    with serve(lambda: now, tmp_path) as url:
        desk.page.goto(url)
        desk.until("document.documentElement.dataset.ready === 'yes'")
        desk.page.locator(".card").first.focus()
        desk.page.keyboard.press("a")
        desk.until("document.querySelector('#count').textContent === '1 film'")
        now[:] = done
    desk.until("document.documentElement.dataset.ended === 'yes'")
    text = desk.page.locator("#notice").inner_text()
    assert text.startswith("Finished: 3 of 3 videos. Open report.html")
    assert desk.page.locator("#notice .link").inner_text() == "download them"
    assert "3 of 3 ready" in desk.page.locator("#stats").inner_text()
