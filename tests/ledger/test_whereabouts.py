"""Nothing begins in a ledger that is not in its place any more, and the ids that it has are said."""

import asyncio
import shutil
from pathlib import Path

import pytest
from till import Till, accepted

from batchgen.errors import LedgerWriteError

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="an open file can't be moved away there")


@pytest.fixture
def working(tmp_path: Path) -> Till:
    """A run that has a task, an open attempt and a job to submit."""
    till = Till(tmp_path / "out", inline=False)
    till.take_in("a", "b", "c")
    till.buy("a", "t-a")
    return till


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_when_the_folder_is_gone_nothing_begins_and_every_id_is_said(
    working: Till, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting, open_ = working.attempt("c"), working.begin("b")
    if how == "deleted":
        shutil.rmtree(working.out)
    else:
        working.out.rename(tmp_path / "elsewhere")
    if how == "replaced":
        Till(working.out).ledger.close()
    with pytest.raises(LedgerWriteError, match="not there any more") as told:
        asyncio.run(working.ledger.begin(waiting))
    assert (told.value.code, int(told.value.exit)) == ("ledger_gone", 7)
    working.end(open_, accepted("t-b"))
    said = capsys.readouterr().err
    assert (said.count("t-a"), said.count("t-b")) == (1, 1)
    working.ledger.close()


def test_when_the_lock_is_removed_nothing_begins(working: Till, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = working.attempt("c")
    (working.out / "ledger.lock").unlink()
    with pytest.raises(LedgerWriteError, match="second run"):
        asyncio.run(working.ledger.begin(waiting))
    assert working.credits().reserved == 0
    assert capsys.readouterr().err == ""
    working.ledger.close()
