"""The job schema says what a job is; the quick validator and the reference agree on it; people get sentences."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batchgen.check.schema import check, fast_gate, job_schema, reference, schema_text
from batchgen.job import Row

ROOT = Path(__file__).parent.parent.parent
URL = "https://cdn.example.com/x.png"
JOB = {"provider": "kie", "model": "m", "scene": "text-to-video", "prompt": "A cat"}

TEXT = st.one_of(
    st.text(),
    st.sampled_from(
        ["", " ", "\n", "x\n", "x", "\u00a0", "\u200b", "text-to-video", "text-to-video\n", URL, URL + "\n", "٣",
         "x" * 201, "https://", "https://x", "http://[::1]/", "HTTPS://X/y", "https://a@b/c", "https://a b",
         "https://a:99999/", "https://a:1a", "ftp://x", "https://x/\u2028", "https://x\\y",
         "https://ü.de/", "https://x/<", "\x7f", "\x85", "\ufeff"]
    ),
)  # fmt: skip
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
SCENES = st.sampled_from(["text-to-video", "image-to-video", "video-to-video", "other", "Text-to-video"])
URLS = st.one_of(TEXT, st.just(URL), st.lists(st.one_of(TEXT, st.just(URL)), max_size=3), JSON)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(TEXT, JSON), "provider": st.one_of(TEXT, JSON), "model": st.one_of(TEXT, JSON),
        "scene": st.one_of(SCENES, SCENES, JSON), "prompt": st.one_of(TEXT, JSON), "image_input": URLS,
        "video_input": URLS, "options": st.one_of(st.dictionaries(st.text(max_size=4), JSON, max_size=3), JSON),
        "extra": JSON,
    },
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(row=ROWS)
@example(row={**JOB, "prompt": "\n"})
@example(row={**JOB, "id": "a\n"})
@example(row={**JOB, "image_input": [URL + "\n"]})
@example(row={**JOB, "options": {"": 1}})
def test_the_quick_validator_and_the_reference_agree(row: dict[str, Any]) -> None:
    assert fast_gate()(row) == reference().is_valid(row)


@settings(max_examples=300, deadline=None)
@given(row=ROWS)
def test_every_bad_row_gets_a_sentence_and_no_good_one_does(row: dict[str, Any]) -> None:
    problems = check(Row("m.csv", 1, 2, row))
    assert bool(problems) != reference().is_valid(row)
    for problem in problems:
        assert problem.message.endswith((".", "?"))
        assert problem.message[0].isupper() or problem.column
        assert problem.code != "schema"
        assert "jsonschema" not in problem.message


def all_schemas(value: Any) -> list[dict[str, Any]]:
    """Every sub-schema of a schema."""
    if isinstance(value, list):
        return [found for item in value for found in all_schemas(item)]
    if not isinstance(value, dict):
        return []
    return [value, *(found for item in value.values() for found in all_schemas(item))]


@pytest.mark.parametrize("name", ["job", "manifest"])
def test_the_schemas_stay_where_both_validators_agree(name: str) -> None:
    """No fractions in multipleOf, no \\d \\w \\s, no look-around, no format: there the two differ."""
    schema = json.loads(schema_text(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema_rs.meta.validate(schema)
    for each in all_schemas(schema):
        assert "format" not in each
        assert "multipleOf" not in each
        pattern = each.get("pattern")
        if isinstance(pattern, str):
            assert not re.search(r"\\[dDwWsSbB]|\(\?[=!<]", pattern)


@pytest.mark.parametrize("name", ["job", "manifest"])
def test_every_key_of_a_schema_is_explained(name: str) -> None:
    """Editors show the titles and descriptions: none may be missing."""
    schema = json.loads(schema_text(name))
    for key, each in schema["$defs"].items():
        assert each.get("title"), key
        assert each.get("description"), key
    for example_ in schema["examples"]:
        assert jsonschema_rs.is_valid(schema, example_)


def test_both_schemas_know_the_same_addresses() -> None:
    job, manifest = (json.loads(schema_text(name)) for name in ("job", "manifest"))
    assert job["$defs"]["url"] == manifest["$defs"]["url"]
    assert set(job["properties"]) <= set(manifest["$defs"]["job"]["properties"])


STRUCTURE = {
    "empty.yaml", "no-jobs.yaml", "jobs-not-a-list.yaml", "version.yaml", "top-key.yaml", "unknown-key.yaml",
    "text.yaml", "defaults-key.yaml", "types.yaml", "entry-not-a-job.yaml", "matrix.yaml",
}  # fmt: skip


def yaml_1_2(path: Path) -> Any:
    """A YAML file as an editor sees it (1.2 core scalars)."""

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(?:~|null|)$"), ["~", "n", ""])
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("^<<$"), ["<"])
    with path.open("rb") as file:
        return yaml.load(file, Loader=Loader)


VALID = sorted(
    path
    for path in [*(ROOT / "tests/manifest/valid").glob("*.yaml"), *(ROOT / "manifests").glob("*.yaml")]
    if path.name != "flow.yaml"
)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_editors_find_nothing_wrong_in_good_manifests(path: Path) -> None:
    schema = json.loads(schema_text("manifest"))
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(yaml_1_2(path))] == []


@pytest.mark.parametrize("name", sorted(STRUCTURE))
def test_editors_show_what_is_wrong_with_the_structure(name: str) -> None:
    schema = json.loads(schema_text("manifest"))
    manifest = yaml_1_2(ROOT / "tests/manifest/invalid" / name)
    assert not jsonschema.Draft202012Validator(schema).is_valid(manifest)


def test_the_schemas_travel_in_the_wheel() -> None:
    assert '"schemas" = "batchgen/schemas"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_job_schema_is_loaded_once() -> None:
    assert job_schema() is job_schema()
