"""The key is on no screen and in no process list; a clock that jumps makes nobody pay."""

import asyncio
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from books import compare, find_key
from processes import BASE_ENV, ROOT, Zygote
from world import key_pattern, make_world

from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, jobs
from batchgen.ledger import Ledger
from batchgen.ledger.clock import Clock
from batchgen.planning.decide import Selection
from batchgen.planning.walk import take_in
from batchgen.running.context import RunContext, RunOptions
from batchgen.running.dispatch import Dispatcher
from batchgen.running.outcomes import Lessons
from batchgen.running.pacing import Away, Failures, Lanes, SubmitPacer
from batchgen.running.settings import Config
from batchgen.running.state import Board
from batchgen.running.submit import Submitter
from batchgen.service import Api
from batchgen.service.secret import Secret

SEED = 20265


@pytest.mark.timeout(120)
def test_the_key_is_in_no_process_list_no_output_and_no_file(zygote: Zygote) -> None:
    """A real process, started as a person starts it, with asyncio's debug words on and the service misbehaving."""
    options = ("--fault", "drop-after:#2", "--fault", "page@502:#3", "--fault", "get-401:#3")
    with make_world(zygote, SEED, *options) as world:
        argv = [sys.executable, "-X", "dev", "-W", "ignore", "-m", "batchgen", "run", str(world.manifest), "--yes",
                "--out", str(world.out), "--base-url", world.base_url, "--rate", "300/s"]  # fmt: skip
        env = BASE_ENV | {"PYTHONPATH": str(ROOT), "BATCHGEN_API_KEY": world.key, "HTTPX_LOG_LEVEL": "debug"}
        run = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
        seen = b""
        while run.poll() is None:
            try:
                seen += Path(f"/proc/{run.pid}/cmdline").read_bytes() + Path(f"/proc/{run.pid}/comm").read_bytes()
            except OSError:
                break
            time.sleep(0.02)
        said = run.communicate(timeout=60)[0]
        assert b"batchgen" in seen or not Path("/proc").exists()
        assert not key_pattern(world.key).search(seen + said)
        assert not find_key(world)
        assert world.audit()["posts"]
        assert "drop-after" in json.dumps(world.audit()["faults"])


def test_the_search_for_the_key_finds_it_in_every_disguise(zygote: Zygote, tmp_path: Path) -> None:
    import base64
    from urllib.parse import quote

    key = "abcdefghijklmnopqrst/+ABCDEFGHIJKLMNOPQR"
    pattern = key_pattern(key)
    for disguise in (key, key[7:19], quote(key, safe=""), base64.b64encode(f"Bearer {key}".encode()).decode()):
        assert pattern.search(b"..." + disguise.encode() + b"...")
    assert not pattern.search(b"abcdefghijk")


@pytest.mark.timeout(60)
def test_a_clock_that_jumps_between_begin_and_the_first_byte_sends_nothing(zygote: Zygote) -> None:
    """`not_after` is over when the attempt is on disk: the POST may not leave, and the job waits as before."""
    with make_world(zygote, SEED, jobs=6) as world:
        ahead = [0.0]

        class Jumping(Ledger):
            async def begin(self, attempt):  # type: ignore[no-untyped-def]
                await super().begin(attempt)
                ahead[0] += 3600.0 if attempt.attempt_id in (2, 4) else 0.0

        ledger = Jumping.open(world.out, world.base_url)
        prices = PriceTable.load({})
        items = jobs([world.manifest], ReadOptions(), prices)
        ledger.write(lambda connection: take_in(connection, items, Selection(), ledger.person()))
        asyncio.run(_submit(ledger, world.base_url, world.key, lambda: time.time() + ahead[0]))
        ledger.close()
        attempts = [one["outcome"] for one in _attempts(world.out)]
        posts = world.audit()["posts"]
        assert attempts.count("accepted") == len(posts) == 6
        assert attempts.count("not_sent") == 2
        assert not [one for one in compare(world, ended=False).violations if "results.csv" not in one]


def _attempts(out: Path) -> list[dict]:
    from books import read_books

    books = read_books(out)
    assert books is not None
    return books.attempts


async def _submit(ledger: Ledger, base_url: str, key: str, wall) -> None:  # type: ignore[no-untyped-def]
    api = Api(base_url, Secret(key))
    clock = Clock(wall=wall)
    context = RunContext(ledger, api, Board(), Config(), RunOptions(), clock)
    pacer = Lanes(lambda _: SubmitPacer(rate=None, max_in_flight=None, now=time.monotonic(), wall=wall()))
    away = Away(rng=random.Random(1))
    submitter = Submitter(context, pacer, Lessons(context, pacer, away, Failures(), lambda _task: None))
    station = Dispatcher(context, pacer, away, submitter)
    try:
        await station.run()
    finally:
        await api.aclose()
