"""GET /v1/tasks/{id}: what the service says of a task, and the faults of status calls."""

from dataclasses import replace
from urllib.parse import unquote

from aiohttp import web

from . import envelopes
from .audit import Task
from .envelopes import View
from .fault import Moment, TaskMoment
from .faults import FAULTS
from .limits import Windows, retry_after
from .rules import Picker
from .service import Service, words
from .wire import Wire, json_answer

PATH = "/v1/tasks/"
#: Share of a task's time in which it is `pending`; after that it is `processing`.
PENDING = 0.25


class Looks:
    """Answers status calls."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._allowed = Windows()
        self.apply()

    def apply(self) -> None:
        """Take the service's options as they are now."""
        self._options = self._service.options
        self._faults = Picker(self._options.rules(), "get", self._options.seed)
        self._allowed = self._allowed.changed(self._options.poll_rate)

    async def get(self, request: web.BaseRequest, quoted: str) -> web.StreamResponse:
        """One status call for the task whose percent-encoded id is `quoted`."""
        books = self._service.books
        books.gets += 1
        task = books.tasks.get(unquote(quoted))
        rule = self._faults.pick(books.gets, words(task))
        answer = self._proper(request, task)
        if rule is not None:
            books.planned(rule.text).fired += 1
            answer = FAULTS[rule.name].make(
                Moment(
                    arg=rule.arg,
                    proper=answer,
                    style=self._options.style,
                    clock=self._service.clock,
                    base_url=self._service.urls.base,
                    task=task,
                    retry_after=self._options.retry_after,
                )
            )
        books.get_statuses[answer.code] += 1
        return answer

    def _proper(self, request: web.BaseRequest, task: Task | None) -> Wire:
        service, options = self._service, self._options
        if service.auth(request) != "good":
            return service.error("bad_key", "The API key is invalid or revoked.")
        now = service.clock.real()
        if wait := self._allowed.admit(now):
            headers, text = retry_after(options.retry_after, wait, now)
            status, said = envelopes.error(options.style, "rate", f"Rate limit exceeded.{text}")
            return json_answer(status, said, headers)
        if task is None:
            return service.error("not_found", "Task not found.")
        service.books.looked(task)
        service.settle()
        view = self._view(task)
        if isinstance(view, Wire):
            return view
        if view.status == "failed":
            if options.refund == "seen":
                service.refund(task)
            if options.state_cost:
                view.extra["refundedCredits"] = task.refunded
        status, said = envelopes.shown(options.style, task, view)
        answer = json_answer(status, said, self._allowed.headers(options.limit_headers, now))
        answer.delay = view.delay
        return answer

    def _view(self, task: Task) -> View | Wire:
        """The task as it is, changed by the fault that it was born with."""
        elapsed = self._service.clock.now() - task.created
        if elapsed >= task.duration:
            view = View("success", [self._url(task)])
        else:
            view = View("pending" if elapsed < PENDING * min(task.duration, 60) else "processing")
        if self._options.state_cost:
            view.extra["costCredits"] = task.credits
        if not task.fault:
            return view
        name, _, arg = task.fault.partition("@")
        plain = replace(view, extra=dict(view.extra))
        moment = TaskMoment(arg, task, view, elapsed, self._options.style, self._service.clock)
        told: View | Wire = FAULTS[name].make(moment)
        if told != plain and not task.struck:
            task.struck = True
            self._service.books.faults[task.fault].fired += 1
        return told

    def _url(self, task: Task) -> str:
        life = self._options.url_life
        expires = None if life is None else self._service.clock.now() + life
        return self._service.urls.of(task.task_id, expires, task.gets if self._options.fresh_urls else None)
