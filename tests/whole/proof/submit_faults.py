"""Every fault that a POST can meet: the outcome that the ledger has is the one of the table, and nobody pays twice.

`EXPECTED` is written by hand from the table of outcomes, not from the code.
"""

import random
from collections import Counter

import trials
from books import Verdict, read_books
from figures import Figure
from processes import Zygote
from world import World, make_world

_BY_OUTCOME = {
    "in_doubt": """
        refuse@0.2 reset-before drop-before hang-before error error@500 error@504 error@409 error@408 error@418 page
        page@500 page@503 page@504 cloudflare@520 cloudflare@522 cloudflare@524 unavailable-page vercel-503 kie-500
        kie-paused kie-505 fal-504 redirect@301 redirect@302 redirect@303 reset-after drop-after hang-after
        accept-error accept-error@503 accept-page accept-page@504 accept-cloudflare accept-vercel-504
        accept-unavailable-page accept-redirect@302 accept-redirect@303 accept-conflict id-and-error
        accept-envelope-500 truncate truncate@1 truncate@20 truncate-reset truncate-chunked truncate-close
        truncate-close@30 truncate-head truncate-head@10 close-delimited long-length short-length bad-chunk garbage
        empty no-content html not-json bad-utf8 utf16 nan deep long-number two-ids no-id null-id list-id same-id
        big bad-gzip gzip-bomb""",
    "rejected": """
        error@400 error@405 error@406 error@410 error@411 error@413 error@414 error@415 error@422 error@431
        shipany-invalid kie-422 fal-422""",
    "refused": """
        bad-key bad-key-page forbidden edge-403 no-credits not-open redirect redirect@307 shipany-credits
        shipany-auth kie-401 kie-402 evolink-402 kinovi-402 app-401 acedata-used-up quota-429""",
    "throttled": """
        throttle@0.1 throttle-page active unavailable@0.1 shipany-active shipany-frequency kie-429 kie-455
        evolink-429 kinovi-429 replicate-429 acedata-429 problem-429""",
    "not_sent": "cloudflare@521 cloudflare@523 cloudflare@525 cloudflare@526",
    "accepted": "slow@0.2 drip@0.2 chunked cookie created-201 accepted-202 gzip number-id",
}
EXPECTED = {name: outcome for outcome, names in _BY_OUTCOME.items() for name in names.split()}
#: What the table leaves open; whatever it is, nobody may pay twice.
OPEN = ("shipany-upstream", "early-hints", "long-header", "bom", "path-id", "long-id")
#: A service that charges and then says in plain words that it refused: no client can know. Not in the figures.
LIES = ("accept-redirect@308",)


def _classes(world: World, expected: dict[str, str], seen: Counter[tuple[str, str]]) -> Verdict:
    """The n-th POST of a body is the n-th attempt of its job: was its outcome that of the table?"""
    books, verdict = read_books(world.out), Verdict([])
    assert books is not None
    attempts: dict[str, list[dict]] = {}
    for one in sorted(books.attempts, key=lambda one: one["attempt_no"]):
        if one["outcome"] == "not_sent" and one["http_status"] is None:
            continue  # halted after begin, or no connection: there was no POST
        attempts.setdefault(one["body_sha256"], []).append(one)
    sent: Counter[str] = Counter()
    for post in world.audit()["posts"]:
        tried = attempts[post["sha256"]]
        attempt = tried[min(sent[post["sha256"]], len(tried) - 1)]
        outcome = attempt["outcome"]
        sent[post["sha256"]] += 1
        if post["fired"] or not post["fault"]:
            fault = post["fault"] or "nothing"
            seen[fault, outcome] += 1
            if outcome != expected.get(fault, outcome):
                verdict.violations.append(f"{fault} was {outcome} ({attempt['code']}), not {expected[fault]}")
    return verdict


def faults(zygote: Zygote, rounds: int, seed: int, size: int = 32) -> Figure:
    """Every fault of the table, so many times, in worlds of so many jobs that meet them in another order each."""
    figure = Figure("submit-faults", seed)
    expected = EXPECTED | {"nothing": "accepted"}
    seen: Counter[tuple[str, str]] = Counter()

    def trial(n: int, names: list[str], at_once: int, seconds: str = "60") -> None:
        options = ["--retry-after", "float"]
        for number, name in enumerate(names, start=2):
            options += ["--fault", f"{name}:#{number}"]
        with make_world(zygote, f"faults {seed} {n}", *options, jobs=len(names) + 1) as world:
            for _ in range(3 * len(names)):
                code = world.run(
                    "--no-wait", "--no-download", env={"BATCHGEN_POST_TIMEOUT": seconds}, unpaced=at_once
                )
                if code not in (6, 7):
                    break
            verdict = _classes(world, expected, seen)
            counts = world.audit()["faults"]
            fired = sum(one["fired"] for one in counts.values())
            verdicts = trials.finish(
                world, trials.Behaviour("faults", exits=(0, 1, 5)), "--no-wait", "--no-download"
            )
            figure.add(f"world {n}", planned=len(names), fired=fired, verdicts=(verdict, *verdicts))

    hangs = ["hang-before", "hang-after"] * rounds
    names = [name for name in (*EXPECTED, *OPEN) if name not in {"same-id", *hangs}] * rounds
    random.Random(f"{seed}").shuffle(names)
    worlds = [(at, names[at : at + size], 4, "60") for at in range(0, len(names), size)]
    # An id that the ledger has already can only be told where the task before was accepted and read.
    worlds.append((-1, ["same-id", "chunked"] * rounds, 1, "60"))
    # Only what hangs is to meet its deadline: elsewhere a doubt must not come from a busy machine.
    worlds.append((-2, hangs, 8, "2"))
    trials.side_by_side(figure, trial, worlds, at_once=8)
    figure.notes = {"kinds": len({fault for fault, _ in seen}), "posts": sum(seen.values())}
    return figure
