"""What each answer of a file host means: the table of `file_answer`, line by line."""

import pytest

from batchgen.videos.answer import AgainFromStart, DownloadError, check_answer, check_range, note_of
from batchgen.videos.part import Note

URL = "https://cdn.test/v.mp4?signature=1"
NOTE = Note.of(URL, etag='"one"', last_modified="", date="", total=1000)
HONEST = {"content-range": "bytes 400-999/1000", "content-length": "600", "etag": '"one"'}


@pytest.mark.parametrize("changes", [{}, {"content-length": ""}])
def test_the_rest_that_was_asked_for_is_taken(changes: dict[str, str]) -> None:
    assert check_range({**HONEST, **changes}, NOTE, 400) == 1000


def test_less_than_the_rest_is_taken_too() -> None:
    """A host may answer with a piece of what was asked for; the next request goes on behind it."""
    piece = {"content-range": "bytes 400-499/1000", "content-length": "100", "etag": '"one"'}
    assert check_range(piece, NOTE, 400) == 1000


def test_a_whole_length_that_was_not_known_is_learnt() -> None:
    assert check_range(HONEST, Note.of(URL, etag='"one"', last_modified="", date="", total=None), 400) == 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"content-range": "bytes 399-998/1000"},
        {"content-range": "bytes 401-1000/1001", "content-length": "600"},
        {"content-range": "bytes 400-1000/1000", "content-length": "601"},
        {"content-range": "bytes 400-999/2000"},
        {"content-range": "bytes 400-399/1000", "content-length": "0"},
        {"content-range": "bytes 400-999/*"},
        {"content-range": "bytes */1000"},
        {"content-range": "bytes 400-999/1000, bytes 0-1/1000"},
        {"content-range": "400-999/1000"},
        {"content-range": ""},
        {"content-length": "599"},
        {"content-length": "601"},
        {"etag": '"two"'},
        {"etag": 'W/"one"'},
        {"etag": ""},
        {"etag": "", "last-modified": "Sat, 28 Nov 2026 10:00:00 GMT"},
    ],
)
def test_any_other_range_means_starting_again(changes: dict[str, str]) -> None:
    with pytest.raises(AgainFromStart):
        check_range({**HONEST, **changes}, NOTE, 400)


@pytest.mark.parametrize("validator", ["etag", "last-modified"])
def test_a_rest_that_does_not_name_the_file_is_none(validator: str) -> None:
    """A host that ignores If-Range sends the end of whatever lies there now."""
    day = "Sat, 28 Nov 2026 10:00:00 GMT"
    etag = '"one"' if validator == "etag" else ""
    note = Note.of(URL, etag=etag, last_modified=day, date="Sat, 28 Nov 2026 11:00:00 GMT", total=1000)
    rest = {"content-range": "bytes 400-999/1000", "content-length": "600"}
    assert check_range({**rest, validator: etag or day}, note, 400) == 1000
    for other in ({}, {validator: "Sun, 29 Nov 2026 10:00:00 GMT"}):
        with pytest.raises(AgainFromStart):
            check_range({**rest, **other}, note, 400)


def test_a_length_beside_chunks_is_not_believed() -> None:
    """RFC 9112, 6.3: the chunks say where the body ends."""
    assert note_of(URL, {"content-length": "5"}).total == 5
    assert note_of(URL, {"content-length": "5", "transfer-encoding": "chunked"}).total is None
    assert note_of(URL, {"content-length": "5, 5"}).total is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "gone"), (403, "gone"), (404, "gone"), (410, "gone"), (429, "network"), (500, "network"),
     (599, "network"), (206, "http"), (302, "http"), (416, "http"), (451, "http"), (100, "http")],
)  # fmt: skip
def test_a_status_that_is_no_file_has_its_kind(status: int, kind: str) -> None:
    with pytest.raises(DownloadError) as caught:
        check_answer(status, {}, 0)
    assert (caught.value.kind, caught.value.status) == (kind, status)


def test_a_range_that_can_not_be_given_means_starting_again() -> None:
    with pytest.raises(AgainFromStart):
        check_answer(416, {}, 400)


def test_an_absurd_retry_after_is_left_aside() -> None:
    for words in ("soon", "-5", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT", "9999999"):
        with pytest.raises(DownloadError) as caught:
            check_answer(503, {"retry-after": words}, 0)
        assert caught.value.retry_after is None
