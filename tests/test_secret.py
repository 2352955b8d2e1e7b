"""A key shows itself to nobody who does not ask for it by name."""

import copy
import json
import pickle

import pytest

from batchgen.errors import UsageError
from batchgen.service.secret import Secret

KEY = "sk-canary-0123456789"


def test_no_text_of_a_secret_holds_the_key() -> None:
    secret = Secret(KEY)
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{[secret]}"):
        assert "canary" not in text
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_secret_can_t_be_stored(way) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError):
        way(Secret(KEY))


def test_secrets_compare_by_value() -> None:
    assert Secret(KEY) == Secret(f" {KEY}\n")
    assert Secret(KEY) != Secret(KEY + "x")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY)}) == 1


@pytest.mark.parametrize("text", ["", "  ", "a b", "a\nb", "a\x00b", "schlüssel", "“quoted”"])
def test_a_key_that_no_header_can_hold_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Secret(text)
    assert not text.strip() or text not in str(refusal.value)


@pytest.mark.parametrize("text", ["task", "sk", " sk-1234 "])
def test_a_key_that_is_a_short_word_is_refused(text: str) -> None:
    """Redacted everywhere, it would tear task ids and addresses: a paid task would be lost."""
    with pytest.raises(UsageError, match="fewer than 8 characters") as refusal:
        Secret(text)
    assert text.strip() not in str(refusal.value)
    assert Secret("sk-12345").reveal() == "sk-12345"


def test_a_text_is_redacted() -> None:
    assert Secret(KEY).redacted(f"key {KEY} and {KEY}") == "key [key] and [key]"
    assert Secret(KEY).redacted_bytes(KEY.encode()) == b"[key]"
