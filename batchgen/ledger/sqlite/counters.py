"""Counters that the store keeps by itself, in the transaction of each change: `status` reads a few lines, whatever
the ledger's size, and no statement can forget to count. New jobs are counted where they are born, by the thousand
(`rows.insert_jobs`): a trigger would take as long as the insert.
"""

from batchgen.ledger.tables import COUNTED_CODES

_CODES = ", ".join(f"'{code}'" for code in COUNTED_CODES)


def _code(job: str) -> str:
    return f"CASE WHEN {job}.error_code IN ({_CODES}) THEN {job}.error_code ELSE '' END"


def _of_task(task: str) -> str:
    """How many videos of a task are not on disk, by its lines alone."""
    return f"""CASE WHEN {task}.state = 'succeeded' THEN max(0, json_array_length({task}.video_urls)
        - (SELECT count(*) FROM video WHERE video.task_no = {task}.task_no AND video.sha256 <> '')) ELSE 0 END"""


#: What older lines have in the columns that are kept here.
TASK_FILES_MISSING = _of_task("task")
JOB_FILES_MISSING = f"""(SELECT coalesce(sum({TASK_FILES_MISSING}), 0) FROM task WHERE task.job_no = job.job_no)"""
REFUND_EXPECTED = "(SELECT coalesce(sum(charged - refunded), 0) FROM task WHERE state = 'failed')"
COUNT = f"""SELECT state, selected, changed, {_code("job")} AS code, count(*) AS jobs, sum(price) AS amount,
    sum(files_missing) AS files_missing FROM job GROUP BY 1, 2, 3, 4"""

_COUNT_NEW = f"""INSERT INTO job_count (state, selected, changed, code, jobs, amount, files_missing)
    VALUES (new.state, new.selected, new.changed, {_code("new")}, 1, new.price, new.files_missing)
    ON CONFLICT (state, selected, changed, code) DO UPDATE SET jobs = jobs + 1, amount = amount + excluded.amount,
        files_missing = files_missing + excluded.files_missing;"""
_FORGET_OLD = f"""UPDATE job_count SET jobs = jobs - 1, amount = amount - old.price,
    files_missing = files_missing - old.files_missing
    WHERE state = old.state AND selected = old.selected AND changed = old.changed AND code = {_code("old")};"""
_COUNTED = ("state", "selected", "changed", "error_code", "price", "files_missing")
_RECOUNT_VIDEO = f"UPDATE task SET files_missing = {TASK_FILES_MISSING} WHERE task_no = new.task_no;"

TRIGGERS = (
    f"""CREATE TRIGGER job_changes AFTER UPDATE OF {", ".join(_COUNTED)} ON job
        WHEN {" OR ".join(f"old.{name} <> new.{name}" for name in _COUNTED)}
        BEGIN {_FORGET_OLD} {_COUNT_NEW} END""",
    f"""CREATE TRIGGER task_succeeds AFTER UPDATE OF state, video_urls ON task
        WHEN new.state = 'succeeded' OR old.state = 'succeeded'
        BEGIN {_RECOUNT_VIDEO} END""",
    f"""CREATE TRIGGER video_is_new AFTER INSERT ON video BEGIN {_RECOUNT_VIDEO} END""",
    f"""CREATE TRIGGER video_changes AFTER UPDATE OF sha256 ON video WHEN old.sha256 <> new.sha256
        BEGIN {_RECOUNT_VIDEO} END""",
    """CREATE TRIGGER task_files AFTER UPDATE OF files_missing ON task WHEN old.files_missing <> new.files_missing
        BEGIN UPDATE job SET files_missing = files_missing + new.files_missing - old.files_missing
            WHERE job_no = new.job_no; END""",
    """CREATE TRIGGER task_fails AFTER UPDATE OF state, charged, refunded ON task
        WHEN old.state = 'failed' OR new.state = 'failed'
        BEGIN UPDATE account SET refund_expected = refund_expected
            + CASE WHEN new.state = 'failed' THEN new.charged - new.refunded ELSE 0 END
            - CASE WHEN old.state = 'failed' THEN old.charged - old.refunded ELSE 0 END; END""",
)
