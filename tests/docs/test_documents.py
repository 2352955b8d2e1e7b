"""The JSON documents of docs/use/pipeline.md are those that the commands print: every field, and no other."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from batchgen.cli import invoke
from batchgen.sandbox import Options, SandboxServer

PAGE = (Path(__file__).parents[2] / "docs" / "use" / "pipeline.md").read_text(encoding="utf-8")
#: Heading -> its example.
EXAMPLES = {
    heading: json.loads(example)
    for heading, example in re.findall(r"^### (.+?)\n\n```json\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL)
}
VALIDATE = "`validate`, and any command that ends with 3"
ESTIMATE = "`estimate`"
PLAN = "`run --dry-run`"
STATUS = "`run`, `status`, `collect`, `retry`"
RETRY = "`retry --dry-run`, and `retry` with nothing to buy"
REFUSAL = "Exits 2 and 4"
HEADER = "id,provider,model,scene,prompt,campaign"
GOOD = (HEADER, "mug-1,kie,m,text-to-video,a mug,spring", "mug-2,kie,m,text-to-video,a cup,spring")
KEY = "sk-sandbox-0123456789abcdef"
#: Objects whose keys are data: how many of each there are.
COUNTS = {"states", "decisions"}


def shape(value: Any, name: str = "") -> Any:
    """What fields a document has, and of which kind; lists by what they hold first."""
    if isinstance(value, dict) and name in COUNTS:
        return "counts"
    if isinstance(value, dict):
        return {key: shape(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return "value"


@pytest.fixture
def say(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder with a good and a bad manifest; say("validate", …) gives (exit, document)."""
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text("\n".join(GOOD), encoding="utf-8")
    Path("bad.csv").write_text("\n".join((*GOOD, "mug-3,kie,m,image-to-video,,spring")), encoding="utf-8")

    def command(*arguments: str) -> tuple[int, Any]:
        capfd.readouterr()
        code = invoke([*arguments, "--json"])
        return code, json.loads(capfd.readouterr().out)

    return command


def test_validate(say: Any) -> None:
    for command in (("validate", "bad.csv"), ("run", "bad.csv", "--sandbox")):
        code, document = say(*command)
        assert (code, shape(document)) == (3, shape(EXAMPLES[VALIDATE]))
    code, document = say("validate", "none.csv")
    assert (code, document["problems"][0]["row"]) == (3, None)


def test_estimate(say: Any) -> None:
    code, document = say("estimate", "good.csv")
    assert (code, shape(document)) == (0, shape(EXAMPLES[ESTIMATE]))
    code, document = say("estimate", "good.csv", "--by", "campaign")
    assert document.pop("by") == [{"campaign": "spring", "jobs": 2, "price": 6, "credits": 12}]
    assert shape(document) == shape(EXAMPLES[ESTIMATE])
    code, document = say("estimate", "bad.csv")
    assert (code, shape(document)) == (3, shape(EXAMPLES[VALIDATE] | EXAMPLES[ESTIMATE]))
    assert document["complete"] is False
    code, document = say("estimate", "good.csv", "--max-credits", "6")
    assert (code, shape(document)) == (4, shape(EXAMPLES[ESTIMATE] | EXAMPLES[REFUSAL]))


def test_a_plan_and_its_refusal(say: Any) -> None:
    code, document = say("run", "good.csv", "--sandbox", "--dry-run")
    assert (code, shape(document)) == (0, shape(EXAMPLES[PLAN]))
    code, document = say("run", "good.csv", "--sandbox", "--max-credits", "6")
    assert (code, shape(document)) == (4, shape(EXAMPLES[REFUSAL] | {"plan": EXAMPLES[PLAN]["plan"]}))
    code, document = say("status", "nowhere")
    assert (code, shape(document)) == (2, shape(EXAMPLES[REFUSAL]))


def test_run_status_collect_and_retry(say: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with SandboxServer(Options(duration="0.05", keys=(KEY,), faults=("failed:#1",))) as service:
        monkeypatch.setenv("BATCHGEN_API_KEY", KEY)
        monkeypatch.setenv("BATCHGEN_BASE_URL", service.base_url)
        ended = [say("run", "good.csv", "--yes"), say("status", "outputs/good"), say("collect", "outputs/good")]
        code, plan = say("retry", "outputs/good", "--dry-run")
        assert (code, shape(plan)) == (0, shape(EXAMPLES[RETRY]))
        ended.append(say("retry", "outputs/good", "--yes"))
        code, nothing = say("retry", "outputs/good", "--yes")
        assert (code, nothing["plan"]) == (0, {"jobs": 0, "credits": 0, "job_ids": []})
    assert [shape(document) for _, document in ended] == [shape(EXAMPLES[STATUS])] * 4
    assert [(code, document["exit"]) for code, document in ended] == [(1, 1), (0, 1), (1, 1), (0, 0)]


def test_config_and_doctor(say: Any) -> None:
    _, document = say("config")
    assert set(document.pop("api_key")) == {"set", "origin"}
    assert {tuple(one) for one in document.values()} == {("value", "origin")}
    _, document = say("doctor")
    assert set(document) == {"findings"}
    assert {tuple(one) for one in document["findings"]} == {("ok", "what")}


def test_every_example_is_compared() -> None:
    assert set(EXAMPLES) == {VALIDATE, ESTIMATE, PLAN, STATUS, RETRY, REFUSAL}
