"""Warnings that cost nothing and save credits: what is allowed, and probably not what was meant. No network.

Three groups, because the quick pass decides them for whole columns: what follows from provider, model, scene
and which inputs are there (`of_combination`), what a prompt says (`of_prompt`), and what an address looks
like (`of_address`). Each yields (key, code, message, hint).
"""

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from batchgen.check import rules
from batchgen.check.oddities import odd_text
from batchgen.check.schema import at
from batchgen.job import Problem, Row
from batchgen.manifest.entry import shown

Caution = tuple[str, str, str, str]

#: Longer prompts than this are cut or refused by most models.
PROMPT_LIMIT = 2000
#: Known limits (characters) by the beginning of a model's name; from the models' own pages.
PROMPT_LIMITS = {
    "kling-2.6/": 1000,
    "kling-3.0-omni/": 3072, "kling/v2-5": 2500, "kling/v2-1": 5000, "bytedance/seedance": 20000,
    "bytedance/v1": 10000, "hailuo/02": 1500, "hailuo/2-3": 5000, "wan/2-5": 800, "wan/2-6": 5000, "wan/2-7": 5000,
    "happyhorse/": 5000, "fal-ai/wan-25": 800, "wan/v2.6": 800, "sora-2": 10000,
}  # fmt: skip
PROVIDERS = ("kie", "fal", "replicate")
_SCENE_WORDS = {
    "text-to-video": "text-to-video", "t2v": "text-to-video", "image-to-video": "image-to-video",
    "i2v": "image-to-video", "video-to-video": "video-to-video", "v2v": "video-to-video",
    "videoedit": "video-to-video", "video-edit": "video-to-video",
}  # fmt: skip


def cautions(row: Row, request: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything worth a second look in a valid row."""
    job_id = row.values.get("id")
    of_id = of_text("id", job_id) if isinstance(job_id, str) else ()
    for key, code, message, hint in (*of_id, *of_request(request)):
        yield at(row, key, code, message, hint)


def of_request(request: Mapping[str, Any]) -> Iterator[Caution]:
    """The cautions about a request, wherever it came from."""
    provider, model, scene = request["provider"], request["model"], request["scene"]
    yield from of_combination(provider, model, scene, frozenset(request))
    if "prompt" in request:
        yield from of_prompt(request["prompt"], prompt_limit(model))
    for key in ("image_input", "video_input"):
        for url in request.get(key, ()):
            yield from of_address(key, url)
    for name, value in request.get("options", {}).items():
        if isinstance(value, str):
            yield from of_text(f"options.{name}", value)


@lru_cache(maxsize=10_000)
def of_combination(provider: str, model: str, scene: str, filled: frozenset[str]) -> tuple[Caution, ...]:
    """What follows from provider, model and scene, and which of the inputs are filled."""
    return tuple(_of_combination(provider, model, scene, filled))


def _of_combination(provider: str, model: str, scene: str, filled: frozenset[str]) -> Iterator[Caution]:
    yield from of_text("provider", provider)
    yield from of_text("model", model)
    close = difflib.get_close_matches(provider.lower(), PROVIDERS, 1, 0.6)
    if close and provider not in PROVIDERS:
        yield "provider", "odd_provider", f'The provider is {shown(provider)}. Did you mean "{close[0]}"?', ""
    named = {
        meant for word, meant in _SCENE_WORDS.items() if re.search(rf"(^|[^a-z]){word}([^a-z]|$)", model.lower())
    }
    if len(named) == 1 and scene not in named:
        message = f"The scene is {scene}, but the model's name says {named.pop()}: {shown(model)}."
        yield "scene", "scene_model", message, "One of the two is probably not what you meant."
    if re.match(r"(fal-ai/)?sora-2", model.lower()):
        message = f"The model {shown(model)} was shut down by its maker in September 2026."
        yield "model", "dead_model", message, "Choose another model; in the sandbox it does no harm."
    if provider.lower() == "fal" and "prompt" not in filled:
        message = "fal asks for a prompt in every scene, and this row has none."
        yield "prompt", "fal_prompt", message, "Say what should happen in the video."
    uses = {"image-to-video": {"image_input"}, "text-to-video": set()}.get(scene, {"image_input", "video_input"})
    for key in ("image_input", "video_input"):
        if key in filled and key not in uses:
            message = f"{key} is filled, but the scene {scene} does not use it."
            yield key, "unused_input", message, f"If it should be used, the scene is {key[:5]}-to-video."


@lru_cache(maxsize=10_000)
def prompt_limit(model: str) -> int:
    """How many characters of a prompt the model takes, as far as is known."""
    bare = model.lower()
    return next((limit for name, limit in PROMPT_LIMITS.items() if bare.startswith(name)), PROMPT_LIMIT)


def of_prompt(prompt: str, limit: int) -> Iterator[Caution]:
    """What a prompt looks like."""
    if len(prompt) > limit:
        message = f"The prompt has {len(prompt):,} characters; this model takes {limit:,} as a rule."
        yield "prompt", "long_prompt", message, "What is beyond may be cut off or refused. Shorten it."
    if rules.BRACES in prompt:
        message = f"The prompt holds braces that look like a variable: {shown(prompt)}."
        yield (
            "prompt",
            "braces",
            message,
            "Variables are filled in in YAML manifests only; here they are sent as text.",
        )
    yield from of_text("prompt", prompt)


def of_text(key: str, text: str) -> Iterator[Caution]:
    """What is odd about a text, wherever it is sent."""
    for code, message, hint in odd_text(key, text):
        yield key, code, message, hint


def of_address(key: str, url: str) -> Iterator[Caution]:
    """What an address looks like; it is known to be an absolute http or https address."""
    plain = _PLAIN.fullmatch(url)
    if plain and _is_known_good(plain[1]) and not url.lower().endswith(rules.WRONG_ENDINGS[key]):
        return
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return
    if _is_inside(host):
        message = f"{shown(url)} is an address that only your own network can open."
        yield key, "private_address", message, "The service fetches it itself: put the file on the public web."
    elif service := _page(host, parts.path, parts.query):
        message = f"{shown(url)} is a page of {service} for people, not the file itself."
        yield key, "share_link", message, "Use a link that downloads the file at once, without a page or a login."
    if parts.username is not None:
        yield key, "login_in_url", f"{key} holds a user name or password in its address.", "It is sent as it is."
    if url[:5].lower() == "http:":
        yield key, "plain_http", f"{shown(url)} starts with http://.", "Many services fetch https:// only."
    if _TWO_FILES.search(parts.path):
        message = f"{shown(url)} looks like two addresses in one, and counts as one."
        yield key, "comma_in_url", message, "Write each address out, from https:// on."
    if "&" in url:
        for _, code, message, hint in of_text(key, url):
            yield key, code, message, hint
    if re.search(rules.SIGNED, url, re.IGNORECASE):
        message = f"{shown(url)} is a signed link, which ends some time."
        yield key, "signed_link", message, "It must live until the video is made: that can take hours."
    path = parts.path.lower()
    if path.endswith(rules.WRONG_ENDINGS[key]):
        ending = path[path.rindex(".") :]
        message = f"{key} is a file that ends in {ending}: {shown(url)}."
        yield key, "wrong_file", message, f"It should be {'a picture' if key == 'image_input' else 'a video'}."


#: Nearly every address: nothing in it that a caution could be about, but for its host and its ending.
_PLAIN = re.compile(r"https://([a-z0-9.-]+)/[A-Za-z0-9._~/%+-]*")
#: front.jpg,back.jpg: the second one is no address of its own.
_TWO_FILES = re.compile(
    rf"(?:{'|'.join(map(re.escape, (*rules.PICTURES, *rules.VIDEOS)))})[,;|][^/]*\.[a-z0-9]{{3,4}}$", re.IGNORECASE
)


@lru_cache(maxsize=10_000)
def _is_known_good(host: str) -> bool:
    """Whether no caution is about the host itself, whatever the path."""
    inside = _is_inside(host.rstrip("."))
    return not inside and not any(host == name or host.endswith("." + name) for name in rules.PAGES)


def _page(host: str, path: str, query: str) -> str | None:
    if host in rules.FILE_HOSTS:
        return None
    name = next((name for name in rules.PAGES if host == name or host.endswith("." + name)), None)
    if name is None:
        return None
    if name == "dropbox.com" and re.search(r"(^|&)(dl|raw)=1(&|$)", query):
        return None
    if name == "github.com" and "/blob/" not in path:
        return None
    if name in ("drive.google.com", "sharepoint.com") and re.search(
        r"(^|&)(export=download|download=1)(&|$)", query
    ):
        return None
    return rules.PAGES[name]


def _is_inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(rules.INSIDE))
