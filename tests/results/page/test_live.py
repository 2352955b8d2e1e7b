"""The live page answers to itself on loopback, only reads, and sends each change once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from batchgen.job import Result, State
from batchgen.results.page import changes
from batchgen.results.page.changes import Changes
from batchgen.results.page.live import watch
from batchgen.results.summary import Summary

RESULTS = [
    Result(f"job-{row}", "a.csv", row, State.RUNNING, cells={"prompt": f"prompt {row}"}) for row in range(1, 6)
]


def ask(out: Path, question: Callable[[aiohttp.ClientSession, str], Awaitable[Any]]) -> Any:
    """Start the server for RESULTS, ask, and stop it."""
    (out / "videos").mkdir(exist_ok=True)
    (out / "videos" / "a+2.mp4").write_bytes(b"0123456789")
    (out / "ledger.sqlite3").write_bytes(b"secret")

    async def main() -> Any:
        async with (
            watch(lambda: (Summary("x", {State.RUNNING: 5}), iter(RESULTS)), ["prompt"], out) as url,
            aiohttp.ClientSession() as session,
        ):
            return await question(session, url)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "", {}, 200),
        ("GET", "data?since=0", {}, 200),
        ("GET", "data?since=x", {}, 400),
        ("GET", "data?facets=7", {}, 400),
        ("GET", "videos/a%2B2.mp4", {}, 200),
        ("GET", "videos/a%2B2.mp4", {"Range": "bytes=2-4"}, 206),
        ("GET", "videos/b.mp4", {}, 404),
        ("GET", "videos/..%2Fledger.sqlite3", {}, 404),
        ("GET", "videos/%2e%2e/ledger.sqlite3", {}, 404),
        ("GET", "ledger.sqlite3", {}, 404),
        ("GET", "videos/a%00b", {}, 404),
        ("GET", "videos/" + "a" * 5_000, {}, 404),
        ("GET", "videos/a%FFb", {}, 404),
        ("GET", "../", {}, 404),
        ("GET", "../data?since=0", {}, 404),
        ("GET", "../videos/a%2B2.mp4", {}, 404),
        ("GET", "../AAAAAAAAAAAAAAAAAAAAAA/", {}, 404),
        ("GET", "", {"Host": "evil.example"}, 403),
        ("GET", "data?since=0", {"Host": "127.0.0.1.evil.example"}, 403),
        ("GET", "videos/a%2B2.mp4", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "", {"Sec-Fetch-Site": "none"}, 200),
        ("POST", "", {}, 405),
        ("DELETE", "videos/a%2B2.mp4", {}, 405),
    ],
)
def test_who_gets_what(tmp_path: Path, method: str, path: str, headers: dict[str, str], status: int) -> None:
    """The page, its data and its videos, for the page itself; nothing else, and nothing for another site."""

    async def question(session: aiohttp.ClientSession, url: str) -> int:
        from yarl import URL

        whole = url + path
        if path.startswith("../"):  # what somebody finds who knows the port alone
            whole = url.rsplit("/", 2)[0] + path.removeprefix("..")
        async with session.request(method, URL(whole, encoded=True), headers=headers) as answer:
            return answer.status

    assert ask(tmp_path, question) == status


def test_the_address_is_another_for_each_run(tmp_path: Path) -> None:
    """Somebody else on this machine who saw the port once knows nothing."""

    async def question(_: aiohttp.ClientSession, url: str) -> str:
        return url.split("/")[3]

    assert len({ask(tmp_path, question), ask(tmp_path, question)}) == 2
    assert len(ask(tmp_path, question)) >= 20


def test_a_part_of_a_video_is_sent(tmp_path: Path) -> None:
    """Browsers ask for parts when somebody seeks."""

    async def question(session: aiohttp.ClientSession, url: str) -> tuple[bytes, str]:
        async with session.get(url + "videos/a+2.mp4", headers={"Range": "bytes=2-4"}) as answer:
            return await answer.read(), answer.headers["Content-Range"]

    assert ask(tmp_path, question) == (b"234", "bytes 2-4/10")


def test_a_change_is_sent_once() -> None:
    """Behind the number that a page knows there is only what changed since, in the order of the changes."""
    known = Changes()
    assert len(known.answer(RESULTS, 0, ["prompt"], [])["at"]) == 5
    number = known.number
    assert known.answer(RESULTS, number, ["prompt"], [])["at"] == []
    later = [*RESULTS]
    later[3] = replace(later[3], state=State.SUCCEEDED, video_paths=("videos/4.mp4",))
    answer = known.answer(later, number, ["prompt"], [])
    assert (answer["at"], answer["seq"], answer["more"]) == ([3], number + 1, False)
    assert answer["index"]["state"] == {"c": "succeeded"}
    assert answer["texts"]["prompt"] == {"c": "prompt 4"}
    assert known.answer(later, number + 1, ["prompt"], [])["at"] == []
    assert known.answer(later, number, ["prompt"], [])["at"] == [3]


def test_many_changes_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer holds more than so many jobs; together the answers hold all of them, each once."""
    monkeypatch.setattr(changes, "MOST", 2)
    known, since, places = Changes(), 0, []
    while True:
        answer = known.answer(RESULTS, since, ["prompt"], [])
        places += answer["at"]
        since = answer["seq"]
        if not answer["more"]:
            break
    assert places == [0, 1, 2, 3, 4]
