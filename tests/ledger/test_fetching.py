"""Which videos are fetched: each once at a time, whoever asked for it."""

import asyncio
from pathlib import Path

import pytest
from till import Till

from batchgen.job import Look, State
from batchgen.ledger import Clock
from batchgen.ledger.tasks import Seen, Video
from batchgen.running import fetch as videos
from batchgen.running.context import RunContext, RunOptions
from batchgen.running.fetch import Fetcher
from batchgen.running.settings import Config
from batchgen.running.state import Board
from batchgen.videos.download import Downloaded
from batchgen.videos.mp4 import Video as Said


def test_a_task_that_succeeds_while_missing_files_are_looked_for_is_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "PAGE", 1)
    fetched: list[str] = []
    board = Board()

    async def download(_url: str, target: Path) -> Downloaded:
        fetched.append(target.name)
        await asyncio.sleep(0.05)
        return Downloaded(target, 1, "a sha256", Said("mp4", width=16, height=9, has_audio=False))

    class NoService:
        async def task(self, _task_id: str) -> Look:
            raise AssertionError("every video has its URL")

    with Till(tmp_path) as till:
        till.take_in("a", "b")
        first, second = till.buy("a"), till.buy("b")
        till.see(first, State.SUCCEEDED, video_urls=("https://f/a.mp4",))

        async def collect() -> None:
            run = RunContext(till.ledger, NoService(), board, Config(downloads=4), RunOptions(), Clock())  # type: ignore[arg-type]
            fetcher = Fetcher(run, download=download, many=False)
            running = asyncio.create_task(fetcher.run())
            looking = asyncio.create_task(fetcher.add_missing())
            await asyncio.sleep(0)  # it looks at the page of the first task
            urls = ("https://f/b.mp4",)
            await till.ledger.see(Seen(second, State.SUCCEEDED, 1e9, 1, video_urls=urls))
            fetcher.add(Video(second.task_no, second.task_id, "b", 1, urls[0], "", 0, ""))
            await looking
            fetcher.finish()
            await running

        asyncio.run(collect())
    assert sorted(fetched) == ["a.mp4", "b.mp4"]
    assert (board.videos_here, board.videos_wanted) == (2, 2)
