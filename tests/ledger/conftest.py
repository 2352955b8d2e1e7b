"""What the tests of the ledger share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from till import Till


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    """A ledger in a folder of its own, which must be in order at the end."""
    with Till(tmp_path) as one:
        yield one
        assert one.violations() == []
