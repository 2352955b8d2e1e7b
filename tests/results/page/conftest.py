"""A batch such as a marketing team would run, with everything in it that can become of a job."""

import asyncio
import os
import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from page_desk import Desk

from batchgen.job import Result, State
from batchgen.results.page import write_report
from batchgen.results.page.live import watch
from batchgen.results.summary import Credits, Summary

CLIPS = Path(__file__).parents[3] / "batchgen" / "sandbox" / "assets"
PROMPTS = (
    "A slow dolly shot through a sunlit kitchen; a hand places the {} on the oak counter, steam rising, 35 mm.",
    "Macro shot of water drops running down the {}, studio lighting on deep teal, camera circling slowly.",
    "A runner at dawn on an empty city bridge stops, smiles and reaches for the {}; golden backlight, handheld.",
    "Top-down shot of a picnic table in a spring meadow, hands reach in, the {} in the middle, wind in the grass.",
    "The {} floats in a white room and unfolds into paper birds that fly out of the frame; stop motion, pastel.",
    "Night market in the rain, neon in puddles, a vendor hands over the {}, cinematic, anamorphic flares.",
    "A glass city at sunrise; the camera glides between towers and finds the {} on a rooftop garden.",
    "Time lapse: a desk from morning to evening, plants grow, light wanders, the {} stays in its place.",
)
PRODUCTS = ("ceramic mug", "trail bottle", "desk lamp", "wireless speaker", "linen tote", "cold brew can")
MODELS = (
    ("kie", "sora-2-pro-text-to-video", "text-to-video", 6, 95),
    ("kie", "sora-2-pro-image-to-video", "image-to-video", 8, 130),
    ("fal", "fal-ai/kling-video/o1/video-to-video/edit", "video-to-video", 10, 210),
    ("fal", "fal-ai/veo3/fast", "text-to-video", 6, 60),
)
ENDS = (
    (State.FAILED, "generation_failed", "The model stopped: the output was flagged by the safety checker."),
    (State.REJECTED, "bad_request", "options.duration: 12 is not supported by this model."),
    (State.IN_DOUBT, "read_timeout", "No answer within 120 s; the request had been sent."),
    (State.OVERDUE, "", ""),
    (State.RUNNING, "", ""),
    (State.QUEUED, "", ""),
    (State.NOT_SUBMITTED, "", ""),
    (State.EXPIRED, "given_up", "Waiting was given up by Mia on 22 November."),
    (State.INVALID, "missing_prompt", "The row has no prompt, and text-to-video needs one."),
    (State.CHANGED, "", ""),
)
OTHER = ("prompt", "options.aspect_ratio", "options.duration", "campaign", "market", "sku")
START = 1795342503.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def batch(count: int, seed: int = 7, ratio: str = "16:9") -> Iterator[Result]:
    """`count` results; about one in eight has no video (yet)."""
    chance = random.Random(seed)
    for row in range(1, count + 1):
        provider, model, scene, price, seconds = chance.choice(MODELS)
        product = chance.choice(PRODUCTS)
        prompt = chance.choice(PROMPTS).format(product)
        state, code, error = chance.choice(ENDS) if chance.random() < 0.14 else (State.SUCCEEDED, "", "")
        submitted = START + row * 2.6 + chance.random()
        took = seconds * chance.lognormvariate(0, 0.35)
        sent = state not in {State.INVALID, State.NOT_SUBMITTED}
        done = state in {State.SUCCEEDED, State.FAILED, State.EXPIRED}
        charged = done or state in {State.RUNNING, State.QUEUED, State.OVERDUE, State.CHANGED}
        job = f"{product.replace(' ', '-')}-{row:03d}"
        yield Result(
            job_id=job,
            manifest="spring-campaign.csv",
            row=row,
            state=state,
            task_id=f"task_{row:06x}" if charged else "",
            video_urls=(f"https://files.example.com/{job}.mp4",) if state is State.SUCCEEDED else (),
            video_paths=(f"videos/{job}.mp4",) if state is State.SUCCEEDED else (),
            scene=scene,
            provider=provider,
            model=model,
            estimated_credits=price,
            charged_credits=price if charged else None,
            refunded_credits=price if state is State.FAILED else None,
            attempts=int(sent),
            submitted_at=submitted if sent else None,
            finished_at=submitted + took if done else None,
            expires_at=submitted + took + 86400 if state is State.SUCCEEDED else None,
            error_code=code,
            error=error,
            cells={
                "prompt": prompt,
                "options.aspect_ratio": ratio,
                "options.duration": "10",
                "campaign": ("Spring launch", "Always on", "Retail partners")[row % 3],
                "market": chance.choice(("DE", "FR", "UK", "US")),
                "sku": f"{chance.randrange(10_000):05d}",
            },
            request={"options": {"aspect_ratio": ratio, "duration": "10"}},
        )


def summary_of(results: list[Result], out: str = "spring-campaign") -> Summary:
    """The numbers that the ledger would give for these results."""
    states: dict[State, int] = {}
    for result in results:
        states[result.state] = states.get(result.state, 0) + 1
    doubtful = sum(r.estimated_credits or 0 for r in results if r.state is State.IN_DOUBT)
    return Summary(
        out=out,
        states=states,
        credits=Credits(
            estimated=sum(r.estimated_credits or 0 for r in results),
            charged=sum(r.charged_credits or 0 for r in results),
            refunded=sum(r.refunded_credits or 0 for r in results),
            in_doubt=doubtful,
            cap=len(results) * 9,
        ),
        started_at=min((r.submitted_at for r in results if r.submitted_at), default=None),
        finished_at=max((r.finished_at for r in results if r.finished_at), default=None),
        written_at=START + 900,
        version="0.1.0",
        prices="2026-11",
        service="sseedance.com",
        ledger="a-ledger",
    )


def lay_out(folder: Path, results: list[Result], other: tuple[str, ...] = OTHER, videos: bool = True) -> Path:
    """An OUT folder with the page and a real video for each result that names one (or one for all)."""
    if not videos:
        results = [replace(r, video_paths=r.video_paths and ("videos/clip.mp4",)) for r in results]
    clips = {"16:9": sorted(CLIPS.glob("landscape-*.mp4")), "9:16": [CLIPS / "portrait.mp4"]}
    for number, result in enumerate(results):
        for path in result.video_paths if videos or not (folder / "videos").exists() else ():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            ratio = result.cells.get("options.aspect_ratio", "16:9")
            shutil.copyfile(clips[ratio][number % len(clips[ratio])], target)
    page = folder / "report.html"
    write_report(page, results, summary_of(results), other)
    return page


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser; without one the test is skipped on a laptop and fails in CI."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        missing = "playwright is not installed"
    else:
        missing = "" if CHROMIUM else "no Chromium is installed"
    if missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must run the browser tests, but {missing}")
        pytest.skip(missing)
    assert CHROMIUM
    return CHROMIUM


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """One headless Chromium for all browser tests, with every address but loopback cut off."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            ],
        )
        yield running
        running.close()


@pytest.fixture
def serve() -> Callable[..., Any]:
    """A live page in a thread of its own: serve(results now, OUT) -> its URL."""

    @contextmanager
    def serving(read: Callable[[], list[Result]], out: Path) -> Iterator[str]:
        ready: Future[str] = Future()
        loop = asyncio.new_event_loop()
        over = asyncio.Event()

        async def run() -> None:
            async with watch(lambda: (summary_of(list(read())), iter(list(read()))), OTHER, out) as url:
                ready.set_result(url)
                await over.wait()

        thread = Thread(target=loop.run_until_complete, args=(run(),))
        thread.start()
        try:
            yield ready.result(timeout=20)
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join(timeout=20)
            loop.close()

    return serving


@pytest.fixture
def make_batch() -> Callable[..., list[Result]]:
    return lambda *args, **kwargs: list(batch(*args, **kwargs))


@pytest.fixture
def make_page() -> Callable[..., Path]:
    return lay_out


@pytest.fixture
def desk(browser: Any) -> Iterator[Desk]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    found = Desk(page, [], [])
    page.on(
        "console", lambda line: found.complaints.append(line.text) if line.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("dialog", lambda dialog: (found.complaints.append("a dialog opened"), dialog.dismiss()))
    page.on("request", lambda request: found.requests.append(request.url))
    yield found
    context.close()
    assert found.complaints == []
    assert [
        url for url in found.requests if not url.startswith(("file:///", "data:", "blob:", "http://127.0.0.1:"))
    ] == []
