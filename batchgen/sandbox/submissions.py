"""POST /v1/videos/generations: admission, acceptance, the credits, and the faults of submissions."""

import asyncio
import json
import time
from hashlib import sha256
from typing import Any

from aiohttp import web

from . import envelopes
from .audit import FaultCount, Post, Task
from .clips import choose
from .clock import chance
from .fault import Moment
from .faults import FAULTS
from .limits import Windows, retry_after
from .refusals import nothing
from .rules import Picker, Rule
from .service import Service, words
from .validation import read_body
from .wire import Wire, json_answer

PATH = "/v1/videos/generations"
#: The time of a task that never ends, in seconds.
NEVER = 1e10


class Submissions:
    """Answers POSTs. Everything from the verdict to the books happens without another request between."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._books = service.books
        self._allowed = Windows()
        self.apply()

    def apply(self) -> None:
        """Take the service's options as they are now."""
        self._options = self._service.options
        rules = self._options.rules()
        self._faults = Picker(rules, "post", self._options.seed)
        self._task_faults = Picker(rules, "task", self._options.seed)
        self._allowed = self._allowed.changed(self._options.rate)

    async def post(self, request: web.BaseRequest) -> web.StreamResponse:
        """One submission."""
        post = Post(self._books.next_post(), self._service.clock.real(), time.time())
        post.auth = self._service.auth(request)
        post.key = request.headers.get("Idempotency-Key", "").strip('"')
        try:
            data = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._refuse(post, "too_large", "The request body is too large.")
        except asyncio.CancelledError:
            self._books.record(post)
            raise
        except (web.RequestPayloadError, ConnectionError):
            self._books.record(post)
            return nothing("fin")
        post.complete, post.size, post.sha256 = True, len(data), sha256(data).hexdigest()
        body = read_body(data)
        texts = [""]
        if isinstance(body, dict):
            post.provider, post.model, post.scene = body["provider"], body["model"], body["scene"]
            post.prompt = body.get("prompt", "")
            options = body.get("options")
            texts = [*words(post), json.dumps(options, ensure_ascii=False) if options else ""]
        answer = self._verdict(post, body, self._faults.pick(post.n, texts), texts)
        answer.delay += self._options.latency
        return answer

    def _verdict(self, post: Post, body: dict[str, Any] | str, rule: Rule | None, texts: list[str]) -> Wire:
        """The answer, with the books kept. A fault after acceptance strikes only a POST that is accepted."""
        fault = FAULTS[rule.name] if rule is not None else None
        if rule is not None and fault is not None:
            post.fault = rule.text
            count = self._books.planned(rule.text)
            if not fault.accepts:
                count.fired += 1
                return self._faulty_refusal(post, rule)
        refused = self._admission(post, body)
        if refused is not None:
            return refused
        assert isinstance(body, dict)  # noqa: S101 a body that is a sentence was refused
        previous = self._service.last_id
        known = self._replay(post)
        task = known or self._new_task(post, body, texts)
        answer = self._accepted(task)
        if rule is not None and fault is not None:
            count.fired += 1
            post.fired = True
            answer = fault.make(self._moment(rule, answer, task, previous))
        post.status, post.task_id, post.replayed = answer.code, task.task_id, known is not None
        if known is not None:
            self._books.record(post)
        else:
            post.credits = task.credits
            self._books.accept(post, task)
            self._service.watch(task)
        return answer

    def _accepted(self, task: Task) -> Wire:
        extra = {"costCredits": task.credits} if self._options.state_cost else {}
        status, said = envelopes.created(self._options.style, task, self._service.urls.base, extra)
        return json_answer(status, said, self._limit_headers())

    def _faulty_refusal(self, post: Post, rule: Rule) -> Wire:
        """The answer of a fault that strikes before acceptance."""
        fault = FAULTS[rule.name]
        if "away" in fault.tags:
            self._service.away_for = self._service.clock.scaled(float(rule.arg or 1))
        answer: Wire = fault.make(self._moment(rule, Wire(500), None, self._service.last_id))
        post.fired, post.status, post.reason = True, answer.code, "fault"
        self._books.record(post)
        return answer

    def _admission(self, post: Post, body: dict[str, Any] | str) -> Wire | None:
        """Key, rate, body, known key, tasks at once, credits: the first that says no, or None."""
        options = self._options
        if post.auth != "good":
            return self._refuse(post, "bad_key", "The API key is invalid or revoked.")
        if wait := self._allowed.admit(now := self._service.clock.real()):
            headers, text = retry_after(options.retry_after, wait, now)
            status, said = envelopes.error(options.style, "rate", f"Rate limit exceeded.{text}")
            return self._record(post, "rate", status, said, headers)
        if isinstance(body, str):
            return self._refuse(post, "invalid", body)
        if post.key and options.idempotency != "ignore" and post.key in self._books.by_key:
            return self._known_key(post)
        if options.max_active is not None and (active := self._service.active()) >= options.max_active:
            if options.active_status == "200":
                return self._record(post, "active", 200, {"code": -1, "message": "too many active tasks"})
            text = f"Concurrency limit reached ({options.max_active}): too many active tasks."
            return self._refuse(post, "active", text, limit=options.max_active, current=active)
        price = self._service.prices[body["scene"]]
        balance = self._books.balance(options.credits)
        if balance is not None and balance < price:
            return self._refuse(post, "no_credits", "Insufficient credits.", required=price, available=balance)
        return None

    def _known_key(self, post: Post) -> Wire | None:
        """A POST whose Idempotency-Key was seen: refused, or None where it is honoured."""
        task_id, digest = self._books.by_key[post.key]
        text = "This Idempotency-Key was used before"
        if self._options.idempotency == "honour":
            return (
                None if digest == post.sha256 else self._refuse(post, "mismatch", f"{text}, with another request.")
            )
        if self._options.idempotency == "conflict":
            _, said = envelopes.error(self._options.style, "conflict", f"{text}.")
            return self._record(post, "conflict", 409, {**said, "id": task_id})
        return self._refuse(post, "mismatch", f"{text}.")

    def _replay(self, post: Post) -> Task | None:
        if self._options.idempotency != "honour" or post.key not in self._books.by_key:
            return None
        return self._books.tasks[self._books.by_key[post.key][0]]

    def _refuse(self, post: Post, kind: str, message: str, **facts: Any) -> Wire:
        return self._record(post, kind, *envelopes.error(self._options.style, kind, message, **facts))

    def _record(
        self, post: Post, reason: str, status: int, said: Any, headers: list[tuple[str, str]] | None = None
    ) -> Wire:
        post.status, post.reason = status, reason
        self._books.record(post)
        return json_answer(status, said, (headers or []) + self._limit_headers())

    def _new_task(self, post: Post, body: dict[str, Any], texts: list[str]) -> Task:
        service, number = self._service, len(self._books.tasks) + 1
        duration = service.duration.draw(chance(self._options.seed, "duration", number))
        rule = self._task_faults.pick(number, texts)
        if rule is not None:
            count = self._books.planned(rule.text)
            duration = _changed_duration(rule, duration, count)
        return Task(
            task_id=self._books.new_task_id(number),
            number=number,
            post=post.n,
            created=service.clock.now(),
            duration=duration,
            clip=choose(body.get("options", {}), number),
            credits=service.prices[post.scene],
            provider=post.provider,
            model=post.model,
            scene=post.scene,
            prompt=post.prompt,
            fault=rule.text if rule is not None else "",
        )

    def _limit_headers(self) -> list[tuple[str, str]]:
        return self._allowed.headers(self._options.limit_headers, self._service.clock.real())

    def _moment(self, rule: Rule, proper: Wire, task: Task | None, previous: str) -> Moment:
        return Moment(
            arg=rule.arg,
            proper=proper,
            style=self._options.style,
            clock=self._service.clock,
            base_url=self._service.urls.base,
            task=task,
            previous=previous,
            retry_after=self._options.retry_after,
        )


def _changed_duration(rule: Rule, duration: float, count: FaultCount) -> float:
    """The two faults that are about time alone strike when the task is made."""
    if rule.name not in {"slow-task", "never-ends"}:
        return duration
    count.fired += 1
    return NEVER if rule.name == "never-ends" else duration * float(rule.arg or 10)
