"""Every paid video ends on the disk, whole; a file that can't be had now is fetched later, and not paid again."""

import errno
import shutil
from pathlib import Path

import pytest
from batch import PRICE, Batch, Start

from batchgen.videos import part

#: Faults of the file host that one run gets over by itself.
OVERCOME = (
    "file-error@500", "file-truncated@1000", "file-reset@1000", "file-no-length", "file-chunked",
    "file-long", "file-error@429", "file-redirect",
)  # fmt: skip
#: Faults that a run can't get over while they last.
LASTING = (
    "file-html", "file-html-page", "file-garbage", "file-empty", "file-cut@1000", "file-gzip", "file-error@403",
    "file-error@404", "file-error@410", "file-error@500", "file-redirect@file", "file-redirect@loop", "file-416",
    "file-short", "file-no-length-cut",
)  # fmt: skip


def test_trouble_with_the_file_host_is_overcome_within_the_run(start: Start) -> None:
    batch = start(len(OVERCOME), faults=tuple(f"{name}:#{n}" for n, name in enumerate(OVERCOME, start=1)))
    batch.run()
    assert batch.events("download_failed") == []
    assert all(batch.audit.faults[name].fired for name in OVERCOME)
    assert len(list(batch.out.glob("videos/*.mp4"))) == len(OVERCOME)
    assert [path.name for path in batch.out.glob("videos/*") if path.suffix != ".mp4"] == []
    batch.check()


def test_a_video_that_can_not_be_had_ends_with_7_and_is_fetched_later_without_a_post(start: Start) -> None:
    faults = tuple(f"{name}:*number {n}" for n, name in enumerate(LASTING, start=1))
    batch = start(len(LASTING) + 1, faults=faults)
    ended = batch.run()
    assert ended.exit == 7
    assert ended.states == {"succeeded": len(LASTING) + 1}
    assert [path.name for path in batch.out.glob("videos/*.mp4")] == [f"job-{len(LASTING) + 1}.mp4"]
    assert len(batch.events("download_failed")) == len(LASTING)
    batch.check()
    batch.sandbox.change(faults=())
    assert batch.collect().exit == 0
    assert len(list(batch.out.glob("videos/*.mp4"))) == len(LASTING) + 1
    assert batch.posts == len(LASTING) + 1
    batch.check()


def test_a_web_page_is_never_saved_as_a_video(start: Start) -> None:
    batch = start(1, faults=("file-html:#1-",))
    assert batch.run().exit == 7
    assert list(batch.out.glob("videos/*.mp4")) == []
    assert "web page" in batch.events("download_failed")[0]["message"]
    assert batch.line()["video_path"] == ""
    batch.check()


def test_an_address_that_died_is_replaced_once_by_asking_the_task(start: Start) -> None:
    batch = start(1, faults=("file-error@403:#1",), fresh_urls=True)
    assert batch.run().exit == 0
    assert [batch.line()["video_url"]] != batch.events("succeeded")[0]["video_urls"]
    assert [file.status for file in batch.audit.files] == [403, 200]
    batch.check()


def test_addresses_that_expired_meanwhile_are_renewed_by_collect(start: Start) -> None:
    batch = start(3, url_life=0.6, fresh_urls=True)
    batch.run("--no-download")
    batch.sandbox.change(advance=60)
    assert batch.collect().exit == 0
    assert [file.status for file in batch.audit.files].count(403) == 3
    assert len(list(batch.out.glob("videos/*.mp4"))) == 3
    batch.check()


def test_a_fresh_address_has_a_life_of_its_own(start: Start) -> None:
    """results.csv says when the address that stands there dies, not when the one before it did."""
    batch = start(1, faults=("several-urls@2:#1",), fresh_urls=True)
    batch.run("--no-download")
    batch.write_ledger("UPDATE task SET expires_at = 1000000000")
    assert "died at 2001-09-09" in batch.command("status", batch.out).out
    batch.sandbox.change(faults=("file-error@403:#1", "file-html:#3"))
    assert batch.collect().exit == 7  # the second video can't be had now
    assert batch.line()["expires_at"] > batch.line()["finished_at"]
    said = batch.command("status", batch.out).out
    assert "1 video" in said
    assert "dies at" in said
    batch.check()


def test_a_task_with_several_videos_has_a_file_for_each(start: Start) -> None:
    batch = start(2, faults=("several-urls@3:*number 1",))
    assert batch.run().exit == 0
    names = sorted(path.name for path in batch.out.glob("videos/*"))
    assert names == ["job-1+2.mp4", "job-1+3.mp4", "job-1.mp4", "job-2.mp4"]
    assert len({path.read_bytes() for path in batch.out.glob("videos/*")}) == 4
    assert batch.line()["video_urls"].count("http") == 3
    assert batch.line()["video_path"] == "videos/job-1.mp4"
    batch.check()


@pytest.mark.parametrize("command", ["collect", "run"])
def test_a_file_deleted_by_hand_is_fetched_again(start: Start, command: str) -> None:
    batch = start(2, faults=("several-urls@2:*number 1",))
    batch.run()
    (batch.out / "videos" / "job-1+2.mp4").unlink()
    (batch.out / "videos" / "job-2.mp4").write_bytes(b"cut")
    ended = batch.collect() if command == "collect" else batch.run()
    assert ended.exit == 0
    assert len(list(batch.out.glob("videos/*.mp4"))) == 3
    assert batch.posts == 2
    batch.check()


def test_all_files_deleted_are_fetched_again(start: Start) -> None:
    batch = start(3)
    batch.run()
    shutil.rmtree(batch.out / "videos")
    assert batch.collect().exit == 0
    batch.check()


def test_a_disk_that_takes_no_file_ends_with_7_and_loses_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = start(3)
    with monkeypatch.context() as broken:
        broken.setattr(part.Part, "write", _no_room)
        ended = batch.run()
    assert ended.exit == 7
    assert "can't be written" in ended.err
    assert ended.states == {"succeeded": 3}
    assert batch.events("stop")[0]["why"] == "disk"
    assert batch.run().exit == 0
    assert batch.posts == 3
    batch.check()


def test_a_folder_that_can_not_be_made_ends_with_7_and_loses_nothing(start: Start) -> None:
    batch = start(1)
    batch.run("--no-wait")
    (batch.out / "videos").write_text("a file stands where the folder should be")
    ended = batch.collect()
    assert ended.exit == 7
    (batch.out / "videos").unlink()
    assert batch.collect().exit == 0
    batch.check()


def _no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_buying_more_videos(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = start(12)
    with monkeypatch.context() as broken:
        broken.setattr(part.Part, "write", _no_room)
        ended = batch.run("--max-in-flight", "2", "--burst", "1")
    assert ended.exit == 7
    assert ended.states["not_submitted"] > 0
    assert batch.run().exit == 0
    assert batch.posts == 12
    batch.check()


# -- later, elsewhere --------------------------------------------------------------------------------------


def test_without_waiting_the_ids_are_kept_and_collect_fetches_from_elsewhere(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The ledger alone is enough: OUT is copied to another place, and there is no manifest there."""
    batch = start(4)
    ended = batch.run("--no-wait")
    assert ended.exit == 0
    assert ended.states == {"submitted": 4}
    assert all(line["task_id"] for line in batch.lines())
    batch.check()
    elsewhere = tmp_path / "laptop"
    elsewhere.mkdir()
    shutil.move(batch.out, elsewhere / "films")
    monkeypatch.chdir(elsewhere)
    batch.out = Path("films")
    assert batch.collect().exit == 0
    assert sorted(path.name for path in Path("films/videos").iterdir()) == [f"job-{n}.mp4" for n in range(1, 5)]
    assert batch.posts == 4
    batch.check()


def test_without_downloads_the_addresses_are_kept_with_their_end_and_a_warning(start: Start) -> None:
    batch = start(2)
    ended = batch.run("--no-download")
    assert ended.exit == 0
    line = batch.line()
    assert line["video_url"].startswith("http")
    assert line["video_path"] == ""
    assert line["expires_at"] > line["finished_at"]
    assert "dies at" in batch.command("status", batch.out).out
    assert list(batch.audit.files) == []
    assert batch.status().json["exit"] == 7
    assert batch.collect().exit == 0
    assert batch.line()["video_path"] == "videos/job-1.mp4"
    assert "dies" not in batch.command("status", batch.out).out
    batch.check()


def test_the_warning_is_also_said_at_the_end_of_the_run(start: Start) -> None:
    batch = start(1)
    said = batch.command("run", batch.manifest, "--yes", "--no-download", "--base-url", batch.sandbox.base_url)
    assert "dies at" in said.out
    batch.check()


def test_collect_can_never_submit(start: Start) -> None:
    batch = start(5)
    assert batch.run("--limit", "2").exit == 7
    ended = batch.collect()
    assert ended.states == {"not_submitted": 3, "succeeded": 2}
    assert batch.posts == 2
    batch.check()


def test_collect_without_a_ledger_is_wrong_usage(start: Start) -> None:
    assert start(1).collect().exit == 2


def test_a_name_that_no_file_system_likes_still_gets_its_own_file(start: Start) -> None:
    batch = start()
    names = ["CON", "a/b", "a:b", "..", "Film", "film"]
    batch.write(*(f"{name},kie,sandbox-1,text-to-video,Film {n}" for n, name in enumerate(names)))
    assert batch.run().exit == 0
    files = [path.name for path in batch.out.glob("videos/*.mp4")]
    assert len({name.casefold() for name in files}) == len(names)
    assert len({line["video_path"] for line in batch.lines()}) == len(names)
    batch.check()


def test_what_is_bought_again_never_replaces_the_first_video(start: Start) -> None:
    batch = start(1)
    batch.run()
    first = (batch.out / "videos" / "job-1.mp4").read_bytes()
    assert batch.retry("--job", "job-1", "--buy-again").exit == 0
    assert (batch.out / "videos" / "job-1.mp4").read_bytes() == first
    assert len(list(batch.out.glob("videos/*.mp4"))) == 2
    assert batch.line()["video_path"] != "videos/job-1.mp4"
    assert _charged(batch) == 2 * PRICE
    batch.check()


def _charged(batch: Batch) -> int:
    return int(batch.rows_of("account")[0]["charged"])
