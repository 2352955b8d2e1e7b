"""The jobs that wait to be submitted, by lane: read in manifest order, a page at a time, so many held at most."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from batchgen.ledger.rows import Pending

#: So many jobs are read ahead, so that a lane which waits holds up no other; memory does not grow with the rows.
HELD = 2000


class Queues:
    """`page` reads the next jobs after a place in the manifest; `limit`: so many jobs in all (None: every one)."""

    def __init__(
        self,
        page: Callable[[tuple[int, int]], list[Pending]],
        lane: Callable[[Pending], str],
        *,
        limit: int | None = None,
        held: int = HELD,
    ) -> None:
        self._page, self._lane = page, lane
        self._left = limit
        self._held = held
        self._after = (-1, -1)
        self._end = False
        self._again: dict[str, deque[Pending]] = {}
        self._fresh: dict[str, deque[Pending]] = {}
        self._waiting = 0

    def heads(self) -> Iterator[Pending]:
        """The next job of each lane: first what is sent again, then in manifest order."""
        self._read(1 if len(self._fresh) <= 1 and self._waiting else self._held)
        again = [jobs[0] for jobs in self._again.values() if jobs]
        yield from again
        lanes = {self._lane(job) for job in again}
        fresh = [jobs[0] for lane, jobs in self._fresh.items() if jobs and lane not in lanes]
        yield from sorted(fresh, key=lambda job: (job.position, job.job_no))

    def take(self, job: Pending) -> None:
        """A job that `heads` gave is on its way."""
        lane = self._lane(job)
        for queues in (self._again, self._fresh):
            if (jobs := queues.get(lane)) and jobs[0] is job:
                jobs.popleft()
                self._waiting -= queues is self._fresh
                return

    def put_back(self, job: Pending) -> None:
        """A job is sent again: before the others of its lane."""
        self._again.setdefault(self._lane(job), deque()).append(job)

    def drop(self, lanes: Iterable[str]) -> None:
        """Leave the jobs of these lanes, those that are read later too."""
        for lane in lanes:
            self._waiting -= len(self._fresh.pop(lane, ()))
            self._again.pop(lane, None)

    def _read(self, wanted: int) -> None:
        while not self._end and self._waiting < wanted:
            page = self._page(self._after)
            if self._left is not None:
                page = page[: self._left]
                self._left -= len(page)
            if not page:
                self._end = True
                return
            self._after = (page[-1].position, page[-1].job_no)
            for job in page:
                self._fresh.setdefault(self._lane(job), deque()).append(job)
            self._waiting += len(page)
