"""The documented API, as a client without any help sees it."""

import asyncio
import email.utils
import json
import socket
import time

import pytest
from sandbox_client import REQUEST, Start, fetch

from batchgen.sandbox import Options
from batchgen.sandbox.server import App

IMAGE = {
    "provider": "kie",
    "model": "m",
    "scene": "image-to-video",
    "image_input": ["https://cdn.example.com/reference.png"],
    "options": {"duration": "10"},
}
VIDEO = {"provider": "fal", "model": "m", "scene": "video-to-video", "video_input": "https://cdn.example.com/s.mp4"}


def test_an_accepted_post_is_answered_as_documented(start: Start) -> None:
    answer = start().post()
    task_id = answer.json["id"]
    assert answer.status == 200
    assert answer.json == {
        "id": task_id,
        "object": "video.generation.task",
        "status": "pending",
        "data": {"id": task_id, "mediaType": "video", "status": "pending", "videoUrls": []},
    }


def test_a_task_goes_from_pending_to_processing_to_success_with_its_video(start: Start) -> None:
    client = start()
    task_id = client.buy()
    seen = []
    for _ in range(5):
        seen.append(client.look(task_id).json["status"])
        client.sandbox.change(advance=1)
    assert seen == ["pending", "processing", "processing", "processing", "success"]
    last = client.look(task_id).json
    assert last["data"]["status"] == "success"
    assert last["data"]["videoUrls"] == [f"{client.sandbox.base_url}/files/{task_id}.mp4"]


@pytest.mark.parametrize(("scene", "price"), [(REQUEST, 6), (IMAGE, 8), (VIDEO, 10)])
def test_a_scene_has_its_price(start: Start, scene: dict[str, object], price: int) -> None:
    client = start(credits=100)
    client.post(scene)
    audit = client.sandbox.audit()
    assert (audit.charged, audit.balance) == (price, 100 - price)


def test_prices_can_be_others_and_be_stated(start: Start) -> None:
    client = start(prices=("text-to-video=7",), state_cost=True)
    assert client.post().json["data"]["costCredits"] == 7
    assert client.sandbox.audit().charged == 7


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "The request body is not valid JSON."),
        (b"[]", "The request body must be a JSON object."),
        (b"[" * 100_000, "The request body is not valid JSON."),
        (REQUEST | {"provider": ""}, "provider is required."),
        (REQUEST | {"model": 3}, "model is required."),
        (REQUEST | {"scene": "film"}, "scene must be one of text-to-video, image-to-video, video-to-video."),
        (REQUEST | {"prompt": " \n"}, "prompt is required for text-to-video."),
        (REQUEST | {"options": []}, "options must be an object."),
        (IMAGE | {"image_input": []}, "image_input is required for image-to-video."),
        (IMAGE | {"image_input": ["/a.png"]}, "image_input must hold absolute http or https URLs."),
        (VIDEO | {"video_input": 5}, "video_input must be a URL or a list of URLs."),
    ],
)
def test_a_wrong_body_is_refused_with_a_sentence_and_costs_nothing(
    start: Start, body: object, sentence: str
) -> None:
    client = start()
    answer = client.post(body)
    assert answer.status == 400
    assert answer.json == {"error": {"code": "invalid_request", "message": sentence}}
    assert client.sandbox.audit().charged == 0


@pytest.mark.parametrize(("key", "auth"), [(None, "none"), ("wrong", "bad")])
def test_without_a_good_key_nothing_is_bought(start: Start, key: str | None, auth: str) -> None:
    client = start()
    assert client.post(key=key).status == 401
    audit = client.sandbox.audit()
    assert audit.tasks == []
    assert audit.posts[0].auth == auth


def test_the_audit_never_holds_a_key(start: Start) -> None:
    client = start(keys=("sandbox-key", "another-secret"))
    client.post(key="another-secret")
    client.post(key="wrong-secret")
    assert "secret" not in json.dumps(client.sandbox.audit().to_json())


def test_a_key_dies_after_so_many_posts_for_gets_too(start: Start) -> None:
    client = start(key_dies_after=1)
    task_id = client.buy()
    assert client.look(task_id).status == 200
    assert client.post().status == 401
    assert client.look(task_id).status == 401


def test_credits_run_out_and_can_be_topped_up(start: Start) -> None:
    client = start(credits=8)
    client.buy()
    answer = client.post()
    assert answer.status == 402
    assert answer.json["error"]["required"] == 6
    assert answer.json["error"]["available"] == 2
    client.sandbox.change(grant=4)
    assert client.post().status == 200
    assert client.sandbox.audit().balance == 0


@pytest.mark.parametrize(
    ("mode", "before_get", "after_get"), [("seen", 0, 6), ("automatic", 6, 6), ("never", 0, 0)]
)
def test_credits_of_a_failed_task_come_back_once_as_chosen(
    start: Start, mode: str, before_get: int, after_get: int
) -> None:
    client = start(refund=mode, faults=("failed:100%",))
    task_id = client.buy()
    client.sandbox.change(advance=10)
    assert client.sandbox.audit().refunded == before_get
    for _ in range(2):
        assert client.look(task_id).json["status"] == "failed"
    assert client.sandbox.audit().refunded == after_get
    assert client.sandbox.audit().charged == 6


def test_refused_prompts_may_be_an_exception_from_refunds(start: Start) -> None:
    client = start(refund_moderation=False, faults=("moderation:*tiger*", "failed:*lion*"))
    tiger, lion = client.buy(), client.buy(prompt="A lion")
    client.sandbox.change(advance=10)
    assert client.look(tiger).json["data"]["errorCode"] == "content_policy_violation"
    client.look(lion)
    assert [task.refunded for task in client.sandbox.audit().tasks] == [0, 6]


def test_no_window_admits_more_than_the_rate(start: Start) -> None:
    client = start(rate="2/10s")
    assert [client.post().status for _ in range(3)] == [200, 200, 429]
    refused = client.post()
    assert refused.headers["retry-after"] == "10"
    client.sandbox.change(advance=9)
    assert client.post().headers["retry-after"] == "1"
    client.sandbox.change(advance=1)
    assert client.post().status == 200
    assert len(client.sandbox.audit().tasks) == 3


def test_a_429_says_when_to_come_back_in_the_form_asked_for(start: Start) -> None:
    client = start(rate="1/30s")
    client.buy()
    said = {}
    for kind in ("seconds", "date", "float", "ms", "text", "none"):
        client.sandbox.change(retry_after=kind)
        client.post()
        said[kind] = client.post()
    assert said["seconds"].headers["retry-after"] == "30"
    assert said["float"].headers["retry-after"] == "30.000"
    assert said["ms"].headers["retry-after-ms"] == "30000"
    assert email.utils.parsedate_to_datetime(said["date"].headers["retry-after"]).timestamp() > time.time()
    assert "resets in ~30s" in said["text"].json["error"]["message"]
    for kind in ("text", "none"):
        assert not [name for name in said[kind].headers if name.startswith("retry-after")]


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("x", "x-ratelimit-remaining", "4"),
        ("x-epoch", "x-ratelimit-limit", "5"),
        ("draft", "ratelimit", '"default";r=4;t=60'),
        ("draft7", "ratelimit", "limit=5, remaining=4, reset=60"),
    ],
)
def test_rate_limit_headers_come_in_every_form(start: Start, kind: str, name: str, value: str) -> None:
    assert start(rate="5/min", limit_headers=kind).post().headers[name] == value


def test_a_change_of_something_else_forgets_no_post(start: Start) -> None:
    client = start(rate="1/10s")
    client.buy()
    client.sandbox.change(credits=100)
    assert client.post().status == 429


def test_polls_have_a_limit_of_their_own(start: Start) -> None:
    client = start(poll_rate="1/s")
    task_id = client.buy()
    assert [client.look(task_id).status for _ in range(2)] == [200, 429]
    assert client.post().status == 200


@pytest.mark.parametrize(
    ("status", "message"), [("429", "Concurrency limit reached (2)"), ("200", "too many active tasks")]
)
def test_only_so_many_tasks_run_at_once(start: Start, status: str, message: str) -> None:
    client = start(max_active=2, active_status=status)
    client.buy()
    client.buy()
    refused = client.post()
    assert refused.status == int(status)
    assert message in refused.body.decode()
    client.sandbox.change(advance=5)
    client.buy()
    assert len(client.sandbox.audit().tasks) == 3


def test_an_idempotency_key_is_recorded_and_ignored_by_default(start: Start) -> None:
    client = start()
    ids = {client.post(Idempotency_Key="k-1").json["id"] for _ in range(2)}
    audit = client.sandbox.audit()
    assert len(ids) == 2
    assert [post.key for post in audit.posts] == ["k-1", "k-1"]
    assert list(audit.charged_by_body_sha256.values()) == [12]


def test_an_honoured_key_gives_the_same_task_and_takes_credits_once(start: Start) -> None:
    client = start(idempotency="honour")
    ids = {client.post(Idempotency_Key="k-1").json["id"] for _ in range(2)}
    other = client.post(REQUEST | {"prompt": "Another"}, Idempotency_Key="k-1")
    audit = client.sandbox.audit()
    assert len(ids) == 1
    assert other.status == 422
    assert audit.charged == 6
    assert [post.replayed for post in audit.posts] == [False, True, False]


@pytest.mark.parametrize(("mode", "status"), [("conflict", 409), ("reject", 422)])
def test_a_known_key_may_be_refused_instead(start: Start, mode: str, status: int) -> None:
    client = start(idempotency=mode)
    first = client.post(Idempotency_Key="k-1").json["id"]
    again = client.post(Idempotency_Key="k-1")
    assert again.status == status
    assert again.json.get("id") == (first if mode == "conflict" else None)


def test_an_unknown_task_is_404_in_json(start: Start) -> None:
    answer = start().look("no-such-task")
    assert answer.status == 404
    assert answer.json["error"]["code"] == "task_not_found"


def test_the_audit_counts_posts_in_windows_and_hashes_bodies(start: Start) -> None:
    client = start()
    body = json.dumps(REQUEST).encode()
    client.post(body)
    client.post(body)
    client.sandbox.change(advance=5)
    client.post(body)
    audit = client.sandbox.audit()
    assert audit.max_posts_in_window(5) == 2
    assert audit.max_posts_in_window(5.1) == 3
    assert {post.size for post in audit.posts} == {len(body)}
    assert [len(ids) for ids in audit.tasks_by_body_sha256.values()] == [3]


def test_the_root_page_says_what_this_is_and_the_audit_is_json(start: Start) -> None:
    client = start()
    client.buy()
    assert b"local stand-in" in fetch(client.sandbox.base_url + "/").body
    audit = fetch(client.sandbox.base_url + "/sandbox/audit").json
    assert audit["charged"] == 6
    assert audit["posts"][0]["model"] == "m-1"
    assert fetch(client.sandbox.base_url + "/sandbox/audit?brief").json["posts"] == 1


def test_control_changes_a_live_option_and_refuses_others(start: Start) -> None:
    client = start()
    url = client.sandbox.base_url + "/sandbox/control"
    assert fetch(url, "POST", b'{"credits": 1}').status == 200
    assert client.post().status == 402
    for wrong in (b'{"port": 1}', b'{"faults": ["nonsense:3%"]}', b"[]", b"{", b'{"rate": "often"}'):
        assert fetch(url, "POST", wrong).status == 400
    assert client.post().status == 402


def test_the_service_goes_away_and_comes_back_on_the_same_port(start: Start) -> None:
    client = start()
    base = client.sandbox.base_url
    client.sandbox.change(away=0.2)
    with pytest.raises(ConnectionRefusedError):
        fetch(base + "/")
    for _ in range(200):
        try:
            assert fetch(base + "/").status == 200
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    else:
        pytest.fail("It did not come back.")


def test_a_post_cut_short_by_its_client_is_in_the_audit_as_incomplete(start: Start) -> None:
    import socket

    client = start()
    host, port = client.sandbox.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(b"POST /v1/videos/generations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    for _ in range(200):
        if client.sandbox.audit().posts:
            break
        time.sleep(0.01)
    assert [post.complete for post in client.sandbox.audit().posts] == [False]


@pytest.mark.parametrize("spec", ["3", "2-4", "lognormal:3:0.5", "bimodal:2:20:0.8"])
def test_the_same_seed_draws_the_same_durations(start: Start, spec: str) -> None:
    def drawn(seed: int) -> list[float]:
        client = start(duration=spec, seed=seed)
        for _ in range(5):
            client.buy()
        return [task.duration for task in client.sandbox.audit().tasks]

    assert drawn(1) == drawn(1)
    assert all(each > 0 for each in drawn(1))
    assert spec == "3" or drawn(1) != drawn(2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration": "soon"},
        {"rate": "often"},
        {"speed": 0},
        {"style": "loud"},
        {"prices": ("film=3",)},
        {"faults": ("reset-after:60%", "drop-after:60%")},
        {"script": "/no/such/file"},
    ],
)
def test_a_wrong_option_is_refused_with_a_sentence(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"[.:]"):
        Options(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("turns", range(0, 16, 3))
def test_a_sandbox_that_is_stopped_while_it_is_away_does_not_come_back(turns: int) -> None:
    """However far it had come with listening again."""

    async def scene() -> int:
        app = App(Options(), None)
        await app.start()
        port = int(app.service.urls.base.rpartition(":")[2])
        await app._go_away()
        for _ in range(turns):
            await asyncio.sleep(0)
        await app.stop()
        await asyncio.sleep(0.05)
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port))

    assert asyncio.run(scene()) != 0
