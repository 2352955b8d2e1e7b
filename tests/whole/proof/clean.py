"""Nothing goes wrong: many jobs on a service without faults. Then there is no doubt, and both books agree."""

from collections import Counter

from books import compare, read_books
from figures import Figure
from processes import Zygote
from world import make_world

#: More than the worlds of the other proofs: POSTs a second, and connections that may be open at once.
_LIMITS = ("--rate", "2000/s", "--burst", "100", "--max-in-flight", "20000")


def clean(zygote: Zygote, jobs: int, seed: int) -> Figure:
    """So many jobs, none of them disturbed: 0 in doubt, one POST each, ledger and service equal job by job."""
    figure = Figure("clean", seed)
    with make_world(zygote, f"clean {seed}", jobs=jobs) as world:
        code = world.start(*_LIMITS).wait(1800)
        audit = world.audit()
        verdict, books = compare(world, audit=audit), read_books(world.out)
        assert books is not None
        if code != 0:
            figure.broke(f"the run left with {code}: {world.runs[-1].said()[-300:]}")
        if verdict.doubts or books.account["reserved"] or len(audit["posts"]) != jobs:
            figure.broke(f"{verdict.doubts} doubts and {len(audit['posts'])} POSTs for {jobs} clean jobs")
        if audit["charged"] != books.account["charged"]:
            figure.broke(f"the service charged {audit['charged']}, the ledger says {books.account['charged']}")
        sent = {post["task_id"]: post["sha256"] for post in audit["posts"]}
        bodies = {one["attempt_id"]: one["body_sha256"] for one in books.attempts}
        charged = {task["task_id"]: (task["credits"], sent[task["task_id"]]) for task in audit["tasks"]}
        ours = {one["task_id"]: (one["charged"], bodies[one["task_no"]]) for one in books.tasks}
        if charged != ours:
            figure.broke("a task of the service has another price or another job in the ledger")
        states = Counter(one["state"] for one in books.jobs.values())
        if states != {"succeeded": jobs}:
            figure.broke(f"the jobs ended as {dict(states)}")
        world.run(*_LIMITS)
        again = compare(world)
        if again.posts != jobs:
            figure.broke(f"running again sent {again.posts - jobs} POSTs")
        figure.add("clean jobs", planned=jobs, fired=len(charged), verdicts=(verdict, again))
        figure.notes = {"credits": audit["charged"]}
    return figure.end()
