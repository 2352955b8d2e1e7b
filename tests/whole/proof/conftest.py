"""One zygote for all proofs of a test process."""

from collections.abc import Iterator

import pytest
from processes import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    one = Zygote()
    yield one
    one.close()
