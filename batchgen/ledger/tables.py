"""The tables of the ledger. The store's own constraints forbid what must never be.

Amounts are integers: the ledger's unit (`meta.unit`: "credits" or "usd") times `meta.unit_scale`. Times are seconds
since 1970 (UTC). JSON is text. Keys named `…_no` are numbers of ours; `job_id` and `task_id` are the names that
people and the service use.

A new column goes to the end of its table and has a default (or may be NULL), a new table anywhere: `sqlite/migrate`
adds both to older ledgers by itself, and shows them to who only reads one.
"""

from sqlalchemy import (
    BLOB,
    REAL,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from batchgen.job import GIVEN_UP, NO_OUTPUT, PAID_LOST

#: Raised when the tables change in a release; older files are migrated forward, newer ones refused.
FORMAT_VERSION = 2

metadata = MetaData()

#: Single values: format_version, service, ledger_id, owner, unit, unit_scale, what the pacer learned, …
meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

#: One line: the cap and what counts against it. `unplanned` is what the service charged beyond our price:
#: it is recorded truthfully, and can't keep an accepted task from being written down. `refund_expected` is what was
#: charged for failed tasks and not given back; it counts as spent.
account = Table(
    "account",
    metadata,
    Column("account_no", Integer, primary_key=True),
    Column("cap", Integer),
    Column("charged", Integer, nullable=False, server_default=text("0")),
    Column("refunded", Integer, nullable=False, server_default=text("0")),
    Column("reserved", Integer, nullable=False, server_default=text("0")),
    Column("in_doubt", Integer, nullable=False, server_default=text("0")),
    Column("unplanned", Integer, nullable=False, server_default=text("0")),
    Column("refund_expected", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("account_no = 1", name="one_account"),
    CheckConstraint("charged >= 0 AND refunded >= 0 AND reserved >= 0 AND in_doubt >= 0", name="no_debt"),
    CheckConstraint("refunded <= charged", name="refund_within_charge"),
    CheckConstraint("cap IS NULL OR charged - refunded + reserved + in_doubt - unplanned <= cap", name="cap_holds"),
)

manifest = Table(
    "manifest",
    metadata,
    Column("manifest_no", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)

#: Rows in manifest order; an invalid one has problems and no job. Rows from `meta.first_position` on are
#: those of the last run's manifests; an earlier one stays only while no row has its job any more.
row = Table(
    "row",
    metadata,
    Column("position", Integer, primary_key=True),
    Column("manifest_no", Integer, ForeignKey("manifest.manifest_no"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("line", Integer),
    Column("job_no", Integer, ForeignKey("job.job_no")),
    Column("job_id", Text, nullable=False),
    Column("changed", Integer, nullable=False, server_default=text("0")),
    Column("cells", Text, nullable=False),
    Column("problems", Text),
)

#: One generation wanted; `position` is that of its (last) row, `selected` says that this run wants it, `changed`
#: that its row in this run says something else. `files_missing` counts the videos of its succeeded tasks that are
#: not on disk. `replaced_prompt` is the prompt that a person's mark gave in place of the row's; `row_fingerprint`
#: is then the content that the row still has.
job = Table(
    "job",
    metadata,
    Column("job_no", Integer, primary_key=True),
    Column("job_id", Text, nullable=False, unique=True),
    Column("fingerprint", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("scene", Text, nullable=False),
    Column("price", Integer, nullable=False),
    Column("purchase_no", Integer, nullable=False, server_default=text("1")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("state", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("selected", Integer, nullable=False),
    Column("error_code", Text, nullable=False, server_default=""),
    Column("error", Text, nullable=False, server_default=""),
    Column("changed", Integer, nullable=False, server_default=text("0")),
    Column("files_missing", Integer, nullable=False, server_default=text("0")),
    Column("replaced_prompt", Text),
    Column("row_fingerprint", Text),
    CheckConstraint("price >= 0", name="price_not_negative"),
    CheckConstraint("purchase_no >= 1", name="purchase_from_one"),
)
Index(
    "job_to_submit",
    job.c.position,
    job.c.job_no,
    sqlite_where=text("state = 'not_submitted' AND selected = 1"),
    postgresql_where=text("state = 'not_submitted' AND selected = 1"),
)
BY_CONTENT = Index("job_fingerprint", job.c.fingerprint)
_REPLACED = "row_fingerprint IS NOT NULL"
Index("job_row", job.c.row_fingerprint, sqlite_where=text(_REPLACED), postgresql_where=text(_REPLACED))

#: Jobs counted, so that a status need not read them all; the store keeps it in the transaction of each change.
#: `code` is the error code where it tells what was paid for (`COUNTED_CODES`), else blank.
job_count = Table(
    "job_count",
    metadata,
    Column("state", Text, primary_key=True),
    Column("selected", Integer, primary_key=True),
    Column("changed", Integer, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("jobs", Integer, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("files_missing", Integer, nullable=False),
)
COUNTED_CODES = (NO_OUTPUT, PAID_LOST, GIVEN_UP)

#: Outcomes under which an attempt may have been charged: one such attempt a purchase, by force.
LIVE = "outcome IS NULL OR outcome IN ('in_doubt', 'accepted', 'paid_lost')"
_UNSETTLED = "outcome IS NULL OR outcome = 'in_doubt'"

#: One POST; `attempt_no` counts a job's attempts from 1. No outcome means open; open with
#: nobody at work on it means in doubt.
attempt = Table(
    "attempt",
    metadata,
    Column("attempt_id", Integer, primary_key=True),
    Column("job_no", Integer, ForeignKey("job.job_no"), nullable=False),
    Column("purchase_no", Integer, nullable=False),
    Column("attempt_no", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("body", BLOB, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("price", Integer, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("begun_at", REAL, nullable=False),
    Column("not_after", REAL, nullable=False),
    Column("ended_at", REAL),
    Column("outcome", Text),
    Column("code", Text, nullable=False, server_default=""),
    Column("message", Text, nullable=False, server_default=""),
    Column("http_status", Integer),
    Column("headers", Text, nullable=False, server_default="{}"),
    Column("evidence", BLOB),
)
for _name, _unique, _where, _columns in (
    ("attempt_live", True, LIVE, (attempt.c.job_no, attempt.c.purchase_no)),
    ("attempt_unsettled", False, _UNSETTLED, (attempt.c.attempt_id,)),
):
    Index(_name, *_columns, unique=_unique, sqlite_where=text(_where), postgresql_where=text(_where))
Index("attempt_job", attempt.c.job_no)

#: What the service accepted; `task_no` is the number of the accepted attempt. `charged` is frozen at
#: acceptance, `refunded` is only what an answer stated. `trouble` is what went wrong at its last poll.
task = Table(
    "task",
    metadata,
    Column("task_no", Integer, ForeignKey("attempt.attempt_id"), primary_key=True),
    Column("service", Text, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("job_no", Integer, ForeignKey("job.job_no"), nullable=False),
    Column("state", Text, nullable=False),
    Column("word", Text, nullable=False, server_default=""),
    Column("charged", Integer, nullable=False),
    Column("refunded", Integer, nullable=False, server_default=text("0")),
    Column("accepted_at", REAL, nullable=False),
    Column("finished_at", REAL),
    Column("looks", Integer, nullable=False, server_default=text("0")),
    Column("video_urls", Text, nullable=False, server_default="[]"),
    Column("expires_at", REAL),
    Column("trouble", Text, nullable=False, server_default=""),
    Column("files_missing", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("service", "task_id", name="task_once"),
    CheckConstraint("refunded >= 0 AND refunded <= charged", name="task_refund_within_charge"),
)
_WAITING = "state IN ('submitted', 'queued', 'running', 'overdue')"
Index("task_waiting", task.c.task_no, sqlite_where=text(_WAITING), postgresql_where=text(_WAITING))
Index("task_job", task.c.job_no)
_MISSING = "files_missing > 0"
Index("task_missing", task.c.expires_at, sqlite_where=text(_MISSING), postgresql_where=text(_MISSING))

#: One file of a succeeded task; `sha256` is filled when it is whole on disk. What it is (`width` … `c2pa`) is NULL
#: where that is not known.
video = Table(
    "video",
    metadata,
    Column("task_no", Integer, ForeignKey("task.task_no"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("path", Text, nullable=False),
    Column("bytes", Integer, nullable=False, server_default=text("0")),
    Column("sha256", Text, nullable=False, server_default=""),
    Column("seconds", REAL),
    Column("fetched_at", REAL),
    Column("trouble", Text, nullable=False, server_default=""),
    Column("width", Integer),
    Column("height", Integer),
    Column("fps", REAL),
    Column("codec", Text),
    Column("has_audio", Integer),
    Column("c2pa", Integer),
)
_IN_TROUBLE = "sha256 = '' AND trouble <> ''"
Index("video_in_trouble", video.c.task_no, sqlite_where=text(_IN_TROUBLE), postgresql_where=text(_IN_TROUBLE))

#: What a person thinks of a job's videos: of that task and no other.
mark = Table(
    "mark",
    metadata,
    Column("job_no", Integer, ForeignKey("job.job_no"), primary_key=True),
    Column("task_id", Text, primary_key=True),
    Column("mark", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("prompt", Text, nullable=False, server_default=""),
    Column("at", REAL, nullable=False),
)

#: Append-only: what a person decided (resolve, retry, cap), who and when; and what recovery found.
decision = Table(
    "decision",
    metadata,
    Column("decision_no", Integer, primary_key=True),
    Column("at", REAL, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("job_id", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default="{}"),
)
