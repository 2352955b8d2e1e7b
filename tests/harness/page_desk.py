"""A browser's page with what went wrong on it, and the small things that page tests share."""

import csv
import io
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchgen.job import Result, State


@dataclass
class Desk:
    """A browser's page, and everything that went wrong or out on it."""

    page: Any
    complaints: list[str]
    requests: list[str]

    def open(self, path: Path) -> None:
        self.page.goto(path.as_uri())
        self.until("document.documentElement.dataset.ready === 'yes'")
        self.settle()

    @contextmanager
    def live(self, serving: AbstractContextManager[str]) -> Iterator[None]:
        """The live page, left before its server is gone: it would complain of that."""
        with serving as url:
            self.page.goto(url)
            self.until("document.documentElement.dataset.ready === 'yes'")
            yield
            self.page.goto("about:blank")

    def until(self, condition: str, seconds: float = 30) -> None:
        """Wait until the page says so (its policy forbids the driver's own way of waiting)."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            self.page.wait_for_timeout(20)

    def settle(self) -> None:
        self.page.wait_for_timeout(150)
        self.until("!document.querySelector('#gallery').hasAttribute('aria-busy')")

    def jobs(self) -> list[str]:
        """The ids of the cards in order, as the details show them."""
        return self.page.evaluate(
            "[...document.querySelectorAll('.card')].sort((a, b) => a.dataset.place - b.dataset.place)"
            ".map((card) => card.dataset.job)"
        )

    def look(self, kind: str) -> None:
        """Choose what is shown: by its chip, or in the list where there are many kinds."""
        if self.page.locator("#chips").is_visible():
            self.page.click(f"#chips [data-state={kind}]")
        else:
            self.page.select_option("#view", kind)
        self.settle()

    def count(self) -> str:
        return str(self.page.locator("#count").inner_text())


def films(results: list[Result]) -> list[Result]:
    """The same jobs, each with its film."""
    return [
        replace(r, state=State.SUCCEEDED, task_id=f"task-{k}", video_paths=(f"videos/{r.job_id}.mp4",))
        for k, r in enumerate(results)
    ]


def marks_of(desk: Desk) -> list[dict[str, str]]:
    """The marks file that the page gives."""
    with desk.page.expect_download() as waiting:
        desk.page.click("#save")
    assert waiting.value.suggested_filename == "spring-campaign.marks.csv"
    text = Path(waiting.value.path()).read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))
