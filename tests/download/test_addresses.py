"""Only addresses on the public internet may serve a file. The cases are `addresses/*.txt`, one a line."""

from pathlib import Path

import pytest

from batchgen.addresses import is_public

CASES = Path(__file__).with_name("addresses")
PUBLIC = (CASES / "public.txt").read_text().split()
NOT_PUBLIC = (CASES / "not_public.txt").read_text().split()


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_serve_a_file(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_any_other_address_may_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "1.1.1.1/32", "1.1.1.01"])
def test_text_that_is_no_address_may_not(text: str) -> None:
    assert not is_public(text)
