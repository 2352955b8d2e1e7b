"""Faults of a GET of a task: the task goes on, only this look at it goes wrong."""

from collections.abc import Callable

from . import edge, envelopes
from .broken_answers import again, body
from .fault import Fault, Moment, table
from .refusals import error_json, error_page, nothing, throttled
from .wire import Wire, json_answer, page


def _not_found(m: Moment) -> Wire:
    return json_answer(*envelopes.error(m.style, "not_found", "Task not found."))


def _bad_key(m: Moment) -> Wire:
    return json_answer(*envelopes.error(m.style, "bad_key", "The API key is invalid or revoked."))


def _said(_: Moment, content: bytes) -> Wire:
    return Wire(200, content)


def _fault(name: str, does: str, make: Callable[[Moment], Wire], arg: str = "") -> Fault:
    return Fault(name, "get", does, make, "", arg)


GET_FAULTS = table(
    _fault("get-error", "JSON error (500, or any status)", error_json, "status"),
    _fault("get-page", "a proxy's HTML error page (502, or any status)", error_page, "status"),
    _fault(
        "get-cloudflare",
        "a 524 page of Cloudflare (or 520 to 526)",
        lambda m: edge.cloudflare(m.number(524)),
        "cloudflare",
    ),
    _fault("get-throttle", "429, come back in 1 s", throttled, "seconds"),
    _fault("get-404", "404 in JSON", _not_found),
    _fault("get-401", "401 in JSON", _bad_key),
    _fault("get-reset", "RST", lambda _: nothing("rst")),
    _fault("get-drop", "closes the connection without an answer", lambda _: nothing("fin")),
    _fault("get-hang", "no answer for 120 s, then closes", lambda m: nothing("fin", m.seconds(120)), "seconds"),
    _fault("get-slow", "the proper answer after 10 s", lambda m: again(m, delay=m.seconds(10)), "seconds"),
    _fault(
        "get-drip",
        "the proper answer, trickling over 10 s",
        lambda m: again(m, drip=m.seconds(10)),
        "seconds",
    ),
    _fault("get-truncated", "half of the proper answer", lambda m: again(m, cut=len(m.body) // 2, end="fin")),
    _fault("get-empty", "200 with an empty body", lambda m: body(m, b"")),
    _fault("get-html", "200 with an HTML page", lambda _: page(200, "Welcome", "Sign in to go on.")),
    _fault("get-not-json", "200 with plain text", lambda m: body(m, b"still working")),
    _fault(
        "get-query-failed",
        "200 with code -1: the provider could not be asked",
        lambda m: _said(m, b'{"code":-1,"message":"query ai task failed"}'),
    ),
    _fault(
        "get-record-null",
        "200 with code 422, `recordInfo is null`",
        lambda m: _said(m, b'{"code":422,"msg":"recordInfo is null","data":null}'),
    ),
)
