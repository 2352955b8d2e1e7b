"""The account: one line with the cap and what counts against it. The store's CHECKs hold it."""

import sqlalchemy as sa

from batchgen.ledger.tables import account


class CapReached(Exception):
    """The price does not fit under the cap any more; nothing was written."""


_COUNTED = account.c.charged - account.c.refunded + account.c.reserved + account.c.in_doubt
_ROOM = (account.c.cap.is_(None)) | (account.c.cap - sa.bindparam("price") >= _COUNTED)
_RESERVE = sa.update(account).where(_ROOM).values(reserved=account.c.reserved + sa.bindparam("price"))


def reserve(connection: sa.Connection, price: int) -> None:
    """Hold `price` back for attempts about to begin. Raises CapReached when it does not fit."""
    if connection.execute(_RESERVE, {"price": price}).rowcount != 1:
        raise CapReached


def settle(connection: sa.Connection, **changes: int) -> None:
    """Add to the account's amounts (negative to take away); the store's CHECKs refuse what must not be."""
    values = {name: account.c[name] + amount for name, amount in changes.items() if amount}
    if values:
        connection.execute(sa.update(account).values(**values))


def set_cap(connection: sa.Connection, cap: int | None) -> None:
    """Store the cap. Raises CapReached when more than that is spent or reserved already."""
    room = sa.true() if cap is None else cap >= _COUNTED
    if connection.execute(sa.update(account).where(room).values(cap=cap)).rowcount != 1:
        raise CapReached
