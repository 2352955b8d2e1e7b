"""The ledger's promises, checked on its own tables. Used by `doctor --ledger` and after every crash in tests."""

import sqlalchemy as sa

from batchgen.job import State
from batchgen.ledger.sqlite import counters
from batchgen.ledger.tables import LIVE

#: Each query finds what must not be: (what it means, SQL that returns such lines).
_NEVER = (
    ("a job has two live attempts in one purchase", f"""
        SELECT job_no, purchase_no FROM attempt WHERE {LIVE}
        GROUP BY job_no, purchase_no HAVING count(*) > 1"""),
    ("a task is there twice", "SELECT service, task_id FROM task GROUP BY service, task_id HAVING count(*) > 1"),
    ("a task has no accepted attempt", """
        SELECT task_no FROM task LEFT JOIN attempt ON attempt_id = task_no
        WHERE outcome IS NULL OR outcome <> 'accepted'"""),
    ("an accepted attempt has no task", """
        SELECT attempt_id FROM attempt LEFT JOIN task ON task_no = attempt_id
        WHERE outcome = 'accepted' AND task_no IS NULL"""),
    ("an attempt belongs to a purchase that nobody made", """
        SELECT attempt_id FROM attempt JOIN job USING (job_no) WHERE attempt.purchase_no > job.purchase_no"""),
    ("a job is in doubt without a doubtful attempt, or the other way round", """
        SELECT job_no FROM job WHERE (state = 'in_doubt') <> EXISTS (
            SELECT 1 FROM attempt WHERE attempt.job_no = job.job_no AND outcome = 'in_doubt'
            AND attempt.purchase_no = job.purchase_no)"""),
    ("a job waits for a task that is not there", """
        SELECT job_no FROM job WHERE state IN ('submitted', 'queued', 'running', 'overdue', 'succeeded')
        AND NOT EXISTS (SELECT 1 FROM task WHERE task.job_no = job.job_no)"""),
    ("a job is to be submitted although this purchase has a live attempt", f"""
        SELECT job_no FROM job WHERE state = 'not_submitted' AND EXISTS (
            SELECT 1 FROM attempt WHERE attempt.job_no = job.job_no AND attempt.purchase_no = job.purchase_no
            AND ({LIVE}))"""),
    ("a counter of jobs differs from the jobs", f"""
        SELECT * FROM (SELECT state, selected, changed, code, jobs, amount, files_missing FROM job_count
        WHERE jobs <> 0 OR amount <> 0 OR files_missing <> 0 EXCEPT {counters.COUNT})
        UNION ALL SELECT * FROM ({counters.COUNT} EXCEPT
        SELECT state, selected, changed, code, jobs, amount, files_missing FROM job_count)"""),
    ("a job counts other missing files than its tasks have", f"""
        SELECT job_no FROM job WHERE files_missing <> {counters.JOB_FILES_MISSING}"""),
    ("a task counts other missing files than it has", f"""
        SELECT task_no FROM task WHERE files_missing <> {counters.TASK_FILES_MISSING}"""),
)  # fmt: skip

_SUMS = {
    "charged": """SELECT coalesce((SELECT sum(charged) FROM task), 0)
                  + coalesce((SELECT sum(price) FROM attempt WHERE outcome = 'paid_lost'), 0)""",
    "refunded": "SELECT coalesce(sum(refunded), 0) FROM task",
    "reserved": "SELECT coalesce(sum(price), 0) FROM attempt WHERE outcome IS NULL",
    "refund_expected": f"SELECT {counters.REFUND_EXPECTED}",
    "in_doubt": "SELECT coalesce(sum(price), 0) FROM attempt WHERE outcome = 'in_doubt'",
}


def violations(connection: sa.Connection, *, running: bool = False) -> list[str]:
    """Sentences about broken promises; none when all is well."""
    found = [
        f"{what} ({len(lines)} times)"
        for what, query in _NEVER
        if (lines := connection.exec_driver_sql(query).all())
    ]
    account = connection.exec_driver_sql("SELECT * FROM account").mappings().one()
    for name, query in _SUMS.items():
        total = connection.exec_driver_sql(query).scalar_one()
        if account[name] != total:
            found.append(f"the account says {account[name]} credits {name}, its entries say {total}")
    counted = account["charged"] - account["refunded"] + account["reserved"] + account["in_doubt"]
    if account["cap"] is not None and counted - account["unplanned"] > account["cap"]:
        found.append(f"{counted} credits count against a cap of {account['cap']}")
    if not running:
        submitting = connection.exec_driver_sql(
            "SELECT count(*) FROM job WHERE state = ?", (State.SUBMITTING.value,)
        ).scalar_one()
        open_ = connection.exec_driver_sql("SELECT count(*) FROM attempt WHERE outcome IS NULL").scalar_one()
        if submitting != open_:
            found.append(f"{submitting} jobs are being submitted, but {open_} attempts are open")
    return found
