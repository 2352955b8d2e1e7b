"""The answer to a look at a task means what its folder says: a state, or the trouble that kept us from one."""

import json
from pathlib import Path

import pytest
from answer_files import Case, cases
from hypothesis import given
from hypothesis import strategies as st

from batchgen.job import WHOLE_CHARGE, Answer, State, Trouble
from batchgen.service.reply import is_the_service, look

CASES = cases(Path(__file__).parent / "answers" / "task")
TROUBLES = {trouble.value for trouble in Trouble}
WORDS: dict[str, str] = json.loads((Path(__file__).parent / "words.json").read_text())
U = "https://cdn.example/x.mp4"
SENT = "https://in.example/sent.mp4"


def answered(body: object, status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(body).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_answer_means_what_its_folder_says(case: Case) -> None:
    said = look(case.answer, "T")
    assert (said.status is None) != (said.trouble is None)
    assert said.http_status == case.answer.status
    if case.folder in TROUBLES:
        assert said.trouble is not None, said
        assert said.trouble.value == case.folder
        assert said.message
        assert case.marks.get("message", "") in said.message
        return
    status = said.status
    assert status is not None, said
    assert (status.state.value if status.state else "unrecognised") == case.folder
    assert " ".join(status.video_urls) == case.marks.get("urls", "")
    assert status.error == case.marks.get("error", status.error)
    assert status.error_code == case.marks.get("error_code", "")
    assert case.marks.get("refunded", "None") == (
        "all" if status.refunded == WHOLE_CHARGE else str(status.refunded)
    )
    assert case.marks.get("charged", "None") == str(status.charged_credits)
    assert case.marks.get("expires", "None") == str(status.expires_at)
    assert case.marks.get("word", status.word) == status.word


def test_every_state_and_trouble_has_cases() -> None:
    states = {"queued", "running", "succeeded", "failed", "cancelled", "expired", "unrecognised"}
    assert {case.folder for case in CASES} == states | TROUBLES - {"away"}
    assert len(CASES) > 100


@pytest.mark.parametrize(("state", "word"), [(state, word) for state in WORDS for word in WORDS[state].split()])
def test_a_word_means_its_state_in_any_spelling(state: str, word: str) -> None:
    for spelling in (word, word.upper(), word.title(), f" {word} ", word.replace("_", "-"), word.replace("_", " ")):
        for body in (
            {"id": "T", "status": spelling},
            {"data": {"id": "T", "status": spelling}},
            {"id": "T", "status": spelling, "data": {"id": "T", "status": spelling}},
            {"code": 200, "msg": "success", "data": {"taskId": "T", "state": spelling}},
        ):
            status = look(answered(body), "T").status
            assert status is not None
            assert (status.state.value if status.state else "unrecognised") == state


PLACES = [
    '{"data":{"videoUrls":[URL]}}', '{"videoUrls":[URL]}', '{"data":{"video_urls":[URL]}}', '{"video_urls":[URL]}',
    '{"results":[URL]}', '{"data":{"results":[URL]}}', '{"result_data":[{"video_url":URL}]}', '{"output":URL}',
    '{"output":[URL]}', '{"output":{"url":URL}}', '{"output":[{"video":URL}]}', '{"outputs":[URL]}',
    '{"data":{"output":URL}}', '{"data":{"outputs":[{"url":URL}]}}', '{"data":{"videos":[{"videoUrl":URL}]}}',
    '{"data":{"videos":[{"url":URL}]}}', '{"videos":[URL]}', '{"videos":[{"url":URL}]}', '{"video":{"url":URL}}',
    '{"video_url":URL}', '{"videoUrl":URL}', '{"result_url":URL}', '{"content":{"video_url":URL}}',
    '{"resultUrls":[URL]}', '{"data":{"response":{"resultUrls":[URL]}}}', '{"urls":[URL]}',
    '{"unsigned_urls":[URL]}', '{"data":[{"url":URL}]}', '{"data":[{"video_url":URL}]}',
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_url_is_found_in_every_known_place(place: str) -> None:
    body = json.loads(place.replace("URL", json.dumps(U)))
    status = look(answered({"id": "T", "status": "completed", **body}), "T").status
    assert status is not None
    assert status.video_urls == (U,)


@pytest.mark.parametrize("place", PLACES)
def test_json_inside_a_string_is_read_in_every_known_place(place: str) -> None:
    body = json.loads(place.replace("URL", json.dumps(U)))
    key, inner = next(iter(body.items()))
    if isinstance(inner, str):
        inner = [inner]
    status = look(answered({"id": "T", "status": "completed", key: json.dumps(inner)}), "T").status
    assert status is not None
    assert status.video_urls == (U,)


ECHOES = [
    "image_input",
    "video_input",
    "input",
    "param",
    "params",
    "request",
    "options",
    "callback_url",
    "callBackUrl",
    "webhook",
    "thumbnail",
    "thumbnail_url",
    "thumbnailUrl",
    "cover",
    "cover_url",
    "poster",
    "image_url",
    "image_urls",
    "first_frame_url",
    "reference_video_urls",
    "cancel_url",
    "status_url",
    "response_url",
]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("shape", ["text", "list", "object", "string"])
@pytest.mark.parametrize("word", ["success", "processing", "odd"])
def test_what_was_sent_is_never_a_video(echo: str, shape: str, word: str) -> None:
    inner = {"video_url": SENT, "url": SENT, "videos": [SENT]}
    value = {"text": SENT, "list": [SENT], "object": inner, "string": json.dumps(inner)}[shape]
    for body in (
        {"id": "T", "status": word, echo: value},
        {"id": "T", "status": word, "data": {"id": "T", "status": word, echo: value}},
        {"id": "T", "status": word, "data": {"id": "T", "status": word, "videoUrls": [], "result": {echo: value}}},
    ):
        status = look(answered(body), "T").status
        assert status is not None
        assert status.video_urls == ()
        assert (status.state is State.SUCCEEDED) == (word == "success")


@pytest.mark.parametrize(
    ("status", "body", "answers"),
    [
        (404, '{"error":"task not found"}', True),
        (200, '{"code":-1,"message":"task not found"}', True),
        (401, '{"error":"no"}', True),
        (401, "", True),
        (429, "", True),
        (404, "<html>not here</html>", True),
        (200, "<html>a captive portal</html>", False),
        (302, "", False),
        (500, '{"error":"x"}', False),
        (502, "<html></html>", False),
        (503, '{"error":"x"}', False),
        (403, "error code: 1010", False),
        (521, "error code: 521", False),
    ],
)
def test_the_service_answers_when_its_own_words_come_back(status: int, body: str, answers: bool) -> None:
    assert is_the_service(Answer(status, {}, body.encode())) is answers


def test_an_edge_s_page_is_not_the_service() -> None:
    assert not is_the_service(Answer(404, {"cf-error-type": "1xxx"}, b"{}"))
    assert not is_the_service(Answer(404, {"x-vercel-error": "DEPLOYMENT_NOT_FOUND"}, b"{}"))


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(),
    st.sampled_from(["success", "failed", "pending", U, SENT, "T", "refunded", "2026-01-01", '{"url":1}', "[[["]),
    st.text(max_size=5),
)  # fmt: skip
keys = st.sampled_from(
    ["id", "data", "status", "state", "videoUrls", "output", "results", "taskInfo", "error", "urls", "url", "video",
     "expires_at", "refund", "refunded", "refundedCredits", "successFlag", "usage", "code", "message", "result"]
)  # fmt: skip
bodies = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=6)),
    max_leaves=15,
)


@given(bodies, st.sampled_from([200, 202, 404, 429, 500]))
def test_any_json_is_a_status_or_a_trouble(body: object, status: int) -> None:
    said = look(answered(body, status), "T")
    assert (said.status is None) != (said.trouble is None)
    if said.status is not None:
        assert 200 <= status <= 299
        assert all(url.startswith(("http://", "https://")) for url in said.status.video_urls)


@given(st.binary(max_size=100), st.integers(0, 999))
def test_any_bytes_are_a_status_or_a_trouble(body: bytes, status: int) -> None:
    said = look(Answer(status, {}, body), "T")
    assert (said.status is None) != (said.trouble is None)
