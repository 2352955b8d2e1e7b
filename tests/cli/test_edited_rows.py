"""A row that is edited while its job is under way: what is bought in the end is what the row says then."""

from desk import Desk


def test_an_edited_row_whose_doubt_turns_out_not_charged_is_bought_as_it_is_now(desk: Desk) -> None:
    with desk.service(faults=("drop-before:#1",)) as server:
        desk.jobs("shots.csv", "an old prompt")
        assert desk.give("run", "shots.csv", "--yes").exit == 5
        desk.jobs("shots.csv", "a new prompt")
        assert desk.give("run", "shots.csv", "--yes").exit == 5
        desk.change_ledger("outputs/shots", "UPDATE attempt SET not_after = 0")
        assert desk.give("resolve", "outputs/shots", "j1", "--not-charged").exit == 0
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        assert [task.prompt for task in server.audit().tasks] == ["a new prompt"]


def test_an_edited_row_whose_running_job_then_fails_is_bought_as_it_is_now(desk: Desk) -> None:
    with desk.service(faults=("failed:*old*",)) as server:
        desk.jobs("shots.csv", "an old prompt")
        assert desk.give("run", "shots.csv", "--yes", "--no-wait").exit == 0
        desk.jobs("shots.csv", "a new prompt")
        assert desk.give("run", "shots.csv", "--yes").exit == 1
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        assert [task.prompt for task in server.audit().tasks] == ["an old prompt", "a new prompt"]
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        assert len(server.audit().tasks) == 2


def test_a_change_that_the_cap_stopped_and_that_is_taken_back_buys_nothing(desk: Desk) -> None:
    with desk.service() as server:
        desk.jobs("shots.csv", "one", "two")
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        desk.jobs("shots.csv", "one but bluer", "two but bluer")
        said = desk.give("run", "shots.csv", "--yes", "--resubmit-changed", "--fill-cap", "--max-credits", "18")
        assert (said.exit, len(server.audit().tasks)) == (4, 3)
        desk.jobs("shots.csv", "one but bluer", "two")
        said = desk.give("run", "shots.csv", "--yes", "--max-credits", "none", "--json")
        assert (said.exit, said.json["states"]) == (0, {"succeeded": 2})
        assert [task.prompt for task in server.audit().tasks] == ["one", "two", "one but bluer"]
        desk.jobs("shots.csv", "one", "two")
        assert desk.give("run", "shots.csv", "--yes", "--resubmit-changed").exit == 0
        assert len(server.audit().tasks) == 3


def test_a_reworded_failure_that_was_never_bought_and_is_taken_back_buys_nothing(desk: Desk) -> None:
    with desk.service(faults=("failed:*knife*", "not-open:#2")) as server:
        desk.jobs("shots.csv", "a knife")
        assert desk.give("run", "shots.csv", "--yes").exit == 1
        desk.jobs("shots.csv", "a spoon")
        assert desk.give("run", "shots.csv", "--yes").exit == 6
        desk.jobs("shots.csv", "a knife")
        said = desk.give("run", "shots.csv", "--yes", "--json")
        assert (said.exit, said.json["states"], len(server.audit().tasks)) == (1, {"failed": 1}, 1)


def test_a_row_that_gets_another_id_after_a_kill_is_the_same_doubt_in_plan_and_run(desk: Desk) -> None:
    """The POST was open when the process died: under its new id, too, it is no new money."""
    with desk.service(faults=("drop-before:#1",)) as server:
        desk.write("shots.csv", "old,kie,m,text-to-video,one")
        assert desk.give("run", "shots.csv", "--yes").exit == 5
        # as a kill leaves it: begun, and nothing said of how it ended
        desk.change_ledger("outputs/shots", "UPDATE attempt SET outcome = NULL, ended_at = NULL")
        desk.change_ledger("outputs/shots", "UPDATE job SET state = 'submitting'")
        desk.change_ledger("outputs/shots", "UPDATE account SET reserved = in_doubt, in_doubt = 0")
        desk.write("shots.csv", "new,kie,m,text-to-video,one", "j2,kie,m,text-to-video,two")
        plan = desk.give("run", "shots.csv", "--dry-run", "--json").json["plan"]
        assert plan["submit"] == {"jobs": 1, "credits": 6}
        assert plan["renamed"] == [{"from": "old", "to": "new"}]
        done = desk.give("run", "shots.csv", "--yes", "--json", "--no-download")
        assert (done.exit, done.json["states"]) == (5, {"in_doubt": 1, "succeeded": 1})
        assert [task.prompt for task in server.audit().tasks] == ["two"]
