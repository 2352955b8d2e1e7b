"""Group commit: what waits together is committed together, and what fails is told to whom it concerns."""

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from batchgen.errors import LedgerWriteError
from batchgen.ledger.sqlite.store import Store, meta_value, set_meta_value
from batchgen.ledger.sqlite.writer import InlineWriter, Writer

MANY = 200


@pytest.fixture
def store(tmp_path: Path):
    with Store.write(tmp_path, "service", 0.0) as one:
        yield one


class Gate:
    """Holds the writer's thread until all of a group wait."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, connection: sa.Connection, some: Sequence[object]) -> list[None]:
        assert self.open.wait(30)
        return [None] * len(some)


def put(connection: sa.Connection, some: Sequence[str]) -> list[str]:
    if "culprit" in some:
        raise ValueError("this one can't be written")
    for one in some:
        set_meta_value(connection, one, 1)
    return list(some)


async def together(writer: Writer, payloads: Sequence[str]) -> list[object]:
    """Hand everything over while the writer is held, then let it write."""
    gate = Gate()
    held = asyncio.create_task(writer.write(gate, None))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(writer.write(put, one)) for one in payloads]
    await asyncio.sleep(0)
    gate.open.set()
    said = await asyncio.gather(*waiting, return_exceptions=True)
    await held
    return said


def commits(store: Store) -> list[int]:
    counted = [0]

    def count(connection: sa.Connection) -> None:
        counted[0] += 1

    sa.event.listen(store.engine, "commit", count)
    return counted


def test_what_waits_together_is_committed_together(store: Store) -> None:
    writer, counted = Writer(store), commits(store)
    said = asyncio.run(together(writer, [f"k{n}" for n in range(MANY)]))
    writer.close()
    assert said == [f"k{n}" for n in range(MANY)]
    assert counted[0] <= 3, "one commit for the gate, one for the group, and perhaps one in between"
    assert all(store.get_meta(f"k{n}") == 1 for n in range(MANY))


def test_a_failure_in_a_group_concerns_only_its_culprit(store: Store) -> None:
    writer = Writer(store)
    said = asyncio.run(together(writer, ["a", "culprit", "b"]))
    writer.close()
    assert (said[0], said[2]) == ("a", "b")
    assert isinstance(said[1], ValueError)
    assert (store.get_meta("a"), store.get_meta("b"), store.get_meta("culprit")) == (1, 1, None)


@pytest.mark.parametrize("kind", [Writer, InlineWriter])
def test_a_full_disk_is_told_to_every_waiter_and_nothing_is_written(store: Store, kind: type) -> None:
    def full(connection: sa.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    writer = kind(store)
    sa.event.listen(store.engine, "commit", full)

    async def all_at_once() -> list[object]:
        return await asyncio.gather(*(writer.write(put, f"k{n}") for n in range(50)), return_exceptions=True)

    said = asyncio.run(all_at_once())
    writer.close()
    sa.event.remove(store.engine, "commit", full)
    assert [type(one) for one in said] == [LedgerWriteError] * 50
    assert all(store.get_meta(f"k{n}") is None for n in range(50))
    store.set_meta(after=1)
    assert store.get_meta("after") == 1, "with room again it goes on"


def test_answered_means_committed(store: Store, tmp_path: Path) -> None:
    """Another connection has what was answered at the moment of the answer."""
    writer = Writer(store)

    async def write_and_look() -> object:
        await writer.write(put, "k")
        with Store.read(tmp_path) as other, other.begin() as connection:
            return meta_value(connection, "k")

    assert asyncio.run(write_and_look()) == 1
    writer.close()


def test_closing_writes_what_waits(store: Store) -> None:
    writer = Writer(store)

    async def hand_over_and_leave() -> None:
        waiting = [asyncio.create_task(writer.write(put, f"k{n}")) for n in range(20)]
        await asyncio.sleep(0)
        for one in waiting:
            one.cancel()

    asyncio.run(hand_over_and_leave())
    writer.close()
    assert all(store.get_meta(f"k{n}") == 1 for n in range(20))
