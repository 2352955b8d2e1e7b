"""`resolve --auto`: doubts that the service's own list settles. Never a POST, and at most a minute."""

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import sqlalchemy as sa

from batchgen.ledger import Ledger, Person, decisions
from batchgen.ledger.decisions import Doubt
from batchgen.ledger.sqlite.store import FILE
from batchgen.running.matching import MARGIN, Sent, matches
from batchgen.service import Api
from batchgen.service.dialects import Candidate

#: Seconds for reading all pages.
DEADLINE = 60.0


def settle(ledger: Ledger, api: Api) -> tuple[int, list[str]]:
    """Adopt what the list proves: how many, and a sentence for each job and for what keeps the others in doubt."""
    found = ledger.read(decisions.doubts)
    if not found or not api.has_list:
        return 0, []
    sent = ledger.read(partial(_sent, found))
    try:
        with ThreadPoolExecutor(1, "batchgen-list") as aside:  # the caller may have a loop of its own
            candidates = aside.submit(asyncio.run, _listed(api, sent)).result()
        settled = matches(sent, candidates, _known(ledger))
    except (ValueError, OSError, sqlite3.Error, TimeoutError) as error:
        return 0, [f"The service's list settles nothing: {str(error) or 'it took too long'}."]
    by = ledger.person()
    by_attempt = {doubt.attempt_id: doubt for doubt in found}
    pairs = [(by_attempt[attempt], one) for attempt, one in settled.items()]
    ledger.write(partial(_adopt_all, pairs, ledger.service, by))
    sentences = [f"{doubt.job_id}: is task {one.task_id}, by the service's list." for doubt, one in pairs]
    left = [doubt for doubt in found if doubt.attempt_id not in settled]
    return len(pairs), sentences + [_left(doubt, candidates) for doubt in left]


def _adopt_all(
    pairs: Sequence[tuple[Doubt, Candidate]], service: str, by: Person, connection: sa.Connection
) -> None:
    for doubt, one in pairs:
        decisions.adopt(connection, doubt, one.task_id, service, by)
        listed = {"endpoint": one.endpoint, "body": one.body, "created_at": one.created_at}
        decisions.note(connection, by, "the service's list", doubt.job_id, task_id=one.task_id, listed=listed)


def _left(doubt: Doubt, candidates: Sequence[Candidate]) -> str:
    model = str(doubt.request["model"])
    near = [
        one.task_id
        for one in candidates
        if one.endpoint == model and Sent(0, "", None, doubt.begun_at, doubt.not_after).covers(one.created_at)
    ]
    if not near:
        return f"{doubt.job_id}: still in doubt; the list has nothing of that time (which proves nothing)."
    return f"{doubt.job_id}: still in doubt; in the list from that time: {', '.join(near[:10])}."


def _sent(found: Sequence[Doubt], connection: sa.Connection) -> list[Sent]:
    """The doubts with the bodies that were frozen, and equal attempts that are still open."""
    bodies = decisions.frozen(connection, [doubt.attempt_id for doubt in found])
    sent = [
        Sent(one.attempt_id, str(one.request["model"]), body, one.begun_at, one.not_after)
        for one in found
        if (body := _json(bodies[one.attempt_id])) is not None
    ]
    for number, model, body, begun_at, not_after in decisions.open_attempts(connection):
        sent.append(Sent(number, model, _json(body), begun_at, not_after, open=True))
    return sent


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


async def _listed(api: Api, sent: Sequence[Sent]) -> list[Candidate]:
    """Every page of every endpoint in the window of its doubts."""
    found: list[Candidate] = []
    try:
        async with asyncio.timeout(DEADLINE):
            for endpoint in dict.fromkeys(one.endpoint for one in sent):
                mine = [one for one in sent if one.endpoint == endpoint]
                since = min(one.begun_at for one in mine) - MARGIN
                found += await api.listing(endpoint, since, max(one.not_after for one in mine) + MARGIN)
    finally:
        await api.aclose()
    return found


def _known(ledger: Ledger) -> set[str]:
    """Ids of tasks that this ledger and those beside it know: nobody's candidates."""
    known: set[str] = set()
    for path in sorted(ledger.out.resolve().parent.glob(f"*/{FILE}")):
        uri = f"{path.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as connection:
            connection.execute("PRAGMA trusted_schema=OFF")
            known |= {str(row[0]) for row in connection.execute("SELECT task_id FROM task")}
    return known
