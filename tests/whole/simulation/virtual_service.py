"""The service, imagined: it charges, loses answers, goes away, and keeps the books to hold the ledger against."""

import asyncio
import hashlib
import heapq
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from virtual_disk import Disk

from batchgen.job import Answer, Look, Outcome, OutcomeKind, Trouble
from batchgen.service import reply
from batchgen.service.dialects import Call, service_of

#: What can happen to one POST: name -> (does the service act on it?, what the client gets).
FAULTS = (
    "refused", "connect_timeout", "throttled", "throttled_bare", "unavailable", "html_503", "http_500_charged",
    "http_500", "http_502_charged", "http_502", "timeout_charged", "timeout_lost", "reset_charged", "reset_lost",
    "cut_charged", "no_id_charged", "html_charged", "known_id_charged", "conflict", "rejected", "late_charged",
    "edge_521", "unframed_charged", "error_with_id_charged", "slow",
)  # fmt: skip
LOOK_FAULTS = (
    "look_404",
    "look_500",
    "look_429",
    "look_hangs",
    "look_html",
    "look_other",
    "look_away",
    "look_refused",
)
FATAL = ("bad_key", "no_credits", "not_open", "redirect")
PRICE = 6


@dataclass
class Task:
    """A task that the service works on, and its fate."""

    task_id: str
    attempt_id: int
    job: tuple[int, int]  # (job_no, purchase_no)
    price: int
    states_price: bool
    created: float
    seconds: float
    end: str  # succeeded, failed, refunded, cancelled, expired, empty, odd
    backwards: bool
    invisible: float

    def word(self, now: float) -> str:
        age = now - self.created
        if age >= self.seconds:
            return {"refunded": "failed", "empty": "succeeded", "odd": "archived"}.get(self.end, self.end)
        if age < 0.2 * self.seconds or (self.backwards and int(age) % 3 == 0):
            return "pending"
        return "processing" if int(age) % 7 else "juggling"

    def body(self, now: float) -> dict[str, Any]:
        word = self.word(now)
        ended = now - self.created >= self.seconds
        shown = ended and self.end in ("succeeded", "odd", "empty")
        if self.end == "empty" and now - self.created < self.seconds + 3.0:
            shown = False  # the videos come a little later than the word
        urls = [f"https://files.test/{self.task_id}.mp4"] if shown else []
        data: dict[str, Any] = {"id": self.task_id, "mediaType": "video", "status": word, "videoUrls": urls}
        body: dict[str, Any] = {"id": self.task_id, "object": "video.generation.task", "status": word, "data": data}
        if ended and self.end in ("failed", "refunded"):
            data["error"] = {"code": "moderated", "message": "the prompt was refused"}
        if ended and self.end == "refunded":
            data["refunded"] = True
        if ended and self.states_price:
            data["costCredits"] = self.price
        return body


@dataclass
class Request:
    """One POST that has left."""

    attempt_id: int
    job: tuple[int, int]
    key: str
    body: bytes
    fault: str
    answer: Answer | None = None
    arrived: bool = False


@dataclass
class Weather:
    """How likely what is, for one process of one seed."""

    posts: dict[str, float] = field(default_factory=dict)
    looks: dict[str, float] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=lambda: {"succeeded": 1.0})
    drift: float = 0.0
    at_once: int | None = None
    per_second: float | None = None
    away: tuple[float, float] = (0.0, 0.0)
    outage_502: tuple[float, float] = (0.0, 0.0)
    fatal: str = ""
    seconds: tuple[float, float] = (5.0, 60.0)
    honours_keys: bool = False


class Service:
    """The oracle: everything that was sent, charged and answered, whoever was alive to hear it."""

    def __init__(self, disk: Disk, rng: random.Random, wall: Callable[[], float]) -> None:
        self._disk = disk
        self._rng = rng
        self._wall = wall
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0
        self.weather = Weather()
        self.tasks: dict[str, Task] = {}
        self.by_attempt: dict[int, Task] = {}
        self.by_key: dict[str, Task] = {}
        self.violations: list[str] = []
        self.fired: dict[str, int] = {}
        self.posts: list[float] = []  # when each POST left
        self.accepted_at: list[float] = []
        self.throttles = 0
        self.looks = 0
        self._recent: list[float] = []
        self.fatal_was_read = False
        self.read_ids: list[tuple[int, str]] = []
        self.post_timeout = 120.0
        self.dead = False

    # -- time ------------------------------------------------------------------------------------------------

    def at(self, instant: float, what: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (instant, self._count, what))

    def advance(self, now: float) -> None:
        """What happened at the service up to now, whoever was listening."""
        while self._events and self._events[0][0] <= now:
            instant, _, what = heapq.heappop(self._events)
            what(instant)

    def fire(self, name: str) -> None:
        self.fired[name] = self.fired.get(name, 0) + 1

    def wrong(self, what: str) -> None:
        if len(self.violations) < 20:
            self.violations.append(what)

    def _alive(self) -> None:
        if self.dead:
            raise asyncio.CancelledError

    # -- SubmitApi ---------------------------------------------------------------------------------------------

    def create(self, request: dict[str, Any]) -> Call:
        return service_of("gateway").dialect.create(request)

    async def submit(self, call: Call, key: str, before_send: Callable[[], Awaitable[None]]) -> Outcome:
        rng, weather = self._rng, self.weather
        fault = _pick(rng, weather.posts)
        trip = rng.uniform(0.01, 0.2)
        await asyncio.sleep(trip)
        self._alive()
        now = self._wall()
        gone = weather.away[0] <= now < weather.away[1]
        if gone or fault in ("refused", "connect_timeout"):
            self.fire("away" if gone else fault)
            await asyncio.sleep(10.0 if fault == "connect_timeout" else 0.01)
            self._alive()
            return Outcome(OutcomeKind.NOT_SENT, "connect", "no connection")
        if weather.outage_502[0] <= now < weather.outage_502[1]:
            fault = rng.choice(["http_502", "http_502_charged", "timeout_lost"])
        await before_send()
        self._alive()
        begun = self._wall()
        request = self._first_byte(call.body, key, fault)
        self.posts.append(begun)
        takes = rng.uniform(0.02, 1.0)
        if fault == "slow":
            takes = rng.uniform(20.0, self.post_timeout * 1.2)
        elif fault == "late_charged":
            takes = rng.uniform(self.post_timeout, self.post_timeout + 25.0)
        arrives = begun + trip if fault != "late_charged" else begun + takes
        if fault not in ("timeout_lost", "reset_lost", "edge_521"):
            self.at(arrives, lambda instant: self._arrive(request, instant))
        hangs = fault in ("timeout_charged", "timeout_lost", "late_charged") or takes > self.post_timeout
        await asyncio.sleep(self.post_timeout if hangs else max(takes, trip) + 0.001)
        self._alive()
        self.advance(self._wall())
        if fault:
            self.fire(fault)
        outcome = self._outcome(request, fault, hangs)
        if outcome.kind is OutcomeKind.REFUSED:
            self.fatal_was_read = True
        if outcome.kind is OutcomeKind.ACCEPTED:
            self.read_ids.append((request.attempt_id, outcome.task_id))
            self.accepted_at.append(begun)
        self.throttles += outcome.kind is OutcomeKind.THROTTLED
        return outcome

    async def probe(self) -> bool:
        await asyncio.sleep(self._rng.uniform(0.01, 1.0))
        self._alive()
        now = self._wall()
        return not (self.weather.away[0] <= now < self.weather.away[1])

    def _first_byte(self, body: bytes, key: str, fault: str) -> Request:
        """The oracle's eye: a byte of this POST has left. Was that allowed?"""
        digest = hashlib.sha256(body).hexdigest()
        found = self._disk.rows(
            "SELECT attempt_id, job_no, purchase_no FROM attempt"
            " WHERE idempotency_key = ? AND body_sha256 = ? AND outcome IS NULL",
            key, digest,
        )  # fmt: skip
        if len(found) != 1:
            self.wrong(f"a POST left that belongs to {len(found)} durable open attempts")
        if self.fatal_was_read:
            self.wrong("a POST left after a fatal answer had been read")
        attempt_id, job_no, purchase_no = found[0] if found else (-1, -1, -1)
        live = self._disk.rows(
            "SELECT count(*) FROM attempt WHERE job_no = ? AND purchase_no = ? AND attempt_id <> ?"
            " AND (outcome IS NULL OR outcome IN ('in_doubt', 'accepted', 'paid_lost'))",
            job_no, purchase_no, attempt_id,
        )[0][0]  # fmt: skip
        if live:
            self.wrong("a POST left for a job that is in doubt, running or bought already")
        return Request(attempt_id, (job_no, purchase_no), key, body, fault)

    def _outcome(self, request: Request, fault: str, hangs: bool) -> Outcome:
        if hangs:
            return Outcome(OutcomeKind.IN_DOUBT, "read_timeout", "no answer in time")
        if fault in ("reset_charged", "reset_lost"):
            return Outcome(OutcomeKind.IN_DOUBT, "reset", "the connection was reset")
        if fault == "edge_521":
            page = b"<html><title>521: Web server is down</title>cloudflare</html>"
            headers = {"server": "cloudflare", "cf-ray": "1", "content-type": "text/html"}
            return reply.outcome(Answer(521, headers, page))
        assert request.answer is not None
        return reply.outcome(request.answer)

    # -- what the service does -----------------------------------------------------------------------------------

    def _arrive(self, request: Request, now: float) -> None:
        request.arrived = True
        request.answer = self._answer(request, now)

    def _answer(self, request: Request, now: float) -> Answer:
        fault, weather = request.fault, self.weather
        if weather.fatal:
            self.fire(weather.fatal)
            return _fatal(weather.fatal)
        if weather.honours_keys and request.key in self.by_key:
            return _json(200, self.by_key[request.key].body(now))
        if fault in ("throttled", "throttled_bare"):
            headers = {"retry-after": str(self._rng.randint(1, 8))} if fault == "throttled" else {}
            return _json(429, {"error": {"message": "Rate limit exceeded"}}, headers)
        if fault == "unavailable":
            return _json(503, {"error": {"message": "try later"}}, {"retry-after": "5"})
        if fault == "html_503":
            return Answer(503, {"retry-after": "5", "content-type": "text/html"}, b"<html>down</html>")
        if fault in ("http_500", "http_502"):
            return Answer(int(fault[5:8]), {"content-type": "text/html"}, b"<html>bad gateway</html>")
        if fault == "conflict":
            return _json(409, {"error": {"message": "a conflict"}})
        if fault == "rejected":
            return _json(422, {"error": {"message": "the prompt is not allowed"}})
        if (limited := self._limits(now)) is not None:
            return limited
        task = self._create(request, now)
        whole = _json(200, task.body(now))
        match fault:
            case "http_500_charged" | "http_502_charged":
                return Answer(int(fault[5:8]), {"content-type": "text/html"}, b"<html>bad gateway</html>")
            case "cut_charged":
                return Answer(200, whole.headers, whole.body[: self._rng.randint(0, len(whole.body) - 1)])
            case "no_id_charged":
                return _json(200, {"status": "pending", "object": "video.generation.task"})
            case "html_charged":
                return Answer(200, {"content-type": "text/html"}, b"<html>welcome</html>")
            case "unframed_charged":
                return Answer(200, whole.headers, whole.body, framed=False)
            case "error_with_id_charged":
                return _json(200, {"error": {"message": "internal error", "code": 500}, "id": task.task_id})
            case "known_id_charged" if len(self.tasks) > 1:
                known = [one for (one,) in self._disk.rows("SELECT task_id FROM task")]
                if known:
                    other = self.tasks[self._rng.choice(known)]
                    return _json(200, other.body(other.created))
        return whole

    def _limits(self, now: float) -> Answer | None:
        weather = self.weather
        if weather.at_once is not None:
            running = sum(one.created + one.seconds > now for one in self.tasks.values())
            if running >= weather.at_once:
                self.fire("too_many_at_once")
                return _json(429, {"error": {"message": "too many active tasks"}})
        if weather.per_second is not None:
            self._recent = [instant for instant in self._recent if instant > now - 2.0]
            if len(self._recent) >= 2 * weather.per_second:
                self.fire("too_fast")
                wait = self._recent[0] + 2.0 - now
                return _json(429, {"error": {"message": "rate limit"}}, {"retry-after": f"{wait:.3f}"})
            self._recent.append(now)
        return None

    def _create(self, request: Request, now: float) -> Task:
        """A task is made, and charged."""
        rng, weather = self._rng, self.weather
        drifts = rng.random() < weather.drift
        task = Task(
            task_id=f"task-{len(self.tasks) + 1}",
            attempt_id=request.attempt_id,
            job=request.job,
            price=PRICE + rng.choice([-2, 3]) if drifts else PRICE,
            states_price=drifts,
            created=now,
            seconds=rng.uniform(*weather.seconds),
            end=_pick(rng, weather.ends) or "succeeded",
            backwards=rng.random() < 0.3,
            invisible=rng.choice([0.0, 0.0, 5.0, 80.0]),
        )
        if task.end == "never":
            task.seconds = 1e9
        if request.attempt_id in self.by_attempt or any(one.job == task.job for one in self.tasks.values()):
            self.wrong(f"job {task.job[0]} was charged twice in purchase {task.job[1]}")
        self.tasks[task.task_id] = self.by_attempt[request.attempt_id] = self.by_key[request.key] = task
        return task

    # -- PollApi -----------------------------------------------------------------------------------------------

    async def task(self, task_id: str, model: str = "") -> Look:
        fault = _pick(self._rng, self.weather.looks)
        await asyncio.sleep(90.0 if fault == "look_hangs" else self._rng.uniform(0.01, 0.5))
        self._alive()
        now = self._wall()
        self.advance(now)
        self.looks += 1
        if fault:
            self.fire(fault)
        if fault in ("look_hangs", "look_500") or self.weather.outage_502[0] <= now < self.weather.outage_502[1]:
            return Look(trouble=Trouble.ERROR, message="no answer")
        if fault == "look_away" or self.weather.away[0] <= now < self.weather.away[1]:
            return Look(trouble=Trouble.AWAY, message="no connection")
        return reply.look(self._look_answer(task_id, fault, now), task_id)

    def _look_answer(self, task_id: str, fault: str, now: float) -> Answer:
        task = self.tasks.get(task_id)
        if task is None:
            self.wrong(f"a look at a task {task_id} that the service never made")
            return _json(404, {"error": {"message": "no such task"}})
        if fault == "look_404" or now - task.created < task.invisible:
            return _json(404, {"error": {"message": "no such task"}})
        if fault == "look_429":
            return _json(429, {"error": {"message": "rate limit"}}, {"retry-after": "2"})
        if fault == "look_html":
            return Answer(200, {"content-type": "text/html"}, b"<html>welcome</html>")
        if fault == "look_refused":
            return _json(401, {"error": {"message": "unauthorized"}})
        if fault == "look_other":
            return _json(200, {"id": "task-of-somebody", "status": "failed", "data": {"id": "task-of-somebody"}})
        return _json(200, task.body(now))


def _pick(rng: random.Random, weights: dict[str, float]) -> str:
    """One of the names with its probability; "" with what is left."""
    draw = rng.random()
    for name, weight in weights.items():
        draw -= weight
        if draw < 0:
            return name
    return ""


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"content-type": "application/json", **(headers or {})}, json.dumps(body).encode())


def _fatal(kind: str) -> Answer:
    match kind:
        case "bad_key":
            return _json(401, {"error": {"message": "Invalid API key"}})
        case "no_credits":
            return _json(402, {"error": {"message": "insufficient credits"}})
        case "not_open":
            return Answer(404, {"content-type": "text/html"}, b"<html>not found</html>")
        case _:
            return Answer(308, {"location": "https://elsewhere.test/"}, b"")
