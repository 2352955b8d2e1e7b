"""An address that does not speak the API is one refusal for the whole batch, and no row's fault."""

import json

import pytest
from desk import Desk
from vendors import vendor

ANSWERS = [
    (405, {"detail": "Method Not Allowed"}),
    (405, b"<html>405 Not Allowed</html>"),
    (501, {"error": "Not Implemented"}),
    (404, {"detail": "Not Found"}),
    (404, {"statusCode": 404, "message": "Cannot POST /v1/videos/generations", "error": "Not Found"}),
    (404, {"timestamp": "2026-11-28T10:00:00Z", "status": 404, "error": "Not Found", "path": "/v1/videos"}),
    (404, {"message": "no Route matched with those values"}),
    (404, {"error": {"message": "Invalid URL (POST /v1/videos/generations)", "type": "invalid_request_error"}}),
    (404, b"404 page not found\n"),
    (404, b""),
]


def run(desk: Desk, address: str, *more: str) -> dict:
    said = desk.give(
        "run", "m.csv", "--base-url", address, "--yes", "--json", "--no-download", "--rate", "900/s",
        "--max-in-flight", "200", *more,
    )  # fmt: skip
    return {**said.json, "err": said.err}


@pytest.fixture
def batch(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("BATCHGEN_API_KEY", "gateway-canary-12345678")
    desk.write("m.csv", *(f"j{n},kie,m,text-to-video,City {n}" for n in range(52)))
    return desk


@pytest.mark.parametrize(("status", "body"), ANSWERS, ids=[f"{s}-{b!r:.30}" for s, b in ANSWERS])
def test_a_router_s_no_stops_the_batch_and_blames_no_row(batch: Desk, status: int, body: object) -> None:
    with vendor("gateway") as server:
        server.answers = [(status, body)] * 60
        ended = run(batch, server.base_url)
        assert len(server.posts) <= 8
    assert ended["exit"] == 6
    assert ended["states"] == {"not_submitted": 52}
    assert ended["credits"]["charged"] == ended["credits"]["reserved"] == 0


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [
        ({}, {"detail": "Not Found"}, "--service openai-videos"),
        ({"x-litellm-call-id": "1"}, {"detail": "Not Found"}, "--service litellm"),
        ({"x-fal-request-id": "1"}, {"detail": "Not Found"}, "--service fal"),
    ],
)
def test_the_likely_service_is_named(batch: Desk, headers: dict, body: object, named: str) -> None:
    with vendor("gateway", headers=headers) as server:
        server.answers = [(404, body)] * 60
        assert named in run(batch, server.base_url)["err"]


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "The model m does not exist", "code": "model_not_found"}},
        {"detail": "Application 'm' not found"},
        {"code": 404, "message": "No such parameter: prompt"},
    ],
)
def test_a_404_that_names_a_model_or_a_parameter_rejects_its_row(batch: Desk, body: object) -> None:
    with vendor("gateway") as server:
        server.answers = [(404, body)]
        ended = run(batch, server.base_url, "--no-wait", "--limit", "2")
    assert ended["states"] == {"not_submitted": 50, "rejected": 1, "submitted": 1}, json.dumps(ended)


def test_where_a_job_was_accepted_before_a_404_is_about_its_row(batch: Desk) -> None:
    with vendor("gateway") as server:
        assert run(batch, server.base_url, "--no-wait", "--limit", "1")["states"]["submitted"] == 1
        server.answers = [(404, {"detail": "Not Found"})]
        ended = run(batch, server.base_url, "--no-wait", "--limit", "2")
    assert ended["states"] == {"not_submitted": 49, "rejected": 1, "submitted": 2}


def test_a_litellm_proxy_behind_openai_videos_gets_no_second_post(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHGEN_MAX_IN_FLIGHT", "1")
    (desk.folder / "batchgen.toml").write_text("[prices.openai-videos]\nper_video = 0.10\n")
    desk.write("m.csv", *(f"j{n},,m,text-to-video,City {n}" for n in range(5)))
    with vendor("openai-videos", headers={"x-litellm-call-id": "1"}) as server:
        said = desk.give(
            "run", "m.csv", "--service", "openai-videos", "--base-url", server.base_url, "--yes", "--json",
            "--no-download",
        )  # fmt: skip
        assert len(server.posts) == 1
    assert said.exit == 6
    assert "--service litellm" in said.err
    assert said.json["states"] == {"not_submitted": 4, "succeeded": 1}
