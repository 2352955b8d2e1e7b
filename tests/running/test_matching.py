"""What a service's list settles: only what it proves, and never wrongly."""

import random

import pytest

from batchgen.running.matching import MARGIN, Sent, matches
from batchgen.service.dialects import Candidate


def sent(number: int, body: object = None, *, at: float = 1000.0, **more: object) -> Sent:
    return Sent(number, "m", {"prompt": "x"} if body is None else body, at, at + 150, **more)  # type: ignore[arg-type]


def listed(task_id: str, body: object = None, *, at: float | None = 1001.0, endpoint: str = "m") -> Candidate:
    return Candidate(task_id, endpoint, {"prompt": "x"} if body is None else body, at)


def ids(*arguments: object) -> dict[int, str]:
    return {number: one.task_id for number, one in matches(*arguments).items()}  # type: ignore[arg-type]


def test_one_for_one_is_settled() -> None:
    assert ids([sent(1)], [listed("a")], set()) == {1: "a"}


def test_the_order_of_keys_is_free_that_of_lists_is_not() -> None:
    body = {"prompt": "x", "urls": ["1", "2"]}
    assert ids([sent(1, body)], [listed("a", {"urls": ["1", "2"], "prompt": "x"})], set()) == {1: "a"}
    assert not ids([sent(1, body)], [listed("a", {"urls": ["2", "1"], "prompt": "x"})], set())


@pytest.mark.parametrize(("ours", "theirs"), [("17", 17), (17, 17.5), (True, 1), (None, 0), (5, "5")])
def test_a_number_is_not_its_text(ours: object, theirs: object) -> None:
    assert not ids([sent(1, {"duration": ours})], [listed("a", {"duration": theirs})], set())


def test_more_candidates_than_equal_doubts_settle_nothing() -> None:
    assert not ids([sent(1)], [listed("a"), listed("b")], set())


def test_fewer_candidates_than_equal_doubts_settle_nothing_yet() -> None:
    assert not ids([sent(1), sent(2)], [listed("a")], set())


def test_as_many_candidates_as_equal_doubts_settle_all() -> None:
    assert ids([sent(1), sent(2, at=1010)], [listed("b", at=1011), listed("a")], set()) == {1: "a", 2: "b"}


def test_an_equal_attempt_that_is_still_open_blocks_its_group() -> None:
    assert not ids([sent(1), sent(2, open=True)], [listed("a"), listed("b")], set())


def test_a_task_that_a_ledger_knows_is_nobody_s() -> None:
    assert ids([sent(1)], [listed("a"), listed("b")], {"b"}) == {1: "a"}


@pytest.mark.parametrize("at", [None, 1000 - MARGIN - 1, 1150 + MARGIN + 1])
def test_a_request_of_another_time_is_another(at: float | None) -> None:
    assert not ids([sent(1)], [listed("a", at=at)], set())


def test_a_candidate_without_what_was_sent_matches_nothing_and_stands_in_nobody_s_way() -> None:
    assert ids([sent(1)], [Candidate("b", "m", None, 1001.0), listed("a")], set()) == {1: "a"}


def test_another_endpoint_is_another_request() -> None:
    assert not ids([sent(1)], [listed("a", endpoint="other")], set())


def test_pages_that_repeat_each_other_name_one_task() -> None:
    assert ids([sent(1)], [listed("a"), listed("a")], set()) == {1: "a"}


def test_a_list_that_contradicts_itself_settles_nothing() -> None:
    with pytest.raises(ValueError, match="twice"):
        matches([sent(1)], [listed("a"), listed("a", {"prompt": "y"})], set())


def test_in_ten_thousand_doubts_none_is_settled_wrongly_and_nearly_all_that_are_listed() -> None:
    """Lists that lag, lose what was sent and repeat themselves; rows that are the same; others' requests."""
    rng = random.Random(20261129)
    wrong = settled = provable = total = 0
    while total < 10_000:
        truth: dict[int, str] = {}
        doubts, candidates, known = [], [], set()
        bodies = {}
        for number in range(rng.randint(1, 40)):
            at = 1000.0 + rng.uniform(0, 600)
            body = {"prompt": f"p{rng.randint(0, 200)}", "n": rng.randint(0, 1)}
            arrived = rng.random() < 0.6
            doubts.append(sent(number, body, at=at))
            bodies[number] = body
            if arrived:
                truth[number] = f"t{number}"
                payload = None if rng.random() < 0.02 else dict(reversed(body.items()))
                candidates.append(Candidate(f"t{number}", "m", payload, at + rng.uniform(0, 100)))
        for other in range(rng.randint(0, 5)):  # accepted ones of ours, with equal bodies too
            candidates.append(listed(f"k{other}", rng.choice([*bodies.values()]), at=1300.0))
            known.add(f"k{other}")
        candidates += rng.sample(candidates, min(len(candidates), 3))
        rng.shuffle(candidates)
        found = ids(doubts, candidates, known)
        total += len(doubts)
        wrong += sum(
            number not in truth or bodies[int(task[1:])] != bodies[number] for number, task in found.items()
        )
        settled += len(found)
        shared = [n for n in truth if sum(bodies[m] == bodies[n] for m in bodies) == 1]
        provable += len(shared)
    assert wrong == 0
    assert settled >= 0.95 * provable
