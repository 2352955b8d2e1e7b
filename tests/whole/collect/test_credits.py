"""What the service takes and gives back is what the ledger says; whatever stops the spending is said, and holds."""

import pytest
from batch import PRICE, Start, row

from batchgen.running import poll


def test_what_is_charged_and_given_back_is_the_same_in_both_books(start: Start) -> None:
    batch = start(4, state_cost=True, faults=("failed:*number 2",))
    ended = batch.run()
    assert ended.exit == 1
    assert ended.json["credits"]["charged"] == 4 * PRICE
    assert ended.json["credits"]["refunded"] == PRICE == batch.audit.refunded
    assert batch.line("job-2")["refunded_credits"] == str(PRICE)
    assert batch.line("job-1")["refunded_credits"] == "0"
    batch.check()


def test_a_failure_alone_is_no_refund(start: Start) -> None:
    batch = start(2, faults=("failed:*number 1",))
    assert batch.run().json["credits"]["refunded"] == 0
    batch.check()


def test_a_service_that_is_trusted_to_refund_is_taken_at_its_word(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = start(2, faults=("failed:*number 1",))
    monkeypatch.setenv("BATCHGEN_TRUST_REFUNDS", "true")
    assert batch.run().json["credits"]["refunded"] == PRICE == batch.audit.refunded
    batch.check()


def test_a_refund_that_is_refused_and_said_is_not_counted(start: Start) -> None:
    batch = start(1, state_cost=True, refund_moderation=False, faults=("moderation:#1",))
    assert batch.run().json["credits"]["refunded"] == 0 == batch.audit.refunded
    batch.check()


def test_a_part_that_comes_back_is_no_more_than_that_part_in_both_books(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a service that is trusted to refund: what it says comes first."""
    batch = start(2, state_cost=True, faults=("part-refund:*number 1",))
    monkeypatch.setenv("BATCHGEN_TRUST_REFUNDS", "true")
    ended = batch.run()
    assert ended.json["credits"]["refunded"] == PRICE // 2 == batch.audit.refunded
    assert batch.line("job-1")["refunded_credits"] == str(PRICE // 2)
    batch.check()


def test_a_stated_refund_gives_room_under_the_cap(start: Start) -> None:
    batch = start(1, state_cost=True, faults=("failed:*number 1",))
    assert batch.run("--max-credits", PRICE).exit == 1
    batch.write(row("job-1", "Another film"))
    ended = batch.run("--max-credits", PRICE)
    assert ended.exit == 0
    assert ended.json["credits"]["charged"] == 2 * PRICE
    batch.check()


def test_without_a_stated_refund_the_cap_has_no_room_for_another_try(start: Start) -> None:
    batch = start(1, faults=("failed:*number 1",))
    batch.run("--max-credits", PRICE)
    batch.write(row("job-1", "Another film"))
    assert batch.run().exit == 4
    assert batch.posts == 1
    batch.check()


@pytest.mark.parametrize("price", [4, 9])
def test_another_price_stops_the_run_and_names_the_line_to_mend(start: Start, price: int) -> None:
    batch = start(12, state_cost=True, prices=(f"text-to-video={price}",))
    ended = batch.run("--max-in-flight", "1", "--burst", "1")
    assert ended.exit == 4
    assert f"charged {price} credits for text-to-video with sandbox-1" in ended.err
    assert f"Write prices.text-to-video = {price} into batchgen.toml" in ended.err
    assert ended.states == {"succeeded": 1, "not_submitted": 11}
    assert ended.json["credits"]["charged"] == price == batch.audit.charged
    assert batch.line()["charged_credits"] == str(price)
    batch.check()


def test_after_the_price_table_is_mended_the_rest_is_bought(start: Start) -> None:
    batch = start(5, state_cost=True, prices=("text-to-video=9",))
    assert batch.run("--max-in-flight", "1", "--burst", "1").exit == 4
    (batch.desk / "batchgen.toml").write_text("prices.text-to-video = 9\n")  # as it was said
    ended = batch.run()
    assert ended.exit == 0
    assert ended.json["credits"]["charged"] == 5 * 9
    batch.check()


def test_a_task_that_turns_out_dearer_at_its_end_is_recorded_truly_and_stops_the_run(start: Start) -> None:
    batch = start(3, style="shipany", prices=("text-to-video=7",))
    ended = batch.run("--max-in-flight", "1", "--burst", "1", "--max-credits", "18")
    assert ended.exit == 4
    assert ended.json["credits"]["charged"] == 7
    batch.check()


def test_credits_that_run_out_end_the_run_with_6_and_nothing_is_lost(start: Start) -> None:
    batch = start(6, credits=3 * PRICE)
    ended = batch.run("--max-in-flight", "1", "--burst", "1")
    assert ended.exit == 6
    assert ended.states == {"succeeded": 3, "not_submitted": 3}
    assert "no credits left" in ended.err
    assert batch.posts == 4
    batch.check()
    batch.sandbox.change(grant=100)
    assert batch.run().exit == 0
    assert batch.audit.charged == 6 * PRICE
    batch.check()


def test_a_key_that_dies_mid_run_ends_with_6_and_is_resumed_with_another(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = start(6, key_dies_after=3)
    ended = batch.run("--max-in-flight", "1", "--burst", "1", "--deadline", "1s")
    assert ended.exit == 6
    assert ended.states["not_submitted"] >= 3
    assert "API key" in ended.err
    batch.check()
    batch.sandbox.change(key_dies_after=None, keys=["sk-new-0123456789abcdef"])
    monkeypatch.setenv("BATCHGEN_API_KEY", "sk-new-0123456789abcdef")
    assert batch.run().exit == 0
    assert batch.audit.charged == 6 * PRICE
    batch.check()


def test_a_key_that_stays_bad_is_not_waited_for_until_the_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "REFUSED_FOR", 0.5)
    batch = start(3)
    assert batch.run("--no-wait").exit == 0
    monkeypatch.setenv("BATCHGEN_API_KEY", "sk-wrong-0123456789abcdef")
    ended = batch.collect("--deadline", "2h")
    assert ended.exit == 6
    assert ended.states == {"submitted": 3}
    monkeypatch.setenv("BATCHGEN_API_KEY", "sk-sandbox-0123456789abcdef")
    assert batch.collect().exit == 0
    batch.check()


def test_an_endpoint_that_is_not_open_is_said_once_for_the_whole_batch(start: Start) -> None:
    batch = start(5, faults=("not-open:#1-",))
    ended = batch.run("--burst", "1", "--max-in-flight", "1")
    assert ended.exit == 6
    assert ended.states == {"not_submitted": 5}
    assert batch.posts == 1
    assert ended.err.count("not open") == 1
    batch.check()


# -- the cap ---------------------------------------------------------------------------------------------------


def test_a_plan_over_the_cap_is_refused_before_anything_is_sent(start: Start) -> None:
    batch = start(3)
    ended = batch.run("--max-credits", "17")
    assert ended.exit == 4
    assert ended.json["error"]["code"] == "over_cap"
    assert batch.posts == 0


def test_filling_the_cap_buys_as_many_as_fit_in_manifest_order(start: Start) -> None:
    batch = start(5)
    ended = batch.run("--max-credits", "20", "--fill-cap", "--burst", "1")
    assert ended.exit == 4
    assert [line["state"] for line in batch.lines()] == ["succeeded"] * 3 + ["not_submitted"] * 2
    assert batch.audit.charged == 18
    batch.check()
    assert batch.run("--fill-cap").exit == 4
    assert batch.posts == 3
    assert batch.run("--max-credits", "none").exit == 0
    batch.check()


def test_a_cap_of_nothing_spends_nothing(start: Start) -> None:
    batch = start(2)
    assert batch.run("--max-credits", "0", "--fill-cap").exit == 4
    assert batch.posts == 0
    batch.check()


def test_the_cap_counts_what_is_in_doubt(start: Start) -> None:
    batch = start(3, faults=("drop-after:#1",))
    batch.run("--max-in-flight", "1", "--burst", "1", "--max-credits", "12", "--fill-cap")
    assert batch.posts == 2
    assert batch.status().json["credits"]["in_doubt"] == PRICE
    batch.check()


# -- a part of the batch -----------------------------------------------------------------------------------------


def test_too_many_failures_stop_the_buying(start: Start) -> None:
    batch = start(12, faults=("failed:100%",))
    ended = batch.run("--max-failures", "3", "--max-in-flight", "1", "--burst", "1")
    assert ended.exit == 1
    assert ended.states == {"failed": 3, "not_submitted": 9}
    assert "9 jobs were not submitted" in ended.err
    batch.check()


def test_a_limit_buys_so_many_and_the_next_run_goes_on(start: Start) -> None:
    batch = start(5)
    assert batch.run("--limit", "2").exit == 7
    assert [line["state"] for line in batch.lines()] == ["succeeded"] * 2 + ["not_submitted"] * 3
    assert batch.run("--limit", "0").exit == 7
    assert batch.posts == 2
    assert batch.run().exit == 0
    batch.check()


def test_a_selection_buys_only_its_rows_and_is_done_with_them(start: Start) -> None:
    batch = start()
    batch.write(
        row("a-1", "One", "spring", "low"),
        row("a-2", "Two", "spring-2", "high"),
        row("b-1", "Three", "fall", "high"),
        header="id,provider,model,scene,prompt,campaign,rank",
    )
    assert batch.run("--select", "campaign=spring*", "--select", "rank=high").exit == 0
    assert [line["state"] for line in batch.lines()] == ["not_submitted", "succeeded", "not_submitted"]
    assert batch.run("--select", "colour=red").exit == 2
    assert batch.run("--select", "id=a-*").exit == 0
    assert batch.posts == 2
    assert batch.run().exit == 0
    batch.check()
