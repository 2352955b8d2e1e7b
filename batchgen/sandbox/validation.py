"""What the service asks of a request's body: the rules of its page, and nothing more."""

import json
from typing import Any

#: scene -> the input that it needs
SCENES = {"text-to-video": "prompt", "image-to-video": "image_input", "video-to-video": "video_input"}


def read_body(data: bytes) -> dict[str, Any] | str:
    """The request of a POST, or the sentence that says why it is refused."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return "The request body is not valid JSON."
    if not isinstance(body, dict):
        return "The request body must be a JSON object."
    return _missing(body) or _ill_typed(body) or body


def _missing(body: dict[str, Any]) -> str | None:
    for name in ("provider", "model", "scene"):
        value = body.get(name)
        if not isinstance(value, str) or not value.strip():
            return f"{name} is required."
    if body["scene"] not in SCENES:
        return "scene must be one of text-to-video, image-to-video, video-to-video."
    needed = SCENES[body["scene"]]
    value = body.get(needed)
    if not value or (isinstance(value, str) and not value.strip()):
        return f"{needed} is required for {body['scene']}."
    return None


def _ill_typed(body: dict[str, Any]) -> str | None:
    if not isinstance(body.get("prompt", ""), str):
        return "prompt must be a string."
    if not isinstance(body.get("options", {}), dict):
        return "options must be an object."
    for name in ("image_input", "video_input"):
        value = body.get(name, [])
        urls = [value] if isinstance(value, str) else value
        if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            return f"{name} must be a URL or a list of URLs."
        for url in urls:
            if not url.startswith(("http://", "https://")):
                return f"{name} must hold absolute http or https URLs."
    return None
