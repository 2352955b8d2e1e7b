"""The error part of an answer: is there one, and what does it say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchgen.service.reply import words
from batchgen.service.reply.body import at, one_line, task_id_of, unfolded
from batchgen.service.reply.echo import without_echo

_FINE = {"", "success", "successful", "succeeded", "ok", "accepted", "created", "true", "null", "none"}
_SAID = (
    "message", "msg", "status_msg", "detail", "error_description", "title", "description", "reason", "errorMessage",
    "error_message", "errmsg", "errorMsg", "code", "type", "error_type", "errorCode", "error_code", "status",
    "error", "errors", "fallback_suggestion",
)  # fmt: skip
#: Where an envelope keeps its own code and words apart from the answer (MiniMax and others).
_ASIDE = ("base_resp", "baseResp", "meta", "header", "status")
_CODES = ("code", "statusCode", "status_code", "errorCode", "error_code", "errcode", "status")
_ERRORS: tuple[tuple[str | int, ...], ...] = (
    ("error",),
    ("data", "error"),
    ("errors", 0),
    ("detail", 0),
    *((key,) for key in _ASIDE),
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an answer says is wrong.

    `numbers` are the three-digit codes in it, `said` every text of it in `words.plain` form, `slug` the
    service's own word for it ("" if none), `message` one line for a person.
    """

    numbers: frozenset[int]
    said: tuple[str, ...]
    slug: str
    message: str

    def says(self, pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(text) for text in self.said)

    def says_only(self, pattern: re.Pattern[str]) -> bool:
        return any(pattern.fullmatch(text) for text in self.said)

    def without_echo(self, texts: Sequence[str]) -> "Complaint":
        """The same without what it repeats of the request; `message` stays whole."""
        return replace(self, said=tuple(without_echo(said, texts) for said in self.said))

    @property
    def no_credits(self) -> bool:
        if 402 in self.numbers or self.says(words.NO_CREDITS):
            return True
        return self.says(words.PERHAPS_NO_CREDITS) and not self.says(words.TOO_FAST)

    @property
    def bad_key(self) -> bool:
        return 401 in self.numbers or self.says(words.BAD_KEY) or self.says_only(words.BAD_KEY_ALONE)

    @property
    def throttle(self) -> str | None:
        """`concurrency`, `rate`, `unavailable`, "" (too much, not said of what), or None: not a throttle."""
        if self.says(words.TOO_MANY_AT_ONCE):
            return "concurrency"
        if self.says(words.TOO_FAST) or self.says_only(words.TOO_FAST_ALONE):
            return "concurrency" if 429 in self.numbers and self.says(words.AT_ONCE_HINT) else "rate"
        if 429 in self.numbers:
            return "concurrency" if self.says(words.AT_ONCE_HINT) else ""
        if 425 in self.numbers:
            return ""
        return "unavailable" if 455 in self.numbers else None


def complaint_of(body: Any) -> Complaint | None:
    """The error that `body` declares by its structure, or None: a sentence alone declares nothing.

    An `error` (object or text) or `errors`, a `code` that is not fine, `success: false`, a numeric `status` of
    400 and more (problem+json), or `status: error` where nothing else of a task is told.
    """
    return _gather(body) if isinstance(body, dict) and _declares(body) else None


def spoken_complaint(body: Any) -> Complaint | None:
    """The same for a question about a task, where nothing is bought: a sentence, `detail` or list is one, too."""
    if isinstance(body, list):
        return _gather({"errors": body}) if body else None
    if not isinstance(body, dict):
        return None
    lone = body.get("message") or body.get("msg")
    speaks = _full(body.get("detail")) or (isinstance(lone, str) and not task_id_of(body))
    return _gather(body) if speaks or _declares(body) else None


def error_text(body: Any) -> Complaint:
    """The complaint of a body that is known to be an error by its HTTP status, however it is written."""
    if isinstance(body, dict):
        return _gather(body)
    return _gather({"errors": body} if isinstance(body, list) else {})


def _declares(body: dict[str, Any]) -> bool:
    data = unfolded(body.get("data"))
    inner = data.get("error") if isinstance(data, dict) else None
    if any(_full(body.get(key)) for key in ("error", "errors")) or _full(inner):
        return True
    if any(_denies(body.get(key)) for key in ("success", "ok")):
        return True
    if any(not _is_fine(body.get(key)) for key in ("code", "statusCode", "errcode")) and not _blessed(body):
        return True
    aside = [layer for key in _ASIDE if isinstance(layer := body.get(key), dict)]
    if any(not _is_fine(layer.get(key)) for layer in aside for key in ("code", "status_code")):
        return True
    status = body.get("status")
    if isinstance(status, int) and not isinstance(status, bool) and status >= 400:
        return True
    return status == "error" or (status in ("fail", "failure") and not task_id_of(body))


def _blessed(body: dict[str, Any]) -> bool:
    """A house number for success (`{"code": 1, "msg": "success"}`): unknown, but the words say that it is."""
    number = _number(body.get("code"))
    text = body.get("message") or body.get("msg")
    good = isinstance(text, str) and bool(text.strip()) and plain_word(text) in {*_FINE, "操作成功", "成功"}
    return good and number is not None and number > 0 and not 100 <= number <= 999


def _full(value: Any) -> bool:
    """Is it an error at all: `error: null`, `error: ""`, `error: {"code": null}`, `errors: []` are none."""
    if isinstance(value, dict):
        return any(_full(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_full(inner) for inner in value)
    if isinstance(value, str):
        return plain_word(value) not in _FINE
    return bool(value)


def _denies(value: Any) -> bool:
    return value is False or (isinstance(value, str) and plain_word(value) == "false")


def _is_fine(code: Any) -> bool:
    """0, 200 to 299 (as number or text), a word of success, or nothing at all."""
    if code is None or code is True:
        return True
    if isinstance(code, str) and not code.strip().lstrip("-").isdigit():
        return plain_word(code) in _FINE
    number = _number(code)
    return number is not None and (number == 0 or 200 <= number <= 299)


def plain_word(value: str) -> str:
    return words.plain(value[:200])


def _number(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,6}", value.strip()):
        return int(value)
    return None


def _gather(body: dict[str, Any]) -> Complaint:
    errors = [body, *(unfolded(at(body, place)) for place in _ERRORS)]
    objects = [error for error in errors if isinstance(error, dict)]
    numbers = {n for one in objects for key in _CODES if (n := _number(one.get(key))) is not None}
    texts: list[str] = []
    for error in reversed(errors):
        _collect(error, texts, depth=0)
    slugs = [one.get(key) for one in reversed(objects) for key in ("code", "type", "error_type", "errorCode")]
    slug = next((s for s in slugs if isinstance(s, str) and re.fullmatch(r"[A-Za-z][\w.\-]{1,63}", s)), "")
    said = tuple(dict.fromkeys(words.plain(text) for text in texts if text.strip()))[:40]
    return Complaint(
        numbers=frozenset(n for n in numbers if 100 <= n <= 999),
        said=said,
        slug="" if plain_word(slug) in _FINE else slug.lower(),
        message=_message(objects, texts),
    )


def _collect(value: Any, texts: list[str], *, depth: int) -> None:
    if depth > 4 or len(texts) > 40:
        return
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, list):
        for inner in value[:10]:
            _collect(inner, texts, depth=depth + 1)
    elif isinstance(value, dict):
        for key in (*_SAID, "loc"):
            if isinstance(value.get(key), str | list | dict) and key != "loc":
                _collect(value[key], texts, depth=depth + 1)


def _message(objects: list[dict[str, Any]], texts: list[str]) -> str:
    """The sentence for a person, with what else it says of amounts and waiting."""
    keys = ("message", "msg", "status_msg", "detail", "error_description", "errorMessage", "title", "error")
    named = (one.get(key) for one in reversed(objects) for key in keys)
    text = next((t for t in named if isinstance(t, str) and t.strip()), "")
    if not text:
        text = max(texts, key=len, default="")
    extra = [f"{key} {value}" for key in ("required", "available", "limit", "current")
             if isinstance(value := objects[0].get(key) if objects else None, int | float)]  # fmt: skip
    hint = next(
        (one["fallback_suggestion"] for one in objects if isinstance(one.get("fallback_suggestion"), str)), ""
    )
    extra += [hint] if hint else []
    return one_line(f"{text} ({', '.join(extra)})" if extra else text)
