"""A POST is got ready before its slot by what getting ready took lately."""

from batchgen.running.pacing import Lead


def test_where_no_slot_was_waited_for_nothing_is_got_ready_early() -> None:
    lead = Lead()
    lead.took(0.5)
    assert lead.seconds == 0.0


def test_one_slow_commit_raises_the_lead_at_once_and_quick_ones_lower_it_slowly() -> None:
    lead = Lead()
    lead.needed = True
    lead.took(0.08)
    assert round(lead.seconds, 3) == 0.1
    for _ in range(20):
        lead.took(0.005)
    assert round(lead.seconds, 3) == 0.067


def test_the_lead_is_never_longer_than_a_second_nor_shorter_than_two_milliseconds() -> None:
    lead = Lead()
    lead.needed = True
    lead.took(30.0)
    assert lead.seconds == 1.0
    for _ in range(1000):
        lead.took(0.0)
    assert lead.seconds == 0.002
