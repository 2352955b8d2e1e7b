"""What stands in results.csv runs nowhere, and comes back as it was written."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchgen.job import RESULT_COLUMNS
from batchgen.results.formula import TRIGGERS, guard, own_header, own_name, unguard

NASTY = st.text(alphabet="'=+-@\uff1d\uff20\t\r\n,.;\"05eE% aä😀", max_size=12)


@given(st.one_of(st.text(), NASTY))
@example("'=x")
@example("''=x")
@example("'-5")
def test_every_text_comes_back_as_it_was(text: str) -> None:
    """unguard is the inverse of guard for any text."""
    assert unguard(guard(text)) == text


@given(st.one_of(st.text(), NASTY))
def test_no_guarded_text_starts_like_a_formula_unless_it_is_a_number(text: str) -> None:
    """A cell that still starts with a trigger is a number: digits, separators, an exponent, a percent."""
    written = guard(text)
    if written and written[0] in TRIGGERS:
        assert written[0] in "+-"
        assert set(written[1:]) <= set("0123456789.,eE+-%")
        assert written == text
        float(written.rstrip("%").replace(",", "").replace(".", ""))


@given(st.one_of(st.text(), NASTY))
def test_no_piece_of_a_text_is_a_formula_where_lists_are_separated_by_semicolons(text: str) -> None:
    """A double click there takes a comma file apart at each `;` and each line break inside of a text."""
    written = guard(text)
    if written != text or not any(mark in text for mark in ";\n\r"):
        for piece in re.split("[;\n\r]", re.sub("^'*\r", "", written))[1:]:
            assert piece[:1] not in tuple("=+-@\uff1d\uff0b\uff0d\uff20"), written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("A glass city", "A glass city"),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+49 30 1234", "'+49 30 1234"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("- a list", "'- a list"),
        ("-5", "-5"),
        ("+1.5e3", "+1.5e3"),
        ("-1,25", "-1,25"),
        ("-5%", "-5%"),
        ("-5\n", "'-5\n"),
        ("'=1", "''=1"),
        ("''=1", "'''=1"),
        ("'tis", "'tis"),
        ("'", "'"),
        ("-", "'-"),
        ("\n=1", "'\n'=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("a;=cmd|' /C calc'!A0;b", "a;'=cmd|' /C calc'!A0;b"),
        ("a\r\n@x", "a\r\n'@x"),
        ("a;'=b", "a;''=b"),
        ("a; b;c", "a; b;c"),
    ],
)
def test_what_is_written(text: str, written: str) -> None:
    """An apostrophe only where a spreadsheet could run the text."""
    assert guard(text) == written


@given(st.lists(st.sampled_from(["own.", "state", "job_id", "sku", "x."]), min_size=1, max_size=4).map("".join))
def test_own_columns_never_take_our_names_and_come_back(name: str) -> None:
    """An own column is written under a header that is not ours, and read back under its own name."""
    assert own_header(name) not in RESULT_COLUMNS
    assert own_name(own_header(name)) == name
