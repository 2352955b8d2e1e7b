"""One seed: a person, a manifest, a service in some weather, and processes that die; then the books are compared.

`simulate(seed, disk)` runs the real Drive, Submitter, Poller, pacing and Ledger on a virtual clock, over and over:
a process runs until it ends or is killed at any await or commit; between processes a person settles doubts
truthfully, retries, edits, mends what was wrong and moves the cap. In the end the weather is fine, and everything
has to come to its true end. The same seed is always the same story.
"""

import contextlib
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from virtual_disk import SERVICE, Disk, GroupWriter
from virtual_service import FATAL, FAULTS, LOOK_FAULTS, PRICE, Service, Weather
from virtual_time import Killed, Stuck, VirtualLoop, finish_off, virtual_loop

from batchgen.errors import LedgerWriteError, Stop, UsageError
from batchgen.job import ENDED_WITHOUT_VIDEO, PAID_ENDS, TERMINAL, Job, State, fingerprint
from batchgen.ledger import CapReached, Clock, Ledger, Person, decisions, views
from batchgen.ledger.account import set_cap
from batchgen.ledger.audit import violations
from batchgen.ledger.rows import pending_sum
from batchgen.ledger.sqlite import file_systems
from batchgen.ledger.sqlite.store import set_meta_value
from batchgen.planning import walk
from batchgen.planning.decide import Selection
from batchgen.running.context import RunContext, RunOptions
from batchgen.running.pacing import Durations, MaxFailures, Rate
from batchgen.running.pacing import schedule as schedule_module
from batchgen.running.settings import Config
from batchgen.running.state import Board
from batchgen.running.stations import Drive

START = 1_700_000_000.0
LONGEST = 12 * 3600.0
RUNS = (1, 1, 1, 2, 2, 3)  # processes in bad weather
CALM_RUNS = 12  # and in fine weather, until everything has ended


class Violation(AssertionError):
    """A promise was broken; says which, and the seed."""


@dataclass
class Story:
    """What happened, for the figures."""

    seed: int
    jobs: int = 0
    processes: int = 0
    killed: int = 0
    planned_kills: int = 0
    refused_commits: int = 0
    posts: int = 0
    looks: int = 0
    doubts: int = 0
    seconds: float = 0.0
    fired: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


class Stations(Drive):
    """The real stations; results.csv is another matter, and the pace is saved less often."""

    async def _keep_results(self) -> None:
        return

    async def _keep_state(self) -> None:
        import asyncio

        while True:
            await asyncio.sleep(60.0)
            await self._save_state()


class World:
    """One seed's world. `calm` is a seed without any fault; `plain` turns off what a person does."""

    def __init__(self, seed: int, disk: Disk) -> None:
        self.rng = random.Random(seed)
        self.disk = disk
        disk.reset()
        self.now = 0.0
        self.service = Service(disk, self.rng, self.wall)
        self.story = Story(seed)
        rng = self.rng
        self.wordings = {f"job-{n}": 0 for n in range(rng.choice([1, 2, 3, 4, 5, 9]))}
        self.story.jobs = len(self.wordings)
        self.honours_keys: bool | None = None
        self.cap: int | None = rng.choice([None, None, 3 * PRICE, len(self.wordings) * PRICE])
        self.must_have: set[str] = set()
        self.ended: dict[int, str] = {}
        self.given_up: set[str] = set()
        self.purchases = dict.fromkeys(self.wordings, 1)  # how often a person wanted each
        self.retried = dict.fromkeys(self.wordings, 0)
        self.worded = 0
        self.loop: VirtualLoop | None = None

    # -- clocks ------------------------------------------------------------------------------------------------

    def wall(self) -> float:
        return START + (self.loop.time() if self.loop is not None else self.now)

    @property
    def clock(self) -> Clock:
        return Clock(self.loop.time if self.loop is not None else lambda: self.now, self.wall)

    @property
    def who(self) -> Person:
        return Person("somebody", self.wall())

    def wrong(self, what: str) -> None:
        self.service.wrong(what)

    # -- the whole story ---------------------------------------------------------------------------------------

    def run(self) -> Story:
        rng = self.rng
        for _ in range(rng.choice(RUNS)):
            self.service.weather = self._weather()
            self._process(chaos=True)
            self._pass(rng.choice([1.0, 30.0, 200.0, 4000.0]))
        self._come_to_an_end()
        story, service = self.story, self.service
        story.violations = service.violations
        story.posts, story.looks, story.fired = len(service.posts), service.looks, service.fired
        story.seconds = self.now
        return story

    def _come_to_an_end(self) -> None:
        """In fine weather and with money enough every job ends, and then nothing more is sent."""
        self.disk.calm()
        self.cap = None
        for _ in range(CALM_RUNS):
            self.service.weather = Weather(honours_keys=self.service.weather.honours_keys)
            self._process(chaos=False)
            if self.service.violations:
                return
            if self._all_ended():
                if self.worded == 2 or self.story.seed % 3:  # a third is enough: it takes one more process
                    break
                self._reword()
            self._pass(4000.0)
        else:
            self.wrong(f"jobs have not ended: {self._states()}")
            return
        posts = len(self.service.posts)
        self._process(chaos=False)
        if len(self.service.posts) != posts:
            self.wrong("running again with nothing new sent a POST")
        self._check_the_end()

    def _states(self) -> dict[str, int]:
        return dict(self.disk.rows("SELECT state, count(*) FROM job GROUP BY state"))

    def _all_ended(self) -> bool:
        """Nothing runs, nothing waits, and no row was reworded whose job then ended without a video."""
        if not set(self._states()) <= {state.value for state in (*TERMINAL, State.REJECTED)}:
            return False
        return all(
            State(state) is State.SUCCEEDED
            or code in PAID_ENDS
            or content == _job(name, self.wordings[name]).fingerprint
            for name, state, code, content in self.disk.rows(
                "SELECT job_id, state, error_code, fingerprint FROM job"
            )
        )

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self.service.advance(self.wall())

    def _weather(self) -> Weather:
        rng = self.rng
        weather = Weather(
            posts={name: rng.choice([0.05, 0.1, 0.2]) for name in rng.sample(FAULTS, rng.choice([0, 3, 5, 8]))},
            looks={name: rng.choice([0.05, 0.2]) for name in rng.sample(LOOK_FAULTS, rng.choice([0, 1, 3]))},
            ends={name: rng.choice([0.05, 0.3]) for name in rng.sample(_ENDS, rng.choice([0, 1, 3]))},
            drift=rng.choice([0.0, 0.0, 0.0, 0.2]),
            at_once=rng.choice([None, None, 1, 3]),
            per_second=rng.choice([None, None, 0.5, 3.0]),
            fatal=rng.choice(["", "", "", "", *FATAL]),
            seconds=rng.choice([(2.0, 4.0), (5.0, 60.0), (80.0, 300.0)]),
        )
        # A trait of the service, not of the weather: what it promised about keys holds for late requests too.
        drawn = rng.random() < 0.3
        self.honours_keys = drawn if self.honours_keys is None else self.honours_keys
        weather.honours_keys = self.honours_keys
        if rng.random() < 0.2:
            start = self.wall() + rng.uniform(0.0, 30.0)
            weather.away = (start, start + rng.choice([20.0, 300.0, 900.0]))
        if rng.random() < 0.15:
            start = self.wall() + rng.uniform(0.0, 30.0)
            weather.outage_502 = (start, start + 300.0)
        return weather

    def _config(self, *, chaos: bool) -> Config:
        rng = self.rng
        if not chaos:
            return Config(max_failures=MaxFailures())
        return Config(
            rate=rng.choice([None, None, Rate(20, 1.0), Rate(1, 2.0)]),
            burst=rng.choice([1, 1, 5]),
            max_in_flight=rng.choice([None, None, 1, 4]),
            deadline=rng.choice([60.0, 400.0, 1800.0]),
            max_failures=rng.choice([MaxFailures(share=0.5), MaxFailures(count=3), MaxFailures()]),
            idempotent=self.service.weather.honours_keys and rng.random() < 0.7,
            trust_refunds=False,
        )

    # -- one process -------------------------------------------------------------------------------------------

    def _process(self, *, chaos: bool) -> None:
        with virtual_loop(self.now) as loop:
            self._live(loop, chaos=chaos)

    def _live(self, loop: VirtualLoop, *, chaos: bool) -> None:
        rng, story, service = self.rng, self.story, self.service
        story.processes += 1
        self.loop = loop
        loop.gives_up_at = self.now + LONGEST
        self.disk.calm()
        self.disk.dead = service.dead = service.fatal_was_read = False
        service.read_ids.clear()
        options = RunOptions(
            limit=rng.choice([None, None, 2]) if chaos else None,
            wait=not (chaos and rng.random() < 0.1),
            download=False,
            submit=not (chaos and rng.random() < 0.1),
        )
        ledger = Ledger.open(self.disk.folder, SERVICE, inline=True, clock=self.clock)
        if story.processes > 1:
            self._check_books()
            self._person(ledger, calm=not chaos)
        self._take_in(ledger)
        board = Board(emit=self._heard)
        board.states.update(ledger.read(views.job_states))
        board.to_submit, board.credits_planned = ledger.read(pending_sum)
        ledger._writer = GroupWriter(self.disk, ledger.store, loop, lambda: rng.uniform(0.0002, 0.01))
        settings = self._config(chaos=chaos)
        stations = Stations(RunContext(ledger, service, board, settings, options, self.clock), rng)
        died = self.is_to_die = False
        if chaos:
            self._trouble(loop, stations)
        try:
            loop.run_until_complete(stations.run())
        except Killed:
            died = True
        except Stuck:
            self.wrong(f"the run is stuck; stops {dict(board.stops)}, jobs {self._states()}, {options}")
            died = True
        except LedgerWriteError:
            pass
        if self.is_to_die and not died:  # it ended before its moment came: it dies before it can tidy up
            died = True
        story.killed += died
        self._log(
            f"process {story.processes} {'died' if died else 'ended'} at {loop.time():.1f}: {dict(board.stops)}"
        )
        for why, words in board.stops.items():
            if "internal error" in words or "Polling failed" in words:
                self.wrong(f"{why}: {words}")
        self.now = loop.time()
        if died:
            self.disk.dead = service.dead = True
            finish_off(loop)
            ledger.store.engine.dispose()
            ledger._lock.free()
            if ledger._spill is not None:
                ledger._spill._at = ledger._spill._at or 1  # a dead process removes no file
                ledger._spill.close()
        else:
            self.disk.full = False
            self.must_have.update(task_id for _, task_id in service.read_ids)
            ledger.close()
            finish_off(loop)
        self.loop = None
        self.disk.dead = service.dead = False
        story.refused_commits, self.disk.refused = story.refused_commits + self.disk.refused, 0
        if not chaos and Stop.AWAY in board.stops:
            self.wrong(f"the run parked in fine weather: {board.stops}")

    def _trouble(self, loop: VirtualLoop, stations: Stations) -> None:
        """How this process is to die or be hindered, if it is."""
        rng, disk = self.rng, self.disk
        trouble = rng.choice(["", "", "step", "commit", "commit", "full", "interrupt"])
        self.is_to_die = trouble in ("step", "commit")
        self.story.planned_kills += self.is_to_die
        match trouble:
            case "step":
                loop.dies_at_step = int(rng.choice([30, 200, 1500]) * rng.random()) + 2
            case "commit":
                disk.dies_at = int(rng.choice([4, 20, 60]) * rng.random()) + 1
                disk.dies_after = rng.random() < 0.5
            case "full":
                disk.lies = rng.random() < 0.3
                loop.call_later(rng.choice([1.0, 10.0, 60.0]) * rng.random(), lambda: setattr(disk, "full", True))
                if rng.random() < 0.5:
                    loop.call_later(rng.uniform(1.0, 90.0), lambda: setattr(disk, "full", False))
            case "interrupt":
                loop.call_later(rng.choice([1.0, 10.0, 100.0]) * rng.random(), stations.interrupt)

    def _heard(self, name: str, fields: dict[str, Any]) -> None:
        if name == "accepted":
            self.must_have.add(fields["task_id"])
        self._log(f"{self.wall() - START:.3f} {name} {fields.get('job_id', '')} {fields.get('code', '')}")

    def _log(self, line: str) -> None:
        self.story.log.append(line)

    def _take_in(self, ledger: Ledger) -> None:
        jobs = [_job(name, wording) for name, wording in self.wordings.items()]
        bought = set(self.disk.rows(f"SELECT job_no, attempt.fingerprint FROM attempt WHERE {_PAID}"))
        query = "SELECT job_no, job_id, state, error_code, fingerprint FROM job"
        for number, name, state, code, content in self.disk.rows(query):
            row = _job(name, self.wordings[name]).fingerprint
            edited = row != content and (number, row) not in bought
            ended = State(state) in ENDED_WITHOUT_VIDEO
            asked = self.worded == 2 and (ended or State(state) is State.SUCCEEDED)
            self.purchases[name] += edited and ((ended and code not in PAID_ENDS) or asked)

        def change(connection: sa.Connection) -> None:
            position = walk.next_position(connection)
            walk.take_in(connection, jobs, Selection(), self.who, resubmit_changed=self.worded == 2)
            set_meta_value(connection, "first_position", position)
            try:
                set_cap(connection, self.cap)
            except CapReached:
                self.cap = views.credits(connection).cap

        ledger.write(change)

    # -- a person ----------------------------------------------------------------------------------------------

    def _person(self, ledger: Ledger, *, calm: bool) -> None:
        """Settle, retry, edit: truthfully, and at times too early."""
        rng = self.rng
        found = ledger.read(decisions.doubts)
        self.story.doubts += len(found)
        for doubt in found:
            if calm or rng.random() < 0.6:
                self._resolve(ledger, doubt)
        for task in self.disk.rows(
            "SELECT task_id, job_id FROM task JOIN job USING (job_no) WHERE task.state = 'overdue'"
        ):
            true = self.service.tasks[task[0]]
            if true.end == "never":
                ledger.write(lambda c, name=task[1]: decisions.give_up(c, name, self.who))
                self.given_up.add(task[0])
        ended = ledger.read(decisions.ended_jobs)
        if ended and not calm and rng.random() < 0.4:
            chosen = rng.sample(ended, rng.randint(1, len(ended)))
            ledger.write(lambda c: decisions.buy_again(c, chosen, self.who))
            for one in chosen:
                self.purchases[one.job_id] += 1
                self.retried[one.job_id] += 1
        for one in self.wordings:
            if not calm and rng.random() < 0.1:
                self.wordings[one] = 1 - self.wordings[one]  # reworded, or worded back
        if calm and not self.worded:
            self._reword()
        if not calm and rng.random() < 0.3:
            self.cap = rng.choice([None, PRICE * rng.randint(0, 2 * len(self.wordings))])

    def _reword(self) -> None:
        """Every second row, once when bad weather is over and once, back, when all has ended."""
        self.worded += 1
        self.wordings |= {one: 1 - self.wordings[one] for one in list(self.wordings)[::2]}

    def _resolve(self, ledger: Ledger, doubt: decisions.Doubt) -> None:
        rng = self.rng
        true = self.service.by_attempt.get(doubt.attempt_id)
        known = self.disk.rows("SELECT task_id FROM task")
        if known and rng.random() < 0.2:
            self._must_refuse(
                ledger,
                lambda c: decisions.adopt(c, doubt, known[0][0], SERVICE, self.who),
                "a task was adopted twice",
            )
        if self.wall() <= doubt.not_after and true is None:
            self._must_refuse(
                ledger, lambda c: decisions.not_charged(c, doubt, self.who), "`not charged` was taken too early"
            )
        elif true is None:
            ledger.write(lambda c: decisions.not_charged(c, doubt, self.who))
        elif rng.random() < 0.8:
            ledger.write(lambda c: decisions.adopt(c, doubt, true.task_id, SERVICE, self.who))
            self.must_have.add(true.task_id)
        else:
            ledger.write(lambda c: decisions.paid_lost(c, doubt, self.who))

    def _must_refuse(self, ledger: Ledger, what: Any, otherwise: str) -> None:
        try:
            ledger.write(what)
        except UsageError:
            return
        self.wrong(otherwise)

    # -- comparing the books -------------------------------------------------------------------------------------

    def _check_books(self) -> None:
        """The ledger as it was found after a process, against what the service did."""
        disk, service = self.disk, self.service
        for line in self.disk_violations():
            self.wrong(line)
        attempts = {
            number: (outcome, price, task_id, charged, state)
            for number, outcome, price, task_id, charged, state in disk.rows(
                "SELECT attempt_id, outcome, attempt.price, task_id, charged, state"
                " FROM attempt LEFT JOIN task ON task_no = attempt_id"
            )
        }
        owed = 0
        for true in service.tasks.values():
            outcome, price, task_id, charged, state = attempts.get(true.attempt_id, ("nothing", 0, "", 0, ""))
            if outcome not in ("accepted", "in_doubt", "paid_lost"):
                self.wrong(f"the service charged attempt {true.attempt_id}, of which the ledger says {outcome}")
            if outcome == "accepted" and task_id != true.task_id:
                self.wrong(f"attempt {true.attempt_id} made {true.task_id}, the ledger says {task_id}")
            said = state in _TERMINAL and true.states_price and task_id not in self.given_up
            could_be = {true.price} if said else {price, true.price if true.states_price else price}
            if outcome == "accepted" and charged not in could_be:
                self.wrong(f"{true.task_id} cost {true.price}, the ledger says {charged}")
            owed += charged if outcome == "accepted" else price
        for number, (outcome, _, task_id, _, _) in attempts.items():
            if outcome == "accepted" and (
                task_id not in service.tasks or service.tasks[task_id].attempt_id != number
            ):
                self.wrong(f"the ledger has {task_id} for attempt {number}, which the service never gave it")
        account = disk.rows("SELECT charged, reserved, in_doubt, cap, refunded, unplanned FROM account")[0]
        if owed > account[0] + account[2]:
            self.wrong(f"the service charged {owed}, the ledger knows of {account[0]} and doubts {account[2]}")
        if account[3] is not None and account[0] - account[4] + account[1] + account[2] - account[5] > account[3]:
            self.wrong(f"the cap of {account[3]} is passed: {account}")
        for name, purchase_no in disk.rows("SELECT job_id, purchase_no FROM job"):
            if purchase_no != self.purchases[name]:
                self.wrong(f"{name} is bought {purchase_no} times; a person wanted {self.purchases[name]}")
        contents = "SELECT job_id, count(*) FROM attempt JOIN job USING (job_no)"
        for name, times in disk.rows(f"{contents} WHERE {_PAID} GROUP BY job_no, attempt.fingerprint"):
            if times > 1 + self.retried[name]:
                self.wrong(f"{name} bought the same {times} times; a person retried it {self.retried[name]} times")
        here = {task_id for (task_id,) in disk.rows("SELECT task_id FROM task")}
        for task_id in self.must_have - here:
            self.wrong(f"the service gave {task_id}, and the ledger has lost it")
        self._check_absorption()

    def disk_violations(self) -> list[str]:
        return violations(self.disk)  # type: ignore[arg-type]

    def _check_absorption(self) -> None:
        for task_no, state in self.disk.rows("SELECT task_no, state FROM task"):
            before = self.ended.get(task_no)
            if before is not None and state != before:
                self.wrong(f"task {task_no} had ended {before} and is {state} now")
            if State(state) in TERMINAL:
                self.ended[task_no] = state

    def _check_the_end(self) -> None:
        """Every job has come to the end that its task had; nothing is owed and nothing is made up."""
        self._check_books()
        for task_id, state, refunded in self.disk.rows("SELECT task_id, state, refunded FROM task"):
            end = self.service.tasks[task_id].end
            if task_id in self.given_up:
                end = "expired"
            if bool(refunded) != (end == "refunded"):
                self.wrong(f"{task_id} ended {end}, and {refunded} credits count as refunded")
            true = {"refunded": "failed", "empty": "succeeded", "odd": "succeeded"}.get(end, end)
            if state != true:
                self.wrong(f"{task_id} ended {true}, the ledger says {state}")
        charged, doubt, reserved = self.disk.rows("SELECT charged, in_doubt, reserved FROM account")[0]
        if doubt or reserved:
            self.wrong(f"{doubt} credits are in doubt and {reserved} reserved at the end")
        ledger = Ledger.open(self.disk.folder, SERVICE, inline=True, clock=self.clock)
        lines = ledger.read(lambda c: list(views.results(c)))
        ledger.close()
        if sum(line.charged_credits or 0 for line in lines) != charged:
            self.wrong("the charged credits of the results do not add up to the account")
        if sorted(line.job_id for line in lines) != sorted(self.wordings):
            self.wrong("the results do not have one line for each job")


_ENDS = ("failed", "refunded", "cancelled", "expired", "empty", "odd", "never")
_PAID = "outcome IN ('accepted', 'in_doubt', 'paid_lost')"
_TERMINAL = {state.value for state in TERMINAL}


def _job(name: str, wording: int) -> Job:
    request = {"provider": "kie", "model": "m1", "scene": "text-to-video", "prompt": f"{name}, wording {wording}"}
    return Job(name, request, PRICE, "shots.csv", 1, None, {}, fingerprint(request))


_KNOWN = Durations().known(("m1", "text-to-video"))
_LOOKS = schedule_module.plan(_KNOWN[1], schedule_module.PRICE)


@contextlib.contextmanager
def imagined(disk: Disk, *, learning: bool = False) -> Iterator[None]:
    """The real modules on the imagined disk and clock. Without `learning`, how long tasks take is not learned:
    that costs milliseconds, and has tests of its own.
    """
    patches: list[tuple[Any, str, Any]] = [
        (file_systems, "file_system_of", lambda out: "ext4"),
    ]
    if not learning:
        patches += [
            (schedule_module, "plan", lambda hazards, price: _LOOKS),
            (Durations, "known", lambda self, group: _KNOWN),
            (Durations, "observe", lambda self, group, seconds, since=None: None),
            (Durations, "alive", lambda self, group, low, high: None),
        ]
    kept = [(where, name, getattr(where, name)) for where, name, _ in patches]
    try:
        for where, name, value in patches:
            setattr(where, name, value)
        with disk.mounted(), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for where, name, value in kept:
            setattr(where, name, value)


def simulate(seed: int, disk: Disk) -> Story:
    """The story of one seed, inside `imagined(disk)`."""
    return World(seed, disk).run()


def told(story: Story, lines: int = 60) -> str:
    """A story, for whoever has to find out what went wrong."""
    said = {"seed": story.seed, "violations": story.violations}
    return json.dumps(said, indent=1) + "\n" + "\n".join(story.log[-lines:])
