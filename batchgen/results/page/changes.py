"""What changed in the results since a page last asked: each change gets the next number, and is sent once."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from batchgen.job import Result
from batchgen.results.page.chunks import index_chunk, text_chunk
from batchgen.results.page.page import JOBS_SHOWN

#: How many changed jobs go into one answer.
MOST = 2_000


class Changes:
    """Remembers a mark of each result by its place, not the result: some bytes a job."""

    def __init__(self) -> None:
        self.number = 0
        self._marks: list[int] = []
        self._numbers: list[int] = []

    def read(self, results: Iterable[Result], since: int) -> list[tuple[int, int, Result]]:
        """(number, place, result) of the results that changed behind `since`, the oldest change first."""
        found = []
        for place, result in enumerate(islice(results, JOBS_SHOWN)):
            mark = _mark(result)
            if place == len(self._marks):
                self._marks.append(mark)
                self._numbers.append(self._next())
            elif self._marks[place] != mark:
                self._marks[place] = mark
                self._numbers[place] = self._next()
            if self._numbers[place] > since:
                found.append((self._numbers[place], place, result))
        return sorted(found, key=lambda change: change[0])

    def answer(
        self, results: Iterable[Result], since: int, other: Sequence[str], facets: Sequence[int]
    ) -> dict[str, Any]:
        """What the page asks for: the changed jobs in the form of a chunk, and up to which number it knows."""
        changed = self.read(results, since)
        sent = changed[:MOST]
        jobs = [result for _, _, result in sent]
        return {
            "seq": sent[-1][0] if sent else self.number,
            "more": len(changed) > len(sent),
            "at": [place for _, place, _ in sent],
            "index": index_chunk(jobs, other, facets),
            "texts": text_chunk(jobs, other, facets),
        }

    def _next(self) -> int:
        self.number += 1
        return self.number


def _mark(result: Result) -> int:
    """Changes when anything changes that a run can change (the manifest's cells stay as they are)."""
    return hash(
        (
            result.job_id,
            result.row,
            result.state,
            result.task_id,
            result.video_urls,
            result.video_paths,
            result.charged_credits,
            result.refunded_credits,
            result.attempts,
            result.submitted_at,
            result.finished_at,
            result.expires_at,
            result.error_code,
            result.error,
            result.review,
            result.review_note,
            result.film,
        )
    )
