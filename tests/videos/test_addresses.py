"""Only addresses on the public internet may serve a file. The cases are `addresses/*.txt`, one a line."""

from pathlib import Path

import pytest

from batchgen.videos.addresses import Reach, reach, reach_of_url

CASES = Path(__file__).with_name("addresses")
PUBLIC = (CASES / "public.txt").read_text().split()
NOT_PUBLIC = (CASES / "not_public.txt").read_text().split()


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_serve_a_file(address: str) -> None:
    assert reach(address) is Reach.PUBLIC


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_any_other_address_may_not(address: str) -> None:
    assert reach(address) is not Reach.PUBLIC


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "1.1.1.1/32", "1.1.1.01"])
def test_text_that_is_no_address_may_not(text: str) -> None:
    assert reach(text) is Reach.NEVER


@pytest.mark.parametrize(
    ("near", "addresses"),
    [
        (Reach.LOOPBACK, "127.0.0.1 127.1.2.3 ::1 ::ffff:127.0.0.1 0.0.0.0 ::"),
        (Reach.PRIVATE, "10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 fd12::1 ::ffff:10.0.0.1"),
        (Reach.NEVER, "169.254.169.254 fd00:ec2::254 100.100.100.200 192.0.0.192 168.63.129.16 fe80::1 224.0.0.1"),
        (Reach.NEVER, "2002:7f00:1:: 64:ff9b::a00:1 ::127.0.0.1 0.0.0.1 255.255.255.255 nonsense"),
    ],
)
def test_what_is_not_public_is_here_or_near_or_never(near: Reach, addresses: str) -> None:
    """Metadata, link-local addresses and disguises are never near, whatever the service is."""
    assert {reach(address) for address in addresses.split()} == {near}


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:8080", Reach.LOOPBACK),
        ("http://localhost:1/", Reach.LOOPBACK),
        ("http://0.0.0.0:8000", Reach.LOOPBACK),
        ("http://[::1]:3", Reach.LOOPBACK),
        ("https://10.0.0.7/api", Reach.PRIVATE),
        ("https://gateway.internal", Reach.PRIVATE),
        ("http://nas:5000", Reach.PRIVATE),
        ("https://sseedance.com", Reach.PUBLIC),
        ("https://1.1.1.1", Reach.PUBLIC),
        ("https://localhost.example.com", Reach.PUBLIC),
        ("https://2130706433", Reach.PUBLIC),
        ("http://[::1", Reach.PUBLIC),
    ],
)
def test_how_near_a_service_is_that_a_person_named(url: str, near: Reach) -> None:
    """One inside may keep its videos inside, one on the internet may not send us there."""
    assert reach_of_url(url) is near
