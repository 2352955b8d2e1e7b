"""One trial: a run is injured, the books are compared; it runs to its end, they are compared; it runs once more."""

import random
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from books import Verdict, compare
from figures import Figure, stopping
from processes import Process, Zygote, attach
from world import World, make_world

#: Trials side by side: most of a run is waiting, so there are more than processors.
AT_ONCE = 12


@dataclass(frozen=True)
class Behaviour:
    """How the service behaves: options of the sandbox, and the exit codes that a run to the end may have."""

    name: str
    options: tuple[str, ...] = ()
    exits: tuple[int, ...] = (0, 5)


CLEAN = Behaviour("clean")
#: What the service does while a run is killed. The n-th POST is the service's own count.
BEHAVIOURS = (
    CLEAN,
    Behaviour("rejects", ("--fault", "error@422:#2,4,6"), (0, 1, 5)),
    Behaviour("throttles", ("--fault", "throttle@0.05:#2,4,5", "--retry-after", "float")),
    Behaviour("edge is down", ("--fault", "cloudflare@521:#2,4,5")),
    Behaviour("no credits", ("--fault", "no-credits:#3-6")),
    Behaviour("bad key", ("--fault", "bad-key:#2-5")),
    Behaviour("not open", ("--fault", "not-open:#1-4")),
    Behaviour(
        "loses answers", ("--fault", "drop-after:#2", "--fault", "accept-page@502:#4", "--fault", "truncate:#6")
    ),
    Behaviour("drops before", ("--fault", "drop-before:#2,5")),
    Behaviour("tasks fail", ("--fault", "failed:40%"), (0, 1, 5)),
    Behaviour("slow answers", ("--latency", "0.15")),
    Behaviour("polls fail", ("--fault", "get-error:30%", "--fault", "get-drop:10%")),
)
BY_NAME = {one.name: one for one in BEHAVIOURS}


def finish(world: World, behaviour: Behaviour, *extra: str) -> list[Verdict]:
    """Compare as it is after the injury; run to the end and compare; run again, and nothing may be sent."""
    verdicts = [compare(world, ended=False)]
    code = world.run(*extra)
    for _ in range(6):  # the batch may be refused a few times more, until the cause is mended
        if code != 6:
            break
        code = world.run(*extra)
    end = compare(world)
    if code not in behaviour.exits:
        end.violations.append(f"the run to the end left with {code}: {world.runs[-1].said()[-300:]}")
    if (code == 5) != (end.doubts > 0):
        end.violations.append(f"{end.doubts} jobs in doubt, and exit {code}")
    world.run(*extra)
    again = compare(world)
    if again.posts != end.posts:
        end.violations.append(f"running again sent {again.posts - end.posts} POSTs")
    return [*verdicts, replace(again, violations=end.violations + again.violations)]


def side_by_side(
    figure: Figure, trial: Callable[..., None], cases: Iterable[tuple[Any, ...]], at_once: int = AT_ONCE
) -> Figure:
    """Run a trial of each case in parallel; what one raises is a violation with its words."""

    def safely(case: tuple[Any, ...]) -> None:
        if stopping.is_set():
            return
        try:
            trial(*case)
        except Exception as error:
            figure.broke(f"the trial {case} itself broke: {type(error).__name__}: {error}")

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(safely, cases))
    return figure.end()


# -- failpoints ----------------------------------------------------------------------------------------------

#: name -> (behaviour, passes at which to kill). Every name of batchgen.failpoint is here: a test says so.
_SPOTS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "begin": (("clean", (1, 2, 8)), ("loses answers", (3,)), ("slow answers", (8,))),
    "end.accepted": (("clean", (1, 2, 8)), ("loses answers", (2,)), ("slow answers", (1, 5))),
    "end.rejected": (("rejects", (1, 2, 3)),),
    "end.throttled": (("throttles", (1, 2, 3)),),
    "end.not_sent": (("edge is down", (1, 2, 3)),),
    "end.refused": (("no credits", (1,)), ("bad key", (1,)), ("not open", (1,))),
    "end.in_doubt": (("loses answers", (1, 2, 3)), ("drops before", (1,))),
    "see": (("clean", (1, 2, 8)), ("tasks fail", (1,)), ("polls fail", (1,))),
    "fetched": (("clean", (1, 2, 8)),),
    "take_in": (("clean", (1,)),),
    "results": (("clean", (1, 2)),),
}


def failpoint_trials(names: Iterable[str]) -> Iterator[tuple[str, int, Behaviour]]:
    """(failpoint, pass, behaviour) for every failpoint."""
    for name in names:
        for behaviour, passes in _SPOTS[name.rpartition(".")[0]]:
            for nth in passes:
                yield name, nth, BY_NAME[behaviour]


def failpoints(zygote: Zygote, names: Iterable[str], seed: int, rounds: int = 1) -> Figure:
    """Kill at every named point of the program, at several passes, while the service does what leads there."""
    figure = Figure("failpoints", seed)

    def trial(turn: int, name: str, nth: int, behaviour: Behaviour) -> None:
        what = f"{name}:{nth} ({behaviour.name})"
        with make_world(zygote, f"{seed + turn} {what}", *behaviour.options) as world:
            code = world.start(failpoint=f"{name}:{nth}").wait(60)
            verdicts = finish(world, behaviour)
            figure.add(what, fired=int(code == -9), verdicts=tuple(verdicts))

    cases = [(turn, *case) for turn in range(rounds) for case in failpoint_trials(names)]
    return side_by_side(figure, trial, cases)


# -- kill -9 at random moments ---------------------------------------------------------------------------------

#: What to wait for before a random delay of at most so many seconds.
_MOMENTS = (("", 0, 0.25), ("run", 1, 0.12), ("accepted", 1, 0.06), ("accepted", 4, 0.05), ("succeeded", 1, 0.1),
            ("downloaded", 1, 0.1), ("end", 1, 0.08))  # fmt: skip


def wait_for_moment(world: World, process: Process, rng: random.Random) -> str:
    """Let a run go on until a moment that the seed chooses; returns what it waited for."""
    event, count, spread = rng.choice(_MOMENTS)
    if event:
        world.wait_for_event(event, count, process=process)
    time.sleep(rng.uniform(0, spread))
    return event or "start"


def kills(zygote: Zygote, count: int, seed: int) -> Figure:
    """kill -9 at random moments of a run, while the service behaves in one of many ways."""
    figure = Figure("kills-random", seed)

    def trial(n: int) -> None:
        rng = random.Random(f"{seed} {n}")
        behaviour = rng.choice(BEHAVIOURS)
        with make_world(zygote, f"kill {seed} {n}", *behaviour.options, "--seed", str(n)) as world:
            process = world.start()
            moment = wait_for_moment(world, process, rng)
            process.signal(9)
            fired = process.wait() == -9
            verdicts = finish(world, behaviour)
            figure.add(f"kill {n} after {moment} ({behaviour.name})", fired=int(fired), verdicts=tuple(verdicts))

    return side_by_side(figure, trial, [(n,) for n in range(count)])


# -- kill -9 at system calls -----------------------------------------------------------------------------------

#: System calls at whose n-th entry a run is killed: those that reach the network, the disk and the file system.
CALLS = (
    "connect", "sendto", "recvfrom", "pwrite64", "fdatasync", "fsync", "write", "openat", "rename", "unlink",
    "ftruncate", "mkdir", "close", "fcntl",
)  # fmt: skip


def count_calls(zygote: Zygote, behaviour: Behaviour, calls: Iterable[str], seed: int) -> dict[str, int]:
    """How often the busiest thread of an undisturbed run makes each call: the n-th is counted by thread."""
    with make_world(zygote, f"count {seed}", *behaviour.options) as world:
        process = world.start(stopped=True)
        log = world.folder / "trace"
        tracer = attach(process, "-e", f"trace={','.join(calls)}", log=log)
        process.wait()
        end_tracer(tracer)
        counts: dict[str, dict[str, int]] = {}
        for line in log.read_text(errors="replace").splitlines():
            thread, _, rest = line.partition(" ")
            call = rest.strip().partition("(")[0]
            if call in calls:
                by_thread = counts.setdefault(call, {})
                by_thread[thread] = by_thread.get(thread, 0) + 1
        return {call: max(by_thread.values()) for call, by_thread in counts.items()}


def end_tracer(tracer: subprocess.Popen[bytes]) -> None:
    try:
        tracer.wait(10)
    except subprocess.TimeoutExpired:
        tracer.kill()
        tracer.wait()
    if tracer.stderr is not None:
        tracer.stderr.close()


def spots(
    zygote: Zygote, behaviours: Iterable[Behaviour], calls: tuple[str, ...], count: int, seed: int
) -> list[tuple[Behaviour, str, int]]:
    """So many different (behaviour, system call, n) of an undisturbed run, chosen by the seed."""
    every, some = [], list(behaviours)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        thrice = list(pool.map(lambda one: count_calls(zygote, one, calls, seed), [*some, *some, *some]))
    for at, behaviour in enumerate(some):
        # How many are needed depends on timing (begins share a commit): the last passes are not always reached.
        counted = thrice[at :: len(some)]
        fewest = {call: min(count.get(call, 0) for count in counted) for call in counted[0]}
        every += [
            (behaviour, call, n)
            for call, most in fewest.items()
            for n in range(1, 1 + (max(1, int(most * 0.8)) if most else 0))
        ]
    random.Random(f"{seed}").shuffle(every)
    return every[:count]


def syscall_kills(zygote: Zygote, count: int, seed: int, behaviours: Iterable[Behaviour] = (CLEAN,)) -> Figure:
    """kill -9 at the entry of the n-th system call of a kind."""
    figure = Figure("kills-syscall", seed)

    def trial(behaviour: Behaviour, call: str, n: int) -> None:
        what = f"{call} {n} ({behaviour.name})"
        with make_world(zygote, f"syscall {seed} {what}", *behaviour.options) as world:
            process = world.start(stopped=True)
            tracer = attach(
                process, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}",
                log=world.folder / "trace",
            )  # fmt: skip
            code = process.wait()
            end_tracer(tracer)
            verdicts = finish(world, behaviour)
            figure.add(what, fired=int(code == -9), verdicts=tuple(verdicts))

    return side_by_side(figure, trial, spots(zygote, behaviours, CALLS, count, seed))
