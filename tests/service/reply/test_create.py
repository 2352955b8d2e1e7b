"""The answer to a POST means what its folder says: one file a line of the outcome table, and more."""

from pathlib import Path

import pytest
from answer_files import Case, cases
from hypothesis import example, given
from hypothesis import strategies as st

from batchgen.job import Answer, OutcomeKind
from batchgen.service.reply import outcome
from batchgen.service.reply.complaint import complaint_of
from batchgen.service.reply.signs import says_yes

CASES = cases(Path(__file__).parent / "answers" / "create")
NEVER_FOR_5XX = {OutcomeKind.ACCEPTED, OutcomeKind.REJECTED, OutcomeKind.REFUSED}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_answer_means_what_its_folder_says(case: Case) -> None:
    sent = case.marks.get("sent", "").encode()
    said = outcome(case.answer, idempotent="idempotent" in case.marks, sent=sent)
    assert said.kind.value == case.folder, said
    assert said.code
    assert said.status == case.answer.status
    assert said.evidence == case.answer.body[:65536]
    assert said.headers == case.answer.headers
    assert case.marks.get("code", said.code) == said.code
    assert case.marks.get("throttle", said.throttle) == said.throttle
    assert case.marks.get("task_id", "") == said.task_id
    assert case.marks.get("message", "") in said.message
    assert case.marks.get("charged", "None") == str(said.charged_credits)


def test_every_outcome_has_cases() -> None:
    assert {case.folder for case in CASES} == {kind.value for kind in OutcomeKind}
    assert len(CASES) > 150


def test_bodies_that_no_text_file_can_hold_are_in_doubt() -> None:
    for body, code in [
        (b'{"id":"\xff\xfe"}', "not_utf8"),
        (b"\x1f\x8b\x08\x00", "not_utf8"),
        (b"[" * 100_000, "not_json"),
        (b'{"a":' * 100_000, "not_json"),
        ('{"id":"T"}'.encode("utf-16"), "not_utf8"),
    ]:
        said = outcome(Answer(200, {}, body))
        assert (said.kind, said.code) == (OutcomeKind.IN_DOUBT, code)


def test_evidence_is_kept_up_to_64_kib() -> None:
    said = outcome(Answer(500, {}, b"x" * 1_000_000))
    assert said.evidence == b"x" * 65536
    assert len(said.message) <= 500


statuses = st.one_of(st.integers(200, 599), st.sampled_from([200, 201, 202]), st.integers(0, 999))
words = st.sampled_from(
    ["T", "", "insufficient credits", "invalid api key", "rate limit", "too many active tasks", "invalid params",
     "success", "pending", "failed", "error", "https://a.example/x.mp4", "401", "429", "200"]
)  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from([0, 200, 400, 401, 402, 429, 455, 500]), words,
    st.floats(), st.text(max_size=5),
)  # fmt: skip
keys = st.sampled_from(
    ["id", "data", "task_id", "taskId", "request_id", "error", "errors", "detail", "code", "message", "msg",
     "success", "status", "object", "costCredits", "taskInfo", "output", "task", "result", "title", "type", "ok",
     "job_id", "uuid", "generation_id", "state", "base_resp", "status_code"]
)  # fmt: skip
bodies = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=12,
)


def encoded(value: object) -> bytes:
    import json

    return json.dumps(value).encode("utf-8", "surrogatepass")


@given(statuses, st.binary(max_size=200), st.booleans())
@example(200, b"\xef\xbb\xbf", True)
def test_any_bytes_have_an_outcome_and_a_2xx_that_is_not_json_is_in_doubt(
    status: int, body: bytes, framed: bool
) -> None:
    said = outcome(Answer(status, {}, body, framed))
    if 200 <= status <= 299 and b"{" not in body:
        assert said.kind is OutcomeKind.IN_DOUBT


@given(statuses, bodies, st.booleans(), st.booleans())
@example(200, {"id": "T", "costCredits": float("inf")}, True, False)
@example(503, {"error": "insufficient credits"}, True, False)
def test_the_laws_of_the_table_hold_for_any_json(
    status: int, body: object, framed: bool, retry_after: bool
) -> None:
    headers = {"retry-after": "5"} if retry_after else {}
    said = outcome(Answer(status, headers, encoded(body), framed))
    if said.kind is OutcomeKind.ACCEPTED:
        assert 200 <= status <= 299
        assert framed
        assert said.task_id
    if said.kind is OutcomeKind.NOT_SENT:
        raise AssertionError("nothing here is an edge's page")
    if status >= 500:
        assert said.kind not in NEVER_FOR_5XX
        if said.kind is OutcomeKind.THROTTLED:
            assert (status, retry_after) == (503, True)
    if 300 <= status <= 399 and status not in (307, 308):
        assert said.kind is OutcomeKind.IN_DOUBT
    if status < 200:
        assert said.kind is OutcomeKind.IN_DOUBT
    if said.kind is not OutcomeKind.ACCEPTED:
        assert said.task_id == ""
    if said.kind in (OutcomeKind.THROTTLED, OutcomeKind.REFUSED, OutcomeKind.REJECTED):
        assert status >= 300 or complaint_of(body) is not None, "a no that nothing declares"
        assert not says_yes(body), "a yes that became a no"
    assert "\n" not in said.message


@given(bodies)
def test_an_id_and_an_error_together_are_never_accepted_nor_sent_again(body: object) -> None:
    both = {"id": "T", "error": {"message": "no"}, "more": body}
    assert outcome(Answer(200, {}, encoded(both))).kind is OutcomeKind.IN_DOUBT
