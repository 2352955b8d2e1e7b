"""docs/use/manifest.md says what the code says: every code has a sentence that comes, every example runs."""

import json
import re
from pathlib import Path

from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, survey
from batchgen.manifest.source import FORMATS
from batchgen.manifest.templates import FILTERS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "use" / "manifest.md").read_text(encoding="utf-8")
CASES = Path(__file__).parent
#: Codes that no case file can bring about; other tests do, or nothing should.
ELSEWHERE = {
    "missing_file", "not_a_file", "unreadable", "password", "long_line", "bad_merge", "paid_elsewhere", "schema",
    "other_sheet", "not_read", "too_many_columns", "copied_task_id", "bad_file",
}  # fmt: skip


def documented() -> dict[str, str]:
    """code -> the sentence that the page shows for it."""
    found = {}
    for line in PAGE.splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        if len(cells) == 5 and re.fullmatch(r" `[a-z_]+` ", cells[1]) and "code" not in line:
            found[cells[1].strip(" `")] = cells[2].strip().replace("\\|", "|")
    return found


def told() -> dict[str, set[str]]:
    """code -> the sentences that the case files give."""
    found: dict[str, set[str]] = {}
    for path in CASES.glob("*/*.expected.json"):
        expected = json.loads(path.read_text(encoding="utf-8"))
        for line in (*expected["problems"], *expected["warnings"]):
            place, _, message = line.partition(": ")
            found.setdefault(place.split(", ")[-1], set()).add(message)
    return found


def test_every_code_is_on_the_page_with_a_sentence_that_really_comes() -> None:
    page, cases = documented(), told()
    columns = set(page) & {"provider", "model", "scene", "prompt", "image_input", "video_input", "options", "id"}
    codes = {code: sentence for code, sentence in page.items() if code not in columns}
    assert set(codes) == set(cases) | ELSEWHERE
    for code, sentence in codes.items():
        assert code in ELSEWHERE or sentence in cases[code], code


def test_every_code_in_the_source_is_on_the_page() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "batchgen" / "manifest").glob("*.py"))
    raised = set(re.findall(r'(?:Unreadable|BadValue|_refuse|\.note)\(\s*(?:event, |start, )?"([a-z_]+)"', source))
    assert raised
    assert raised <= set(documented())


def test_the_yaml_example_on_the_page_is_a_good_manifest(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    (tmp_path / "products.csv").write_text("sku,product name\n01,mug\n02,lamp\n")
    path = tmp_path / "example.yaml"
    path.write_text(example[1], encoding="utf-8")
    found = survey([path], ReadOptions(), PriceTable.load())
    assert (found.problems, found.warnings, found.valid) == ((), (), 1 + 4 + 4)


def test_every_ending_and_filter_is_on_the_page() -> None:
    for name in (*FILTERS, *(ending for ending in FORMATS if ending != ".tab")):
        assert f"`{name}`" in PAGE


def test_the_examples_in_manifests_cost_what_their_page_says() -> None:
    page = (ROOT / "manifests" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \| [^|]+ \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    named = [
        (name, int(jobs), int(credits_))
        for names, jobs, credits_ in rows
        for name in re.findall("`([^`]+)`", names)
    ]
    assert {name for name, _, _ in named} == {path.name for path in (ROOT / "manifests").glob("*.*")} - {
        "README.md"
    }
    for name, jobs, credits_ in named:
        found = survey([ROOT / "manifests" / name], ReadOptions(), PriceTable.load())
        assert (found.problems, found.valid, found.credits) == ((), jobs, credits_)


def test_the_three_documented_requests_are_what_the_examples_hold() -> None:
    """The same JSON values as on the service's page, from CSV and from YAML."""
    from batchgen.check.survey import jobs
    from batchgen.job import Job

    documented_requests = [
        {"provider": "kie", "model": "sora-2-pro-text-to-video", "scene": "text-to-video",
         "prompt": "A cinematic shot of a glass city at sunrise"},
        {"provider": "kie", "model": "sora-2-pro-image-to-video", "scene": "image-to-video",
         "image_input": ["https://cdn.example.com/reference.png"], "options": {"duration": "10"}},
        {"provider": "fal", "model": "fal-ai/kling-video/o1/video-to-video/edit", "scene": "video-to-video",
         "video_input": ["https://cdn.example.com/source.mp4"]},
    ]  # fmt: skip
    for name in ("examples.csv", "examples.yaml"):
        found = jobs([ROOT / "manifests" / name], ReadOptions(), PriceTable.load())
        assert [job.request for job in found if isinstance(job, Job)] == documented_requests
