"""The cap: kills, a misbehaving service, and prices that change; the ledger is watched all the time from outside.

Our price table can't know that the service has raised a price. What it then charges beyond the table for POSTs that
had begun before its first answer said so is the only thing that may pass the cap.
"""

import random
import sqlite3
import threading
from collections import Counter
from contextlib import closing

import trials
from books import Verdict, compare, read_books
from figures import Figure
from processes import Process, Zygote
from world import PRICES, World, make_world

_LOOK = "SELECT cap, charged - refunded + reserved + in_doubt - unplanned, unplanned FROM account"
#: Submissions and unfinished tasks at once where the service may charge other prices than the table.
_FEW = 4


class Watch(threading.Thread):
    """Looks at the account in the ledger of a run, as another program may, until `end`.

    `most` is the most that ever counted against the cap, but for what the service charged beyond our price.
    """

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self._path, self._over = world.out / "ledger.sqlite3", threading.Event()
        self.looks = self.most = self.unplanned = 0
        self.caps: set[int | None] = set()

    def run(self) -> None:
        while not self._over.wait(0.02):
            try:
                with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=0.1)) as store:
                    cap, counted, self.unplanned = store.execute(_LOOK).fetchone()
            except (sqlite3.Error, TypeError):
                continue  # there is no ledger yet, or not all of it
            self.looks += 1
            self.caps.add(cap)
            self.most = max(self.most, counted)

    def end(self) -> "Watch":
        self._over.set()
        self.join()
        return self


def caps(zygote: Zygote, count: int, seed: int) -> Figure:
    """A cap, a misbehaving service, up to three kills; in half of the worlds other prices, mended in between."""
    figure = Figure("caps", seed)
    seen: Counter[str] = Counter()

    def trial(n: int) -> None:
        rng = random.Random(f"cap {seed} {n}")
        behaviour, cap, kills = rng.choice(trials.BEHAVIOURS), rng.randrange(24, 100), rng.randrange(1, 4)
        prices = {scene: rng.randrange(1, 3 * price + 1) for scene, price in PRICES.items()} if n % 2 else {}
        options = [*behaviour.options, *(("--state-cost",) if prices else ())]
        limits = ["--max-credits", str(cap), "--fill-cap", *(("--max-in-flight", str(_FEW)) if prices else ())]
        with make_world(zygote, f"cap {seed} {n}", *options, jobs=12) as world:
            verdicts, planned, fired = [], 0, 0
            for _ in range(kills):
                process, watch = world.start(*limits), Watch(world)
                watch.start()
                if rng.random() < 0.5:
                    trials.wait_for_moment(world, process, rng)
                    _charge(world, prices)  # in the middle of the run
                trials.wait_for_moment(world, process, rng)
                killed = process.signal(9) and process.wait() == -9
                verdicts.append(_within(world, cap, watch.end(), seen))
                if not killed and process.wait() in (4, 6):  # it ended itself, as it must: nothing to kill
                    _mend_if_asked(world, process, prices, seen)
                    continue
                planned, fired = planned + 1, fired + killed
            _charge(world, prices)
            verdicts += _to_the_end(world, limits, prices, cap, seen)
            figure.add(f"cap of {cap}, {n} ({behaviour.name})", planned=planned, fired=fired,
                       verdicts=tuple(verdicts))  # fmt: skip

    trials.side_by_side(figure, trial, [(n,) for n in range(count)])
    figure.notes = {"worlds": count, **{what.replace(" ", "_"): number for what, number in seen.items()}}
    if not seen["looks"] or (count > 10 and not seen["runs stopped by a price"]):
        figure.broke(f"nobody looked, or no price was other than the table's: {dict(seen)}")
    return figure


def _charge(world: World, prices: dict[str, int]) -> None:
    """From now on the service charges these."""
    if prices:
        world.control(prices=[f"{scene}={price}" for scene, price in prices.items()])


def _mend_if_asked(world: World, process: Process, prices: dict[str, int], seen: Counter[str]) -> bool:
    """If the run asked for it, a person writes what the service charges into the price table."""
    if not prices or "The service charged" not in process.said():
        return False
    seen["runs stopped by a price"] += 1
    lines = ["[prices]", *(f"{scene} = {price}" for scene, price in prices.items())]
    (world.folder.parent / "batchgen.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return True


def _to_the_end(
    world: World, limits: list[str], prices: dict[str, int], cap: int, seen: Counter[str]
) -> list[Verdict]:
    """Run until nothing is left that may be bought; the price table is mended when a run asks for it."""
    verdicts = []
    for _ in range(8):
        process, watch = world.start(*limits), Watch(world)
        watch.start()
        code = process.wait(120)
        verdicts.append(_within(world, cap, watch.end(), seen))
        if code != 6 and not (code == 4 and _mend_if_asked(world, process, prices, seen)):
            return verdicts
    verdicts[-1].violations.append(f"the run does not come to an end: {code}, {process.said()[-200:]}")
    return verdicts


def _within(world: World, cap: int, watch: Watch, seen: Counter[str]) -> Verdict:
    """The books, and the cap: in the service's own count, at each look, and in what was paid too much for."""
    audit = world.audit()
    verdict, books = compare(world, ended=False, audit=audit), read_books(world.out)
    seen["looks"] += watch.looks
    if watch.most > cap or watch.caps - {cap, None}:
        verdict.violations.append(f"a look saw {watch.most} credits, and caps of {watch.caps}, not of {cap}")
    if books is None:
        return verdict
    price = {one["idempotency_key"]: one["price"] for one in books.attempts}
    owner = {one["idempotency_key"]: one["owner"] for one in books.attempts}
    tasks = {one["task_id"]: one for one in audit["tasks"]}
    ours, dear = 0, Counter()
    for post in audit["posts"]:
        if task := tasks.get(post["task_id"]):
            ours += min(task["credits"] - task["refunded"], price[post["key"]])
            dear[owner[post["key"]]] += task["credits"] != price[post["key"]]
    if ours > cap:
        verdict.violations.append(f"the service charged {ours} at our prices, more than the cap of {cap}")
    if any(number > _FEW for number in dear.values()):
        verdict.violations.append(f"a run bought {max(dear.values())} jobs at another price, more than were open")
    return verdict
