"""Which doubts a service's own list settles: pure, and only what the list proves.

A candidate is a doubt's when it went to the same endpoint with the same body (order of keys free, order of lists
not, "17" is not 17) within the doubt's own time, and no ledger knows its id. One for one, or k for k equal doubts;
fewer settle nothing yet, more settle nothing at all. Absence proves nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchgen.job import canonical_json
from batchgen.service.dialects import Candidate

#: Seconds before the begin and after the last moment of an attempt in which its request may be listed.
MARGIN = 120.0


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt whose answer is not known: in doubt, or (`open`) still on its way."""

    attempt_id: int
    endpoint: str
    body: Any
    begun_at: float
    not_after: float
    open: bool = False

    def covers(self, at: float | None) -> bool:
        """Whether a request that was made then may be this one."""
        return at is not None and self.begun_at - MARGIN <= at <= self.not_after + MARGIN


def matches(
    sent: Sequence[Sent], candidates: Iterable[Candidate], known: Collection[str]
) -> Mapping[int, Candidate]:
    """attempt_id -> the candidate that it is, for those that the list settles.

    Raises ValueError where the list contradicts itself: one id with two bodies.
    """
    groups: dict[tuple[str, bytes], list[Sent]] = defaultdict(list)
    for attempt in sent:
        groups[attempt.endpoint, canonical_json(attempt.body)].append(attempt)
    found: dict[tuple[str, bytes], list[Candidate]] = defaultdict(list)
    for candidate in _once(candidates):
        if candidate.body is not None and candidate.task_id not in known:
            found[candidate.endpoint, canonical_json(candidate.body)].append(candidate)
    settled: dict[int, Candidate] = {}
    for key, attempts in groups.items():
        if not any(attempt.open for attempt in attempts):
            settled |= _paired(attempts, found.get(key, ()))
    return settled


def _once(candidates: Iterable[Candidate]) -> Iterable[Candidate]:
    """Each id once; pages may repeat each other."""
    seen: dict[str, Candidate] = {}
    for candidate in candidates:
        before = seen.setdefault(candidate.task_id, candidate)
        if before.body is None and candidate.body is not None:
            seen[candidate.task_id] = candidate
        elif candidate.body is not None and (before.endpoint, before.body) != (candidate.endpoint, candidate.body):
            raise ValueError(f"the list names {candidate.task_id} twice, with two requests")
    return seen.values()


def _paired(attempts: Sequence[Sent], candidates: Sequence[Candidate]) -> dict[int, Candidate]:
    """All of a group, in the order of time, or none."""
    near = [one for one in candidates if any(attempt.covers(one.created_at) for attempt in attempts)]
    if len(near) != len(attempts):
        return {}
    pairs = list(
        zip(
            sorted(attempts, key=lambda attempt: (attempt.begun_at, attempt.attempt_id)),
            sorted(near, key=lambda one: (one.created_at or 0.0, one.task_id)),
            strict=True,
        )
    )
    if not all(attempt.covers(one.created_at) for attempt, one in pairs):
        return {}
    return {attempt.attempt_id: one for attempt, one in pairs}
