"""What the service says about waiting is understood in every form that is seen, and nonsense is ignored."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.running.pacing import Limit, limits, retry_after

WALL = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "5"}, 5),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "30s"}, 30),
        ({"retry-after": formatdate(WALL + 30, usegmt=True)}, 30),
        ({"retry-after": "Sunday, 06-Nov-94 08:49:37 GMT"}, 0),
        ({"retry-after": "Sun Nov  6 08:49:37 1994"}, 0),
        ({"retry-after": str(int(WALL) + 9)}, 9),
        ({"retry-after": str((int(WALL) + 9) * 1000)}, 9),
        ({"retry-after": "2026-09-21T14:13:50Z"}, 30),
    ],
)
def test_retry_after_in_headers(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers, wall=WALL) == pytest.approx(seconds)


def test_a_date_is_read_by_the_services_own_clock() -> None:
    """Our clock is an hour off; the Date header says what time it is over there."""
    headers = {
        "retry-after": formatdate(WALL + 3630, usegmt=True),
        "date": formatdate(WALL + 3600, usegmt=True),
    }
    assert retry_after(headers, wall=WALL) == pytest.approx(30)


@pytest.mark.parametrize(
    "value",
    ["-4", "soon", "inf", "nan", "1e3", "1000000000000", "9" * 400, "", "99999999999", "٣", "Mon, 99 Foo 2026",
     "5 apples"],
)  # fmt: skip
def test_nonsense_is_ignored(value: str) -> None:
    assert retry_after({"retry-after": value}, wall=WALL) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("retry after 60 seconds", 60),
        ("Request was throttled. Your rate limit resets in ~30s.", 30),
        ("Please try again in 6m0s.", 360),
        ("try again in 20 ms", 0.02),
        ("please wait for 2 minutes and 5 seconds", 125),
        ("Too many requests, retry after: 12", 12),
        ('{"retry_after": 7}', 7),
        ("Concurrency limit reached (3). Try later", None),
        ("retry later; the limit is 20 requests per 10 seconds", None),
        ("Please try again later. 20 requests per 10 seconds", None),
        ("retry in 3 attempts", None),
        ("retry after 2026-01-01", None),
        ("", None),
    ],
)
def test_retry_after_in_words(text: str, seconds: float | None) -> None:
    assert retry_after({}, wall=WALL, text=text) == (None if seconds is None else pytest.approx(seconds))


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=200))
def test_no_header_or_text_can_do_harm(one: str, two: str, text: str) -> None:
    """Any text gives None or a wait from 0 to a year, and limits that are numbers."""
    headers = {"retry-after": one, "retry-after-ms": two, "date": two, "ratelimit": one, "ratelimit-policy": two,
               "x-ratelimit-reset": one, "x-ratelimit-remaining": two}  # fmt: skip
    waiting = retry_after(headers, wall=WALL, text=text)
    assert waiting is None or 0 <= waiting <= 367 * 86400
    for limit in limits(headers, wall=WALL):
        assert limit.remaining is None or limit.remaining >= 0


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (
            {"ratelimit-policy": '"burst";q=100;w=60,"daily";q=1000;w=86400', "ratelimit": '"burst";r=50;t=30'},
            [Limit("burst", 100, 60, 50, 30), Limit("daily", 1000, 86400)],
        ),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, [Limit("", 100, None, 50, 5)]),
        ({"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "9", "ratelimit-reset": "7"},
         [Limit("", 100, 60, 9, 7)]),
        ({"ratelimit-policy": "100;w=60"}, [Limit("w60", 100, 60)]),
        ({"x-ratelimit-limit": "60", "x-ratelimit-remaining": "12", "x-ratelimit-reset": str(int(WALL) + 9)},
         [Limit("", 60, None, 12, 9)]),
        ({"x-ratelimit-reset": str((int(WALL) + 9) * 1000)}, [Limit("", reset=9)]),
        ({"x-ratelimit-limit-requests": "60", "x-ratelimit-reset-requests": "6m0s",
          "x-ratelimit-limit-tokens": "9"},
         [Limit("requests", 60, None, None, 360)]),
        ({"x-ratelimit-limit-minute": "60", "x-ratelimit-remaining-minute": "3"}, [Limit("minute", 60, 60, 3)]),
        ({"x-rate-limit-remaining": "3"}, [Limit("", remaining=3)]),
        ({"ratelimit-policy": '"c";q=3;qu="concurrent-requests"'}, [Limit("c", 3, unit="concurrent-requests")]),
        ({"ratelimit-policy": '"b";q=3000;w=60;qu="content-bytes"'}, []),
        ({"ratelimit": "junk;;;", "x-ratelimit-reset": "soon", "ratelimit-policy": '"x"', "content-type": "x"}, []),
    ],
)  # fmt: skip
def test_limit_headers_in_old_and_new_forms(headers: dict[str, str], found: list[Limit]) -> None:
    assert list(limits(headers, wall=WALL)) == found
