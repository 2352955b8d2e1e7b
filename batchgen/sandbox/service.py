"""The documented API: POST /v1/videos/generations and GET /v1/tasks/{id}, with their limits and faults."""

import asyncio
import heapq
import json
import math
import time
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from . import envelopes
from .audit import Post, Task
from .books import Books
from .clips import choose
from .clock import Clock, chance, parse_duration
from .envelopes import View
from .fault import Moment, TaskMoment
from .faults import FAULTS
from .limits import Windows, retry_after
from .options import Options
from .rules import Picker, Rule
from .urls import Urls
from .validation import read_body
from .wire import Wire, json_answer

POST_PATH = "/v1/videos/generations"
GET_PATH = "/v1/tasks/"
#: Share of a task's time in which it is `pending`; after that it is `processing`.
PENDING = 0.25


class Service:
    """The service behind the two documented endpoints."""

    def __init__(self, options: Options, books: Books, clock: Clock) -> None:
        self.books = books
        self.clock = clock
        self.urls = Urls()
        self.last_id = ""
        self.away_for = 0.0
        self._running: list[tuple[float, str]] = []
        self.apply(options)
        for task in books.tasks.values():
            self._watch(task)
            self.last_id = task.task_id

    def apply(self, options: Options) -> None:
        """Behave as `options` say from now on. Rate windows start anew."""
        rules = options.rules()
        self._pick_post = Picker(rules, "post", options.seed)
        self._pick_task = Picker(rules, "task", options.seed)
        self._pick_get = Picker(rules, "get", options.seed)
        self.options = options
        self._keys = {f"Bearer {key}" for key in options.keys}
        self._prices = options.price_table()
        self._duration = parse_duration(options.duration)
        self._posts_allowed = Windows(options.rate)
        self._gets_allowed = Windows(options.poll_rate)

    # POST

    async def post(self, request: web.BaseRequest) -> web.StreamResponse:
        """One submission."""
        post = Post(self.books.next_post(), self.clock.real(), time.time())
        post.auth = self._auth(request)
        post.key = request.headers.get("Idempotency-Key", "").strip('"')
        try:
            data = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._refuse(post, "too_large", "The request body is too large.")
        except (web.RequestPayloadError, ConnectionError, asyncio.CancelledError):
            self.books.record(post)
            raise
        post.complete, post.size, post.sha256 = True, len(data), sha256(data).hexdigest()
        body = read_body(data)
        if isinstance(body, dict):
            post.provider, post.model, post.scene = body["provider"], body["model"], body["scene"]
            post.prompt = body.get("prompt", "")
        rule = self._pick_post.pick(post.n, _words(post, body))
        answer = self._answer(post, body, rule)
        if self.options.latency:
            answer.delay += self.options.latency
        return answer

    def _answer(self, post: Post, body: dict[str, Any] | str, rule: Rule | None) -> Wire:
        """Decide, keep the books, and return the answer: no other POST comes between."""
        count = None
        if rule is not None:
            post.fault = rule.text
            count = self.books.planned(rule.text)
            if not FAULTS[rule.name].accepts:
                count.fired += 1
                post.fired = True
                answer: Wire = FAULTS[rule.name].make(self._moment(rule))
                post.status, post.reason = answer.code, "fault"
                self.books.record(post)
                return answer
        refused = self._admission(post, body)
        if refused is not None or isinstance(body, str):
            return refused or self._refuse(post, "invalid", "")
        task = self._replayed(post) if self.options.idempotency == "honour" else None
        known = task is not None
        task = task or self._new_task(post, body)
        extra = {"costCredits": task.credits} if self.options.state_cost else {}
        status, said = envelopes.created(self.options.style, task, self.urls.base, extra)
        answer = json_answer(status, said, self._limit_headers())
        if rule is not None and count is not None:
            count.fired += 1
            post.fired = True
            answer = FAULTS[rule.name].make(self._moment(rule, answer, task))
        post.status, post.task_id, post.replayed = answer.code, task.task_id, known
        if known:
            self.books.record(post)
        else:
            post.credits = task.credits
            self.books.accept(post, task, self.clock.now())
            self._watch(task)
            self.last_id = task.task_id
        return answer

    def _admission(self, post: Post, body: dict[str, Any] | str) -> Wire | None:
        """Key, rate, body, tasks at once, credits: the first that says no, or None."""
        options = self.options
        if post.auth != "good" or (options.key_dies_after is not None and post.n > options.key_dies_after):
            return self._refuse(post, "bad_key", "The API key is invalid or revoked.")
        now = self.clock.real()
        if wait := self._posts_allowed.admit(now):
            return self.throttled(post, wait, now)
        if isinstance(body, str):
            return self._refuse(post, "invalid", body)
        if post.key and options.idempotency != "ignore" and post.key in self.books.by_key:
            return self._known_key(post)
        if options.max_active is not None and self.active() >= options.max_active:
            text = f"Concurrency limit reached ({options.max_active}): too many active tasks."
            facts = {"limit": options.max_active, "current": self.active()}
            if options.active_status == 200:
                return self._record(post, "active", 200, {"code": -1, "message": "too many active tasks"})
            return self._refuse(post, "active", text, **facts)
        price = self._prices[body["scene"]]
        balance = self.books.balance(options.credits)
        if balance is not None and balance < price:
            facts = {"required": price, "available": balance}
            return self._refuse(post, "no_credits", "Insufficient credits.", **facts)
        return None

    def _known_key(self, post: Post) -> Wire | None:
        """A POST whose Idempotency-Key was seen: refused, or None where it is honoured."""
        task_id, digest = self.books.by_key[post.key]
        text = "This Idempotency-Key was used before"
        if self.options.idempotency == "honour":
            if digest == post.sha256:
                return None
            return self._refuse(post, "mismatch", f"{text} with another request.")
        if self.options.idempotency == "conflict":
            status, body = envelopes.error(self.options.style, "conflict", f"{text}.")
            return self._record(post, "conflict", 409, {**body, "id": task_id} if status == 409 else body)
        return self._refuse(post, "mismatch", f"{text}.")

    def _replayed(self, post: Post) -> Task | None:
        known = self.books.by_key.get(post.key)
        return self.books.tasks[known[0]] if known and post.key else None

    def throttled(self, post: Post, wait: float, now: float) -> Wire:
        """429: too many POSTs; come back in `wait` seconds."""
        headers, text = retry_after(self.options.retry_after, wait, now)
        status, body = envelopes.error(self.options.style, "rate", f"Rate limit exceeded.{text}")
        answer = json_answer(status, body, headers + self._limit_headers())
        post.status, post.reason = status, "rate"
        self.books.record(post)
        return answer

    def _refuse(self, post: Post, kind: str, message: str, **facts: Any) -> Wire:
        return self._record(post, kind, *envelopes.error(self.options.style, kind, message, **facts))

    def _record(self, post: Post, reason: str, status: int, body: Any) -> Wire:
        post.status, post.reason = status, reason
        self.books.record(post)
        return json_answer(status, body, self._limit_headers())

    def _new_task(self, post: Post, body: dict[str, Any]) -> Task:
        number = len(self.books.tasks) + 1
        rule = self._pick_task.pick(number, _words(post, body))
        if rule is not None:
            self.books.planned(rule.text).fired += 1
        options = body.get("options", {})
        duration = self._duration.draw(chance(self.options.seed, "duration", number))
        if rule is not None and rule.name == "slow":
            duration *= float(rule.arg or 10)
        elif rule is not None and rule.name == "never-ends":
            duration = math.inf
        return Task(
            task_id=self.books.new_task_id(number),
            number=number,
            post=post.n,
            created=self.clock.now(),
            duration=duration,
            clip=choose(options, number),
            credits=self._prices[post.scene],
            provider=post.provider,
            model=post.model,
            scene=post.scene,
            prompt=post.prompt,
            fault=rule.text if rule is not None else "",
        )

    # tasks that run

    def _watch(self, task: Task) -> None:
        heapq.heappush(self._running, (task.created + task.duration, task.task_id))

    def settle(self) -> None:
        """Let tasks end whose time is over; give credits back where that is automatic."""
        now = self.clock.now()
        while self._running and self._running[0][0] <= now:
            ended, task_id = heapq.heappop(self._running)
            if self.options.refund == "automatic":
                self._refund(self.books.tasks[task_id], ended)

    def active(self) -> int:
        """How many tasks run now."""
        self.settle()
        return len(self._running)

    def _refund(self, task: Task, at: float) -> None:
        name = task.fault.partition("@")[0]
        tags = FAULTS[name].tags if name else frozenset()
        if "fails" in tags and ("moderation" not in tags or self.options.refund_moderation):
            self.books.refund(task, at)

    # GET

    async def get(self, request: web.BaseRequest, quoted: str) -> web.StreamResponse:
        """One status call."""
        self.books.gets += 1
        number = self.books.gets
        task = self.books.tasks.get(unquote(quoted))
        rule = self._pick_get.pick(number, _words(task) if task is not None else ())
        answer = await self._look(request, task)
        if rule is not None:
            self.books.planned(rule.text).fired += 1
            answer = FAULTS[rule.name].make(self._moment(rule, answer, task))
        self.books.get_statuses[answer.code] += 1
        return answer

    async def _look(self, request: web.BaseRequest, task: Task | None) -> Wire:
        if self._auth(request) != "good":
            return self._error("bad_key", "The API key is invalid or revoked.")
        now = self.clock.real()
        if wait := self._gets_allowed.admit(now):
            headers, text = retry_after(self.options.retry_after, wait, now)
            status, body = envelopes.error(self.options.style, "rate", f"Rate limit exceeded.{text}")
            return json_answer(status, body, headers)
        if task is None:
            return self._error("not_found", "Task not found.")
        self.books.looked(task)
        self.settle()
        view = self._view(task)
        if isinstance(view, Wire):
            return view
        if view.status == "failed":
            if self.options.refund == "seen":
                self._refund(task, self.clock.now())
            if self.options.state_cost:
                view.extra["refundedCredits"] = task.refunded
        status, body = envelopes.shown(self.options.style, task, view)
        return json_answer(status, body, self._gets_allowed.headers(self.options.limit_headers, now))

    def _view(self, task: Task) -> View | Wire:
        elapsed = self.clock.now() - task.created
        if elapsed >= task.duration:
            view = View("success", [self._url(task)])
        else:
            view = View("pending" if elapsed < PENDING * min(task.duration, 3600) else "processing")
        if self.options.state_cost:
            view.extra["costCredits"] = task.credits
        if not task.fault:
            return view
        name, _, arg = task.fault.partition("@")
        moment = TaskMoment(arg, task, view, elapsed, task.gets, self.options.style, self.clock)
        told: View | Wire = FAULTS[name].make(moment)
        return told

    def _url(self, task: Task) -> str:
        life = self.options.url_life
        expires = None if life is None else self.clock.now() + life
        return self.urls.of(task.task_id, expires, task.gets if self.options.fresh_urls else None)

    def _error(self, kind: str, message: str) -> Wire:
        return json_answer(*envelopes.error(self.options.style, kind, message))

    def _auth(self, request: web.BaseRequest) -> str:
        header = request.headers.get("Authorization")
        return "none" if header is None else "good" if header in self._keys else "bad"

    def _limit_headers(self) -> list[tuple[str, str]]:
        return self._posts_allowed.headers(self.options.limit_headers, self.clock.real())

    def _moment(self, rule: Rule, proper: Wire | None = None, task: Task | None = None) -> Moment:
        if rule.name == "refuse":
            self.away_for = self.clock.scaled(float(rule.arg or 1))
        return Moment(
            arg=rule.arg,
            proper=proper or Wire(500),
            style=self.options.style,
            clock=self.clock,
            base_url=self.urls.base,
            task=task,
            previous=self.last_id,
            retry_after=self.options.retry_after,
        )


def _words(thing: Post | Task, body: dict[str, Any] | str = "") -> list[str]:
    """The texts that a fault's pattern is tried on."""
    words = [thing.prompt, thing.model, thing.provider, thing.scene]
    if isinstance(thing, Post):
        words.append(thing.key)
    if isinstance(body, dict) and body.get("options"):
        words.append(json.dumps(body["options"], ensure_ascii=False))
    return words
