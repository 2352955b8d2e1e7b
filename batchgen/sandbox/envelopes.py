"""How the service says things: nine styles of the same answers.

`documented` is the service's own page, with the words that it most likely uses for what the page leaves
open. The others are the shapes of sister services and of the providers behind them.
"""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from .audit import Task

#: kind of error -> (HTTP status, code word, type)
KINDS: dict[str, tuple[int, str, str]] = {
    "invalid": (400, "invalid_request", "invalid_request_error"),
    "bad_key": (401, "invalid_api_key", "authentication_error"),
    "no_credits": (402, "insufficient_credits", "insufficient_quota_error"),
    "forbidden": (403, "permission_denied", "permission_error"),
    "not_found": (404, "task_not_found", "not_found_error"),
    "conflict": (409, "idempotency_conflict", "invalid_request_error"),
    "too_large": (413, "request_too_large", "request_too_large_error"),
    "mismatch": (422, "idempotency_mismatch", "invalid_request_error"),
    "rate": (429, "rate_limit_exceeded", "rate_limit_error"),
    "active": (429, "concurrency_limit", "rate_limit_error"),
    "server": (500, "internal_error", "service_error"),
    "upstream": (502, "upstream_error", "upstream_error"),
    "unavailable": (503, "service_unavailable", "service_unavailable_error"),
}

_SHIPANY_WORDS = {
    "bad_key": "no auth, please sign in",
    "no_credits": "insufficient credits",
    "not_found": "task not found",
    "active": "too many active tasks",
    "server": "generate failed",
}

_WORDS: dict[str, dict[str, str]] = {
    "evolink": {"success": "completed", "canceled": "cancelled"},
    "kie": {"pending": "queuing", "processing": "generating", "failed": "fail", "canceled": "fail"},
    "kinovi": {"pending": "waiting", "processing": "generating", "failed": "fail", "canceled": "fail"},
    "fal": {
        "pending": "IN_QUEUE",
        "processing": "IN_PROGRESS",
        "success": "COMPLETED",
        "failed": "COMPLETED",
    },
    "replicate": {"pending": "starting", "success": "succeeded"},
    "acedata": {"success": "succeeded"},
    "ark": {
        "pending": "queued",
        "processing": "running",
        "success": "succeeded",
        "canceled": "cancelled",
    },
}


@dataclass(slots=True)
class View:
    """What is to be said of a task.

    status: pending, processing, success, failed, canceled, expired. word and top replace the literal word,
    of `data` (or the only one) and of the top level; None keeps it, "" leaves the key out. extra goes into
    `data` (or the top level where there is none). delay is in real seconds.
    """

    status: str
    urls: list[str] = field(default_factory=list)
    error_code: str = ""
    error: str = ""
    word: Any = None
    top: Any = None
    extra: dict[str, Any] = field(default_factory=dict)
    delay: float = 0.0


def error(style: str, kind: str, message: str, status: int | None = None, **facts: Any) -> tuple[int, Any]:
    """HTTP status and JSON body of an error; `facts` are shown where the style has a place for them."""
    http, code, family = KINDS[kind]
    http = http if status is None else status
    match style:
        case "shipany":
            if kind == "rate":
                return http, {"code": http, "message": message}
            return 200, {"code": -1, "message": _SHIPANY_WORDS.get(kind, message)}
        case "evolink":
            return http, {"error": {"code": http, "message": message, "type": family, **facts}}
        case "kie":
            if kind == "not_found":
                return 200, {"code": 422, "msg": "recordInfo is null", "data": None}
            return 200, {"code": http, "msg": message}
        case "kinovi":
            return http, {"message": message, **facts}
        case "fal":
            if http == 422 or kind == "invalid":
                return 422, {"detail": [{"loc": ["body"], "msg": message, "type": code, "ctx": facts}]}
            return http, {"detail": message, "error_type": code}
        case "replicate":
            return http, {"detail": message, "status": http}
        case "acedata":
            word = "used_up" if kind == "no_credits" else "invalid_token" if kind == "bad_key" else code
            return http, {"error": {"code": word, "message": message}, "trace_id": "00000000-sandbox"}
        case "ark":
            return http, {"error": {"code": code, "message": message, "param": "", "type": family}}
        case _:
            return http, {"error": {"code": code, "message": message, **facts}}


def created(style: str, task: Task, base_url: str, extra: dict[str, Any]) -> tuple[int, Any]:
    """The answer to an accepted POST."""
    tid = task.task_id
    match style:
        case "kie":
            return 200, {"code": 200, "msg": "success", "data": {"taskId": tid, **extra}}
        case "fal":
            url = f"{base_url}/v1/tasks/{tid}"
            return 200, {
                "request_id": tid,
                "status_url": url,
                "response_url": url,
                "cancel_url": f"{url}/cancel",
                "status": "IN_QUEUE",
                **extra,
            }
        case "acedata":
            return 200, {"success": True, "task_id": tid, "trace_id": f"trace-{tid}", **extra}
        case "ark":
            return 200, {"id": tid, **extra}
        case _:
            status, body = shown(style, task, View("pending", extra=extra))
            return 201 if style == "replicate" else status, body


def shown(style: str, task: Task, view: View) -> tuple[int, Any]:
    """The answer to a GET of a task."""
    word = _WORDS.get(style, {}).get(view.status, view.status) if view.word is None else view.word
    top = word if view.top is None else view.top
    return STYLES_OF_TASKS[style](task, view, word, top)


def _said(key: str, word: Any) -> dict[str, Any]:
    return {} if word == "" else {key: word}


def _failure(view: View) -> dict[str, str] | None:
    return {"code": view.error_code, "message": view.error} if view.error else None


def _documented(task: Task, view: View, word: Any, top: Any) -> tuple[int, Any]:
    data: dict[str, Any] = {"id": task.task_id, "mediaType": "video", **_said("status", word)}
    data["videoUrls"] = view.urls
    if view.error:
        data |= {"errorCode": view.error_code, "errorMessage": view.error}
    data |= view.extra
    return 200, {"id": task.task_id, "object": "video.generation.task", **_said("status", top), "data": data}


def _shipany(task: Task, view: View, word: Any, top: Any) -> tuple[int, Any]:
    del top
    info = {
        "videos": [{"videoUrl": url, "thumbnailUrl": "", "duration": 2} for url in view.urls],
        "status": {"success": "success", "failed": "fail"}.get(view.status, "generating"),
        "errorCode": view.error_code or None,
        "errorMessage": view.error or None,
        "createTime": int(task.created * 1000),
    }
    data = {
        "id": task.task_id,
        "mediaType": "video",
        "provider": task.provider,
        "model": task.model,
        "prompt": task.prompt,
        "scene": task.scene,
        **_said("status", word),
        "costCredits": task.credits,
        "taskInfo": json.dumps(info),
    }
    return 200, {"code": 0, "message": "ok", "data": {**data, **view.extra}}


def _evolink(task: Task, view: View, word: Any, top: Any) -> tuple[int, Any]:
    del word
    ended = view.status not in {"pending", "processing"}
    body: dict[str, Any] = {
        "created": int(task.created),
        "id": task.task_id,
        "model": task.model,
        "object": "video.generation.task",
        "progress": {"pending": 0, "processing": 40, "success": 100}.get(view.status, 0),
        **_said("status", top),
        "task_info": {"can_cancel": not ended, "estimated_time": 180, "video_duration": 2},
        "type": "video",
        "usage": {
            "billing_rule": "per_call",
            "credits_reserved": float(task.credits),
            "user_group": "default",
        },
    }
    if view.urls:
        body["results"] = view.urls
    if view.error:
        body["error"] = _failure(view)
    return 200, {**body, **view.extra}


def _kie(task: Task, view: View, word: Any, top: Any) -> tuple[int, Any]:
    del top
    result = json.dumps({"resultUrls": view.urls}) if view.status == "success" else ""
    data = {
        "taskId": task.task_id,
        "model": task.model,
        **_said("state", word),
        "resultJson": result,
        "failCode": view.error_code or None,
        "failMsg": view.error or None,
        "costTime": int(task.duration * 1000) if view.status == "success" else None,
        "createTime": int(task.created * 1000),
    }
    return 200, {"code": 200, "msg": "success", "data": {**data, **view.extra}}


def _kinovi(task: Task, view: View, word: Any, top: Any) -> tuple[int, Any]:
    del top
    return 200, {
        "id": task.task_id,
        "model": task.model,
        **_said("status", word),
        "output": [{"url": url} for url in view.urls],
        "error": _failure(view),
        "creditsUsed": 0 if view.status == "failed" else task.credits,
        **view.extra,
    }


def _fal(task: Task, view: View, word: Any, top: Any) -> tuple[int, Any]:
    del top
    if view.status in {"pending", "processing"}:
        return 202, {"request_id": task.task_id, **_said("status", word), "queue_position": 0, **view.extra}
    body: dict[str, Any] = {"request_id": task.task_id, **_said("status", word)}
    if view.error:
        body |= {"error": view.error, "error_type": view.error_code}
    elif len(view.urls) > 1:
        body["videos"] = [{"url": url, "content_type": "video/mp4"} for url in view.urls]
    elif view.urls:
        body["video"] = {"url": view.urls[0], "content_type": "video/mp4", "file_name": "output.mp4"}
    return 200, {**body, **view.extra}


def _replicate(task: Task, view: View, word: Any, top: Any) -> tuple[int, Any]:
    del top
    output: Any = view.urls[0] if len(view.urls) == 1 else view.urls or None
    return 200, {
        "id": task.task_id,
        "model": task.model,
        "input": {"prompt": task.prompt},
        **_said("status", word),
        "output": output,
        "error": view.error or None,
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(task.created)),
        **view.extra,
    }


def _acedata(task: Task, view: View, word: Any, top: Any) -> tuple[int, Any]:
    del top
    item: dict[str, Any] = {"id": task.task_id, **_said("status", word)}
    if view.urls:
        item["content"] = {"video_url": view.urls[0]}
    body = {"success": view.status != "failed", "task_id": task.task_id, "data": [item], **view.extra}
    return 200, {**body, "error": _failure(view)} if view.error else body


def _ark(task: Task, view: View, word: Any, top: Any) -> tuple[int, Any]:
    del word
    body: dict[str, Any] = {"id": task.task_id, "model": task.model, **_said("status", top)}
    if view.urls:
        body["content"] = {"video_url": view.urls[0]}
    if view.error:
        body["error"] = _failure(view)
    return 200, {**body, "created_at": int(task.created), **view.extra}


#: The styles, by name: how each shows a task.
STYLES_OF_TASKS = {
    "documented": _documented,
    "shipany": _shipany,
    "evolink": _evolink,
    "kie": _kie,
    "kinovi": _kinovi,
    "fal": _fal,
    "replicate": _replicate,
    "acedata": _acedata,
    "ark": _ark,
}
