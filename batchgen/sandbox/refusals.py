"""Faults of a POST that was not accepted: nothing was created and nothing was charged."""

from collections.abc import Callable
from functools import partial

from . import edge, envelopes
from .fault import Fault, Moment, table
from .limits import retry_after
from .literals import LITERALS, Literal
from .wire import Wire, json_answer, page

_KIND_BY_STATUS = {http: kind for kind, (http, _, _) in reversed(envelopes.KINDS.items())}


def nothing(end: str, seconds: float = 0.0) -> Wire:
    """No answer at all: the connection ends by `fin` or `rst`, after a while."""
    return Wire(0, framing="raw", end=end, delay=seconds)


def error_json(m: Moment) -> Wire:
    """The service's own error with the status of the argument, in the envelope's style."""
    status = m.number(500)
    kind = _KIND_BY_STATUS.get(status, "server" if status >= 500 else "invalid")
    return json_answer(*envelopes.error(m.style, kind, f"The request failed with status {status}.", status))


def error_page(m: Moment) -> Wire:
    """A proxy's HTML page with the status of the argument."""
    return edge.nginx(m.number(502))


def throttled(m: Moment) -> Wire:
    """429 in the service's style, with the Retry-After that the options ask for."""
    wait = float(m.arg or 1)
    headers, text = retry_after(m.retry_after, wait, m.clock.real())
    status, body = envelopes.error(m.style, "rate", f"Rate limit exceeded.{text}")
    return json_answer(status, body, headers)


def throttled_page(m: Moment) -> Wire:
    """429 by an edge, as a page."""
    headers, _ = retry_after(m.retry_after, float(m.arg or 1), m.clock.real())
    return edge.nginx(429, headers)


def unavailable(m: Moment) -> Wire:
    """503 with Retry-After and the service's own JSON."""
    status, body = envelopes.error(m.style, "unavailable", "The service is overloaded.", 503)
    return json_answer(status, body, [("Retry-After", m.arg or "1")])


def unavailable_page(m: Moment) -> Wire:
    """503 with Retry-After as a page, as caches make it."""
    return edge.nginx(503, [("Retry-After", m.arg or "1")])


def redirect(m: Moment) -> Wire:
    """A redirect to another name of this host."""
    target = m.base_url.replace("127.0.0.1", "localhost") + "/v1/videos/generations"
    return Wire(m.number(308), b"", [("Location", target)], kind="text/plain")


def _no_credits(m: Moment) -> Wire:
    facts = {"required": 10, "available": 0}
    return json_answer(*envelopes.error(m.style, "no_credits", "Insufficient credits.", **facts))


def _literal(literal: Literal, _: Moment) -> Wire:
    return Wire(literal.status, literal.content(), literal.headers, kind=literal.kind)


def _error(kind: str, message: str) -> Callable[[Moment], Wire]:
    return lambda m: json_answer(*envelopes.error(m.style, kind, message))


def _fault(name: str, does: str, make: Callable[[Moment], Wire], arg: str = "", *tags: str) -> Fault:
    return Fault(name, "post", does, make, "no", arg, tags=frozenset(tags))


REFUSALS = table(
    _fault(
        "refuse",
        "RST; then the port refuses connections for 1 s",
        lambda _: nothing("rst"),
        "seconds",
        "away",
    ),
    _fault("reset-before", "RST before the service looked at the request", lambda _: nothing("rst")),
    _fault("drop-before", "closes the connection without an answer", lambda _: nothing("fin")),
    _fault("hang-before", "no answer for 300 s, then closes", lambda m: nothing("fin", m.seconds(300)), "seconds"),
    _fault("error", "the service's own error in JSON (500, or any status)", error_json, "status"),
    _fault("page", "a proxy's HTML error page (502, or any status)", error_page, "status"),
    _fault("bad-key", "401: the key is bad", _error("bad_key", "The API key is invalid or revoked.")),
    _fault("bad-key-page", "401 as a page", lambda _: page(401, "401 Unauthorized", "Sign in.")),
    _fault("forbidden", "403 in JSON", _error("forbidden", "This key may not use the API.")),
    _fault("edge-403", "403 of Cloudflare: `error code: 1010`", lambda _: edge.cloudflare_1010()),
    _fault("no-credits", "402: no credits, with required and available", _no_credits),
    _fault("not-open", "404 as a page: the endpoint is not open yet", lambda _: edge.not_open()),
    _fault("redirect", "308 (or another status) to another host name", redirect, "redirect"),
    _fault("throttle", "429, come back in 1 s, said as `--retry-after` says", throttled, "seconds"),
    _fault("throttle-page", "429 as an edge's page", throttled_page, "seconds"),
    _fault(
        "active",
        "429: too many tasks at once",
        _error("active", "Concurrency limit reached: too many active tasks."),
    ),
    _fault("unavailable", "503 with Retry-After in the service's JSON", unavailable, "seconds"),
    _fault("unavailable-page", "503 with Retry-After as a page", unavailable_page, "seconds"),
    _fault(
        "cloudflare",
        "a 521 page of Cloudflare (or 520 to 526)",
        lambda m: edge.cloudflare(m.number(521)),
        "cloudflare",
    ),
    _fault(
        "vercel-503",
        "503 in plain text, FUNCTION_THROTTLED",
        lambda _: edge.vercel(503, "FUNCTION_THROTTLED"),
    ),
    *(_fault(name, each.what, partial(_literal, each)) for name, each in LITERALS.items()),
)
