"""Each style says the same things in the shape of its service."""

import json
from typing import Any

import pytest
from sandbox_client import Start

from batchgen.sandbox.envelopes import STYLES_OF_TASKS


def look(start: Start, style: str, *, fault: str = "", ended: bool = True) -> Any:
    client = start(style=style, faults=(f"{fault}:100%",) if fault else ())
    client.post()
    task_id = client.sandbox.audit().tasks[0].task_id
    client.sandbox.change(advance=60 if ended else 2)
    return client.look(task_id).json


#: style -> where the id of a new task stands
IDS: dict[str, Any] = {
    "documented": lambda said: said["id"],
    "shipany": lambda said: said["data"]["id"],
    "evolink": lambda said: said["id"],
    "kie": lambda said: said["data"]["taskId"],
    "kinovi": lambda said: said["id"],
    "fal": lambda said: said["request_id"],
    "replicate": lambda said: said["id"],
    "acedata": lambda said: said["task_id"],
    "ark": lambda said: said["id"],
}
#: style -> running word, final word and URL
ENDS: dict[str, Any] = {
    "documented": ("processing", lambda said: (said["status"], said["data"]["videoUrls"][0])),
    "shipany": (
        "processing",
        lambda said: (said["data"]["status"], json.loads(said["data"]["taskInfo"])["videos"][0]["videoUrl"]),
    ),
    "evolink": ("processing", lambda said: (said["status"], said["results"][0])),
    "kie": (
        "generating",
        lambda said: (said["data"]["state"], json.loads(said["data"]["resultJson"])["resultUrls"][0]),
    ),
    "kinovi": ("generating", lambda said: (said["status"], said["output"][0]["url"])),
    "fal": ("IN_PROGRESS", lambda said: (said["status"], said["video"]["url"])),
    "replicate": ("processing", lambda said: (said["status"], said["output"])),
    "acedata": ("processing", lambda said: (said["data"][0]["status"], said["data"][0]["content"]["video_url"])),
    "ark": ("running", lambda said: (said["status"], said["content"]["video_url"])),
}
WORDS = {"documented": "success", "shipany": "success", "evolink": "completed", "kie": "success"}
WORDS |= {"kinovi": "success", "fal": "COMPLETED", "replicate": "succeeded", "acedata": "succeeded"}
WORDS |= {"ark": "succeeded"}
#: style -> HTTP status and body when there are no credits
BROKE: dict[str, tuple[int, Any]] = {
    "documented": (402, "insufficient_credits"),
    "shipany": (200, {"code": -1, "message": "insufficient credits"}),
    "evolink": (402, "insufficient_quota_error"),
    "kie": (200, {"code": 402, "msg": "Insufficient credits."}),
    "kinovi": (402, {"message": "Insufficient credits.", "required": 6, "available": 0}),
    "fal": (402, "insufficient_credits"),
    "replicate": (402, {"detail": "Insufficient credits.", "status": 402}),
    "acedata": (402, "used_up"),
    "ark": (402, "insufficient_credits"),
}


@pytest.mark.parametrize("style", STYLES_OF_TASKS)
def test_a_new_task_has_its_id_where_the_service_puts_it(start: Start, style: str) -> None:
    client = start(style=style)
    said = client.post()
    assert said.status == (201 if style == "replicate" else 200)
    assert IDS[style](said.json) == client.sandbox.audit().tasks[0].task_id


@pytest.mark.parametrize("style", STYLES_OF_TASKS)
def test_a_finished_task_has_its_word_and_its_url(start: Start, style: str) -> None:
    word, url = ENDS[style][1](look(start, style))
    assert word == WORDS[style]
    assert url.endswith(".mp4")


@pytest.mark.parametrize("style", STYLES_OF_TASKS)
def test_a_running_task_has_the_word_of_its_service(start: Start, style: str) -> None:
    assert f'"{ENDS[style][0]}"' in json.dumps(look(start, style, ended=False))


@pytest.mark.parametrize("style", STYLES_OF_TASKS)
def test_a_failed_task_says_why(start: Start, style: str) -> None:
    said = json.dumps(look(start, style, fault="moderation"))
    assert "Content policy violation" in said
    assert ".mp4" not in said


@pytest.mark.parametrize("style", STYLES_OF_TASKS)
def test_no_credits_are_said_in_the_words_of_the_service(start: Start, style: str) -> None:
    answer = start(style=style, credits=0).post()
    status, body = BROKE[style]
    assert answer.status == status
    assert body in answer.body.decode() if isinstance(body, str) else answer.json == body


@pytest.mark.parametrize(
    ("style", "status"), [("shipany", 200), ("kie", 200), ("evolink", 404), ("replicate", 404)]
)
def test_an_unknown_task_is_said_in_the_words_of_the_service(start: Start, style: str, status: int) -> None:
    assert start(style=style).look("nobody").status == status


def test_a_running_fal_task_is_answered_with_202(start: Start) -> None:
    client = start(style="fal")
    client.post()
    assert client.look(client.sandbox.audit().tasks[0].task_id).status == 202
