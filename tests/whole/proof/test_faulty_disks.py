"""A disk that refuses, is full, or loses power: nothing is paid twice, and no id that was read is lost."""

import disk
import power
import pytest
from processes import Zygote, can_trace

SEED = 20262
needs_trace = pytest.mark.skipif(bool(can_trace()), reason=can_trace() or "-")
needs_root = pytest.mark.skipif(bool(disk.can_mount()), reason=disk.can_mount() or "-")
needs_power = pytest.mark.skipif(bool(power.can_lose_power()), reason=power.can_lose_power() or "-")


@needs_trace
@pytest.mark.timeout(300)
def test_an_error_at_any_write_loses_no_id(zygote: Zygote) -> None:
    disk.injected(zygote, 16, SEED).check()


@pytest.mark.timeout(300)
def test_a_limit_on_file_sizes_loses_no_id(zygote: Zygote) -> None:
    disk.limited(zygote, 8, SEED).check()


@needs_root
@pytest.mark.timeout(300)
def test_a_full_disk_loses_no_id(zygote: Zygote) -> None:
    disk.full(zygote, 8, SEED).check()


@needs_power
@pytest.mark.timeout(300)
def test_a_power_loss_loses_and_repeats_nothing(zygote: Zygote) -> None:
    power.losses(zygote, 8, SEED).check()
