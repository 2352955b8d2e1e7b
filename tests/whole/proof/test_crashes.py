"""Whatever moment a run is killed at: nothing is paid twice, no id is lost, and running again goes on."""

import re
from pathlib import Path

import clean
import money
import pytest
import trials
from processes import Zygote, can_trace

import batchgen
from batchgen.job import OutcomeKind
from batchgen.ledger import failpoint

SEED = 20261


def test_every_failpoint_of_the_program_is_known_to_the_crash_matrix() -> None:
    used: set[str] = set()
    for path in Path(batchgen.__file__).parent.rglob("*.py"):
        for name in re.findall(r'failpoint\.reached\(f?"([^"]+)"\)', path.read_text(encoding="utf-8")):
            kinds = OutcomeKind if "{outcome.kind}" in name else [""]
            used |= {name.replace("{outcome.kind}", kind) for kind in kinds}
    assert used == set(failpoint.NAMES)
    assert {name for name, _, _ in trials.failpoint_trials(failpoint.NAMES)} == used


@pytest.mark.timeout(300)
def test_a_kill_at_any_failpoint_loses_and_repeats_nothing(zygote: Zygote) -> None:
    trials.failpoints(zygote, failpoint.NAMES, SEED).check()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2, SEED + 3])
def test_a_kill_at_a_random_moment_loses_and_repeats_nothing(zygote: Zygote, seed: int) -> None:
    trials.kills(zygote, 40, seed).check()


@pytest.mark.timeout(300)
def test_a_cap_holds_whatever_is_killed(zygote: Zygote) -> None:
    money.caps(zygote, 8, SEED).check()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [SEED, SEED + 1])
@pytest.mark.skipif(bool(can_trace()), reason=can_trace() or "-")
def test_a_kill_at_any_system_call_loses_and_repeats_nothing(zygote: Zygote, seed: int) -> None:
    trials.syscall_kills(zygote, 32, seed).check()


@pytest.mark.timeout(300)
def test_jobs_that_nothing_disturbs_leave_no_doubt_and_equal_books(zygote: Zygote) -> None:
    clean.clean(zygote, 300, SEED).check()
