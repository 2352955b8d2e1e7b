"""A key does not come back in any form: escaped, in a URL, in base64, in hexadecimal, or in part."""

import base64
import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.service.redaction import MARK, PIECE, Redactor
from batchgen.service.secret import Secret, concealed

KEY = "sk-live/9f2c+77aa/Zq=="
alphabet = string.ascii_letters + string.digits + "-_./+=&<>\"'~:!*$%@"
keys = st.text(alphabet, min_size=8, max_size=60)


def _unicode(text: str, chosen: Callable[[int], bool] = lambda _: True) -> str:
    return "".join(f"\\u{ord(char):04x}" if chosen(n) else char for n, char in enumerate(text))


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "PHP's slashes": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "\\u002d": lambda key: key.replace("-", "\\u002d"),
    "Go's \\u0026": lambda key: json.dumps(key)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c"),
    "every letter": _unicode,
    "every letter, upper case": lambda key: "".join(f"\\u{ord(char):04X}" for char in key),
    "every other letter": lambda key: _unicode(key, lambda n: n % 2 == 0),
    "JSON in JSON": lambda key: json.dumps(json.dumps(json.dumps(_unicode(key)))),
    "slashes in JSON in JSON": lambda key: json.dumps(json.dumps(key).replace("/", "\\/")),
    "hex escapes": lambda key: "".join(f"\\x{ord(char):02x}" for char in key),
    "percent": lambda key: quote(key, safe=""),
    "percent, lower case": lambda key: quote(key, safe="").lower() if key.islower() else quote(key),
    "percent, every letter": lambda key: "".join(f"%{ord(char):02X}" for char in key),
    "percent, twice": lambda key: quote(quote(key, safe=""), safe=""),
    "HTML": html.escape,
    "HTML, twice": lambda key: html.escape(html.escape(key)),
    "HTML numbers": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "HTML hex numbers": lambda key: "".join(f"&#x{ord(char):X};" for char in key),
    "base64": lambda key: _base64(f"{key}"),
    "base64 of the header": lambda key: _base64(f"Bearer {key}"),
    "base64 of fal's header": lambda key: _base64(f"Authorization: Key {key}\r\n"),
    "base64 of a user": lambda key: _base64(f":{key}"),
    "base64 of a password": lambda key: _base64(f"api:{key}"),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"x{key}y".encode()).decode(),
    "base64 in JSON": lambda key: _base64(f"{key}yz").replace("/", "\\/"),
    "base64 in a URL": lambda key: quote(_base64(f"ab{key}"), safe=""),
    "hexadecimal": lambda key: key.encode().hex(),
    "HEXADECIMAL": lambda key: key.encode().hex().upper(),
    "in part": lambda key: key[1 : 1 + max(PIECE, len(key) - 3)] if len(key) >= PIECE + 4 else key,
}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_key_is_left(form: str) -> None:
    @given(keys, st.sampled_from(["", "x", "the key ", '{"message":"', "\\", "https://a.example/?k="]))
    def holds(key: str, before: str) -> None:
        told = FORMS[form](key)
        cleaned = Redactor(key).text(f"{before}{told}&more")
        assert MARK in cleaned
        assert told not in cleaned
        assert key not in cleaned

    holds()


@given(st.binary(max_size=200), keys)
def test_bytes_of_any_kind_keep_all_but_the_key(data: bytes, key: str) -> None:
    cleaned = Redactor(key).data(data + key.encode() + data)
    assert key.encode() not in cleaned
    assert cleaned.count(MARK.encode()) >= 1


@given(st.text(max_size=200))
def test_a_text_without_a_key_is_left_alone(text: str) -> None:
    assert Redactor("sk-canary-0123456789-abcdef").text(text) == text


@pytest.mark.parametrize("flood", ["\\", "%25", "&amp;", "\\u0073", KEY[:PIECE], KEY[:5], "s", "c2st", "\\\\/"])
def test_a_flood_of_what_looks_like_the_start_of_a_key_costs_no_more_than_its_length(flood: str) -> None:
    """A megabyte, as much as an answer may have: the test's own limit of time says that it ended."""
    text = flood * (1_000_000 // len(flood))
    assert KEY not in Redactor(KEY).text(text)


def test_every_key_of_the_process_is_taken_out_of_a_traceback() -> None:
    one, other = Secret("sk-one-0123456789"), Secret("fal/two+0123456789==")
    said = concealed(f"Error: {one.reveal()} and {quote(other.reveal())} are bad")
    assert said == f"Error: {MARK} and {MARK} are bad"
