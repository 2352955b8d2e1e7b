"""Every fault of the table does what its line says, and the audit knows whether it was charged."""

import http.client
import json
import time
from pathlib import Path

import pytest
from sandbox_client import REQUEST, Client, Start, fetch

from batchgen.sandbox.fault import Fault
from batchgen.sandbox.faults import FAULTS

POSTS = [fault for fault in FAULTS.values() if fault.on == "post"]
#: Faults that wait or trickle; time runs 1,000 times faster for them.
SLOW = {"hang-before", "hang-after", "slow", "drip", "refuse"}


@pytest.mark.parametrize("fault", POSTS, ids=lambda fault: fault.name)
def test_a_post_fault_strikes_and_charges_as_the_table_says(start: Start, fault: Fault) -> None:
    client = start(faults=(f"{fault.name}:100%",), speed=1000 if fault.name in SLOW else 1)
    client.raw()
    audit = client.sandbox.audit()
    assert audit.charged == (6 if fault.charged == "yes" else 0)
    assert len(audit.tasks) == (1 if fault.charged == "yes" else 0)
    assert (audit.faults[fault.name].planned, audit.faults[fault.name].fired) == (1, 1)
    assert audit.posts[0].fault == fault.name


#: fault -> what the bytes begin with, and how the connection ends
WIRE = {
    "reset-before": (b"", "rst"),
    "drop-before": (b"", "fin"),
    "reset-after": (b"", "rst"),
    "drop-after": (b"", "fin"),
    "hang-after": (b"", "fin"),
    "garbage": (b"\x00\x16\x03 SSH", "fin"),
    "truncate-reset@30": (b"HTTP/1.1 200 OK", "rst"),
    "truncate-head@12": (b"HTTP/1.1 200", "fin"),
    "early-hints": (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103", "fin"),
    "no-content": (b"HTTP/1.1 204 No Content", "fin"),
    "html": (b"HTTP/1.1 200 OK", "fin"),
    "accept-error@503": (b"HTTP/1.1 503 Service Unavailable", "fin"),
    "accept-page@502": (b"HTTP/1.1 502 Bad Gateway", "fin"),
    "accept-error@408": (b"HTTP/1.1 408 Request Timeout", "fin"),
    "accept-cloudflare": (b"HTTP/1.1 524 A timeout occurred", "fin"),
    "redirect@307": (b"HTTP/1.1 307 Temporary Redirect", "fin"),
    "accept-redirect@302": (b"HTTP/1.1 302 Found", "fin"),
    "edge-403": (b"HTTP/1.1 403 Forbidden", "fin"),
    "kie-455": (b"HTTP/1.1 200 OK", "fin"),
}


@pytest.mark.parametrize("name", WIRE)
def test_the_bytes_begin_and_end_as_they_should(start: Start, name: str) -> None:
    got, end = start(faults=(f"{name}:100%",), speed=1000).raw()
    begins, ends = WIRE[name]
    assert got.startswith(begins)
    assert bool(got) == bool(begins)
    assert end == ends


def body_of(client: Client) -> tuple[dict[str, str], bytes]:
    head, _, body = client.raw()[0].partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    return {name.lower(): value for name, value in lines}, body


@pytest.mark.parametrize("cut", [0, 1, 7, 100])
def test_a_truncated_answer_ends_at_the_byte_asked_for(start: Start, cut: int) -> None:
    client = start(faults=(f"truncate@{cut}:100%",))
    headers, body = body_of(client)
    assert len(body) == cut
    assert int(headers["content-length"]) > 100


def test_a_close_delimited_cut_looks_like_a_whole_answer(start: Start) -> None:
    headers, body = body_of(start(faults=("truncate-close@20:100%",)))
    assert len(body) == 20
    assert "content-length" not in headers
    assert "transfer-encoding" not in headers


def test_a_cut_in_chunks_has_no_last_chunk(start: Start) -> None:
    headers, body = body_of(start(faults=("truncate-chunked@20:100%",)))
    assert headers["transfer-encoding"] == "chunked"
    assert b"0\r\n\r\n" not in body


@pytest.mark.parametrize("name", ["chunked", "cookie", "created-201", "accepted-202", "number-id"])
def test_what_the_table_calls_no_fault_is_a_whole_answer_with_an_id(start: Start, name: str) -> None:
    assert start(faults=(f"{name}:100%",)).post().json["id"]


def test_a_wrong_id_is_in_the_answer_and_the_right_one_in_the_audit(start: Start) -> None:
    client = start(faults=("no-id:#1", "null-id:#2", "path-id:#3", "same-id:#5", "two-ids:#6"))
    said = [client.post() for _ in range(6)]
    ids = [task.task_id for task in client.sandbox.audit().tasks]
    assert "id" not in said[0].json
    assert "id" not in said[0].json["data"]
    assert said[1].json["id"] is None
    assert said[2].json["id"] == "../" + ids[2]
    assert said[4].json["id"] == ids[3] != ids[4]
    assert said[5].body.count(b'"id"') == 3
    assert len(set(ids)) == 6


@pytest.mark.parametrize(
    ("name", "mark"),
    [("bad-utf8", b"\xff\xfe"), ("nan", b":NaN}"), ("bom", b"\xef\xbb\xbf{"), ("deep", b"[" * 100_000)],
)
def test_json_that_is_none_is_on_the_wire(start: Start, name: str, mark: bytes) -> None:
    assert mark in start(faults=(f"{name}:100%",)).post().body


def test_a_big_answer_is_over_a_megabyte_and_still_json(start: Start) -> None:
    answer = start(faults=("big:100%",)).post()
    assert len(answer.body) > 2 << 20
    assert answer.json["id"]


def test_a_fault_after_acceptance_does_not_strike_a_post_that_is_refused(start: Start) -> None:
    client = start(faults=("reset-after:100%",), credits=6)
    client.raw()
    assert client.post().status == 402
    count = client.sandbox.audit().faults["reset-after"]
    assert (count.planned, count.fired) == (2, 1)


def test_the_share_of_a_fault_is_what_was_asked_for(start: Start) -> None:
    client = start(faults=("error@500:20%", "drop-after:10%"))
    for _ in range(300):
        client.raw()
    counts = client.sandbox.audit().faults
    assert 40 <= counts["error@500"].fired <= 80
    assert 15 <= counts["drop-after"].fired <= 45


def test_refusing_connections_ends_by_itself(start: Start) -> None:
    client = start(faults=("refuse@0.2:#1",))
    assert client.raw() == (b"", "rst")
    with pytest.raises(ConnectionRefusedError):
        client.post()
    for _ in range(200):
        try:
            assert client.post().status == 200
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    else:
        pytest.fail("It did not come back.")


def end_of(client: Client, **request: str) -> dict[str, object]:
    task_id = client.buy(**request)
    client.sandbox.change(advance=60)
    answer: dict[str, object] = client.look(task_id).json
    return answer


@pytest.mark.parametrize(
    ("name", "top", "inner", "urls"),
    [
        ("failed", "failed", "failed", 0),
        ("failed@quota_exceeded", "failed", "failed", 0),
        ("moderation", "failed", "failed", 0),
        ("cancelled", "canceled", "canceled", 0),
        ("expired", "expired", "expired", 0),
        ("never-ends", "processing", "processing", 0),
        ("no-output", "success", "success", 0),
        ("contradictory", "processing", "success", 1),
        ("stale-data", "success", "processing", 1),
        ("odd-end@nsfw", "nsfw", "nsfw", 1),
        ("partial", "partial_success", "partial_success", 1),
        ("number-status", 3, 3, 1),
        ("upper-case", "SUCCESS", "SUCCESS", 1),
        ("failed-with-urls", "failed", "failed", 1),
        ("several-urls@4", "success", "success", 4),
        ("backwards", "success", "success", 1),
    ],
)
def test_a_task_ends_as_its_fault_says(start: Start, name: str, top: object, inner: object, urls: int) -> None:
    client = start(faults=(f"{name}:100%",))
    task_id = client.buy()
    client.look(task_id)
    client.sandbox.change(advance=2)
    client.look(task_id)
    client.sandbox.change(advance=60)
    said = client.look(task_id).json
    assert (said["status"], said["data"]["status"], len(said["data"]["videoUrls"])) == (top, inner, urls)
    assert client.sandbox.audit().faults[name].planned == 1
    assert client.sandbox.audit().faults[name].fired == 1


def test_a_status_may_go_backwards(start: Start) -> None:
    client = start(faults=("backwards:100%",), duration="5")
    task_id = client.buy()
    words = []
    for _ in range(6):
        words.append(client.look(task_id).json["status"])
        client.sandbox.change(advance=1)
    assert words == ["pending", "processing", "pending", "processing", "processing", "success"]


def test_a_task_may_be_unknown_at_first_or_vanish_later_or_be_stuck(start: Start) -> None:
    client = start(faults=("late-404@3:#1", "vanishes:#2", "stuck:#3", "empty-success@2:#4"))
    late, vanishing, stuck, empty = (client.buy() for _ in range(4))
    assert [client.look(each).status for each in (late, vanishing, stuck)] == [404, 200, 200]
    client.sandbox.change(advance=3)
    assert [client.look(each).status for each in (late, vanishing)] == [200, 404]
    client.sandbox.change(advance=2)
    answer = client.look(stuck)
    assert answer.status == 502
    assert "request failed with status: 422" in answer.body.decode()
    assert client.look(empty).json["data"]["videoUrls"] == []
    client.sandbox.change(advance=2)
    assert len(client.look(empty).json["data"]["videoUrls"]) == 1


def test_decoys_and_odd_urls_stand_beside_the_good_one(start: Start) -> None:
    client = start(faults=("odd-urls:#1", "decoys:#2"))
    urls = end_of(client)["data"]["videoUrls"]  # type: ignore[index]
    assert urls[0].startswith("/") and "javascript:" in urls[1] and urls[-1] == urls[-2]
    assert "thumbnailUrl" in end_of(client)["data"]  # type: ignore[operator]


GETS = [fault for fault in FAULTS.values() if fault.on == "get"]


@pytest.mark.parametrize("fault", GETS, ids=lambda fault: fault.name)
def test_a_get_fault_spoils_one_look_and_the_next_is_proper(start: Start, fault: Fault) -> None:
    client = start(faults=(f"{fault.name}:#1",), speed=1000)
    task_id = client.buy()
    try:
        spoiled = client.look(task_id)
        text = spoiled.body if spoiled.status == 200 else b""
    except (OSError, ValueError, http.client.HTTPException):
        text = b""
    proper = client.look(task_id)
    assert proper.json["id"] == task_id
    assert text != proper.body or fault.name in {"get-slow", "get-drip"}
    assert client.sandbox.audit().faults[fault.name].fired == 1


def test_a_pattern_is_tried_on_prompt_model_key_and_options(start: Start) -> None:
    client = start(faults=("error@400:*tiger*", "error@401:m-2", "error@402:key-7*", "error@403:*cinema*"))
    statuses = [
        client.post(REQUEST | {"prompt": "A tiger"}).status,
        client.post(REQUEST | {"prompt": "A lion", "model": "m-2"}).status,
        client.post(REQUEST | {"prompt": "A lion"}, Idempotency_Key="key-77").status,
        client.post(REQUEST | {"prompt": "A lion", "options": {"style": "cinema"}}).status,
        client.post(REQUEST | {"prompt": "A lion"}).status,
    ]
    assert statuses == [400, 401, 402, 403, 200]


def test_a_script_says_what_happens_to_the_nth(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "storm.yaml"
    script.write_text(
        "posts: [ok, error@500, drop-after]\n"
        "tasks: {2: moderation}\n"
        'gets: {"1-2": get-404, "*nobody*": get-401}\n'
        "files:\n  1: file-error@410\n"
    )
    client = start(script=str(script))
    first = client.buy()
    assert client.post().status == 500
    assert client.raw() == (b"", "fin")
    assert [client.look(first).status for _ in range(3)] == [404, 404, 200]
    url = client.finish(first)
    assert [fetch(url).status for _ in range(2)] == [410, 200]
    second = client.sandbox.audit().tasks[1].task_id
    assert client.look(second).json["status"] == "failed"
    assert json.dumps(client.sandbox.audit().to_json())
