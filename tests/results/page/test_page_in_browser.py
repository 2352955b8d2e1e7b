"""The page in a real browser, opened from disk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_desk import Desk, films, marks_of

from batchgen.job import Result, State
from batchgen.results.formula import unguard

pytestmark = pytest.mark.browser

HOSTILE = Path(__file__).with_name("hostile.txt").read_text(encoding="utf-8").splitlines()


Batch = Callable[..., list[Result]]
Page = Callable[..., Path]


def test_it_opens_from_disk_and_shows_every_state(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """From file://, without console errors and without a request that leaves the machine."""
    results = make_batch(120)
    desk.open(make_page(tmp_path, results))
    assert desk.page.title() == f"spring-campaign · {sum(r.state is State.SUCCEEDED for r in results)} videos"
    films = sum(result.state is State.SUCCEEDED for result in results)
    assert desk.count() == f"{films} films"
    chips = desk.page.locator("#chips button").all_inner_texts()
    assert len(chips) == len({result.state for result in results}) + 1
    assert desk.page.locator(".card.tile").count() == 0
    desk.until("document.querySelectorAll('.card canvas').length > 3")
    assert 0 < desk.page.locator(".card").count() < 40


def test_a_cards_video_really_plays(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """A click on a card plays the file beside the page; a second card stops the first."""
    desk.open(make_page(tmp_path, make_batch(12)))
    assert desk.page.locator("video").count() == 0
    desk.page.locator(".poster").nth(0).click()
    desk.until("document.querySelector('.card video')?.currentTime > 0.1")
    playing = desk.page.evaluate(
        "(({readyState, videoWidth, paused, error}) => ({readyState, videoWidth, paused, error}))"
        "(document.querySelector('.card video'))"
    )
    assert playing["readyState"] >= 2
    assert playing["videoWidth"] == 320
    assert playing["paused"] is False
    assert playing["error"] is None
    desk.page.locator(".poster").nth(1).click()
    assert desk.page.locator(".card video").count() == 1


def test_a_missing_file_is_said_in_words(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """A page without its videos folder says so once for all; a click names the file that it looked for."""
    results = make_batch(12)
    page = make_page(tmp_path, results)
    for path in (tmp_path / "videos").iterdir():
        path.unlink()
    desk.open(page)
    desk.until("!document.querySelector('#missing').hidden")
    assert "folder videos is not beside this page" in desk.page.locator("#missing").inner_text()
    assert desk.page.locator(".note:visible").count() == 1
    desk.page.locator(".poster").nth(0).click()
    desk.until("document.querySelector('.lost') !== null")
    assert "videos/" in desk.page.locator(".lost").inner_text()
    desk.complaints[:] = [line for line in desk.complaints if "ERR_FILE_NOT_FOUND" not in line]


def test_filters_and_search_narrow_and_clear(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """State, model and an own column filter together; the search looks in prompts; one click shows all again."""
    results = make_batch(120)
    desk.open(make_page(tmp_path, results, videos=False))
    desk.look("failed")
    desk.settle()
    failed = [str(k) for k, result in enumerate(results) if result.state is State.FAILED]
    assert desk.jobs() == failed
    desk.look("failed")
    desk.look("all")
    desk.page.click("#more")
    desk.page.select_option("[data-filter=model]", value="=fal-ai/veo3/fast")
    desk.page.select_option("[data-filter='own:2']", value="=Always on")
    desk.settle()
    wanted = [r for r in results if r.model == "fal-ai/veo3/fast" and r.cells["campaign"] == "Always on"]
    assert desk.count() == f"{len(wanted)} of 120 jobs"
    desk.page.fill("#query", "GLASS city")
    desk.settle()
    wanted = [r for r in wanted if "glass city" in r.cells["prompt"].lower()]
    assert desk.count() == f"{len(wanted)} of 120 jobs"
    desk.page.fill("#query", "nothing has this")
    desk.settle()
    assert desk.page.locator("#empty").is_visible()
    desk.page.click("#clear")
    desk.settle()
    films = [str(k) for k, result in enumerate(results) if result.state is State.SUCCEEDED]
    assert desk.count() == f"{len(films)} films"
    assert desk.jobs()[:4] == films[:4]


@pytest.mark.parametrize("by", ["newest", "longest", "prompt", "job", "own:5"])
def test_sorts_put_the_right_job_first(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page, by: str
) -> None:
    """Newest, longest to make, prompt, job id and an own column (numbers by value)."""
    results = make_batch(60)
    key: Callable[[int], Any] = {
        "newest": lambda k: -(results[k].finished_at or 0),
        "longest": lambda k: -(int(results[k].finished_at or 0) - int(results[k].submitted_at or 0)
                               if results[k].finished_at else 0),
        "prompt": lambda k: results[k].cells["prompt"].lower(),
        "job": lambda k: results[k].job_id,
        "own:5": lambda k: int(results[k].cells["sku"]),
    }[by]  # fmt: skip
    desk.open(make_page(tmp_path, results, videos=False))
    desk.page.click("#more")
    desk.page.select_option("#sort", by)
    desk.settle()
    films = [k for k, result in enumerate(results) if result.state is State.SUCCEEDED]
    shown = desk.jobs()
    assert len(shown) > 5
    assert shown == [str(k) for k in sorted(films, key=key)][: len(shown)]


def test_hostile_text_stays_text(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """In the prompt, ids, models, errors, own columns and paths: shown as it is, and nothing of it runs."""
    template = make_batch(1)[0]
    results = [
        replace(
            template, job_id=f"{text}{k}", model=text, error=text, error_code=text, provider=text, scene=text,
            manifest=text, task_id=text, state=(State.FAILED, State.SUCCEEDED)[k % 2], video_urls=(text,),
            video_paths=(), cells={"prompt": text, "own": text, text: text},
        )
        for k, text in enumerate(HOSTILE)
    ]  # fmt: skip
    desk.open(make_page(tmp_path, results, other=("prompt", "own", HOSTILE[0])))
    desk.look("all")
    desk.settle()
    for k in desk.jobs()[:8]:
        text = HOSTILE[int(k)]
        desk.page.locator(f".card[data-job='{k}'] .prompt").click()
        assert desk.page.locator("#details-title").inner_text() == text.strip()
        assert desk.page.locator("#details a[href^=javascript], #details a[href^=data]").count() == 0
        desk.page.keyboard.press("Escape")
    desk.page.click("#tab-run")
    desk.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert desk.page.locator("img, iframe, base, object, embed, math").count() == 0
    assert desk.page.evaluate("window.owned === undefined && ({}).polluted === undefined")


def test_marks_are_kept_and_downloaded(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """Accept and redo survive a reload, filter, and download with their task; a second click takes one back."""
    results = films(make_batch(4))
    results[0] = replace(results[0], job_id='=1+1,"x"')
    page = make_page(tmp_path, results, videos=False)
    desk.open(page)
    for place, kind in ((0, "accept"), (1, "reject"), (2, "accept"), (2, "accept")):
        desk.page.locator(".poster").nth(place).hover()
        desk.page.locator(f".poster .{kind}").nth(place).click()
    desk.open(page)
    assert desk.page.locator(".poster .accept[aria-pressed=true]").count() == 1
    assert desk.page.locator(".poster .reject").nth(1).get_attribute("aria-label").startswith("Redo")
    assert desk.page.locator("#saved p").inner_text() == "1 accepted, 1 to redo"
    lines = marks_of(desk)
    assert [(unguard(line["job_id"]), line["task_id"], line["mark"], line["note"]) for line in lines] == [
        ('=1+1,"x"', results[0].task_id, "accept", ""),
        (results[1].job_id, results[1].task_id, "reject", ""),
    ]
    assert lines[0]["job_id"].startswith("'=")
    desk.page.click("#more")
    desk.page.select_option("[data-filter=mark]", value="=reject")
    desk.settle()
    assert desk.jobs() == ["1"]


def test_a_note_and_new_words_travel_with_a_mark(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """A note with the time that the film shows, and another prompt: in the file, once the film has a mark."""
    results = films(make_batch(3))
    desk.open(make_page(tmp_path, results))
    desk.page.locator(".card .prompt").nth(0).click()
    desk.page.click(".review .quiet")
    note = desk.page.locator(".review textarea").nth(0)
    desk.page.keyboard.type('the logo is cut, "badly"')
    assert "Choose Accept or Redo" in desk.page.locator(".review [role=status]").inner_text()
    desk.page.click(".review summary")
    desk.page.locator(".review textarea").nth(1).fill("Other words")
    desk.page.click(".review .reject")
    assert desk.page.locator(".review [role=status]").inner_text() == ""
    assert note.input_value().startswith("[0:0")
    desk.page.keyboard.press("Escape")
    [line] = marks_of(desk)
    assert (line["task_id"], line["mark"], line["prompt"]) == (results[0].task_id, "reject", "Other words")
    assert line["note"].endswith('the logo is cut, "badly"')
    assert desk.page.locator(".card .noted:visible").count() == 1


def test_a_mark_is_of_the_film_that_was_judged(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page
) -> None:
    """After a redo the new film is unmarked in the same browser; a mark of the ledger shows without any."""
    results = films(make_batch(2))
    page = make_page(tmp_path, results)
    desk.open(page)
    desk.page.locator(".card").nth(0).focus()
    desk.page.keyboard.press("r")
    again = replace(results[0], task_id="another-task")
    make_page(tmp_path, [again, replace(results[1], review="accept", review_note="good")])
    desk.open(page)
    assert desk.page.locator(".reject[aria-pressed=true]").count() == 0
    assert desk.page.locator(".card[data-job='1'] .accept[aria-pressed=true]").count() == 1


def test_the_keyboard_does_everything(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """Arrows move, A and R mark, Space plays, Enter opens, Escape comes back to the same card."""
    desk.open(make_page(tmp_path, films(make_batch(200))))
    keyboard = desk.page.keyboard
    desk.page.locator("#grid").focus()
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    keyboard.press("ArrowDown")
    keyboard.press("ArrowRight")
    here = "document.activeElement.closest('.card')?.dataset.place"
    assert desk.page.evaluate(here) == "5"
    keyboard.press("a")
    assert desk.page.locator(".card[data-place='5'] .accept").get_attribute("aria-pressed") == "true"
    keyboard.press("r")
    assert desk.page.locator(".card[data-place='5'] .reject").get_attribute("aria-pressed") == "true"
    keyboard.press("u")
    assert desk.page.locator(".mark[aria-pressed=true]").count() == 0
    keyboard.press("Enter")
    assert desk.page.evaluate("document.querySelector('#details').open")
    keyboard.press("ArrowRight")
    assert desk.page.locator("#details .head span").first.inner_text() == "7 of 200"
    keyboard.press("Escape")
    desk.until(f"{here} === '6'")
    keyboard.press("End")
    assert desk.page.evaluate(here) == "199"
    keyboard.press("Home")
    keyboard.press(" ")
    desk.until("document.querySelector('.card[data-place=\"0\"] video')?.videoWidth > 0")


def test_every_control_has_a_name(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """Each button, list, field and picture in both views and in the details has a name that can be read out."""
    desk.open(make_page(tmp_path, [replace(make_batch(1)[0], state=State.SUCCEEDED), *make_batch(30)]))
    nameless = (
        "[...document.querySelectorAll('button, select, input, textarea, a, [role=img], video:not([aria-hidden])')]"
        ".filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.[0]?.innerText))"
        ".map((e) => e.outerHTML)"
    )
    desk.page.click("#more")
    assert desk.page.evaluate(nameless) == []
    desk.page.click("#tab-run")
    assert desk.page.evaluate(nameless) == []
    desk.page.click("#tab-gallery")
    desk.page.locator(".card .prompt").nth(0).click()
    assert desk.page.evaluate(nameless) == []


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
def test_nothing_sticks_out_at_any_width(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page, width: int
) -> None:
    """No horizontal scrolling, in both views, from phone to desktop."""
    desk.page.set_viewport_size({"width": width, "height": 844})
    desk.open(make_page(tmp_path, make_batch(30), videos=False))
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert desk.page.evaluate(wide) == 0
    desk.page.click("#more")
    assert desk.page.evaluate(wide) == 0
    desk.page.click("#tab-run")
    assert desk.page.evaluate(wide) == 0


def test_the_report_of_the_run_adds_up(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """Credits by scene sum to the planned; each group of trouble leads to its jobs, with what to do."""
    results = make_batch(120)
    desk.open(make_page(tmp_path, results, videos=False))
    desk.page.click("#tab-run")
    planned = desk.page.locator("table").nth(0).locator("td:nth-child(3)").all_inner_texts()
    assert sum(map(int, planned)) == sum(result.estimated_credits or 0 for result in results)
    group = desk.page.locator(".trouble li").filter(has_text="In doubt")
    assert "batchgen resolve spring-campaign" in group.inner_text()
    assert group.locator(".copy").get_attribute("aria-label") == "Copy: batchgen resolve spring-campaign"
    group.locator(".link").click()
    desk.settle()
    assert desk.jobs() == [str(k) for k, result in enumerate(results) if result.state is State.IN_DOUBT]


def test_it_prints(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """On paper: the report of the run and the chosen jobs as a list."""
    results = make_batch(40)
    desk.open(make_page(tmp_path, results, videos=False))
    desk.page.set_viewport_size({"width": 1440, "height": 900})
    desk.page.click("#tab-run")
    desk.page.click("#tab-gallery")
    desk.page.emulate_media(media="print")
    pdf = desk.page.pdf(format="Letter")
    assert pdf.startswith(b"%PDF")
    assert desk.page.locator("#print li").count() == sum(result.state is State.SUCCEEDED for result in results)
    assert desk.page.locator(".panel").count() == 5
    desk.page.set_viewport_size({"width": 720, "height": 900})  # a sheet of paper
    chart = desk.page.locator(".panel > svg").first.bounding_box()
    assert chart["x"] + chart["width"] <= 720


def test_a_live_page_shows_new_videos_as_they_land(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page, serve: Callable[..., Any]
) -> None:
    """What ends while the page is open appears, with its poster; a video that plays goes on playing."""
    done = films(make_batch(6))
    make_page(tmp_path, done)
    now = [done[0], *(replace(result, state=State.RUNNING, video_paths=()) for result in done[1:])]
    with desk.live(serve(lambda: now, tmp_path)):
        assert desk.page.locator("#chips [data-state=running] b").inner_text() == "5"
        desk.page.locator(".poster").click()
        desk.until("document.querySelector('.card video')?.videoWidth > 0")
        now[3] = done[3]
        desk.until("document.querySelector('#chips [data-state=succeeded] b').textContent === '2'")
        desk.until("document.querySelector(\".card[data-job='3'] canvas\") !== null")
        assert desk.page.evaluate("!document.querySelector(\".card[data-job='0'] video\").paused")
        assert "2 videos" in desk.page.title()


def test_marks_of_a_live_page_survive_its_refresh(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page, serve: Callable[..., Any]
) -> None:
    """Also where the page was opened before anything was submitted, and where a later run serves it again."""
    done = films(make_batch(2))
    make_page(tmp_path, done)
    waiting = {"state": State.NOT_SUBMITTED, "video_paths": (), "submitted_at": None, "finished_at": None}
    now = [replace(result, **waiting) for result in done]
    with desk.live(serve(lambda: now, tmp_path)):
        now[:] = done
        desk.until("document.querySelectorAll('.card .marks:not([hidden])').length === 2")
        desk.page.locator(".card[data-job='1'] .poster").hover()
        desk.page.locator(".card[data-job='1'] .reject").click()
        desk.page.reload()
        desk.until("document.documentElement.dataset.ready === 'yes'")
        assert desk.page.locator(".card[data-job='1'] .reject[aria-pressed=true]").count() == 1
    with desk.live(serve(lambda: now, tmp_path)):
        assert desk.page.locator(".card[data-job='1'] .reject[aria-pressed=true]").count() == 1


def test_a_new_video_moves_nothing_that_is_looked_at(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page, serve: Callable[..., Any]
) -> None:
    """Filter, sort, an open list of filters, the place on the page and a video that plays: all stay."""
    done = films(make_batch(60))
    make_page(tmp_path, done)
    now = [
        replace(r, state=State.RUNNING, video_paths=(), finished_at=None) if k % 2 else r
        for k, r in enumerate(done)
    ]
    with desk.live(serve(lambda: now, tmp_path)):
        desk.page.click("#more")
        desk.page.evaluate("scrollTo(0, 500)")
        desk.settle()
        job = desk.page.evaluate(
            "[...document.querySelectorAll('.card')].find((card) => card.getBoundingClientRect().top > 200)"
            ".dataset.job"
        )
        card = f".card[data-job='{job}']"
        desk.page.locator(f"{card} .poster").click()
        desk.until(f'document.querySelector("{card} video")?.videoWidth > 0')
        desk.page.evaluate("document.querySelector('[data-filter=mark]').focus({preventScroll: true})")
        top = f'document.querySelector("{card}").getBoundingClientRect().top'
        before = desk.page.evaluate(top)
        now[1], now[3], now[5] = done[1], done[3], done[5]  # before it in the list: a row more
        now[7] = done[7]
        desk.until("document.querySelector('#count').textContent === '34 films'")
        desk.settle()
        assert abs(desk.page.evaluate(top) - before) < 2
        assert desk.page.evaluate(f'!document.querySelector("{card} video").paused')
        assert desk.page.evaluate("document.activeElement.dataset.filter") == "mark"
        assert desk.page.locator("#chips [data-state=succeeded][aria-pressed=true]").count() == 1


def test_a_mark_goes_to_the_job_that_is_shown_whatever_the_list_does(
    desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page, serve: Callable[..., Any]
) -> None:
    """The details stay at their job when new videos come before it."""
    done = films(make_batch(4))
    make_page(tmp_path, done)
    now = [replace(result, state=State.RUNNING, video_paths=()) for result in done[:3]] + [done[3]]
    with desk.live(serve(lambda: now, tmp_path)):
        desk.settle()
        desk.page.locator(".card[data-job='3'] .prompt").click()
        now[0], now[1] = done[0], done[1]
        desk.until("document.querySelector('#facts .head').textContent.includes('3 of 3')")
        desk.page.keyboard.press("a")
        desk.page.keyboard.press("Escape")
        desk.settle()
        assert desk.page.locator(".card .accept[aria-pressed=true]").count() == 1
        assert desk.page.locator(".card[data-job='3'] .accept[aria-pressed=true]").count() == 1


def test_a_hundred_thousand_jobs_scroll(desk: Desk, tmp_path: Path, make_batch: Batch, make_page: Page) -> None:
    """Top, middle and end are drawn with a few dozen cards each; search and sort answer."""
    desk.open(make_page(tmp_path, make_batch(100_000), videos=False))
    films = desk.count()
    assert films.endswith(" films")
    desk.look("all")
    desk.settle()
    assert desk.count() == "100,000 jobs"
    desk.look("succeeded")
    desk.settle()
    for share, near in ((0.5, 50_000), (0.999, 99_900), (0, 0)):
        desk.page.evaluate(f"scrollTo(0, document.body.scrollHeight * {share})")
        desk.page.wait_for_timeout(100)
        cards = desk.jobs()
        assert 4 <= len(cards) <= 60
        assert min(abs(int(card) - near) for card in cards) < 1000
    desk.page.fill("#query", "neon trail bottle")
    desk.until(f"document.querySelector('#count').textContent.endsWith(' of {films}')")
    desk.page.fill("#query", "")
    desk.until(f"document.querySelector('#count').textContent === '{films}'")
    desk.page.click("#more")
    desk.page.select_option("#sort", "newest")
    desk.settle()
    assert desk.jobs()[0] != "0"
