"""What is shown while a run works, in a line and in a narrow window."""

import io

import pytest

from batchgen.running.progress import Progress, _fitting
from batchgen.running.settings import in_words, seconds
from batchgen.running.state import Board


def lines(board: Board) -> str:
    stream = io.StringIO()
    with Progress(board, "lines", stream) as progress:
        progress.show()
    return stream.getvalue()


def test_a_service_that_does_not_answer_is_said_before_anything_was_submitted() -> None:
    board = Board(to_submit=3, slow="The service is away (refused): asking now and then whether it is back.")
    assert "The service is away (refused)" in lines(board)


def test_a_run_that_only_collects_speaks_of_no_submissions() -> None:
    assert lines(Board(finished=2, videos_here=1, videos_wanted=2)) == "finished 2, downloaded 1/2\n"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_a_note_leaves_room_for_the_bar(width: int) -> None:
    note = _fitting("finding out how fast the service allows", width, 30)
    bar = width - len("downloaded 100% || 30/30 ") - len(note)
    assert bar >= 12 or not note
    assert note in ("", "finding out how fast the service allows") or note.endswith("…")


@pytest.mark.parametrize("span", [0.0, 0.5, 90.0, 120.0, 1800.0, 5400.0, 7200.0, 86400.0])
def test_a_time_is_shown_as_it_can_be_written(span: float) -> None:
    assert seconds(in_words(span)) == span
