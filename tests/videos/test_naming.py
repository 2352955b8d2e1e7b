"""Every job id has a file name that works everywhere and belongs to it alone."""

import re
import unicodedata
from itertools import pairwise, product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchgen.ledger.views import short_names
from batchgen.videos.names import video_name, video_path

#: Ids that meet on some file system: case, normal forms, devices, separators, our own marks.
NASTY = [
    *(
        "a",
        "A",
        "a.",
        "a ",
        " a",
        "a+2",
        "a@1",
        "A@1",
        "a@z",
        "é",
        "e\u0301",
        "É",
        "E\u0301",
        "ß",
        "ss",
        "SS",
    ),
    *("ẞ", "ſ", "s", "S", "K", "k", "\u212a", "İ", "i", "I", "ı", "ﬁ", "fi", "FI", "Ａ", "Å", "\u212b"),
    *(
        "A\u030a",
        "con",
        "CON",
        "con.",
        "con.x",
        "nul",
        "COM1",
        "com¹",
        "lpt9.txt",
        "aux ",
        ".",
        "..",
        "",
        "/",
    ),
    *("\\", "a/b", "a\\b", "a:b", "a?b", "../../etc/passwd", "C:\\x", "~", "a~1", "-rf", "--", "\0", "\n"),
    *("\u202e", "\u200b", "\ud800", "\udfff", "🎬", "日本語", "한국어", "가", "x" * 80, "x" * 81, "x" * 300),
    *("X" * 80, "é" * 200, "a.mp4", "a.mp4.part", "%41", "a%2fb", "$x", "`x`", "'", '"', "<", ">", "|", "*"),
    *("a\tb", "\u0378", "\U0001e900"),
]
WINDOWS = re.compile(r'[\x00-\x1f<>:"/\\|?*~]')
DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{name}{n}" for name, n in product(("com", "lpt"), "0123456789¹²³")),
}


def folded(name: str) -> set[str]:
    """What file systems may make of a name: case away, composed or decomposed, compatible forms joined."""
    forms = ("NFC", "NFD", "NFKC", "NFKD")
    return {change(unicodedata.normalize(form, name)) for form in forms for change in (str.casefold, str.upper)}


ids = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="aAbB1._-", max_size=6),
    st.sampled_from(NASTY),
    st.text(alphabet=st.characters(exclude_categories=[]), max_size=6),
)


def test_a_simple_id_is_its_own_name() -> None:
    for job_id in ("spring-01", "row_7", "0123456789abcdef-2", "v1.2"):
        assert video_name(job_id) == job_id


def test_capitals_stay_readable() -> None:
    """`Ad-1` and `ad-1` are one file on Windows and macOS, so capitals are counted behind the name."""
    assert video_name("SKU-001") == "SKU-001@7"
    assert video_name("Spring-01") == "Spring-01@1"


def test_other_letters_stay_readable() -> None:
    assert video_name("Frühling 1/2").startswith("Frühling-1-2@z")
    assert video_name("日本語").startswith("日本語@z")


@given(ids)
@example("")
@example("CON.x")
@example("é" * 200)
def test_a_name_is_safe_on_every_system(job_id: str) -> None:
    name = video_name(job_id)
    file = video_path(job_id, 12).name
    assert not WINDOWS.search(name)
    assert not name.startswith((".", "-", " ", "+"))
    assert not name.endswith((".", " "))
    assert name.split(".")[0].casefold() not in DEVICES
    assert all(unicodedata.ucd_3_2_0.category(char)[0] in "LNMP" for char in name)  # Apple: no newer ones
    assert unicodedata.normalize("NFC", name) == name
    assert len((file + ".part.json").encode()) <= 125
    assert name.isprintable()


@given(ids, ids)
def test_two_ids_never_share_a_file(one: str, other: str) -> None:
    if one != other:
        assert not folded(video_name(one)) & folded(video_name(other))


def test_no_two_nasty_ids_share_a_file() -> None:
    assert len(set(NASTY)) == len(NASTY)
    seen: dict[str, str] = {}
    for job_id in NASTY:
        for n in (1, 2):
            for form in folded(str(video_path(job_id, n))):
                assert seen.setdefault(form, f"{job_id}+{n}") == f"{job_id}+{n}"


def test_all_short_ids_have_different_names() -> None:
    """Every id of up to four signs from an alphabet with capitals, dots and our own marks."""
    words = ["".join(letters) for size in range(5) for letters in product("aA.-@+1", repeat=size)]
    names = sorted(video_path(word).name.casefold() for word in words)
    assert all(one != other for one, other in pairwise(names))


def test_an_id_can_not_leave_the_folder() -> None:
    for job_id in NASTY:
        path = video_path(job_id)
        assert path.parts[:-1] == ("videos",)
        assert ".." not in path.parts


def test_further_videos_are_numbered() -> None:
    assert [str(video_path("a", n)) for n in (1, 2, 3)] == [
        "videos/a.mp4",
        "videos/a+2.mp4",
        "videos/a+3.mp4",
    ]


@pytest.mark.parametrize("n", [1, 2])
def test_many_jobs_are_spread_over_folders(n: int) -> None:
    """All videos of a job lie together, 256 folders share the jobs evenly."""
    paths = [video_path(f"job-{number}", n, many=True) for number in range(20_000)]
    sizes = [0] * 256
    for path in paths:
        assert path.parts[0] == "videos"
        sizes[int(path.parts[1], 16)] += 1
    assert max(sizes) < 150
    assert video_path("job-7", 1, many=True).parent == video_path("job-7", 2, many=True).parent


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (["/home/mia/films/spring.csv"], ["spring.csv"]),
        (["../../spring.csv", "./autumn.csv"], ["spring.csv", "autumn.csv"]),
        (["C:\\Users\\mia\\de\\jobs.csv", "C:\\Users\\mia\\fr\\jobs.csv"], ["de/jobs.csv", "fr/jobs.csv"]),
        (["jobs.csv", "old/jobs.csv", "uk.csv"], ["jobs.csv", "old/jobs.csv", "uk.csv"]),
        (["jobs.csv", "./jobs.csv", "-"], ["jobs.csv", "jobs.csv", "-"]),
    ],
)
def test_a_manifest_is_shown_by_its_name_and_what_tells_it_apart(typed: list[str], shown: list[str]) -> None:
    """The folders on the way there say nothing about the row, and whose home they are is nobody's business."""
    assert [short_names(typed)[path] for path in typed] == shown
