"""A YAML manifest decided by patterns and columns gives what the parser gives, entry by entry."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batchgen.check.bulk import yaml as bulk_yaml
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, Survey, survey

PRICES = PriceTable.load()
EXAMPLES = 5000 if os.environ.get("BATCHGEN_PROOF") else 150  # the long form is part of `make proof`
CAREFUL = ReadOptions(select=(("provider", "*"),))
SAME = (
    "rows", "valid", "invalid", "problems", "problems_total", "warnings", "warnings_total", "file_problems",
    "by_scene", "by_provider", "by_model", "by", "credits", "duplicates", "notes", "columns", "problem_codes",
    "warning_codes",
)  # fmt: skip

TEXTS = [
    "A cat", "A dog, black", "it's a cat", '"quoted: # text"', "'single'", "'it''s'", '"esc \\n"', "12", "012",
    "null", "~", '""', "''", "a:b", "a: b", "a #b", "a#b", "a :b", "ends:", "double  blank", "trailing ",
    "-5", "- x",
    "[a]",
    "{a: b}", "&x a", "*x", "!t a", "|", ">", '"open', "'open", "日本", "“x”", "\u2028x", "\u00a0x",
    "x\u0085y", "yes", "16:9", "1e3", "{{ x }}", "%a", "@a", "`a", "? a", "x\ty", "2026-01-01", "x" * 2001, "...",
    "---", "<<", "=", "(round)", "/path", "Ã¤", '"a" b', "'a' b", '" "', "a'b", 'a"b', "#no", "\ufeffx", "a\x7f",
    "0x1F", "1.50", "true",
]  # fmt: skip
URLS = [
    "https://a.example/x.png", '"https://a.example/x.png"', "http://a.example/x.png", "C:\\x.png", "null",
    "[https://a.example/x]", "https://a.example/x.png https://a.example/y.png", "https://drive.google.com/x",
    '"[https://a.example/x]"',
]  # fmt: skip
VALUES = {
    "id": ["a", "b", "c", "012", "{{ x }}", '"d"', "0123456789abcdef", "x y", "é", "null"],
    "provider": ["kie", "kie", "fal", '"kie"', "Kie", "null", '""', "{{ x }}"],
    "model": ["m", "kling-2.6/text-to-video", "sora-2"],
    "scene": ["text-to-video", "text-to-video", "image-to-video", "text"],
    "image_input": URLS,
    "video_input": URLS,
}
KEYS = ["id", "provider", "model", "scene", "prompt", "image_input", "options", "own"]
ODD = [
    "# comment", "", "   ", "  # inner", "- just a text", "- {provider: kie}", "-", "- - x", "  extra: 1", "\t- x",
    "- &a {provider: kie, model: m, scene: text-to-video, prompt: x}", "- *a", "  <<: {model: n}", "x-top: 1",
    "version: 1", "jobs: []", "---", "...", "- prompt: |\n    block\n    text", "- prompt: two\n    lines",
    '- prompt: "two\n  lines"', "- repeat: 2\n  prompt: x", "- matrix: {x: [1, 2]}\n  prompt: '{{ x }}'",
    "   id: 3", "- id: a\n  id: b", "- options:\n    a: 1\n    a: 2", "- options:", "- options:\n  prompt: x",
    '- prompt: "two\n- prompt: lines"', "- prompt: x\r", "-  prompt: x", "- options:\n      a: 1\n    b: 2",
    "defaults: {model: z}", "\x07",
]  # fmt: skip
HEADS = [
    "defaults: {provider: kie, model: m, scene: text-to-video}\njobs:\n",
    "defaults:\n  provider: kie\n  model: m\n  scene: text-to-video\n  options: {duration: '5', n: 1.50}\n"
    "  own: {campaign: c, k: 01}\n  prompt: D\njobs:\n",
    "version: 1\njobs:\n", "# c\njobs:\n", "", "version: 2\njobs:\n", "x-a: &a 1\njobs:\n",
    "defaults: {provider: kie, prompt: '{{ x }}'}\njobs:\n", "defaults: {nope: 1}\njobs:\n",
]  # fmt: skip
GROUPS = ["duration", "n", "campaign", "z"]


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """A YAML manifest as programs write them: all regular, with a few odd texts, or wild."""
    wild = draw(st.sampled_from([0, 0, 1, 2]))
    head = draw(st.sampled_from(HEADS if wild == 2 else HEADS[:3]))
    indent = "" if not head else draw(st.sampled_from(["", "", "  "]))
    keys = draw(st.permutations(KEYS)) if draw(st.booleans()) else KEYS
    always = {"prompt"} if head in HEADS[:2] else {"prompt", "provider", "model", "scene"}
    lines: list[str] = []

    def value(key: str, number: int) -> str:
        odd = wild and draw(st.integers(0, 12 if wild == 1 else 2)) == 0
        if key in VALUES:
            text = draw(st.sampled_from(VALUES[key])) if odd else VALUES[key][0]
            return f"{text}{number}" if key == "id" and draw(st.integers(0, 9)) else text
        plain = f"A cat {number}" if key == "prompt" else draw(st.sampled_from(["x", "1", "2.5", '"7"']))
        return draw(st.sampled_from(TEXTS)) if odd else plain

    for number in range(draw(st.integers(0, 14))):
        if wild == 2 and draw(st.integers(0, 8)) == 0:
            lines.append(indent + draw(st.sampled_from(ODD)))
        lead = indent + "- "
        for key in keys:
            if key not in always and draw(st.integers(0, 3)) == 0:
                continue
            if key in ("options", "own"):
                names = draw(st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2, unique=True))
                lines.append(f"{lead}{key}:")
                lines += [f"{indent}    {name}: {value(name, number)}" for name in sorted(names)]
            else:
                lines.append(f"{lead}{key}: {value(key, number)}")
            lead = indent + "  "
    return head + "\n".join(lines) + draw(st.sampled_from(["\n", "\n", "", "\n\n", "\n# end\n"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yaml")


def both(path: Path, chunk: int, stretch: int, by: str | None) -> tuple[Survey, Survey]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk_yaml, "CHUNK", chunk)
        patch.setattr(bulk_yaml, "STRETCH", stretch)
        return survey([path], ReadOptions(), PRICES, by=by), survey([path], CAREFUL, PRICES, by=by)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=manifests(),
    chunk=st.sampled_from([60, 300, 1 << 20]),
    stretch=st.sampled_from([1, 3]),
    by=st.sampled_from([None, "campaign", "scene"]),
)
@example(text="jobs:\n- prompt: x\n  id: a\n", chunk=60, stretch=1, by=None)
def test_both_ways_give_the_same_survey(folder: Path, text: str, chunk: int, stretch: int, by: str | None) -> None:
    """For any manifest, in chunks of any size: the same rows, problems with the same lines, sums, duplicates."""
    path = folder / "manifest.yaml"
    path.write_bytes(text.encode("utf-8"))
    quick, careful = both(path, chunk, stretch, by)
    if careful.rows or careful.problem_codes != {"nothing_selected": 1}:
        for name in SAME:
            assert getattr(quick, name) == getattr(careful, name), name
