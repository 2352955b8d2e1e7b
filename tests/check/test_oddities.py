"""What is said of a text alone: broken ones are found, odd ones pointed out, ordinary ones left alone."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgen.check import oddities
from batchgen.check.oddities import has_lost_letters, odd_text, wrong_text
from batchgen.manifest import addresses, words

PIECES = st.sampled_from(
    ["#N/A", "#", "?", "??", "???", "a", "Wis", "w", " ", "\u00a0", "\u200b", "nan", "TODO", "&amp;", "&#39;",
     "\ufffd", "\x93",
     "Ã¤", "â€œ", "=A1", "=SUM(", "+", "-", "5.0", "...", "🎈", "½", "²", "é", "日", "Err:502", "(", "prompt",
     "<", ">", "null",
     "lorem ipsum", "\n", "₂", "$", "1", "//", "\u3164"]
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(text=st.lists(PIECES, min_size=1, max_size=5).map("".join) | st.text(min_size=1, max_size=12))
def test_no_text_that_is_odd_escapes_the_one_pattern_of_the_quick_pass(text: str) -> None:
    """Else a row would be bought without the word that a slower reading of it has."""
    keys = ("prompt", "options.x", "options.negative_prompt")
    odd = any(wrong_text(text)) or any(any(odd_text(key, text)) for key in keys) or words.is_blank(text)
    if not odd or any("\ud800" <= mark <= "\udfff" for mark in text):
        return
    assert pc.match_substring_regex(pa.array([text]), oddities.ODD)[0].as_py(), repr(text)
    if text.isascii():
        data = pa.array([text.encode()], pa.binary())
        assert pc.match_substring_regex(data, oddities.ODD_ASCII)[0].as_py(), repr(text)


@pytest.mark.parametrize(
    "text",
    ["#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#ERROR!", "#SPILL!", " #n/a ", "#NV",
     "#WERT!", "#NOM?", "#¡REF!", "Err:508", "#########"],
)  # fmt: skip
def test_the_error_value_of_a_spreadsheet_is_no_text(text: str) -> None:
    assert [code for code, _, _ in wrong_text(text)] == ["error_cell"]


@pytest.mark.parametrize(
    "text",
    ["a door with #N/A on it", "#1 pick", "# cat", "#summer", "Error 404 as a neon sign", "err", "#", "n/a!"],
)
def test_a_text_that_only_holds_such_a_word_is_a_text(text: str) -> None:
    assert not any(wrong_text(text))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Loading...", "placeholder"), ("[object Object]", "placeholder"), ("undefined", "placeholder"),
        ("nan", "placeholder"), ("NaN", "placeholder"), ("None", "placeholder"), ("null", "placeholder"),
        ("TODO", "placeholder"), ("todo: write this", "placeholder"), ("tbd", "placeholder"), ("-", "placeholder"),
        ("...", "placeholder"), ("Lorem ipsum dolor sit amet", "placeholder"), ("<prompt>", "placeholder"),
        ("=VLOOKUP(A2;Prompts!A:B;2)", "formula"), ("=A1", "formula"), ("=Sheet2!B7", "formula"),
        ("???????", "lost_characters"), ("???? ?? ????", "lost_characters"), ("?ó?te tulipany", "lost_characters"),
        ("Wis??, ?wiat", "lost_characters"), ("Caf? at night", "lost_characters"), ("na?ve art", "lost_characters"),
        ("Caf\ufffd at night", "garbled"), ("a \x93quoted\x94 word", "garbled"), ("Ã¤rger", "garbled"),
        ("Tom &amp; Jerry", "html_entity"), ("it&#39;s", "html_entity"), ("&quot;Neon&quot;", "html_entity"),
    ],
)  # fmt: skip
def test_a_prompt_that_was_hardly_meant_is_said(text: str, code: str) -> None:
    assert code in [found for found, _, _ in odd_text("prompt", text)]


@pytest.mark.parametrize(
    "text",
    ["What is this? A cat!", "Really?!", "What is this??", "Is it a cat? is it a dog?", "Who? me?", "Why?", "x",
     "A",
     'A sign that says "Open?" in neon', "See https://a.example/?a=b&c=d", "AT&T; a shop", "fish & chips", "= love",
     "👨‍👩‍👧 at the sea", "می‌خواهم", "日本の朝", "Café", "naïve", "True love", "None of them", "nan bread",
     "5.0 stars",
     "To do list on a wall", "A prompt decision", "100 % cotton", "🎈", "+1", "Lost? Ask me", "a=b+c(d)"],
)  # fmt: skip
def test_an_ordinary_prompt_is_left_alone(text: str) -> None:
    assert list(odd_text("prompt", text)) == []


def test_good_values_of_an_option_are_no_placeholders() -> None:
    for text in ("none", "null", "true", "auto", "16:9", "10"):
        assert list(odd_text("options.x", text)) == []
    for text in ("None", "nan", "undefined", "TODO", "[object Object]"):
        assert [code for code, _, _ in odd_text("options.x", text)] == ["placeholder"]
    assert [code for code, _, _ in odd_text("options.duration", "5.0")] == ["float_text"]


def test_no_text_takes_long_however_it_is_made() -> None:
    """Each of these would take hours if the work grew with the square of the text, or worse."""
    for text in ("?" * 200_000 + "x", "a" * 200_000 + "?b", "? " * 100_000 + "x", "a? b" * 50_000, "&" * 200_000):
        list(odd_text("prompt", text))


def test_a_question_is_no_lost_letter() -> None:
    assert not has_lost_letters("What would you do? nothing")
    assert has_lost_letters("Zaż?ł? g??l?")


@pytest.mark.parametrize("mark", [",", ", ", ";", "; ", "|", " | ", "，", "、", "\n", " ", ",\n", " ; "])
@pytest.mark.parametrize("end", ["", ",", ";", " |", ",\n"])
def test_several_addresses_in_one_cell_are_several_however_they_are_set_apart(mark: str, end: str) -> None:
    first, second = "https://a.example/w_400,h_300/1.jpg?x=1;y=2", "http://b.example/2.jpg"
    assert addresses.split(f"{first}{mark}{second}{end}") == [first, second]


def test_two_addresses_are_never_one_word_but_where_a_query_hands_one_on() -> None:
    one = "https://a.example/1.jpg"
    for joined in (
        f"{one}{one}",
        f"{one}/{one}",
        f"{one}+{one}",
        f"{one}#{one}",
        f"{one}?w=2{one}",
        f"{one}ftp://x/y",
    ):
        assert addresses.is_joined(joined), joined
    for whole in (one, f"{one}?url={one}", f"{one}?a=1&src={one}", f"{one}?{one}"):
        assert not addresses.is_joined(whole), whole


@pytest.mark.parametrize(
    "text", ["\u200b", "\u200b \ufeff", "\u00a0", "\u2800", "\u3164", "\u00ad", " \t\n", "\u2060"]
)
def test_what_nobody_can_see_is_blank(text: str) -> None:
    assert words.is_blank(text)
    assert not words.is_blank(text + "a")


@pytest.mark.parametrize("dash", ["-", " ", "_", "–", "—", "‑", "−", " - ", "  ", "－"])
def test_scenes_are_understood_in_any_spelling_of_their_words(dash: str) -> None:
    assert words.scene_of(f" Text{dash}TO{dash}video ") == "text-to-video"
    assert words.scene_of("text2video") == "text2video"
