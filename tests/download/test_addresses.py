"""Only addresses on the public internet may serve a file. The cases are `addresses/*.txt`, one a line."""

from pathlib import Path

import pytest

from batchgen.addresses import is_inside, is_public

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


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:1/", "http://[::1]:3", "https://10.0.0.7/api"]
)
def test_a_service_that_was_named_inside_may_keep_its_videos_inside(url: str) -> None:
    assert is_inside(url)


@pytest.mark.parametrize(
    "url", ["https://sseedance.com", "https://1.1.1.1", "https://localhost.example.com", "https://2130706433"]
)
def test_a_service_on_the_internet_may_not_send_us_inside(url: str) -> None:
    assert not is_inside(url)
