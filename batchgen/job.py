"""The nouns, frozen: each stage of the data has a type of its own, so that "validated" is a type.

Row (what a person wrote) -> Job (validated, priced, named) -> Attempt (one POST, in `ledger`)
-> Outcome (what is known after it) -> TaskStatus (what the service says of the task) -> Result (one line
of results.csv). A row that can't become a job is an InvalidRow with its Problems.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

SCENES = ("text-to-video", "image-to-video", "video-to-video")

#: The keys of a request in the order in which they are sent.
REQUEST_KEYS = ("provider", "model", "scene", "prompt", "image_input", "video_input", "options")


class State(StrEnum):
    """A job's state, worked out from the ledger; docs/use/results.md says what each means."""

    INVALID = "invalid"
    NOT_SUBMITTED = "not_submitted"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    OVERDUE = "overdue"
    CHANGED = "changed"


#: States in which the task has ended for good: no later answer changes them.
TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})
#: States of a job whose task is accepted and has not ended.
WAITING = frozenset({State.SUBMITTED, State.QUEUED, State.RUNNING, State.OVERDUE})
#: States of a job that ended without a video: an edited row with one of these is simply submitted again.
ENDED_WITHOUT_VIDEO = frozenset({State.FAILED, State.CANCELLED, State.EXPIRED, State.REJECTED})

#: Error codes of jobs that a person or the service left without a video, though they were, or may have been, paid.
PAID_LOST = "paid_lost"
GIVEN_UP = "given_up"
NO_OUTPUT = "no_output"
#: Of an overdue job: the service does not know the task's id.
TASK_NOT_FOUND = "task_not_found"
#: Of an overdue job, by what its last poll met; "overdue" where the task was just not done.
ANOTHER_TASK, POLL_REFUSED, POLL_THROTTLED = "another_task", "poll_refused", "poll_throttled"
POLL_AWAY, POLL_ERROR = "poll_away", "poll_error"
#: The message of a poll that was answered with another task.
ABOUT_ANOTHER = "the answer is about another task"
#: Ends by a person's word that count as spent: like a video, they are bought again only on demand.
PAID_ENDS = frozenset({PAID_LOST, GIVEN_UP})


def unsettled(state: str, error_code: str) -> str:
    """Which of these two words of a line of results.csv says that money may be gone without a task id; or ""."""
    if state in (State.IN_DOUBT, State.SUBMITTING):
        return state
    return PAID_LOST if error_code == PAID_LOST else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row, or (with `row` None) with a manifest as a whole. Also used for warnings.

    `row` counts data rows from 1, `line` is the physical line, `cell` the spreadsheet name (`F4`).
    `message` says what is wrong, `hint` what to do about it; both are sentences.
    """

    manifest: str
    row: int | None
    line: int | None
    column: str | None
    cell: str | None
    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One raw entry of a manifest: the request as written, and the cells that travel to results.csv.

    `values` holds the known keys that are not blank (`id` and REQUEST_KEYS; URL cells already split into
    lists, `options` a dictionary). `cells` holds every column that results.csv shows again (prompt, inputs,
    options and own columns as the person wrote them), by column name in the manifest's order.
    `places` names the cell of a key for messages: key -> (column header, cell name); `lines` the physical line
    of a key where it is not `line` (YAML). `repeat_of` marks what `repeat:` made: it is meant to be the same.
    `unnamed` are texts of a table that stand under no header. `unsettled` is what a results.csv that was fed back
    says of a purchase without a task id that may have been paid for (`in_doubt`, `submitting`, `paid_lost`).
    `source` is the table under `rows:` in which the `places` are, where a row came from one.
    """

    manifest: str
    number: int
    line: int | None
    values: dict[str, Any]
    cells: dict[str, str] = field(default_factory=dict)
    places: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    task_id: str = ""
    repeat_of: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    unnamed: tuple[str, ...] = ()
    unsettled: str = ""
    source: str = ""

    def text(self, column: str) -> str:
        """What the row says under a column name, as text: a cell, `options.NAME`, or a known key. "" is blank."""
        return _text_under(column, self.cells, self.values)

    def matches(self, column: str, glob: str) -> bool:
        """Whether the text under `column` fits a shell pattern (`spring-*`); upper and lower case differ."""
        return fnmatchcase(self.text(column), glob)


def _text_under(column: str, cells: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The cell, else the value of a key or (`options.NAME`) of an option, as text."""
    if column in cells:
        return cells[column]
    value = values.get(column)
    if value is None and column.startswith("options."):
        options = values.get("options")
        value = options.get(column[8:]) if isinstance(options, dict) else None
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Job:
    """One validated row: one generation wanted.

    `request` is the JSON object that is sent, keys in the order of REQUEST_KEYS, inputs always lists.
    `price` is in credits. `task_id` is what a filled `task_id` cell of the manifest says.
    """

    job_id: str
    request: dict[str, Any]
    price: int
    manifest: str
    row: int
    line: int | None
    cells: dict[str, str]
    fingerprint: str
    task_id: str = ""

    def text(self, column: str) -> str:
        """What the row said under a column name, as `Row.text` gives it; `id` is the job's."""
        return self.job_id if column in ("id", "job_id") else _text_under(column, self.cells, self.request)


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row that can't become a job, with everything that is wrong with it."""

    manifest: str
    row: int
    line: int | None
    job_id: str
    cells: dict[str, str]
    problems: tuple[Problem, ...]
    #: provider, model and scene as written, for results.csv
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger has of a job. `row_fingerprint`: the row's own content, where a mark replaced its words."""

    job_no: int
    job_id: str
    fingerprint: str
    state: State
    purchase_no: int
    price: int
    error_code: str = ""
    error: str = ""
    row_fingerprint: str | None = None

    def is_content(self, fingerprint: str) -> bool:
        """Whether a row with this content is this job as it is."""
        return fingerprint in (self.fingerprint, self.row_fingerprint)


@dataclass(frozen=True, slots=True)
class Owner:
    """The job of a task that an OUT knows: its id, and the content that it was bought with."""

    job_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """How a purchase of a job ended: what the job is again when its row has that content again."""

    state: State
    error_code: str = ""
    error: str = ""


# Made once: making an encoder for each row costs more than the encoding.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_AS_WRITTEN = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no blanks, UTF-8. Equal values give equal bytes."""
    return _CANONICAL(value).encode("utf-8", "surrogatepass")


def fingerprint(request: Mapping[str, Any]) -> str:
    """The hash of a job's content: 16 hex digits of sha256 over its canonical JSON.

    The first 16 that a spreadsheet does not take for a number: `12345678901234e5` would come back changed.
    """
    return fingerprint_of(canonical_json(request))


def fingerprint_of(canonical: bytes) -> str:
    """The same, of a content's canonical JSON."""
    digits = hashlib.sha256(canonical).hexdigest()
    if not _NUMBER.fullmatch(digits, 0, 16):  # nearly all
        return digits[:16]
    return next((piece for piece in map(digits.__getitem__, _PIECES) if not _NUMBER.fullmatch(piece)), digits[:16])


_PIECES = [slice(start, start + 16) for start in range(49)]
_NUMBER = re.compile(r"[0-9]+(?:e[0-9]+)?")


def request_body(request: Mapping[str, Any]) -> bytes:
    """The bytes of the POST for `request`: keys in the documented order, values unchanged."""
    return _AS_WRITTEN(request).encode("utf-8")


class OutcomeKind(StrEnum):
    """What is known after an attempt (docs/how/architecture.md, "How money is kept safe")."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete HTTP answer, as it was read: what `reply` judges.

    `headers` has lower-case names (the last value wins). `framed` is False when the end of the body could
    only be guessed from the connection's end, so that a cut can't be told from the end.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    framed: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known after one POST.

    `code` is a short stable word (`insufficient_credits`, `bad_key`, `read_timeout`, `http_502`, …),
    `message` the service's words or ours, in one line. `throttle` says which kind of "too much" a
    `throttled` outcome is: `rate`, `concurrency`, `unavailable` (503) or "" when it is not said.
    `charged_credits` is what an answer of the documented envelope states (`costCredits`), else None.
    `evidence` is what was received, at most 64 KB. `halt`: a sentence why nothing more may be submitted, although
    this outcome stands. `address`: what to do if the address is wrong, where the answer is that of an address that
    does not speak this API (unless a job was accepted there before).
    """

    kind: OutcomeKind
    code: str = ""
    message: str = ""
    status: int | None = None
    task_id: str = ""
    throttle: str = ""
    charged_credits: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    evidence: bytes = b""
    halt: str = ""
    address: str = ""


#: Given back in full: a refund that is stated without an amount. It is more than any charge.
WHOLE_CHARGE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """What one status answer says of a task.

    `state` is QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED or EXPIRED; None is an unrecognised word, which
    ends nothing. `word` is the literal status. `refunded` is the credits that the answer says were given back:
    WHOLE_CHARGE where it says so without an amount, 0 where it says that nothing was, None where it says nothing.
    """

    state: State | None
    word: str = ""
    video_urls: tuple[str, ...] = ()
    error_code: str = ""
    error: str = ""
    refunded: int | None = None
    charged_credits: int | None = None
    expires_at: float | None = None


class Trouble(StrEnum):
    """Why a status answer says nothing of the task. None of these is ever a job's failure."""

    NOT_FOUND = "not_found"
    THROTTLED = "throttled"
    REFUSED = "refused"
    ERROR = "error"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Look:
    """One poll: either a status or the trouble that kept us from one (exactly one of the two is set)."""

    status: TaskStatus | None = None
    trouble: Trouble | None = None
    message: str = ""
    http_status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


#: The columns of results.csv that are ours, in order; the manifest's other columns follow.
RESULT_COLUMNS = (
    "job_id", "manifest", "row", "state", "task_id", "video_url", "video_urls", "video_path", "scene",
    "provider", "model", "estimated_credits", "charged_credits", "refunded_credits", "attempts",
    "submitted_at", "finished_at", "expires_at", "error_code", "error",
    "review", "review_note", "width", "height", "duration_s", "has_audio", "sha256",
)  # fmt: skip


#: What its amounts are called where the service counts dollars.
USD_COLUMNS = ("estimated_usd", "charged_usd", "refunded_usd")


@dataclass(frozen=True, slots=True)
class Film:
    """What a video file says of itself. None (or "") where it does not say; `duration_s` is in seconds."""

    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    fps: float | None = None
    codec: str = ""
    has_audio: bool | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """An earlier video of a job that was bought again: what it was bought with, and where it lies."""

    task_id: str
    prompt: str = ""
    video_urls: tuple[str, ...] = ()
    video_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One line of results.csv. Times are seconds since 1970 (UTC); `video_paths` are relative to OUT.

    The three amounts are in whole units of the service, dollars with their decimals (there the columns are called
    `estimated_usd`, `charged_usd`, `refunded_usd`).

    `cells` are the manifest's other columns (prompt, inputs, options, own) for this row, as written; `request` is
    what was, or would be, bought. `review` (accept, reject or "") and `review_note` are what a person thinks of the
    video of `task_id`; `film` is the first video; `takes` are the job's earlier ones, the oldest first.
    """

    job_id: str
    manifest: str
    row: int | None
    state: State
    task_id: str = ""
    video_urls: tuple[str, ...] = ()
    video_paths: tuple[str, ...] = ()
    scene: str = ""
    provider: str = ""
    model: str = ""
    estimated_credits: int | float | None = None
    charged_credits: int | float | None = None
    refunded_credits: int | float | None = None
    attempts: int = 0
    submitted_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    error_code: str = ""
    error: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    sha256: tuple[str, ...] = ()
    review: str = ""
    review_note: str = ""
    film: Film = Film()
    takes: tuple[Take, ...] = ()

    @property
    def prompt(self) -> str:
        """The words of the request; where there is none (a row with problems), those of the row."""
        words = self.request.get("prompt")
        return words if isinstance(words, str) and words else self.cells.get("prompt", "")

    @property
    def prompt_now(self) -> str:
        """What the row reads now, where that is not what its video was bought with; else ""."""
        now = self.cells.get("prompt", "")
        return now if self.state is State.CHANGED and now != self.prompt else ""
