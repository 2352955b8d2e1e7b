"""Every fault that a POST can meet has the outcome of the table, and is paid once at most."""

import pytest
import submit_faults
from processes import Zygote

from batchgen.sandbox.faults import POST_FAULTS

SEED = 20264


def test_every_fault_of_the_sandbox_is_in_the_table() -> None:
    met = {name.partition("@")[0] for name in (*submit_faults.EXPECTED, *submit_faults.OPEN)}
    assert met == set(POST_FAULTS)


@pytest.mark.timeout(300)
def test_every_fault_has_the_outcome_of_the_table_and_is_paid_once(zygote: Zygote) -> None:
    submit_faults.faults(zygote, 1, SEED).check()
