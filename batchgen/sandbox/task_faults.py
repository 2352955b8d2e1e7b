"""Faults of a task after its acceptance: what every GET of it says from then on."""

from collections.abc import Callable
from typing import Any

from . import envelopes
from .envelopes import View
from .fault import Fault, TaskMoment, table
from .wire import Wire, json_answer

_MESSAGES = {
    "generation_failed": "The generation failed.",
    "content_policy_violation": "Content policy violation: the prompt was refused.",
    "invalid_parameters": "The model does not take these parameters.",
    "image_processing_error": "The input image could not be read.",
    "image_dimension_mismatch": "The input image is too small.",
    "file_download_error": "The input could not be downloaded.",
    "generation_failed_no_content": "The model gave no video.",
    "generation_timeout": "The generation took too long.",
    "resource_exhausted": "No capacity.",
    "quota_exceeded": "The provider's quota is exceeded.",
    "service_error": "The provider had an error.",
    "service_unavailable": "The provider is not available.",
    "unknown_error": "Unknown error.",
}


def _failed(code: str, m: TaskMoment) -> View:
    """Failed when its time is over; a failed task may still have URLs."""
    if not m.ended:
        return m.view
    code = m.arg or code
    return View("failed", error_code=code, error=_MESSAGES.get(code, code), extra=m.view.extra)


def _ends_as(status: str) -> Callable[[TaskMoment], View]:
    return lambda m: View(status, extra=m.view.extra) if m.ended else m.view


def _changed(m: TaskMoment, when: bool, **changes: Any) -> View:
    """The view with some fields changed, when `when`."""
    if when:
        for name, value in changes.items():
            setattr(m.view, name, value)
    return m.view


def _not_found(m: TaskMoment) -> Wire:
    return json_answer(*envelopes.error(m.style, "not_found", "Task not found."))


def _stuck(m: TaskMoment) -> View | Wire:
    if not m.ended:
        return m.view
    text = f"request failed with status: {m.arg or '422'}"
    return json_answer(*envelopes.error(m.style, "upstream", text))


def _slow(m: TaskMoment) -> View:
    ready = m.task.duration + m.seconds(40)
    return _changed(m, m.ended and m.elapsed < ready, delay=m.clock.scaled(ready - m.elapsed))


def _backwards(m: TaskMoment) -> View:
    step = int(5 * m.elapsed / max(m.task.duration, 1e-9))
    return (
        m.view if m.ended else View(("pending", "processing", "pending", "processing", "processing")[min(step, 4)])
    )


def _several(m: TaskMoment) -> View:
    count = int(m.arg or 3)
    urls = [url + ("&" if "?" in url else "?") + f"n={n}" for url in m.view.urls for n in range(2, count + 1)]
    return _changed(m, m.ended, urls=m.view.urls + urls)


def _odd_urls(m: TaskMoment) -> View:
    odd = ["/videos/x.mp4", "javascript:alert(1)", "ftp://cdn.example.com/x.mp4", "file:///etc/passwd"]
    return _changed(m, m.ended, urls=odd + m.view.urls * 2)


def _decoys(m: TaskMoment) -> View:
    decoys: dict[str, Any] = {
        name: f"https://cdn.example.com/{name}.jpg" for name in ("thumbnailUrl", "coverUrl", "posterUrl")
    }
    decoys |= {
        "callbackUrl": "https://cdn.example.com/hook",
        "video_input": ["https://cdn.example.com/in.mp4"],
    }
    m.view.extra |= decoys
    return m.view


def _upper(m: TaskMoment) -> View:
    return _changed(m, True, word=m.view.status.upper())


def _fault(name: str, does: str, make: Callable[[TaskMoment], View | Wire], arg: str = "", *tags: str) -> Fault:
    return Fault(name, "task", does, make, "", arg, tags=frozenset(tags))


TASK_FAULTS = table(
    _fault(
        "failed",
        "fails with `generation_failed`, or the code given",
        lambda m: _failed("generation_failed", m),
        "word",
        "fails",
    ),
    _fault(
        "part-refund",
        "fails, and half of its credits come back",
        lambda m: _failed("generation_failed", m),
        "",
        "fails",
        "part",
    ),
    _fault(
        "moderation",
        "fails: the prompt was refused",
        lambda m: _failed("content_policy_violation", m),
        "",
        "fails",
        "moderation",
    ),
    _fault("cancelled", "ends as cancelled", _ends_as("canceled")),
    _fault("expired", "ends as expired", _ends_as("expired")),
    _fault("slow-task", "takes 10 times as long", lambda m: m.view, "seconds"),
    _fault("never-ends", "stays in processing for ever", lambda m: m.view),
    _fault(
        "stuck",
        "every GET after its end is an error, for ever: `request failed with status: 422`",
        _stuck,
        "status",
    ),
    _fault(
        "late-404",
        "404 for the first 3 s",
        lambda m: _not_found(m) if m.elapsed < m.seconds(3) else m.view,
        "seconds",
    ),
    _fault(
        "vanishes",
        "404 for ever after half of its time",
        lambda m: _not_found(m) if m.elapsed * 2 >= m.task.duration else m.view,
    ),
    _fault("slow-get", "the GETs that see the end take up to 40 s", _slow, "seconds"),
    _fault("backwards", "pending, processing, pending again, processing, success", _backwards),
    _fault(
        "empty-success",
        "success without URLs for 2 s, then with them",
        lambda m: _changed(m, m.ended and m.elapsed < m.task.duration + m.seconds(2), urls=[]),
        "seconds",
    ),
    _fault("no-output", "success without URLs, for ever", lambda m: _changed(m, m.ended, urls=[])),
    _fault(
        "contradictory",
        "ended: the top level says processing, `data` says success",
        lambda m: _changed(m, m.ended, top="processing"),
    ),
    _fault(
        "stale-data",
        "ended: the top level says success, `data` says processing, with URLs",
        lambda m: _changed(m, m.ended, top="success", word="processing"),
    ),
    _fault(
        "odd-word",
        "an unknown status word until the end (`warming_up`, or the one given)",
        lambda m: _changed(m, not m.ended, word=m.arg or "warming_up"),
        "word",
    ),
    _fault(
        "odd-end",
        "an unknown status word at the end, with URLs (`wrapped`, or the one given)",
        lambda m: _changed(m, m.ended, word=m.arg or "wrapped"),
        "word",
    ),
    _fault(
        "partial",
        "ends as `partial_success`, with URLs",
        lambda m: _changed(m, m.ended, word="partial_success"),
    ),
    _fault("no-status", "no status key at all; URLs at the end", lambda m: _changed(m, True, word="")),
    _fault(
        "number-status",
        "the status is a number; URLs at the end",
        lambda m: _changed(m, True, word=3 if m.ended else 1),
    ),
    _fault("upper-case", "status words in capitals", _upper),
    _fault(
        "failed-with-urls",
        "fails, and has URLs",
        lambda m: _changed(m, m.ended, status="failed", error_code="unknown_error", error="Unknown error."),
        "",
        "fails",
    ),
    _fault("several-urls", "three videos, or as many as given", _several, "count"),
    _fault("odd-urls", "relative, script, ftp and file URLs before the good one, which stands twice", _odd_urls),
    _fault("decoys", "thumbnails, a callback and the input beside the video", _decoys),
)
