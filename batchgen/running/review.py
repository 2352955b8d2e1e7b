"""`review`: a person's marks, from a file into the ledger. A mark counts for the video that was judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from batchgen.check.sentences import count
from batchgen.errors import UsageError
from batchgen.ledger import Ledger, marks
from batchgen.ledger.marks import ACCEPT, REJECT, WORDS, Judged, Mark
from batchgen.ledger.sqlite.store import reading
from batchgen.manifest.plain import plain_table
from batchgen.manifest.source import Unreadable
from batchgen.results.formula import unguard
from batchgen.running.outputs import write_report_html, write_results_csv
from batchgen.running.resolve import service_of

_NEEDED = ("job_id", "task_id", "mark")
_NOTHING = "Nothing was taken."


@dataclass(frozen=True, slots=True)
class Review:
    """A marks file against a ledger: the marks that count, and those of videos that a job has no more."""

    kept: tuple[tuple[Judged, Mark], ...] = ()
    older: tuple[Mark, ...] = ()

    def with_mark(self, word: str) -> list[Mark]:
        return [mark for _, mark in self.kept if mark.mark == word]


def review(out: Path, file: Path) -> Review:
    """Take the marks of a file into the ledger of OUT, all or none, and write results.csv and the page again.

    Raises UsageError for a file that is no marks file, or that belongs to another batch.
    """
    found = read_review(out, file)
    ledger = Ledger.open(out, service_of(out))
    try:
        by = ledger.person()
        ledger.write(lambda connection: marks.take(connection, found.kept, by))
    finally:
        ledger.close()
    write_results_csv(out)
    write_report_html(out)
    return found


def read_review(out: Path, file: Path) -> Review:
    """What a marks file says, compared with the ledger; writes nothing."""
    said = read_marks(file)
    with reading(out) as connection:
        known = marks.judged(connection, [mark.task_id for _, mark in said])
    kept, older = [], []
    for row, mark in said:
        about = known.get(mark.task_id)
        if about is None:
            raise UsageError(
                f"{file}, row {row}: {out} never had the task {mark.task_id!r} (job {mark.job_id}).",
                code="foreign_mark",
                hint=f"These marks belong to another batch: name its folder. {_NOTHING}",
            )
        if about.job_id != mark.job_id and _is_another_job(out, mark.job_id):
            raise UsageError(
                f"{file}, row {row}: the task {mark.task_id} is not of job {mark.job_id}, but of {about.job_id}.",
                code="foreign_mark",
                hint=f"Download the marks from the page again. {_NOTHING}",
            )
        if about.current:
            kept.append((about, mark))
        else:
            older.append(mark)
    return Review(tuple(kept), tuple(older))


def _is_another_job(out: Path, job_id: str) -> bool:
    """Whether this id is a job's: else the row has another id since the mark was made."""
    from batchgen.ledger.rows import known_jobs

    with reading(out) as connection:
        return bool(known_jobs(connection, [job_id]))


def read_marks(file: Path) -> list[tuple[int, Mark]]:
    """(row, mark) of each line of a marks file; a line that says the same again counts once."""
    try:
        rows = list(plain_table(file))
    except Unreadable as error:
        raise UsageError(
            f"{file} can't be read as marks. {error.message}", code="bad_marks", hint=f"{error.hint} {_NOTHING}"
        ) from None
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror or error}.", code="bad_marks") from None
    missing = [name for name in _NEEDED if rows and name not in rows[0][1]]
    if missing or not rows:
        more = f": {', '.join(missing)} is missing" if missing else ", and a line for each video"
        raise UsageError(
            f"{file} needs the columns job_id, task_id, mark and note{more}.",
            code="bad_marks",
            hint=f"The page writes such a file with Download marks. {_NOTHING}",
        )
    found: dict[str, tuple[int, Mark]] = {}
    for row, cells in rows:
        mark = _mark(file, row, cells)
        before = found.get(mark.task_id)
        if before is not None and before[1].mark != mark.mark:
            raise UsageError(
                f"{file} marks job {mark.job_id} two ways: {before[1].mark} in row {before[0]}, "
                f"{mark.mark} in row {row}.",
                code="two_marks",
                hint=f"Leave only the right one. {_NOTHING}",
            )
        found[mark.task_id] = (row, mark)
    return list(found.values())


def _mark(file: Path, row: int, cells: dict[str, str]) -> Mark:
    word = cells["mark"].strip().lower()
    if word not in WORDS:
        raise UsageError(
            f"{file}, row {row}: the mark {cells['mark']!r} is neither accept nor reject.",
            code="bad_mark",
            hint=f"Write one of the two, or delete the line. {_NOTHING}",
        )
    texts = {name: unguard(cells.get(name, "")) for name in ("job_id", "task_id", "note", "prompt")}
    if not texts["task_id"].strip():
        raise UsageError(
            f"{file}, row {row}: the mark of job {texts['job_id']} has no task_id, so nobody knows which video it "
            "is of.",
            code="bad_mark",
            hint=f"Download the marks from the page again. {_NOTHING}",
        )
    return Mark(
        texts["job_id"].strip(), texts["task_id"].strip(), word, texts["note"].strip(), texts["prompt"].strip()
    )


def review_lines(found: Review, out: Path) -> list[str]:
    """What `review` says."""
    accepted, rejected = len(found.with_mark(ACCEPT)), len(found.with_mark(REJECT))
    lines = [f"{count(len(found.kept), 'mark')} taken: {accepted:,} accepted, {rejected:,} to redo."]
    lines += [_left_out(mark) for mark in found.older[:10]]
    if len(found.older) > 10:
        lines.append(f"… and {len(found.older) - 10:,} more of older videos.")
    if rejected:
        lines += ["Buy those again, after the price:", f"  batchgen retry {out} --review reject --buy-again"]
    return lines


def _left_out(mark: Mark) -> str:
    return (
        f"Left out: {mark.job_id}: the mark is of an older video (task {mark.task_id}), not of the one it has now."
    )


def marks_to_buy(out: Path, file: Path | None, word: str | None) -> Sequence[Mark]:
    """The marks that `retry` follows: the rejected ones of a file, or those in the ledger."""
    found = read_review(out, file).with_mark(REJECT) if file is not None else []
    if word is not None:
        with reading(out) as connection:
            found += marks.of_current_videos(connection, word)
    return found
