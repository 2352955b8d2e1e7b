"""Task -> terminal task: one scheduler looks at all tasks, politely, until each has ended or is overdue.

A look that fails is never a job's failure, and nothing here can lead to a POST.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from batchgen.errors import LedgerWriteError, Stop
from batchgen.job import (
    ABOUT_ANOTHER,
    ANOTHER_TASK,
    NO_OUTPUT,
    POLL_AWAY,
    POLL_ERROR,
    POLL_REFUSED,
    POLL_THROTTLED,
    TASK_NOT_FOUND,
    TERMINAL,
    WHOLE_CHARGE,
    Look,
    State,
    TaskStatus,
    Trouble,
)
from batchgen.ledger.tasks import OpenTask, Seen
from batchgen.running.context import RunContext
from batchgen.running.pacing import PollPacer, PollSchedule, retry_after
from batchgen.running.state import sleep_or

#: A task may be invisible for a while after it was accepted.
NOT_FOUND_GRACE = 90.0
#: A success without URLs is looked at again after each of these waits (seconds) before it counts as having
#: none: services copy a video to their own store after they call it done.
EMPTY_WAITS = (1.0, 4.0, 15.0)
#: Seconds of nothing but "bad key" after which nobody waits any more: the next run goes on, with another key.
REFUSED_FOR = 30.0
#: Looks that are open at once. An answer may take a minute: that is what slow ones may hold, and no more.
MOST_OPEN = 128
#: Seconds after its deadline in which a task is polled once more; when nobody may ask for so long, it is overdue.
LAST_POLL_WITHIN = 60.0
#: How long a video's URL is taken to live where the service does not say: a day is the rule of the field.
URL_LIFE = 86400.0


_OVERDUE_CODES = {
    Trouble.NOT_FOUND.value: TASK_NOT_FOUND,
    ABOUT_ANOTHER: ANOTHER_TASK,
    Trouble.REFUSED.value: POLL_REFUSED,
    Trouble.THROTTLED.value: POLL_THROTTLED,
    Trouble.AWAY.value: POLL_AWAY,
}
_NOT_FOUND = "the service does not know the task (any more)"


@dataclass(slots=True)
class _Watched:
    task: OpenTask
    since: float
    looks: int
    empty: int = 0
    lost_since: float | None = None
    #: When its deadline was seen to have passed: it is polled once more, and that poll decides.
    late_since: float | None = None
    polling: bool = False
    #: What went wrong at the last poll, and in which way; "" when it was answered.
    trouble: str = ""
    trouble_code: str = ""


class Poller:
    """Polls every open task until it ends. `ended` hears of each task that did, and so is free in flight."""

    def __init__(
        self,
        run: RunContext,
        pacer: PollPacer,
        schedule: PollSchedule,
        *,
        ended: Callable[[OpenTask, TaskStatus], None],
    ) -> None:
        self._run = run
        self._ledger, self._api = run.ledger, run.service
        self._board, self._clock = run.board, run.clock
        self._pacer = pacer
        self._schedule = schedule
        self._deadline = run.settings.deadline
        self._trust_refunds = run.settings.trust_refunds
        self._ended = ended
        self._watched: dict[str, _Watched] = {}
        self._open: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._last = False
        self._overdue_look = 0.0
        self._refused_since: float | None = None

    def add(self, task: OpenTask) -> None:
        """Watch a task from now on."""
        age = max(0.0, self._clock.wall() - task.accepted_at)
        now = self._clock.now()
        self._watched[task.task_id] = _Watched(task, since=now, looks=task.looks)
        self._schedule.add(task.task_id, (task.model, task.scene), now - age, now, polls=task.looks)
        self._wake.set()

    def finish(self) -> None:
        """No task comes any more: `run` returns when the last one has ended."""
        self._last = True
        self._wake.set()

    def __len__(self) -> int:
        return len(self._watched)

    async def run(self) -> None:
        """Until `finish` was called and no task is left, or the run is interrupted."""
        try:
            while not self._board.interrupted and not (self._last and not self._watched):
                now = self._clock.now()
                self._give_up_overdue(now)
                wait = self._pacer.wait(now)
                if wait <= 0 and len(self._open) < MOST_OPEN:
                    task_id = self._schedule.due(now)
                    if task_id is not None:
                        self._pacer.begin(now)
                        worker = asyncio.create_task(self._look(task_id))
                        self._open.add(worker)
                        worker.add_done_callback(self._closed)
                        continue
                await self._pause(self._next_wait(now, wait))
        finally:
            for worker in self._open:
                worker.cancel()
            if self._open:
                await asyncio.wait(self._open)

    def _next_wait(self, now: float, pacer_wait: float) -> float | None:
        """Seconds until something can be due; None waits for an event."""
        if len(self._open) >= MOST_OPEN:
            return None
        next_at = self._schedule.next_at()
        if next_at is None:
            return None
        return max(next_at - now, pacer_wait, 0.001)

    async def _pause(self, seconds: float | None) -> None:
        self._wake.clear()
        if self._board.interrupted or (self._last and not self._watched):
            return
        most = min(5.0, max(self._deadline / 5, 0.05))  # so that who is overdue is heard of in time
        await sleep_or(self._wake, min(seconds, most) if seconds is not None else most)

    def _closed(self, worker: "asyncio.Task[None]") -> None:
        self._open.discard(worker)
        self._wake.set()
        if not worker.cancelled() and isinstance(error := worker.exception(), LedgerWriteError):
            self._board.stop(Stop.DISK, error.message)
            self._watched.clear()

    def interrupt(self) -> None:
        """Wake up and see that the run is interrupted."""
        self._wake.set()

    # -- one look ------------------------------------------------------------------------------------------

    async def _look(self, task_id: str) -> None:
        watched = self._watched.get(task_id)
        if watched is None or watched.polling:  # its last poll is being written down
            return
        last, watched.polling = watched.late_since is not None, True
        try:
            await self._poll(watched)
        except LedgerWriteError:
            raise
        except Exception as error:  # one task's trouble is not the others'
            words = f"an error in batchgen: {error!r}"[:300]
            self._in_trouble(watched, "poll_error", words, self._clock.now(), None)
        late = self._watched.get(task_id) is watched and watched.late_since is not None
        if late and last:
            await self._overdue(watched, *self._why_overdue(watched))
        elif late:  # this poll began before the deadline: one more decides
            self._schedule.hurry(task_id, self._clock.now())
        watched.polling = False

    async def _poll(self, watched: _Watched) -> None:
        look = await self._api.task(watched.task.task_id, watched.task.model)
        if self._watched.get(watched.task.task_id) is not watched:  # given up meanwhile: the next run asks again
            return
        now = self._clock.now()
        watched.looks += 1
        if look.status is None:
            await self._trouble(watched, look, now)
            return
        watched.lost_since = self._refused_since = None
        watched.trouble = watched.trouble_code = ""
        await self._saw(watched, look.status, now)

    async def _saw(self, watched: _Watched, status: TaskStatus, now: float) -> None:
        task, state = watched.task, status.state
        if state is None and status.video_urls:
            state = State.SUCCEEDED  # an unknown word beside videos is a success
        if state is State.SUCCEEDED and not status.video_urls:
            watched.empty += 1
            if watched.empty <= len(EMPTY_WAITS) and watched.late_since is None:
                self._schedule.trouble(task.task_id, now, EMPTY_WAITS[watched.empty - 1])
                return
            words = "the task succeeded, but the service named no video"
            status = replace(status, error_code=NO_OUTPUT, error=words)
        if state in TERMINAL:
            await self._end(watched, status, state, now)
            return
        if state is not None and state is not task.state:
            await self._note(watched, status, state)
        self._schedule.seen(task.task_id, now, running=state is State.RUNNING)  # now it may be polled again

    async def _note(self, watched: _Watched, status: TaskStatus, state: State) -> None:
        """A task that goes on has another state now; statuses may go backwards."""
        before = watched.task.state
        seen = Seen(watched.task, state, self._clock.wall(), watched.looks, status.word)
        if await self._ledger.see(seen):
            watched.task = replace(watched.task, state=state)
            self._board.moved(before, state)
            self._board.event(state.value, job_id=watched.task.job_id, task_id=watched.task.task_id)

    async def _end(self, watched: _Watched, status: TaskStatus, state: State, now: float) -> None:
        task = watched.task
        at = self._clock.wall()
        if status.video_urls and status.expires_at is None:
            status = replace(status, expires_at=at + URL_LIFE)
        if state is State.FAILED and self._trust_refunds and status.refunded is None:
            status = replace(status, refunded=WHOLE_CHARGE)  # what an answer does say comes first
        seen = Seen.of(task, status, state, at, watched.looks)
        news = await self._ledger.see(seen)
        self._watched.pop(task.task_id, None)
        if not news:  # it had ended already: a person's word, or another process
            self._schedule.forget(task.task_id)
            self._wake.set()
            return
        self._schedule.finished(task.task_id, now)
        self._board.moved(task.state, state)
        self._check_price(task, status)
        self._board.event(
            state.value,
            job_id=task.job_id,
            task_id=task.task_id,
            video_urls=list(status.video_urls),
            code=status.error_code,
            message=status.error,
            seconds=round(self._clock.wall() - task.accepted_at, 3),
        )
        self._ended(task, replace(status, state=state))
        self._wake.set()

    def _check_price(self, task: OpenTask, status: TaskStatus) -> None:
        stated = status.charged_credits
        if stated is not None and stated != task.charged:
            self._board.credits_spent += stated - task.charged
            line = self._run.price_line(task.provider, task.model, task.scene)
            self._board.stop(
                Stop.PRICE,
                f"The service charged {stated} credits for {task.scene} with {task.model}; the price table says "
                f"{task.charged}. Write {line} = {stated} into batchgen.toml, and run again.",
            )

    async def _trouble(self, watched: _Watched, look: Look, now: float) -> None:
        task = watched.task
        wait = retry_after(look.headers, wall=self._clock.wall(), text=look.message)
        if look.trouble is Trouble.THROTTLED:
            self._pacer.throttled(now, wait)
        elif look.trouble is Trouble.AWAY:
            self._pacer.unanswered(now)
        elif look.trouble is Trouble.REFUSED:
            self._board.stop(Stop.REFUSED, f"The service does not accept the API key any more ({look.message}).")
            self._refused_since = now if self._refused_since is None else self._refused_since
            if now - self._refused_since >= REFUSED_FOR:
                for one in list(self._watched.values()):
                    self._forget(one.task)
                return
        elif look.trouble is Trouble.NOT_FOUND:
            watched.lost_since = watched.lost_since if watched.lost_since is not None else now
            old = self._clock.wall() - task.accepted_at > NOT_FOUND_GRACE
            if old and now - watched.lost_since >= NOT_FOUND_GRACE / 3:
                watched.trouble = look.message
                await self._overdue(watched, TASK_NOT_FOUND, f"{_NOT_FOUND}: {look.message}")
                return
        self._in_trouble(watched, str(look.trouble), look.message, now, wait)

    def _in_trouble(self, watched: _Watched, code: str, words: str, now: float, wait: float | None) -> None:
        watched.trouble, watched.trouble_code = words, code
        self._board.event("poll_trouble", job_id=watched.task.job_id, why=code, message=words)
        self._schedule.trouble(watched.task.task_id, now, wait)

    # -- tasks that do not end -----------------------------------------------------------------------------

    def _give_up_overdue(self, now: float) -> None:
        """Tasks that this run has waited for too long are polled once more, then left to the next run."""
        if now < self._overdue_look:
            return
        self._overdue_look = now + min(1.0, self._deadline / 10)
        for watched in [one for one in self._watched.values() if now - one.since > self._deadline]:
            if watched.late_since is None:
                watched.late_since = now
                if not watched.polling:  # else that poll is answered first, and one more decides
                    self._schedule.hurry(watched.task.task_id, now)
            elif not watched.polling and now - watched.late_since > LAST_POLL_WITHIN:
                watched.polling = True
                worker = asyncio.create_task(self._overdue(watched, *self._why_overdue(watched)))
                self._open.add(worker)
                worker.add_done_callback(self._closed)

    def _why_overdue(self, watched: _Watched) -> tuple[str, str]:
        """The code and the sentence for a task whose deadline has passed, with what kept us from its end."""
        words = f"the task had not ended after {self._deadline:.0f} seconds; run again to go on waiting"
        if not watched.trouble_code:
            return "overdue", words
        code = ABOUT_ANOTHER if watched.trouble == ABOUT_ANOTHER else watched.trouble_code
        return _OVERDUE_CODES.get(code, POLL_ERROR), f"{words}. At its last poll: {watched.trouble}"

    async def _overdue(self, watched: _Watched, code: str, words: str) -> None:
        task, at = watched.task, self._clock.wall()
        seen = Seen(task, State.OVERDUE, at, watched.looks, error_code=code, error=words, trouble=watched.trouble)
        news = await self._ledger.see(seen)
        self._forget(task)
        if not news:
            return
        self._board.moved(task.state, State.OVERDUE)
        self._board.event("overdue", job_id=task.job_id, task_id=task.task_id, code=code, message=words)
        self._ended(task, TaskStatus(State.OVERDUE, error_code=code, error=words))

    def _forget(self, task: OpenTask) -> None:
        self._watched.pop(task.task_id, None)
        self._schedule.forget(task.task_id)
        self._wake.set()
