"""docs/use/sandbox.md says what the sandbox does, and the sandbox stands on its own."""

import ast
import re
from pathlib import Path

import pytest

from batchgen.sandbox.faults import FAULTS, list_faults
from batchgen.sandbox.options import Options, list_options
from batchgen.sandbox.rules import Picker, parse_rule, parse_script

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/use/sandbox.md").read_text(encoding="utf-8")


def between(start: str, end: str) -> str:
    return DOCS.partition(start)[2].partition("-->\n")[2].partition(end)[0]


def test_the_docs_have_the_fault_table_of_the_code() -> None:
    """`batchgen sandbox --list-faults` prints what belongs between the two marks."""
    assert between("<!-- faults", "<!-- end of faults") == list_faults()


def test_the_docs_have_the_options_of_the_code() -> None:
    """`batchgen.sandbox.options.list_options()` gives what belongs between the two marks."""
    assert between("<!-- options", "<!-- end of options") == list_options()


def test_the_example_script_and_faults_of_the_docs_are_right() -> None:
    scripts = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    assert [len(parse_script(script)) for script in scripts] == [7]
    for fault in re.findall(r"--fault (\S+)", DOCS.partition("## Say where")[0]):
        assert parse_rule(fault)


def test_the_sandbox_imports_nothing_of_the_client() -> None:
    for path in (ROOT / "batchgen/sandbox").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, path
                assert not (node.module or "").startswith("batchgen"), path
            elif isinstance(node, ast.Import):
                assert not any(name.name.startswith("batchgen") for name in node.names), path


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("drop-after", "is no fault"),
        ("drop-after:", "is no fault"),
        ("droop-after:3%", "There is no fault “droop-after”"),
        ("drop-after:three%", "is no share"),
        ("drop-after:300%", "between 0% and 100%"),
        ("drop-after:#0", "are no numbers"),
        ("drop-after:#a-b", "are no numbers"),
        ("drop-after@5:3%", "takes no argument"),
        ("truncate@x:3%", "takes a number of bytes"),
        ("accept-error@99:3%", "takes an HTTP status"),
        ("file-redirect@moon:3%", "one of same, other"),
    ],
)
def test_a_wrong_rule_is_refused_with_a_sentence(rule: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_rule(rule)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("- a", "has the sections"),
        ("jobs: {}", "has the sections"),
        ("posts: drop-after", "must be a list or a mapping"),
        ("posts: {1: get-404}", "strikes a get, not a post"),
        ("posts: [", "is no YAML"),
    ],
)
def test_a_wrong_script_is_refused_with_a_sentence(script: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_script(script)


def test_numbers_and_patterns_go_before_shares() -> None:
    rules = [parse_rule("error@500:100%"), parse_rule("error@400:#2"), parse_rule("error@401:*tiger*")]
    picker = Picker(rules, "post", 0)
    picked = [picker.pick(number, ["A tiger"] if number == 3 else ["A lion"]) for number in (1, 2, 3)]
    assert [rule.arg for rule in picked if rule is not None] == ["500", "400", "401"]


def test_every_fault_says_whether_it_charges_where_that_is_a_question() -> None:
    for fault in FAULTS.values():
        assert (fault.charged in {"yes", "no"}) == (fault.on == "post"), fault.name


def test_the_same_seed_strikes_the_same_numbers() -> None:
    def struck(seed: int) -> list[int]:
        picker = Picker([parse_rule("error:10%")], "post", seed)
        return [number for number in range(1, 500) if picker.pick(number)]

    assert struck(1) == struck(1) != struck(2)
    assert 25 <= len(struck(1)) <= 75


def test_every_option_has_a_flag_and_a_help_text() -> None:
    flags = [field.metadata["flag"] for field in Options.__dataclass_fields__.values()]
    assert len(set(flags)) == len(flags)
    assert all(field.metadata["help"] for field in Options.__dataclass_fields__.values())
