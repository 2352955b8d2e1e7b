"""Prices are data: exact credits by scene, and a person's own for a provider or a model."""

import pytest

from batchgen.check.prices import PriceTable
from batchgen.errors import UsageError


def test_the_documented_credits() -> None:
    table = PriceTable.load()
    scenes = ("text-to-video", "image-to-video", "video-to-video")
    assert [table.price("kie", "m", scene) for scene in scenes] == [6, 8, 10]


def test_the_most_specific_price_counts() -> None:
    table = PriceTable.load({"text-to-video": 7, "kie": {"text-to-video": 5}, "kie/a/b": 20, "fal": 1})
    prices = [
        table.price(*job, "text-to-video") for job in (("kie", "a/b"), ("kie", "x"), ("other", "a/b"), ("fal", "x"))
    ]
    assert prices == [20, 5, 7, 1]
    assert table.price("kie", "x", "image-to-video") == 8
    assert table.entry("kie", "a/b", "text-to-video") == 'prices."kie/a/b".text-to-video'
    assert table.entry("kie", "x", "image-to-video") == "prices.image-to-video"


def test_a_free_model_is_free() -> None:
    assert PriceTable.load({"kie/x": 0}).price("kie", "x", "text-to-video") == 0


def test_the_version_names_the_content() -> None:
    plain, other = PriceTable.load(), PriceTable.load({"kie": 9})
    assert other.version.startswith(f"{plain.version}+")
    assert other.version == PriceTable.load({"kie": 9}).version != PriceTable.load({"kie": 8}).version


@pytest.mark.parametrize("bad", [{"kie": -1}, {"kie": "6"}, {"kie": 6.5}, {"kie": True}, {"kie": {"text": 6}}])
def test_prices_that_make_no_sense_are_refused_by_name(bad: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="kie"):
        PriceTable.load(bad)
