"""Each dialect: what it sends, what it makes of an answer (a file for each line of its table), and its data."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from answer_files import Case, cases

from batchgen.check.rates import amount_of, is_rate_name
from batchgen.check.video_model import Misfit
from batchgen.job import Answer, OutcomeKind
from batchgen.service.dialects import NAMES, Call, service_of
from batchgen.service.dialects.data import data_text, prices_text

HERE = Path(__file__).parent
DIALECTS = [name for name in NAMES if name != "gateway"]
CREATES = [(name, case) for name in DIALECTS for case in cases(HERE / name / "create")]
TASKS = [(name, case) for name in DIALECTS for case in cases(HERE / name / "task")]
REQUEST = {"provider": "x", "model": "some/model", "scene": "text-to-video", "prompt": "A glass city"}
COMPLETED = Answer(200, {}, b'{"status": "COMPLETED", "request_id": "T"}')


def named(value: Any) -> str:
    return f"{value[0]}/{value[1]}" if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(("name", "case"), CREATES, ids=named)
def test_a_post_s_answer_means_what_its_folder_says(name: str, case: Case) -> None:
    dialect = service_of(name).dialect
    said = dialect.created(case.answer, dialect.create(REQUEST))
    assert said.kind == OutcomeKind(case.folder)
    for mark in ("code", "task_id"):
        assert getattr(said, mark) == case.marks.get(mark, getattr(said, mark))
    assert bool(said.halt) == ("halt" in case.marks)
    if "charged" in case.marks:
        assert str(said.charged_credits).lower() == case.marks["charged"]


@pytest.mark.parametrize(("name", "case"), TASKS, ids=named)
def test_a_status_answer_means_what_its_folder_says(name: str, case: Case) -> None:
    answers = [COMPLETED, case.answer] if "after" in case.marks else [case.answer]
    look = service_of(name).dialect.asked(answers, "T")
    assert look is not None
    if look.status is None:
        assert look.trouble == case.folder
        return
    assert str(look.status.state) == case.folder
    assert " ".join(look.status.video_urls) == case.marks.get("urls", "")
    assert look.status.error_code == case.marks.get("error_code", look.status.error_code)
    charged = look.status.charged_credits
    assert str(charged) == case.marks.get("charged", "None")
    if case.folder == "failed":
        assert look.status.error


@pytest.mark.parametrize(("name", "case"), CREATES + TASKS, ids=named)
def test_each_line_names_its_source(name: str, case: Case) -> None:
    assert case.marks["source"]


def test_the_status_of_a_finished_request_at_fal_wants_the_result_too() -> None:
    assert service_of("fal").dialect.asked([COMPLETED], "T") is None


@pytest.mark.parametrize("name", DIALECTS)
def test_every_narrowing_line_has_a_case(name: str) -> None:
    codes = {case.marks.get("code") for one, case in CREATES if one == name}
    assert {line.code for line in service_of(name).lines} <= codes


# -- what is sent -------------------------------------------------------------------------------------------------


def sent(name: str, **request: Any) -> tuple[Call, Any]:
    call = service_of(name).dialect.create(REQUEST | request)
    return call, json.loads(call.body) if call.body.startswith(b"{") else None


def test_fal_sends_the_model_s_own_fields_side_by_side() -> None:
    call, body = sent(
        "fal",
        model="bytedance/seedance-2.0/image-to-video",
        image_input=["https://a.example/1.png"],
        options={"duration": 5, "seed": "7", "generate_audio": "TRUE", "mine": "12"},
    )
    assert call.path == "/bytedance/seedance-2.0/image-to-video"
    assert body == {
        "prompt": "A glass city", "image_url": "https://a.example/1.png", "duration": "5", "seed": 7,
        "generate_audio": True, "mine": "12",
    }  # fmt: skip


def test_fal_asks_under_the_first_two_steps_of_the_model() -> None:
    status, result = service_of("fal").dialect.ask("a b", "bytedance/seedance-2.0/text-to-video")
    assert (status.path, result.path) == (
        "/bytedance/seedance-2.0/requests/a%20b/status", "/bytedance/seedance-2.0/requests/a%20b",
    )  # fmt: skip


def test_kie_puts_the_fields_into_input() -> None:
    call, body = sent("kie", model="bytedance/seedance-2", options={"duration": "10"})
    assert call.path == "/api/v1/jobs/createTask"
    assert body == {"model": "bytedance/seedance-2", "input": {"prompt": "A glass city", "duration": 10}}


def test_kie_s_first_and_last_frames_and_references_have_names_of_their_own() -> None:
    urls = [f"https://a.example/{n}.png" for n in range(3)]
    _, two = sent("kie", model="bytedance/seedance-2", image_input=urls[:2])
    _, three = sent("kie", model="bytedance/seedance-2", image_input=urls)
    assert (two["input"]["first_frame_url"], two["input"]["last_frame_url"]) == (urls[0], urls[1])
    assert three["input"]["reference_image_urls"] == urls


def test_kie_s_task_id_is_quoted_in_the_query() -> None:
    (call,) = service_of("kie").dialect.ask("a&b=", "m")
    assert call.path == "/api/v1/jobs/recordInfo?taskId=a%26b%3D"


def test_ark_sends_content_with_roles() -> None:
    call, body = sent(
        "ark",
        model="seedance-1-5-pro-251215",
        image_input=["https://a.example/1.png", "https://a.example/2.png"],
        options={"duration": "5", "aspect_ratio": "16:9", "camera_fixed": "false"},
    )
    assert call.path == "/contents/generations/tasks"
    assert body == {
        "model": "seedance-1-5-pro-251215",
        "content": [
            {"type": "text", "text": "A glass city"},
            {"type": "image_url", "image_url": {"url": "https://a.example/1.png"}, "role": "first_frame"},
            {"type": "image_url", "image_url": {"url": "https://a.example/2.png"}, "role": "last_frame"},
        ],
        "duration": 5,
        "ratio": "16:9",
        "camera_fixed": False,
    }


def test_replicate_names_the_model_in_the_path() -> None:
    call, body = sent("replicate", model="bytedance/seedance-1-pro", options={"duration": "5"})
    assert call.path == "/v1/models/bytedance/seedance-1-pro/predictions"
    assert body == {"input": {"prompt": "A glass city", "duration": 5}}


def test_litellm_is_always_told_not_to_try_again() -> None:
    _, body = sent("litellm", options={"duration": 5, "num_retries": 7})
    assert (body["num_retries"], body["seconds"]) == (0, "5")


def test_openai_videos_sends_a_form_and_the_same_bytes_each_time() -> None:
    first, _ = sent("openai-videos", options={"seconds": "5", "size": "1280x720"}, prompt="Grüße\r\n--x")
    again, _ = sent("openai-videos", options={"seconds": "5", "size": "1280x720"}, prompt="Grüße\r\n--x")
    assert first == again
    assert dict(first.headers)["Content-Type"].startswith("multipart/form-data; boundary=")
    assert 'name="prompt"\r\n\r\nGrüße\r\n--x\r\n'.encode() in first.body


def test_a_quoted_prompt_in_a_form_s_answer_is_not_the_server_s_word() -> None:
    call, _ = sent("openai-videos", prompt="insufficient credits")
    body = b'{"error": {"message": "prompt \'insufficient credits\' is too short", "code": "bad_prompt"}}'
    said = service_of("openai-videos").dialect.created(Answer(400, {}, body), call)
    assert said.kind is OutcomeKind.REJECTED


@pytest.mark.parametrize("model", ["../../admin", "a/../b", "a b/ü?x#y", "."])
def test_no_model_s_name_leads_out_of_its_path(model: str) -> None:
    for name in ("fal", "replicate"):
        call, _ = sent(name, model=model)
        steps = call.path.split("?")[0].split("/")
        assert not {".", ".."} & set(steps)
        assert "?" not in call.path
        assert "#" not in call.path


def test_only_the_content_of_a_video_is_fetched_with_the_key() -> None:
    dialect = service_of("litellm").dialect
    assert dialect.needs_key("/v1/videos/abc%3D/content")
    assert not any(map(dialect.needs_key, ("/v1/videos/content", "/v1/videos/a/b/content", "/v1/files/a/content")))
    assert not service_of("fal").dialect.needs_key("/v1/videos/abc/content")


# -- the data -----------------------------------------------------------------------------------------------------

TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
DATE = {"type": "string", "pattern": r"^(20[0-9]{2}-[0-9]{2}-[0-9]{2})?$"}
OPTION = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["text", "integer", "number", "boolean", "list", "object"]},
        "values": {"type": "array", "minItems": 1}, "default": {}, "least": {"type": "number"},
        "most": {"type": "number"},
    },
}  # fmt: skip
MODEL = {
    "type": "object",
    "additionalProperties": False,
    "required": ["scenes", "source"],
    "properties": {
        "scenes": {"type": "array", "items": {"enum": ["text-to-video", "image-to-video", "video-to-video"]}},
        "source": TEXT, "gone_since": DATE, "needs": {"type": "array", "items": TEXT}, "inputs": TEXTS,
        "renamed": TEXTS, "options": {"type": "object", "additionalProperties": OPTION},
    },
}  # fmt: skip
LINE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["outcome", "code", "source"],
    "properties": {
        "outcome": {"enum": ["rejected", "throttled", "refused", "not_sent"]}, "code": TEXT, "source": TEXT,
        "status": {}, "body_code": {}, "says": TEXT, "header": TEXT, "throttle": TEXT,
    },
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "name", "title", "source", "date", "get_key", "key_variable", "auth", "base_url", "unit", "unit_scale",
        "limits", "idempotency", "settles", "paths",
    ],
    "properties": {
        "name": {"enum": list(NAMES)}, "title": TEXT, "source": TEXT, "date": {**DATE, "minLength": 10},
        "gone_since": DATE, "get_key": TEXT, "key_variable": {"pattern": "^[A-Z_]+$"},
        "auth": {"enum": ["Bearer", "Key"]},
        "base_url": {"pattern": "^(https?://[^/]+(/[^?]*)?)?$"}, "lists_url": {"pattern": "^https://"},
        "unit": {"enum": ["credits", "usd"]}, "unit_scale": {"enum": [1, 1000, 1000000]},
        "limits": {"enum": ["account", "model"]}, "pace": TEXT, "idempotency": {"pattern": "^(header|body:.+)?$"},
        "settles": {"enum": ["list", "candidates", "person"]}, "paths": TEXTS, "words": TEXTS,
        "usual": {
            "type": "object", "additionalProperties": False, "properties": {"inputs": TEXTS, "renamed": TEXTS},
        },
        "outcomes": {"type": "array", "items": LINE}, "models": {"type": "object", "additionalProperties": MODEL},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_data_of_each_service_holds_to_its_schema(name: str) -> None:
    jsonschema.validate(tomllib.loads(data_text(name)), SCHEMA)
    assert tomllib.loads(data_text(name))["name"] == name


@pytest.mark.parametrize("name", NAMES)
def test_every_default_is_a_value_that_the_model_takes(name: str) -> None:
    for model in service_of(name).catalogue.models.values():
        assert set(model.needs) <= model.options.keys()
        for option in model.options.values():
            if option.default is not None:
                assert option.wire(option.default) == option.default


@pytest.mark.parametrize("name", DIALECTS)
def test_prices_are_decimals_with_a_date_and_a_source(name: str) -> None:
    if not (text := prices_text(name)):
        return
    prices, service = json.loads(text), service_of(name)
    assert (prices["service"], prices["unit"]) == (name, service.unit)
    assert prices["version"] and prices["source"]
    for said in prices["models"].values():
        amounts = {key: value for key, value in said.items() if key.startswith("per_")}
        assert amounts and all(is_rate_name(key) and amount_of(value) for key, value in amounts.items())


def test_the_table_is_that_of_the_contract() -> None:
    table = {name: service_of(name) for name in NAMES}
    assert {name: (one.key_variable, one.unit, one.limits) for name, one in table.items()} == {
        "gateway": ("BATCHGEN_API_KEY", "credits", "account"),
        "fal": ("FAL_KEY", "usd", "model"),
        "kie": ("KIE_API_KEY", "credits", "account"),
        "ark": ("ARK_API_KEY", "usd", "model"),
        "replicate": ("REPLICATE_API_TOKEN", "usd", "account"),
        "litellm": ("LITELLM_API_KEY", "usd", "model"),
        "openai-videos": ("OPENAI_VIDEOS_API_KEY", "usd", "account"),
    }


@pytest.mark.parametrize(
    ("value", "wanted"), [("5", 5), (5, 5), ("auto", None), ("5.5", None), (True, None), ("13", None)]
)
def test_text_becomes_the_number_that_a_model_takes_or_is_refused(value: object, wanted: int | None) -> None:
    option = service_of("kie").catalogue.models["bytedance/seedance-1.5-pro"].options["duration"]
    if wanted is None:
        with pytest.raises(Misfit, match="a whole number from 4 to 12"):
            option.wire(value)
    else:
        assert option.wire(value) == wanted
