"""What a person does next about a job that has no video: one sentence a state, or a better one for its code."""

from collections.abc import Mapping
from types import MappingProxyType

from batchgen.job import State

#: `{out}` stands for the OUT folder.
BY_STATE: Mapping[State, str] = MappingProxyType(
    {
        State.INVALID: "Correct the row in the manifest and run it again. `batchgen validate` shows every "
        "problem at once.",
        State.REJECTED: "The service refused the request. Reword the prompt or correct the inputs in the "
        "manifest, then run it again.",
        State.FAILED: "The service could not make this video. `batchgen retry {out} --state failed` buys it "
        "again and shows the price first.",
        State.CANCELLED: "The task was cancelled at the service. `batchgen retry {out} --state cancelled` "
        "buys it again and shows the price first.",
        State.EXPIRED: "The task ended at the service without a video. `batchgen retry {out} --state expired` "
        "buys it again and shows the price first.",
        State.IN_DOUBT: "The answer to this submission was lost, so it may have been charged. Look for it in "
        "the service's dashboard, then settle it with `batchgen resolve {out}`.",
        State.OVERDUE: "The task has not ended yet. `batchgen collect {out}` goes on waiting for it and can't "
        "buy anything.",
        State.CHANGED: "The row was edited after its job had been paid for. Running the manifest with "
        "`--resubmit-changed` buys the new version.",
    }
)

#: By the code that an attempt, a task or a download ended with; tried before the state.
BY_CODE: Mapping[str, str] = MappingProxyType(
    {
        "insufficient_credits": "Add credits at the service, then run the manifest again.",
        "bad_key": "Check BATCHGEN_API_KEY, then run the manifest again.",
        "no_output": "The service says that it is done but gave no video. `batchgen collect {out}` asks "
        "again; if that stays so, show the service the task id. `batchgen retry {out} --code no_output "
        "--buy-again` pays once more and shows the price first.",
        "task_not_found": "The service does not know this task any more. `batchgen collect {out}` asks again; "
        "if that stays so, show the service the task id.",
        "another_task": "Asked about this task, the service answers about another one (a cache in front of it?). "
        "Show it the task id; `batchgen collect {out}` asks again and can't buy anything.",
        "poll_refused": "The service does not let this key ask about the task. Check the key, then "
        "`batchgen collect {out}` goes on waiting and can't buy anything.",
        "poll_throttled": "The service had no answer for so many questions. `batchgen collect {out}` asks again; a "
        "slower --poll-rate may help.",
        "poll_away": "The service could not be reached. Check the network, then `batchgen collect {out}` goes on "
        "waiting and can't buy anything.",
        "poll_error": "The service answers questions about this task with errors. `batchgen collect {out}` asks "
        "again; if that stays so, show the service the task id and what it said.",
        "given_up": "Waiting for this task was given up. `batchgen retry {out} --code given_up --buy-again` "
        "pays for it once more and shows the price first.",
        "paid_lost": "It was paid for, and its task was not found. `batchgen retry {out} --code paid_lost "
        "--buy-again` pays for it once more and shows the price first.",
        "paid_elsewhere": "The row was bought in another folder. Run it there, or clear its task_id, state and "
        "error_code to buy it again.",
    }
)


def next_step(state: State, code: str = "", out: str = "OUT") -> str:
    """What to do about a job in `state` with the error `code`; "" where there is nothing to do."""
    return BY_CODE.get(code, BY_STATE.get(state, "")).replace("{out}", out)
