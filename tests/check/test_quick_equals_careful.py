"""The quick pass over whole columns and the careful pass row by row give the same survey and the same jobs."""

import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batchgen.check import bulk
from batchgen.check.prices import PriceTable
from batchgen.check.survey import ReadOptions, Survey, jobs, survey
from batchgen.job import InvalidRow, Job
from batchgen.manifest import feed

PRICES = PriceTable.load()
EXAMPLES = 5000 if os.environ.get("BATCHGEN_PROOF") else 150  # the long form is part of `make proof`
#: Takes every row, and so gives every row to the careful path.
CAREFUL = ReadOptions(select=(("provider", "*"),))

COLUMNS = [
    "id", "provider", "model", "scene", "prompt", "image_input", "video_input", "options", "options.duration",
    "options.seed:int", "options.sound:bool", "options.aspect_ratio", "campaign", "task_id", "", "job_id", "state",
    "status", "Video URL", "price",
]  # fmt: skip

PROMPTS = st.sampled_from(
    ["A cat", "A dog", "", " ", "a, b", 'say "hi"', "two\nlines", "crlf\r\nhere", "{{ x }}", "Ã¤h", "ä", "\u00a0",
     "'=1", "x" * 2001, "x" * 999, "ü" * 1001, "\x7f", "\ufeffx", "\x1f", "日本", "a;b", "#N/A", " #WERT!",
     "TODO", "Loading...", "nan",
     "True love", "Caf? at night", "Wis??a", "Really?!", "Tom &amp; Jerry", "\u200b", "Caf\ufffd", "a \x93b\x94",
     "...",
     "🎈", "=A1", "# cat", "//x", "lorem ipsum dolor", "\u00a0nan", "+", "½"]
)  # fmt: skip
URLS = st.sampled_from(
    ["https://cdn.example.com/a.png", "https://cdn.example.com/a.png?x=1", "http://cdn.example.com/a.png",
     "https://drive.google.com/file/d/1/view", "https://localhost/a.png", "https://10.0.0.1/a.png", "", " ",
     "C:\\a.png", "https://a.example/b/c", "https://a.example/x.mp4", "https://a.example/x.gif",
     "https://a.example/a.png https://b.example/b.png", '["https://a.example/a.png"]', "https://a.example",
     "https://a.example/x?X-Amz-Signature=1", "https://user@a.example/a.png", "https://a.example/a.png,",
     "https://a.example:99999/a.png", "https://a.b/", "HTTPS://A.example/a.png", "https://a.example/ä.png",
     "https://www.dropbox.com/s/x?dl=1", " https://a.example/a.png", "https://a.example/a.png,https://b.example/b.png",
     "https://a.example/x?url=https://b.example/y", "https://a.example/x?w=2https://b.example/y", "#N/A",
     "https://a.example/x?a=1&amp;b=2", "https://a.example/fetch/https://b.example/y"]
)  # fmt: skip
CELLS = {
    "id": st.sampled_from(
        ["a", "b", "c", "", " a ", "0123456789abcdef", "0123456789abcdef-2", "x" * 201, "ä", "a b", "a\tb", "#a",
         "// a", "nan",
         "#N/A", "x?", "A &amp; B", "\u200b"]
    ),
    "provider": st.sampled_from(["kie", "kie", "kie", "fal", "Kie", "", " kie", "fall", "other", "#kie", "nan"]),
    "model": st.sampled_from(["m", "m", "kling-2.6/text-to-video", "sora-2-pro", "kling-2.6/x", "", "ä"]),
    "scene": st.sampled_from(["text-to-video", "text-to-video", "image-to-video", "video-to-video", "", "text",
    "Text to video"]),
    "prompt": PROMPTS,
    "image_input": URLS,
    "video_input": URLS,
    "options": st.sampled_from(
        ["", "", "{}", '{"a": 1}', '{"duration": "5"}', "{", "[]", '{"": 1}', '{"a": NaN}', " "]
    ),
    "options.duration": st.sampled_from(["", "5", "10", " 5", "ä", " ", "\u00a0", "5.0", "#REF!"]),
    "options.seed:int": st.sampled_from(["", "1", "2", "-3", "007", "x", "1.5", " 4 ", "+5", "-0"]),
    "options.sound:bool": st.sampled_from(["", "true", "no", "maybe"]),
    "options.aspect_ratio": st.sampled_from(["", "16:9", "16:09", "9:16", "09:16", "04:09:00 PM", "ä", " "]),
    "task_id": st.sampled_from(["", "", "", "t1"]),
    "": st.sampled_from(["", "", "", "x"]),
    "job_id": st.sampled_from(["a", "b", "c", "", "'=x", "0123456789abcdef", "fedcba9876543210"]),
    "state": st.sampled_from(["", "succeeded"]),
    "status": st.sampled_from(["", "pending", "done", " Done.", "Terminé", "in progress"]),
    "Video URL": st.sampled_from(["", "", "hero", "https://a.example/a.mp4"]),
    "price": st.sampled_from(["", "0", "0.00 €", "x"]),
}  # fmt: skip

GOOD = {
    "provider": "kie", "model": "m", "scene": "text-to-video", "options.duration": "5", "options.seed:int": "7",
    "options.sound:bool": "true", "campaign": "spring",
}  # fmt: skip


@st.composite
def sheets(draw: st.DrawFn) -> bytes:
    """A CSV file of likely and unlikely cells, in some dialect, perhaps ragged, perhaps damaged."""
    most = draw(st.sets(st.sampled_from(COLUMNS), max_size=8))
    columns = [
        *dict.fromkeys(
            [
                "provider",
                "model",
                "scene",
                *draw(st.sampled_from([["prompt"], ["prompt"], []])),
                *draw(st.permutations(sorted(most))),
            ]
        )
    ]
    delimiter = draw(st.sampled_from(",,;\t|"))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(columns)
    damaged = draw(st.booleans())
    for number in range(draw(st.integers(0, 12))):
        good = GOOD | {"id": f"row {number}", "job_id": f"row {number}", "prompt": f"A cat, no. {number % 9}"}
        odd = draw(st.sampled_from([set(), set(), {draw(st.sampled_from(columns))}, set(columns)]))
        cells = [
            draw(CELLS.get(name, st.sampled_from(["", "spring", "'x", "#x", "#1"])))
            if name in odd
            else good.get(name, "")
            for name in columns
        ]
        ragged = draw(st.integers(0, 30)) if damaged else 9
        if ragged == 0:
            cells = cells[:-1]
        elif ragged == 1:
            cells = [*cells, "extra"]
        if damaged and draw(st.integers(0, 15)) == 0:
            text.write(draw(st.sampled_from([end, delimiter * 3 + end, " " + end, '5" x' + end, "\0" + end])))
        writer.writerow(cells)
    data = text.getvalue().encode("utf-8")
    if draw(st.integers(0, 20)) == 0:
        data += draw(st.sampled_from([b'"open', b"\xff", b"\xef\xbb\xbfx", b'a"b,c\n', b"kie,m,text-to-video"]))
    return data


def compare(quick: Survey, careful: Survey) -> None:
    for name in (
        "rows", "valid", "invalid", "problems", "problems_total", "warnings", "warnings_total", "file_problems",
        "by_scene", "by_provider", "by_model", "by", "credits", "duplicates", "notes", "columns", "problem_codes",
        "warning_codes",
    ):  # fmt: skip
        assert getattr(quick, name) == getattr(careful, name), name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sheets")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=sheets(), chunk=st.sampled_from([64, 300, 1 << 20]), by=st.sampled_from([None, "campaign", "scene"]))
@example(
    data=b"provider,model,scene,prompt\nkie,m,text-to-video,x\n,,,\n\nkie,m,text-to-video,y\n", chunk=20, by=None
)
def test_both_ways_give_the_same_survey(folder: Path, data: bytes, chunk: int, by: str | None) -> None:
    """For any sheet, in chunks of any size: the same rows, problems with the same places, sums and duplicates."""
    path = folder / "sheet.csv"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "SMALL", 0)
        patch.setattr(feed, "CHUNK", chunk)
        quick = survey([path], ReadOptions(), PRICES, by=by, knows=lambda row: row.task_id != "t1")
        careful = survey([path], CAREFUL, PRICES, by=by, knows=lambda row: row.task_id != "t1")
    if careful.rows:
        compare(quick, careful)
    made = list(jobs([path], ReadOptions(), PRICES, knows=lambda row: row.task_id != "t1"))
    valid = [job for job in made if isinstance(job, Job)]
    assert (len(valid), sum(job.price for job in valid)) == (quick.valid, quick.credits)
    assert len({job.job_id for job in valid}) == len(valid), "two jobs have one id"
    found = [problem for row in made if isinstance(row, InvalidRow) for problem in row.problems if problem.row]
    assert found == [problem for problem in quick.problems if problem.row]
