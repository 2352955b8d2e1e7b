"""Structure first, words last: a yes never becomes a no, and yes and no together are a doubt."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.job import Answer, OutcomeKind
from batchgen.service.reply import outcome
from batchgen.service.reply.signs import disagreeing_ids, ids_in

SENTENCES = [
    "Queued: concurrency limit reached, your video starts when a slot is free",
    "too many active tasks, yours waits for its turn",
    "rate limit exceeded for the preview, the video itself is being made",
    "slow down: frequency is too high, this one was still taken",
    "you have no credits left after this video",
    "insufficient credits for a second one",
    "please sign in to watch it",
    "invalid api key for the webhook, ignored",
    "invalid model parameters were ignored, video is generating",
    "generate video failed over to backup provider",
    "prompt is required next time, ours was used",
]
#: What a service may say yes with, and no id at a known place.
YES: list[dict[str, Any]] = [
    {"success": True},
    {"ok": True},
    {"success": "true"},
    {"code": 0},
    {"code": "200"},
    {"code": "success"},
    {"statusCode": 202},
    {"base_resp": {"status_code": 0}},
    {"status": "queued"},
    {"data": {"status": "processing"}},
    {"data": {"task": {"state": "IN_QUEUE"}}},
    {"result": {"task_status": "submitted"}},
    {"data": [{"status": "pending"}]},
    {"data": '{"status": "pending"}'},
    {"object": "video", "status": "created"},
]
IDS = ["job_id", "jobId", "generation_id", "generationId", "video_id", "uuid", "prediction_id", "predictionId"]
#: How a service declares an error; the words tell which.
NO: list[dict[str, Any]] = [
    {"success": False},
    {"code": 429},
    {"code": -1},
    {"code": "401"},
    {"error": "WORDS"},
    {"error": {"message": "WORDS", "code": "x"}},
    {"errors": ["WORDS"]},
]


def bought(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> OutcomeKind:
    return outcome(Answer(status, headers or {}, json.dumps(body).encode())).kind


@pytest.mark.parametrize("envelope", [{}, *YES], ids=str)
def test_a_2xx_without_a_declared_error_and_without_an_id_is_in_doubt(envelope: dict[str, Any]) -> None:
    for sentence, key, status in product(SENTENCES, ["message", "msg", "detail", "title"], [200, 201, 202]):
        inner = {**envelope, "data": {**_inner(envelope), key: sentence}}
        for body in ({**envelope, key: sentence}, inner):
            assert bought(body, status) is OutcomeKind.IN_DOUBT, body


def _inner(envelope: dict[str, Any]) -> dict[str, Any]:
    data = envelope.get("data")
    return data if isinstance(data, dict) else {}


@pytest.mark.parametrize("yes", [*YES, *({"data": {name: "abc"}} for name in IDS)], ids=str)
def test_a_yes_beside_a_declared_error_is_in_doubt_whatever_the_words_and_the_status(yes: dict[str, Any]) -> None:
    for sentence, no in product(SENTENCES, NO):
        told = json.loads(json.dumps(no).replace("WORDS", sentence))
        if yes.keys() & told.keys():
            told = {"error": sentence}
        body = {**yes, **told, "message": sentence}
        for status in (200, 400, 401, 402, 403, 404, 422, 425, 429, 500, 503):
            assert bought(body, status, {"retry-after": "5"}) is OutcomeKind.IN_DOUBT, (status, body)


@pytest.mark.parametrize("name", [*IDS, "requestId", "name"])
def test_an_id_under_another_name_is_shown_to_the_person(name: str) -> None:
    assert bought({"success": True, "data": {name: "abc-1"}}) is OutcomeKind.IN_DOUBT
    assert ids_in({"success": True, "data": {name: "abc-1"}}) == ((f"data.{name}", "abc-1"),)


places = st.sampled_from(
    [("id",), ("data", "id"), ("task_id",), ("data", "task_id"), ("data", "taskId"), ("task", "id"), ("taskId",),
     ("output", "task_id"), ("result", "taskId"), ("data", "job_id"), ("jobId",), ("data", "generation_id")]
)  # fmt: skip


@given(places, places, st.booleans())
def test_two_ids_that_disagree_are_a_doubt_that_names_both(
    one: tuple[str, ...], other: tuple[str, ...], success: bool
) -> None:
    body: dict[str, Any] = {"success": True} if success else {}
    _put(body, one, "task-a")
    _put(body, other, "task-b")
    said = outcome(Answer(200, {}, json.dumps(body).encode()))
    if one == other:
        return
    assert said.kind is OutcomeKind.IN_DOUBT
    shown = {named for _, named in ids_in(json.loads(said.evidence))}
    assert shown >= {"task-a", "task-b"}
    if said.code == "two_ids":
        assert "task-a" in said.message
        assert "task-b" in said.message


def _put(body: dict[str, Any], place: tuple[str, ...], value: str) -> None:
    for step in place[:-1]:
        body = body.setdefault(step, {})
    body[place[-1]] = value


@given(places, places)
def test_one_id_named_twice_is_one(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    body: dict[str, Any] = {}
    _put(body, one, "task-a")
    _put(body, other, "task-a")
    assert disagreeing_ids(body) == ()


@given(
    st.sampled_from(YES),
    st.sampled_from([None, *NO]),
    st.sampled_from(SENTENCES),
    st.sampled_from([200, 201, 400, 401, 402, 404, 409, 422, 429, 503]),
    st.booleans(),
)
def test_no_answer_with_a_yes_in_it_is_ever_sent_again_or_given_back(
    yes: dict[str, Any], no: dict[str, Any] | None, sentence: str, status: int, nested: bool
) -> None:
    body = {**(no or {}), **yes, "message": sentence}
    said = bought({"data": body} if nested else body, status, {"retry-after": "1"})
    assert said in (OutcomeKind.IN_DOUBT, OutcomeKind.ACCEPTED)
