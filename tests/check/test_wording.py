"""What validate and estimate print: the contract's JSON, Markdown for a pull request, text for a person."""

import re
from pathlib import Path

import pytest

from batchgen.check.prices import PriceTable
from batchgen.check.sentences import visible
from batchgen.check.survey import ReadOptions, Survey, survey
from batchgen.cli.check_text import (
    estimate_json,
    estimate_markdown,
    estimate_text,
    listing,
    validate_json,
    validate_text,
)
from batchgen.job import Problem

HERE = Path(__file__).parents[1] / "manifest"
ROOT = HERE.parent.parent


def look(name: str, by: str | None = None) -> Survey:
    return survey([HERE / name], ReadOptions(), PriceTable.load(), by=by)


def test_validate_json_has_the_keys_of_the_contract() -> None:
    found = validate_json(look("invalid/urls.csv"))
    assert list(found)[:6] == ["rows", "valid", "invalid", "problems", "problems_total", "warnings"]
    assert set(found["problems"][0]) == {"manifest", "row", "line", "column", "cell", "code", "message", "hint"}
    assert (found["rows"], found["valid"], found["invalid"]) == (14, 0, 14)
    first = found["problems"][0]
    assert (first["row"], first["line"], first["column"], first["cell"]) == (1, 2, "image_input", "D2")


def test_lists_stop_at_a_thousand_and_totals_go_on(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("provider,model,scene,prompt\n" + "kie,m,text,x\n" * 1500, encoding="utf-8")
    found = survey([path], ReadOptions(), PriceTable.load())
    document = validate_json(found)
    assert (len(document["problems"]), document["problems_total"]) == (1000, 1500)
    assert "… and 1,495 more like these (unknown_scene)" in validate_text(found)


def test_estimate_json_has_the_keys_of_the_contract() -> None:
    found = survey([ROOT / "manifests/examples.csv"], ReadOptions(), PriceTable.load())
    assert estimate_json(found, already_paid=(1, 6), to_pay=(2, 18)) == {
        "jobs": 3,
        "credits": 24,
        "by_scene": [
            {"scene": "video-to-video", "jobs": 1, "price": 10, "credits": 10},
            {"scene": "image-to-video", "jobs": 1, "price": 8, "credits": 8},
            {"scene": "text-to-video", "jobs": 1, "price": 6, "credits": 6},
        ],
        "by_provider": [
            {"provider": "kie", "jobs": 2, "price": None, "credits": 14},
            {"provider": "fal", "jobs": 1, "price": 10, "credits": 10},
        ],
        "by_model": [
            {"model": "fal-ai/kling-video/o1/video-to-video/edit", "jobs": 1, "price": 10, "credits": 10},
            {"model": "sora-2-pro-image-to-video", "jobs": 1, "price": 8, "credits": 8},
            {"model": "sora-2-pro-text-to-video", "jobs": 1, "price": 6, "credits": 6},
        ],
        "already_paid": {"jobs": 1, "credits": 6},
        "to_pay": {"jobs": 2, "credits": 18},
        "complete": True,
    }


def test_bad_rows_leave_the_estimate_incomplete() -> None:
    document = estimate_json(look("invalid/scenes.csv"))
    assert (document["jobs"], document["credits"], document["complete"]) == (2, 12, False)


def test_the_estimate_by_a_column_of_ones_own() -> None:
    found = survey([ROOT / "manifests/marketing.csv"], ReadOptions(), PriceTable.load(), by="campaign")
    document = estimate_json(found)
    assert {each["campaign"]: each["jobs"] for each in document["by"]} == {
        "Spring Sale": 10, "Summer Festival": 10, "Back to School": 10,
    }  # fmt: skip
    assert sum(each["credits"] for each in document["by"]) == document["credits"] == 218
    assert "Spring Sale" in estimate_text(found)


def test_markdown_can_not_be_broken_by_a_name(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("provider,model,scene,prompt\nkie,a|b`<img>,text-to-video,x\n", encoding="utf-8")
    text = estimate_markdown(survey([path], ReadOptions(), PriceTable.load()))
    assert r"| a\|b\`&lt;img> | 1 | 6 | 6 |" in text
    assert text.startswith("### Estimated credits\n")


def test_a_problem_is_told_with_line_and_cell_and_what_to_do() -> None:
    text = validate_text(look("invalid/urls.csv"))
    assert 'line 2, cell D2: image_input is not a web address: "C:\\pics\\x.png".\n' in text
    assert "The service fetches it itself, so it must start with https://." in text


def test_no_text_of_a_manifest_can_steer_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b"provider,model,scene,prompt\nkie,m,\x1b[2Jgone\x07,x\n")
    text = validate_text(survey([path], ReadOptions(), PriceTable.load()))
    assert r"\x1b[2Jgone\x07" in text
    assert "\x1b" not in text
    assert visible("a\u202eb") == r"a\u202eb"


def test_hundreds_of_one_kind_do_not_hide_the_other() -> None:
    many = [Problem("m", n, n + 1, "a", f"A{n}", "x", "Wrong.", "Mend it.") for n in range(1, 400)]
    text = listing([*many, Problem("m", 400, 401, "b", "B401", "y", "Other.", "")], {"x": 399, "y": 1})
    assert text.count("Wrong.") == 5
    assert text.count("Mend it.") == 1
    assert "… and 394 more like these (x)" in text
    assert "line 401, cell B401: Other." in text


@pytest.mark.parametrize("path", sorted((HERE / "invalid").glob("*.expected.json")), ids=lambda path: path.name)
def test_no_message_uses_words_that_only_programmers_know(path: Path) -> None:
    words = r"\b(schema|regex|exception|traceback|null pointer|stdin|parse|token|instance|NoneType|dict)\b"
    text = validate_text(look(f"invalid/{path.name.removesuffix('.expected.json')}"), hint=False)
    kept = [line for line in text.splitlines() if "The parser says" not in line]  # its own words are shown
    assert not re.search(words, "\n".join(kept), re.IGNORECASE), text
