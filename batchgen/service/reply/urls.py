"""Where the URLs of finished videos hide in a status answer.

Never taken: what the person sent (`image_input`, `video_input`, `input`, `param`), pictures (`thumbnail`,
`cover`, `poster`), callbacks, and links of the API itself (`status_url`, `urls.get`, `cancel_url`).
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from batchgen.service.reply.body import at, unfolded

#: The known places, most trusted first; the first one that holds a URL is taken.
PLACES: tuple[tuple[str | int, ...], ...] = (
    ("data", "videoUrls"),
    ("videoUrls",),
    ("data", "video_urls"),
    ("video_urls",),
    ("results",),
    ("data", "results"),
    ("result_data",),
    ("data", "result_data"),
    ("output",),
    ("outputs",),
    ("data", "output"),
    ("data", "outputs"),
    ("data", "videos"),
    ("videos",),
    ("video",),
    ("data", "video"),
    ("video_url",),
    ("videoUrl",),
    ("data", "video_url"),
    ("data", "videoUrl"),
    ("result_url",),
    ("data", "result_url"),
    ("content",),
    ("data", "content"),
    ("resultUrls",),
    ("data", "resultUrls"),
    ("response", "resultUrls"),
    ("data", "response", "resultUrls"),
    ("resultJson",),
    ("data", "resultJson"),
    ("taskInfo",),
    ("data", "taskInfo"),
    ("taskResult",),
    ("data", "taskResult"),
    ("task_result",),
    ("data", "task_result"),
    ("assets",),
    ("data", "assets"),
    ("urls",),
    ("data", "urls"),
    ("unsigned_urls",),
    ("data", "unsigned_urls"),
    ("result",),
    ("data", "result"),
    ("response",),
    ("data", "response"),
    ("task",),
    ("data", "task"),
)
#: The keys of an object that hold its video, in order.
_VIDEO_KEYS = (
    "videoUrls", "video_urls", "videoUrl", "video_url", "resultUrls", "result_urls", "url", "uri", "video",
    "videos", "results", "output", "outputs", "content", "src", "urls", "download_url",
    "downloadUrl",
)  # fmt: skip
#: Words in a key below which nothing is ours to take.
_NOT_OURS = re.compile(
    r"input|response_?url|param|request|option|prompt|image|thumb|cover|poster|preview|callback|webhook|cancel|status|poll"
    r"|first_?frame|last_?frame|reference|source|origin|self|links$|docs?|help|billing|audio|gif|metadata",
    re.IGNORECASE,
)
#: Words in a key below which a URL is probably a video, whatever its name.
_PROBABLY = re.compile(r"video|result|output|response|sample|creation|artifact|asset|media|download", re.IGNORECASE)
#: The most videos that one task is believed to have, the most entries of a list that are looked at for them, and
#: the longest URL in characters: what a service says may not cost without bounds.
MOST_URLS, _MOST_ENTRIES, _LONGEST_URL = 64, 1000, 8192
_VIDEO_FILE = re.compile(r"\.(?:mp4|m4v|mov|webm|mkv)$", re.IGNORECASE)
_OTHER_FILE = re.compile(
    r"\.(?:jpe?g|png|webp|gif|avif|svg|bmp|heic|mp3|wav|m4a|aac|ogg|flac|json|html?|txt|vtt|srt|zip)$",
    re.IGNORECASE,
)


def video_urls_of(body: Any, *, ended: bool) -> tuple[str, ...]:
    """The video URLs of a status answer, in order and without repeats.

    `ended` says that the answer speaks of success: only then are the vaguer places looked at (a top-level
    `url`, a list of tasks, any video file outside of echoed inputs), for while a task runs they may be links
    to the task itself.
    """
    sent = _echoed(body)
    for place in PLACES:
        if found := _unique(_urls(at(body, place)), sent):
            return found
    if isinstance(data := at(body, ("data",)), list) and (found := _unique(_urls(data), sent)):
        return found
    if not ended:
        return ()
    for place in (("data", "url"), ("url",), ("data", "download_url"), ("download_url",)):
        if found := _unique(_urls(at(body, place)), sent):
            return found
    return _unique(_video_files(body), sent)


def _urls(value: Any, depth: int = 0) -> Iterator[str]:
    """The URLs that `value` stands for: a text, a list of such, or objects with a video key."""
    value = unfolded(value)
    if depth > 6:
        return
    if isinstance(value, str):
        if is_web_url(value):
            yield value.strip()
    elif isinstance(value, list):
        for inner in value[:_MOST_ENTRIES]:
            yield from _urls(inner, depth + 1)
    elif isinstance(value, dict) and not _is_picture(value):
        for key in _VIDEO_KEYS:
            found = list(_urls(value.get(key), depth + 1))
            if found:
                yield from found
                return


def _is_picture(value: dict[str, Any]) -> bool:
    """An object that says of itself that it is an image or a sound."""
    words = (value.get(key) for key in ("type", "mediaType", "media_type", "content_type", "mime_type", "kind"))
    return any(
        isinstance(word, str) and re.match(r"image|audio|thumb|cover|poster|text|json", word.lower())
        for word in words
    )


def _video_files(value: Any, *, probable: bool = False, depth: int = 0) -> Iterator[str]:
    """The last resort: a URL of a video file, or one below a key that speaks of videos, unless it stands
    below a key of somebody else."""
    value = unfolded(value)
    if depth > 8:
        return
    if isinstance(value, str):
        if is_web_url(value) and (probable or _VIDEO_FILE.search(urlsplit(value.strip()).path)):
            yield value.strip()
    elif isinstance(value, list):
        for inner in value[:100]:
            yield from _video_files(inner, probable=probable, depth=depth + 1)
    elif isinstance(value, dict) and not _is_picture(value):
        for key, inner in value.items():
            if not _NOT_OURS.search(key):
                named = probable or _PROBABLY.search(key) is not None
                yield from _video_files(inner, probable=named, depth=depth + 1)


def _echoed(body: Any) -> frozenset[str]:
    """URLs that the person sent and the service repeats."""
    keys = ("image_input", "video_input", "image_urls", "image_url", "callback_url", "callBackUrl")
    sent: set[str] = set()
    inputs = ("input", "inputs", "param", "params", "request", "options")
    for outer in ((), ("data",), *((key,) for key in inputs), *(("data", key) for key in inputs)):
        layer = at(body, outer)
        layer = layer[0] if isinstance(layer, list) and layer else layer
        if not isinstance(layer, dict):
            continue
        echoes = list(layer) if outer and outer[-1] in inputs else keys
        for key in echoes:
            sent.update(_texts(layer.get(key)))
    return frozenset(sent)


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    value = unfolded(value)
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, list | dict) and depth < 4:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner, depth + 1)


def _unique(urls: Iterator[str], sent: frozenset[str]) -> tuple[str, ...]:
    """What is left without repeats, without what was sent, and without pictures, sounds and pages."""
    ours = (url for url in urls if url not in sent and not _OTHER_FILE.search(urlsplit(url).path))
    return tuple(islice(dict.fromkeys(ours), MOST_URLS))


def is_web_url(text: str) -> bool:
    """An absolute http or https URL with a host."""
    if len(text) > _LONGEST_URL:
        return False
    try:
        parts = urlsplit(text.strip())
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and not re.search(r"\s", text.strip())
