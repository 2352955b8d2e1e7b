"""The answer to a POST -> Outcome: the one table of what is known after an attempt.

Structure first, words last: what a body says by its structure (`signs`: yes; `complaint`: no) is looked at before a
word of it is read, and words only tell the kind of a declared no. Whatever is not in the table is in doubt: a doubt
costs a person a look, a mistake costs money.
"""

import math
import re
from typing import Any

from batchgen.job import Answer, Outcome, OutcomeKind
from batchgen.service.reply import words
from batchgen.service.reply.body import (
    EVIDENCE_LIMIT,
    Unreadable,
    at,
    one_line,
    parse,
    parsed_or_none,
    request_id_of,
    task_id_of,
)
from batchgen.service.reply.complaint import Complaint, complaint_of, error_text
from batchgen.service.reply.echo import texts_of
from batchgen.service.reply.signs import disagreeing_ids, says_yes

#: Statuses by which a service says that it did not do what was asked.
REJECTED = frozenset({400, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431})
#: Cloudflare's statuses for an origin that it never reached.
UNREACHED = frozenset({521, 523, 525, 526})


def outcome(answer: Answer, *, idempotent: bool = False, sent: bytes = b"") -> Outcome:
    """What is known after one POST that was answered in full.

    `idempotent`: the service is configured to honour Idempotency-Key. `sent` is the body of the POST: what the
    answer quotes of it is not the service's word. Never raises.
    """
    status = answer.status
    if 200 <= status <= 299:
        return _of_2xx(answer, sent)
    if 500 <= status <= 599:
        return _of_5xx(answer)
    body = parsed_or_none(answer.body)
    if says_yes(body):
        if status == 409 and idempotent:
            return _of_repeat(answer)
        return _contradiction(answer, body, f"HTTP {status} beside a body that says yes")
    if 400 <= status <= 499:
        return _of_4xx(answer, idempotent, sent)
    if status in (307, 308):
        where = one_line(answer.headers.get("location", ""), 200)
        return _told(answer, OutcomeKind.REFUSED, "redirect", f"redirected to {where}; redirects are not followed")
    return _told(answer, OutcomeKind.IN_DOUBT, f"http_{status}", _page_text(answer))


def _of_2xx(answer: Answer, sent: bytes) -> Outcome:
    try:
        body = parse(answer.body)
    except Unreadable as why:
        return _unreadable(answer, why)
    complaint = complaint_of(body)
    if complaint is not None:
        if says_yes(body):
            return _contradiction(answer, body, complaint.message)
        complaint = complaint.without_echo(texts_of(sent))
        return _by_words(answer, complaint) or _of_body_error(answer, complaint)
    task_id = task_id_of(body) or request_id_of(body)
    if not task_id:
        words_of_it = error_text(body).message
        said = "the answer holds no task id" + (f', and says "{words_of_it}"' if words_of_it else "")
        return _told(answer, OutcomeKind.IN_DOUBT, "no_id", said)
    return _accepted(answer, body, task_id)


def _contradiction(answer: Answer, body: Any, said: str) -> Outcome:
    """A yes and a no in one answer: only a person can tell what the service did."""
    code = "error_with_id" if 200 <= answer.status <= 299 and task_id_of(body) else "contradiction"
    return _told(answer, OutcomeKind.IN_DOUBT, code, said)


def _of_body_error(answer: Answer, complaint: Complaint) -> Outcome:
    """An error envelope in a 2xx, without an id."""
    if 403 in complaint.numbers or complaint.says_only(words.NO_PERMISSION):
        return _told(answer, OutcomeKind.REFUSED, "forbidden", complaint.message)
    if (throttle := complaint.throttle) is not None:
        return _told(answer, OutcomeKind.THROTTLED, "throttled", complaint.message, throttle=throttle)
    number = min((n for n in complaint.numbers if n >= 300), default=None)
    if (number is not None and 400 <= number <= 431) or complaint.says(words.NOT_DONE):
        code = complaint.slug or ("rejected" if number is None else _code(number))
        return _told(answer, OutcomeKind.REJECTED, code, complaint.message)
    return _told(answer, OutcomeKind.IN_DOUBT, complaint.slug or _code(number), complaint.message)


def _accepted(answer: Answer, body: Any, task_id: str) -> Outcome:
    if not answer.framed:
        said = "the answer's end can't be told from a cut"
        return _told(answer, OutcomeKind.IN_DOUBT, "unframed", said)
    if rivals := disagreeing_ids(body):
        said = f"the answer names more than one id: {', '.join(one_line(rival, 100) for rival in rivals[:5])}"
        return _told(answer, OutcomeKind.IN_DOUBT, "two_ids", said)
    return Outcome(
        OutcomeKind.ACCEPTED,
        code="accepted",
        status=answer.status,
        task_id=task_id,
        charged_credits=charged_credits_of(body),
        headers=answer.headers,
        evidence=answer.body[:EVIDENCE_LIMIT],
    )


def _of_4xx(answer: Answer, idempotent: bool, sent: bytes) -> Outcome:
    status = answer.status
    body = parsed_or_none(answer.body)
    complaint = error_text(body).without_echo(texts_of(sent))
    if (told := _by_words(answer, complaint)) is not None:
        return told
    message = complaint.message or _page_text(answer)
    if status in (401, 402):
        code = "bad_key" if status == 401 else "insufficient_credits"
        return _told(answer, OutcomeKind.REFUSED, code, message)
    if status in (425, 429):
        return _told(answer, OutcomeKind.THROTTLED, f"http_{status}", message, throttle=_kind(complaint))
    if status in REJECTED or status == 403:
        return _of_refusal(answer, complaint, message, is_json=body is not None)
    if status == 409 and idempotent:
        return _of_repeat(answer)
    return _told(answer, OutcomeKind.IN_DOUBT, f"http_{status}", message)


def _of_refusal(answer: Answer, complaint: Complaint, message: str, *, is_json: bool) -> Outcome:
    status = answer.status
    if (throttle := complaint.throttle) is not None:
        return _told(answer, OutcomeKind.THROTTLED, "throttled", message, throttle=throttle)
    if status == 403 and not complaint.says(words.MODERATED):
        return _told(answer, OutcomeKind.REFUSED, "forbidden" if is_json else "edge_blocked", message)
    if status == 404 and not is_json:
        return _told(answer, OutcomeKind.REFUSED, "not_open", message)
    return _told(answer, OutcomeKind.REJECTED, complaint.slug or f"http_{status}", message)


def _of_repeat(answer: Answer) -> Outcome:
    """A 409 of a service that honours the key: the task of the first sending, if it is named."""
    try:
        body = parse(answer.body)
    except Unreadable as why:
        return _unreadable(answer, why)
    if task_id := task_id_of(body):
        return _accepted(answer, body, task_id)
    return _told(answer, OutcomeKind.IN_DOUBT, "http_409", error_text(body).message)


def _of_5xx(answer: Answer) -> Outcome:
    status = answer.status
    body = parsed_or_none(answer.body)
    message = error_text(body).message or _page_text(answer)
    if status == 503 and isinstance(body, dict) and not says_yes(body) and _says_when(answer):
        return _told(answer, OutcomeKind.THROTTLED, "http_503", message, throttle="unavailable")
    if status in UNREACHED and made_by_cloudflare(answer) and not says_yes(body):
        return _told(answer, OutcomeKind.NOT_SENT, f"http_{status}", message)
    return _told(answer, OutcomeKind.IN_DOUBT, f"http_{status}", message)


def _says_when(answer: Answer) -> bool:
    """A Retry-After that the service itself sent (caches add one to their own pages)."""
    return bool(answer.headers.get("retry-after", "").strip()) and not edge_made(answer)


def _by_words(answer: Answer, complaint: Complaint) -> Outcome | None:
    """Words about credits and keys, whatever the status: they stop the batch."""
    if complaint.no_credits:
        return _told(answer, OutcomeKind.REFUSED, "insufficient_credits", complaint.message)
    if complaint.bad_key:
        return _told(answer, OutcomeKind.REFUSED, "bad_key", complaint.message)
    return None


def _kind(complaint: Complaint) -> str:
    """Of what a 429 says there is too much: `rate`, `concurrency` or "" when it does not say."""
    if complaint.says(words.AT_ONCE_HINT):
        return "concurrency"
    return complaint.throttle or ""


def made_by_cloudflare(answer: Answer) -> bool:
    """Did Cloudflare itself write this page (not an origin behind it)?

    Its pages carry `cf-error-type` or `cf-error-origin`; older ones are no JSON, name it, and come with
    `cf-ray` from `server: cloudflare`.
    """
    headers = answer.headers
    if "cf-error-type" in headers or "cf-error-origin" in headers:
        return True
    if "cf-ray" not in headers or headers.get("server", "").lower() != "cloudflare":
        return False
    page = answer.body[:EVIDENCE_LIMIT].lower()
    return parsed_or_none(answer.body) is None and (b"cloudflare" in page or b"error code: " in page)


def edge_made(answer: Answer) -> bool:
    """An answer by something in front of the service: Cloudflare, Vercel's router, a cache."""
    if made_by_cloudflare(answer) or "x-vercel-error" in answer.headers:
        return True
    body = parsed_or_none(answer.body)
    if isinstance(body, dict):
        return body.get("cloudflare_error") is True
    return re.search(rb"\berror code: 1\d{3}\b", answer.body[:2000]) is not None


def charged_credits_of(body: Any) -> int | None:
    """The `costCredits` of the documented envelope: this service's credits, unlike `creditsUsed`.

    A credit is the smallest amount: a part of one counts as one, so that no more is charged than is booked.
    """
    for place in (("costCredits",), ("data", "costCredits")):
        amount = at(body, place)
        if isinstance(amount, int | float) and not isinstance(amount, bool) and 0 <= amount < 10**9:
            return math.ceil(amount)
    return None


def _code(number: int | None) -> str:
    return "unknown_error" if number is None else f"code_{number}"


def _page_text(answer: Answer) -> str:
    """A page's title, or the first words of a text."""
    text = answer.body[:4096].decode("utf-8", "replace")
    title = re.search(r"<title[^>]*>(.*?)</title", text, re.IGNORECASE | re.DOTALL)
    if title:
        return one_line(title.group(1), 200)
    return "" if text.lstrip().startswith("<") else one_line(text, 200)


def _unreadable(answer: Answer, why: Unreadable) -> Outcome:
    text = _page_text(answer)
    return _told(answer, OutcomeKind.IN_DOUBT, why.code, f"{why}: {text}" if text else str(why))


def _told(answer: Answer, kind: OutcomeKind, code: str, message: str, *, throttle: str = "") -> Outcome:
    return Outcome(
        kind,
        code=code,
        message=message or f"HTTP {answer.status}",
        status=answer.status,
        throttle=throttle,
        headers=answer.headers,
        evidence=answer.body[:EVIDENCE_LIMIT],
    )
