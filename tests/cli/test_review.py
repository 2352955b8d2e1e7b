"""`review` takes marks of the videos that were judged, and `retry --review` buys those again, each once."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk

OUT = "outputs/shots"


def tasks(desk: Desk, out: str = OUT) -> dict[str, str]:
    """job -> the task of the video that it has now."""
    with (desk.folder / out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return {line["job_id"]: line["task_id"] for line in csv.DictReader(file)}


def results(desk: Desk) -> dict[str, dict[str, str]]:
    with (desk.folder / OUT / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        return {line["job_id"]: line for line in csv.DictReader(file)}


def marks(desk: Desk, *lines: str, header: str = "job_id,task_id,mark,note", name: str = "m.csv") -> Path:
    path = desk.folder / name
    path.write_text("\r\n".join([header, *lines]) + "\r\n", encoding="utf-8-sig")
    return path


@pytest.fixture
def made(desk: Desk) -> Desk:
    """Three films of a batch, in a sandbox of its own."""
    desk.jobs("shots.csv", "one", "two", "three")
    assert desk.give("run", "shots.csv", "--sandbox", "--out", OUT, "-q").exit == 0
    return desk


def charged(desk: Desk) -> int:
    return int(desk.give("status", OUT, "--json").json["credits"]["charged"])


def test_marks_are_in_the_results_and_bought_again_once(made: Desk) -> None:
    """The rejected ones are bought, with their price and names said first; the same marks buy nothing more."""
    t = tasks(made)
    file = marks(made, f"j1,{t['j1']},reject,[0:01] =too dark", f"j2,{t['j2']},accept,")
    said = made.give("review", OUT, file)
    assert (said.exit, said.out.splitlines()[0]) == (0, "2 marks taken: 1 accepted, 1 to redo.")
    assert (results(made)["j1"]["review"], results(made)["j1"]["review_note"]) == ("reject", "[0:01] =too dark")
    assert results(made)["j2"]["review"] == "accept"
    assert "[0:01] =too dark" in (made.folder / OUT / "report.html").read_text(encoding="utf-8")
    refused = made.give("retry", OUT, "--review", "reject", "--yes", "--json")
    assert (refused.exit, refused.json["error"]["code"], charged(made)) == (2, "paid", 18)
    said = made.give("retry", OUT, "--review", "reject", "--buy-again", "--yes")
    assert "Buy 1 job again for 6 credits.\n  j1 (6 credits): marked reject; “one”" in said.err
    assert (said.exit, charged(made)) == (0, 24)
    assert results(made)["j1"]["review"] == ""
    for again in (("--review", "reject"), ("--from", str(file))):
        said = made.give("retry", OUT, *again, "--buy-again", "--yes")
        assert (said.exit, "nothing to buy again" in said.err, charged(made)) == (0, True, 24)
    said = made.give("review", OUT, file)
    assert said.exit == 0
    assert f"Left out: j1: the mark is of an older video (task {t['j1']})" in said.out
    assert results(made)["j1"]["review"] == ""


def test_a_file_of_marks_buys_what_it_rejects(made: Desk) -> None:
    """`retry --from` takes the same file, with the same care, and buys its current videos alone."""
    t = tasks(made)
    file = marks(made, f"j3,{t['j3']},reject,", f"j1,{t['j1']},accept,")
    assert made.give("retry", OUT, "--from", file, "--yes").exit == 2
    assert made.give("retry", OUT, "--from", file, "--buy-again", "--yes").exit == 0
    assert charged(made) == 24
    assert tasks(made)["j1"] == t["j1"]
    assert tasks(made)["j3"] != t["j3"]


def test_new_words_are_bought_and_the_row_with_the_old_ones_is_that_job(made: Desk) -> None:
    """They are shown with the price; old and new words in the sheet buy nothing, a third wording is changed."""
    t = tasks(made)
    marks(made, f"j1,{t['j1']},reject,,a brighter one", header="job_id,task_id,mark,note,prompt")
    made.give("review", OUT, made.folder / "m.csv")
    said = made.give("retry", OUT, "--review", "reject", "--buy-again", "--yes")
    assert "j1 (6 credits): marked reject; new words: “a brighter one”" in said.err
    bodies = made.read_ledger(OUT, "SELECT CAST(body AS TEXT) FROM attempt ORDER BY attempt_id")
    assert '"a brighter one"' in bodies[-1][0]
    assert charged(made) == 24
    new = tasks(made)["j1"]

    def planned(first: str) -> str:
        made.jobs("shots.csv", first, "two", "three")
        return made.give("run", "shots.csv", "--sandbox", "--out", OUT, "--dry-run").out

    for words in ("one", "a brighter one", "one"):
        assert "3 done already" in planned(words), words
        assert made.give("run", "shots.csv", "--sandbox", "--out", OUT, "-q").exit == 0
        assert charged(made) == 24
    assert new in {task for (task,) in made.read_ledger(OUT, "SELECT task_id FROM task")}
    assert "1 changed after it was bought" in planned("a third one")


def test_waiting_new_words_are_not_bought_with_the_old_ones(desk: Desk) -> None:
    """What the key kept from a retry is bought by the next run: with the new words, though the row has the old."""
    with desk.service() as server:
        desk.jobs("shots.csv", "one")
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        marks(desk, f"j1,{tasks(desk)['j1']},reject,,better", header="job_id,task_id,mark,note,prompt")
        assert desk.give("review", OUT, desk.folder / "m.csv").exit == 0
        server.change(keys=["sk-another-0123456789abcdef"])
        assert desk.give("retry", OUT, "--review", "reject", "--buy-again", "--yes").exit == 6
        server.change(keys=["sk-sandbox-0123456789abcdef"])
        (desk.folder / "batchgen.toml").write_text("[prices]\ntext-to-video = 9\n", encoding="utf-8")
        said = desk.give("run", "shots.csv", "--yes", "--max-credits", "100")
        assert (said.exit, [task.prompt for task in server.audit().tasks]) == (0, ["one", "better"])
        assert desk.read_ledger(OUT, "SELECT price FROM attempt ORDER BY attempt_id")[-1] == (9,)
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        assert len(server.audit().tasks) == 2


def test_a_new_id_column_after_new_words_buys_nothing(desk: Desk) -> None:
    """The row is known by the words that it still has."""
    with desk.service() as server:
        desk.write("shots.csv", "kie,m,text-to-video,one", header="provider,model,scene,prompt")
        desk.give("run", "shots.csv", "--yes")
        [(job, task)] = tasks(desk).items()
        marks(desk, f"{job},{task},reject,,better", header="job_id,task_id,mark,note,prompt")
        desk.give("review", OUT, desk.folder / "m.csv")
        desk.give("retry", OUT, "--review", "reject", "--buy-again", "--yes")
        desk.write("shots.csv", "hero,kie,m,text-to-video,one")
        assert desk.give("run", "shots.csv", "--yes").exit == 0
        assert [task.prompt for task in server.audit().tasks] == ["one", "better"]


BAD: dict[str, tuple[Callable[[dict[str, str]], list[str]], str]] = {
    "another word": (lambda t: [f"j1,{t['j1']},maybe,"], "bad_mark"),
    "no word": (lambda t: [f"j1,{t['j1']},,a note"], "bad_mark"),
    "no task": (lambda _: ["j1,,reject,"], "bad_mark"),
    "a task of another batch": (lambda t: [f"j2,{t['j2']},accept,", "j1,elsewhere,reject,"], "foreign_mark"),
    "a task of another job": (lambda t: [f"j2,{t['j1']},reject,"], "foreign_mark"),
    "two ways": (lambda t: [f"j1,{t['j1']},reject,", f"j1,{t['j1']},accept,"], "two_marks"),
    "no line": (lambda _: [], "bad_marks"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_file_ends_with_2_and_nothing_is_taken(made: Desk, name: str) -> None:
    lines, code = BAD[name]
    t = tasks(made)
    marks(made, f"j3,{t['j3']},accept,", *lines(t)) if lines(t) else marks(made)
    said = made.give("review", OUT, made.folder / "m.csv")
    assert said.exit == 2
    assert made.read_ledger(OUT, "SELECT * FROM mark") == []
    assert "Nothing was taken." in said.err
    said = made.give("retry", OUT, "--from", made.folder / "m.csv", "--buy-again", "--yes", "--json")
    assert (said.exit, said.json["error"]["code"], charged(made)) == (2, code, 18)


@pytest.mark.parametrize("header", ["job_id,mark", "j1,t1,reject,", "a,b,c"])
def test_a_file_without_the_header_is_no_marks_file(made: Desk, header: str) -> None:
    """Also the two columns of old: a mark without its task is nobody's."""
    marks(made, "j1,reject", header=header)
    said = made.give("review", OUT, made.folder / "m.csv")
    assert said.exit == 2
    assert "job_id, task_id, mark and note" in said.err


@pytest.mark.parametrize("kind", ["semicolons", "xlsx", "tabs", "capitals"])
def test_marks_are_read_with_the_care_of_a_manifest(made: Desk, kind: str) -> None:
    """Semicolons, a spreadsheet, tabs, other spellings of a header, blank lines, a guarded formula."""
    t = tasks(made)
    lines = [["Job ID", "Task-ID", "MARK", "Note"], ["j1", t["j1"], " Reject ", "'=x"], ["", "", "", ""]]
    path = made.folder / ("m.xlsx" if kind == "xlsx" else "m.csv")
    if kind == "xlsx":
        from openpyxl import Workbook

        book = Workbook()
        for line in lines:
            book.active.append(line)
        book.save(path)
    else:
        mark = {"semicolons": ";", "tabs": "\t"}.get(kind, ",")
        path.write_text("\n".join(mark.join(line) for line in lines), encoding="utf-8-sig")
    assert made.give("review", OUT, path).exit == 0
    assert made.read_ledger(OUT, "SELECT mark, note FROM mark") == [("reject", "=x")]


def test_marks_of_one_batch_say_nothing_of_another(made: Desk) -> None:
    """The same ids, other films: exit 2."""
    file = marks(made, f"j1,{tasks(made)['j1']},reject,")
    made.jobs("other.csv", "another one", "another two")
    assert made.give("run", "other.csv", "--sandbox", "--out", "outputs/other", "-q").exit == 0
    for command in (("review", "outputs/other", file), ("retry", "outputs/other", "--from", file, "--buy-again")):
        said = made.give(*command)
        assert (said.exit, "never had the task" in said.err) == (2, True)


def test_a_share_goes_without_what_was_rejected(made: Desk) -> None:
    """A folder anew each time, a zip, the accepted ones alone; nothing to share is 2, as is somebody's folder."""
    t = tasks(made)
    made.give("review", OUT, marks(made, f"j1,{t['j1']},reject,", f"j2,{t['j2']},accept,"))
    said = made.give("share", OUT, "--title", "Spring")
    assert said.exit == 0
    assert said.out.splitlines()[:2] == ["2 videos to share:", f"  {OUT}/share"]
    assert "names its maker" in said.out.replace("still names", "names")
    films = made.folder / OUT / "share" / "videos"
    assert sorted(path.name for path in films.iterdir()) == ["j2.mp4", "j3.mp4"]
    assert (films / "j2.mp4").read_bytes() == (made.folder / OUT / "videos" / "j2.mp4").read_bytes()
    page = (films.parent / "index.html").read_text(encoding="utf-8")
    assert not [task for task in t.values() if task in page]
    assert made.give("share", OUT, "--only", "accept").exit == 0
    assert sorted(path.name for path in films.iterdir()) == ["j2.mp4"]
    assert made.give("share", OUT, "--zip", "--to", "out.zip").exit == 0
    assert (made.folder / "out.zip").stat().st_size > 1000
    assert made.give("share", OUT, "--to", ".").exit == 2
    assert made.give("share", OUT, "--with", "sku").exit == 2
    made.give("review", OUT, marks(made, f"j2,{t['j2']},reject,"))
    said = made.give("share", OUT, "--only", "accept")
    assert (said.exit, "no video to share that is marked accept" in said.err) == (2, True)


def test_the_library_does_the_same(made: Desk) -> None:
    """review, retry(review=), share: the words of the command."""
    import batchgen

    t = tasks(made)
    assert batchgen.review(OUT, marks(made, f"j1,{t['j1']},reject,", f"j2,{t['j2']},accept,")) == 2
    with pytest.raises(batchgen.UsageError):
        batchgen.retry(OUT, review="reject")
    assert batchgen.retry(OUT, review="reject", buy_again=True, dry_run=True).to_pay.jobs == 1
    place = batchgen.share(OUT, only="accept", title="Spring")
    assert sorted(path.name for path in place.iterdir()) == ["index.html", "videos"]
    marks(made, "j1,elsewhere,accept,")
    with pytest.raises(batchgen.UsageError, match="never had the task"):
        batchgen.review(OUT, made.folder / "m.csv")
