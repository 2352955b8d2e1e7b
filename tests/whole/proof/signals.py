"""Signals, a second process, readers, a stopped process, and the trace that shows the order of disk and network."""

import random
import re
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import trials
from books import Verdict, compare, parse_results, read_books
from figures import Figure
from processes import Process, Zygote, attach
from world import World, make_world

_SLOW = ("--latency", "0.2")


def interruptions(zygote: Zygote, count: int, seed: int) -> Figure:
    """Ctrl-C once, Ctrl-C twice, SIGTERM, at random moments. Once: no doubt is left. Twice: left at once."""
    figure = Figure("signals", seed)

    def trial(n: int) -> None:
        rng = random.Random(f"signal {seed} {n}")
        kind = ("SIGINT", "SIGINT twice", "SIGTERM")[n % 3]
        # After the second Ctrl-C nobody waits for answers: so here none come for a long time.
        answers = ("--latency", "30") if kind == "SIGINT twice" else _SLOW
        with make_world(zygote, f"signal {seed} {n}", *answers, jobs=16) as world:
            process = world.start("--rate", "40/s", "--burst", "1")
            world.wait_for_event("run", process=process)
            time.sleep(rng.uniform(0, 0.6))
            number = signal.SIGTERM if kind == "SIGTERM" else signal.SIGINT
            fired = process.signal(number)
            began = time.monotonic()
            posts = len(world.audit()["posts"])
            if kind == "SIGINT twice":
                time.sleep(rng.uniform(0, 0.15))
                process.signal(number)
            code = process.wait(30)
            took = time.monotonic() - began
            first = compare(world, ended=False)
            books = read_books(world.out)
            open_ = list(books.in_doubt) if books else []
            if code != 130:
                first.violations.append(f"{kind} left with {code}")
            if kind != "SIGINT twice" and open_:
                first.violations.append(f"{kind} left {len(open_)} attempts without an outcome")
            if kind == "SIGINT twice" and took > 20:
                first.violations.append(f"two Ctrl-C took {took:.1f} s")
            if first.posts > posts + 4:  # what was on its way when the signal came
                first.violations.append(f"{first.posts - posts} POSTs began after {kind}")
            world.control(latency=0.0)
            verdicts = trials.finish(world, trials.CLEAN)
            figure.add(f"{kind} {n}", fired=int(fired), verdicts=(first, *verdicts))

    return trials.side_by_side(figure, trial, [(n,) for n in range(count)])


def two_processes(zygote: Zygote, count: int, seed: int) -> Figure:
    """Several runs start on one OUT at nearly the same moment: one works, the others leave with 75 and say who."""
    figure = Figure("two-processes", seed)

    def trial(n: int) -> None:
        rng = random.Random(f"two {seed} {n}")
        with make_world(zygote, f"two {seed} {n}", *_SLOW, jobs=8) as world:
            runs = []
            for _ in range(4):
                runs.append(world.start())
                time.sleep(rng.uniform(0, 0.1))
            codes = [one.wait() for one in runs]
            verdict = compare(world)
            busy = [one for one, code in zip(runs, codes, strict=True) if code == 75]
            for one in busy:
                said = one.stderr.read_text()
                pid = re.search(r"process (\d+) on", said)
                if "Another batchgen works on" not in said:
                    verdict.violations.append(f"the second process said {said[-200:]!r}")
                elif pid and int(pid[1]) not in {other.pid for other in runs}:
                    verdict.violations.append(f"the second process named {pid[0]}")
            if sorted(codes)[0] != 0 or any(code not in (0, 75) for code in codes):
                verdict.violations.append(f"exits {codes}")
            figure.add(
                f"four at once {n}", fired=int(bool(busy)), verdicts=(verdict, *trials.finish(world, trials.CLEAN))
            )

    return trials.side_by_side(figure, trial, [(n,) for n in range(count)], at_once=3)


def readers(zygote: Zygote, reads: int, seed: int) -> Figure:
    """results.csv is read again and again while a run writes it: every read is whole."""
    figure = Figure("results-readers", seed)
    with make_world(zygote, f"readers {seed}", "--duration", "1-4", jobs=40) as world:
        process = world.start("--rate", "12/s", "--burst", "1")
        versions: Counter[int] = Counter()
        lock = threading.Lock()

        def read() -> None:
            while not process.ended.is_set():
                try:
                    data = (world.out / "results.csv").read_bytes()
                except FileNotFoundError:
                    time.sleep(0.005)
                    continue
                with lock:
                    versions[hash(data)] += 1
                try:
                    lines = parse_results(data)
                    if [line["job_id"] for line in lines] != world.jobs:
                        figure.broke(f"a read had {len(lines)} lines")
                except ValueError as error:
                    figure.broke(f"a read was not whole: {error}")
                time.sleep(0.002)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        process.wait()
        for thread in threads:
            thread.join()
        done = sum(versions.values())
        figure.add("reads", planned=reads, fired=min(reads, done), verdicts=(compare(world),))
        figure.notes = {"reads": done, "versions": len(versions)}
        if len(versions) < 3:
            figure.broke(f"results.csv had only {len(versions)} versions: the readers saw no change")
    return figure.end()


def zombies(zygote: Zygote, count: int, seed: int, pause: float = 35.0) -> Figure:
    """A run is stopped between begin and the first byte until its `not_after` has passed, then goes on.

    Meanwhile a person tries `resolve --not-charged` and another run: both must be refused by the lock. Half of
    the stopped runs are killed instead: then resolve is allowed, and the job is bought by the next run.
    """
    figure = Figure("zombies", seed)

    def trial(n: int) -> None:
        rng = random.Random(f"zombie {seed} {n}")
        with make_world(zygote, f"zombie {seed} {n}") as world:
            process = world.start(stopped=True, env={"BATCHGEN_POST_TIMEOUT": "1"})
            call, nth = rng.choice((("sendto", rng.randrange(1, 9)), ("fdatasync", rng.randrange(6, 16))))
            tracer = attach(
                process, "-e", f"trace={call}", "-e", f"inject={call}:signal=STOP:when={nth}",
                log=world.folder / "trace",
            )  # fmt: skip
            fired = _stops(process)
            time.sleep(pause if fired else 0)
            first = Verdict([])
            if fired:
                resolve = world.start("--all", "--not-charged", "--yes", command="resolve")
                again = world.start()
                for other, name in ((resolve, "resolve"), (again, "a second run")):
                    kept_out = ("Another batchgen works on", "There is no ledger")  # stopped while it was made
                    if other.wait() != 2 or not any(words in other.said() for words in kept_out):
                        first.violations.append(f"{name} was let in beside a stopped run: {other.said()[-200:]}")
            killed = n % 2 == 1
            tracer.terminate()  # lets go of the run, which goes on standing still
            trials.end_tracer(tracer)
            process.signal(signal.SIGKILL if killed else signal.SIGCONT)
            process.wait(180)
            if killed and fired:
                world.run("--limit", "0")  # finds the doubts
                never_seen = _doubts_that_never_arrived(world)
                if never_seen:
                    world.start(*never_seen, "--not-charged", "--yes", command="resolve").wait()
            verdicts = trials.finish(world, trials.Behaviour("zombie", exits=(0, 5)))
            figure.add(
                f"{call} {nth} {'killed' if killed else 'continued'}", fired=int(fired), verdicts=(first, *verdicts)
            )

    return trials.side_by_side(figure, trial, [(n,) for n in range(count)], at_once=25)


def _doubts_that_never_arrived(world: World) -> list[str]:
    """The jobs in doubt that a person would not find in the service's dashboard."""
    books, arrived = read_books(world.out), {post["sha256"] for post in world.audit()["posts"]}
    assert books is not None
    return [books.jobs[one["job_no"]]["job_id"] for one in books.in_doubt if one["body_sha256"] not in arrived]


def _stops(process: Process) -> bool:
    """Wait until the whole process stands still by SIGSTOP; False when it ended instead."""
    deadline, still = time.monotonic() + 120, 0
    while still < 5 and not process.ended.is_set() and time.monotonic() < deadline:
        time.sleep(0.02)  # a tracer stops threads for moments too
        still = still + 1 if _stands_still(process.pid) else 0
    return still >= 5


def _stands_still(pid: int) -> bool:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        states = [re.search(r"\nState:\t(\w)", (thread / "status").read_text()) for thread in threads]
    except OSError:
        return False
    return bool(states) and all(state is not None and state[1] in "Tt" for state in states)


_LINE = re.compile(r"^(\d+)\s+(\d+\.\d+) (\w+)\((.*)$")


def write_before_send(zygote: Zygote, seed: int, jobs: int = 40) -> Figure:
    """The system calls of a run: each POST's attempt is in the WAL and synced before the first byte leaves.

    Found by the Idempotency-Key, which is in the attempt's line of the ledger and in the POST's head.
    """
    figure = Figure("write-before-send", seed)
    with make_world(zygote, f"trace {seed}", "--latency", "0", jobs=jobs) as world:
        limits = ("--no-wait", "--no-download", "--rate", "20/s", "--burst", "1", "--max-in-flight", "5000")
        process = world.start(*limits, stopped=True)
        log = world.folder / "trace"
        tracer = attach(
            process, "-ttt", "-y", "-s", "9000", "-e", "trace=sendto,pwrite64,fdatasync,fsync", log=log
        )  # fmt: skip
        code = process.wait()
        trials.end_tracer(tracer)
        verdict = compare(world)
        sent, syncs = _check_order(log, verdict)
        if code != 0:
            verdict.violations.append(f"the traced run left with {code}")
        figure.add("POSTs", planned=jobs, fired=sent, verdicts=(verdict,))
        figure.notes = {"syncs_per_job": round(syncs / jobs, 2)}
        if syncs > 3 * jobs:
            figure.broke(f"{syncs} syncs of the ledger for {jobs} jobs one at a time")
    return figure.end()


def _check_order(log: Path, verdict: Verdict) -> tuple[int, int]:
    written: dict[str, str] = {}  # key -> "written" or "synced"
    sent = syncs = 0
    unfinished: dict[str, str] = {}
    for line in log.read_text(errors="replace").splitlines():
        found = _LINE.match(line)
        thread = line.split(maxsplit=1)[0]
        if found is None:
            if "<... fdatasync resumed>" in line and unfinished.pop(thread, ""):
                syncs += 1
                written = dict.fromkeys(written, "synced") if line.rstrip().endswith("= 0") else written
            continue
        _, _, call, rest = found.groups()
        if call == "pwrite64" and "ledger.sqlite3-wal" in rest:
            for key in re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", rest):
                written.setdefault(key, "written")
        elif call == "fdatasync" and "ledger.sqlite3" in rest:
            if rest.rstrip().endswith("= 0"):
                syncs += 1
                written = dict.fromkeys(written, "synced")
            elif "unfinished" in rest:
                unfinished[thread] = call
        elif call == "sendto" and '"POST /v1/videos' in rest:
            sent += 1
            key = re.search(r"Idempotency-Key: ([0-9a-f-]{36})", rest)
            if key is None or written.get(key[1]) != "synced":
                verdict.violations.append(
                    f"a POST left whose attempt was {written.get(key[1] if key else '', 'not written')}"
                )
    return sent, syncs


def outage(fault: str, zygote: Zygote, seed: int, jobs: int, seconds: float, *options: str) -> Figure:
    """Every POST fails for so many seconds; then the service is well again, and running again goes on.

    `doubts` are what the outage left behind.
    """
    figure = Figure(f"outage-{fault.partition('@')[0]}", seed)
    with make_world(zygote, f"outage {seed} {fault}", *options, jobs=jobs) as world:
        world.control(faults=[f"{fault}:100%"])
        limits = ("--rate", "20/s", "--max-in-flight", "8")
        process = world.start(*limits, env={"BATCHGEN_POST_TIMEOUT": "2"})
        process.ended.wait(seconds)
        during = compare(world, ended=False)
        world.control(faults=[])
        code = process.wait(900)
        figure.notes = {"exit": code, "doubts_in_outage": during.doubts, "posts_in_outage": during.posts}
        # Ten in a row pause; what was open then may be lost too; each trial after it costs one, at doubling times.
        most = 10 + 8 + int(seconds).bit_length()
        if during.doubts > most:
            figure.broke(f"an outage of {seconds:.0f} s left {during.doubts} jobs in doubt, more than {most}")
        verdicts = trials.finish(world, trials.CLEAN)
        figure.add(fault, planned=1, fired=int(during.posts > 0), verdicts=(during, *verdicts))
    return figure.end()
