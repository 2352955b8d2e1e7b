"""The inputs looked at before anything is paid: is a picture where a picture belongs, a film where a film does?

A broken address costs the price of a video and a day. So each address of the rows that are about to be bought is
asked once for its first bytes, without key or cookie, and what came is judged by its content, never by its name.
Only what is certain is a problem: gone (404, 410), a web page, nothing at all, a film for a picture and the other
way round. What may look different from the service's side (a refusal, a slow or unknown host, an address of this
network) is a warning.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from batchgen.job import Problem
from batchgen.videos.addresses import Reach, reach_of_url
from batchgen.videos.first_bytes import FILM, NOTHING, OTHER, PAGE, PICTURE, kind_of, picture_size
from batchgen.videos.host import FileHost, FileRefused, FileTrouble

#: So many different addresses are looked at; of more, a sample that is spread evenly.
MOST = 1_000
#: What is read of each answer: enough to tell its kind and a picture's size, far below the 8 MB of a look.
FIRST_BYTES = 64 * 1024
#: An address and three redirects: a look makes four requests at most.
REDIRECTS = 3
SECONDS_EACH = 5.0
SECONDS_IN_ALL = 60.0
_AT_ONCE = 16
_AT_ONE_HOST = 4
#: A picture of fewer pixels on a side is a counting pixel or a bullet, nothing to make a film from.
_TINY = 64

_BELONGS = {"image_input": PICTURE, "video_input": FILM}


@dataclass(frozen=True, slots=True)
class Input:
    """One address of one row, and where it stands. `column` is as the manifest writes it."""

    url: str
    key: str
    manifest: str
    row: int
    line: int | None
    column: str
    cell: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of one address, whichever rows it stands in."""

    code: str
    message: str
    hint: str
    is_problem: bool


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a look at the inputs found: problems and warnings with their cells, and how many were asked."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    asked: int = 0


async def look(
    inputs: Iterable[Input], *, seconds: float = SECONDS_IN_ALL, each: float = SECONDS_EACH
) -> Preflight:
    """Look at the inputs, each address once. Never raises for what a host does."""
    places: defaultdict[tuple[str, str], list[Input]] = defaultdict(list)
    for one in inputs:
        places[one.url, one.key].append(one)
    addresses = list(dict.fromkeys(url for url, _ in places))
    chosen = sample(addresses, MOST)
    answers = await _ask_all(chosen, seconds, each)
    found = [
        (place, finding)
        for (url, key), standing in places.items()
        if (answer := answers.get(url)) is not None and (finding := judge(answer, _BELONGS[key])) is not None
        for place in standing
    ]
    found.sort(key=lambda pair: (pair[0].manifest, pair[0].row))
    warnings = [_problem(place, finding) for place, finding in found if not finding.is_problem]
    if len(answers) < len(addresses):
        warnings.append(_left_out(len(addresses), len(answers)))
    problems = tuple(_problem(place, finding) for place, finding in found if finding.is_problem)
    return Preflight(problems, tuple(warnings), len(answers))


def sample(addresses: Sequence[str], most: int) -> list[str]:
    """At most so many of them, spread evenly from the first to the last."""
    if len(addresses) <= most:
        return list(addresses)
    return [addresses[place * len(addresses) // most] for place in range(most)]


@dataclass(frozen=True, slots=True)
class Seen:
    """What came for an address: the first bytes and what was said of them, or why nothing came."""

    host: str
    status: int = 0
    content_type: str = ""
    head: bytes = b""
    end: str = ""
    refused: str = ""
    trouble: str = ""


async def _ask_all(addresses: Sequence[str], seconds: float, each: float) -> dict[str, Seen]:
    """Ask all of them, a few at a time and fewer of one host; what is not asked when the time is up is left out."""
    far = FileHost(connect_timeout=each, read_timeout=each, redirects=REDIRECTS)
    near = FileHost(near=Reach.LOOPBACK, connect_timeout=each, read_timeout=each, redirects=REDIRECTS)
    everybody = asyncio.Semaphore(_AT_ONCE)
    hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONE_HOST))
    answers: dict[str, Seen] = {}

    async def ask(url: str) -> None:
        host = _host(url)
        async with hosts[host], everybody:
            # Only an address that the manifest itself names on this machine is asked for on this machine.
            way = near if reach_of_url(url) is Reach.LOOPBACK else far
            answers[url] = await _ask(way, url, host, each)

    tasks = [asyncio.create_task(ask(url)) for url in addresses]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await far.aclose()
        await near.aclose()
    return answers


async def _ask(way: FileHost, url: str, host: str, each: float) -> Seen:
    try:
        async with asyncio.timeout(each), way.stream(url, {"Range": f"bytes=0-{FIRST_BYTES - 1}"}) as answer:
            head = bytearray()
            async for chunk in answer.body:
                head += chunk[: FIRST_BYTES - len(head)]
                if len(head) >= FIRST_BYTES:
                    break
            kind = answer.headers.get("content-type", "").split(";")[0].strip().lower()[:80]
            return Seen(host, answer.status, kind, bytes(head), answer.url)
    except FileRefused as error:
        return Seen(host, refused=str(error))
    except (FileTrouble, TimeoutError) as error:
        return Seen(host, trouble=str(error) or f"{host} did not answer within {each:g} seconds")


def judge(seen: Seen, belongs: str) -> Finding | None:
    """What is to be said of an answer where a picture or a film belongs; None where all is well. Pure."""
    if seen.refused:
        return _warning("input_not_asked", f"{seen.refused}.", "Can the service reach it from where it is?")
    if seen.trouble:
        return _warning(
            "input_unreachable", f"The address can't be reached from here: {seen.trouble}.", "Open it in a browser."
        )
    if seen.status in (404, 410):
        return _fault(
            "input_gone", f"There is nothing at this address (HTTP {seen.status}).", "Correct the address."
        )
    if seen.status == 416:  # there is no first byte to give
        return _empty()
    if not 200 <= seen.status < 300:
        return _warning(
            "input_refused",
            f"{seen.host} does not give it (HTTP {seen.status}).",
            "Does it need a login, or did the link expire? The service will ask without one.",
        )
    return _by_content(seen, belongs)


def _by_content(seen: Seen, belongs: str) -> Finding | None:
    kind = kind_of(seen.head, seen.content_type)
    if kind == NOTHING:
        return _empty()
    if kind == PAGE:
        what = "a login page" if _asks_for_login(seen) else "a web page"
        return _fault(
            "input_is_page",
            f"This is {what}, not a {belongs}.",
            "Use the address of the file itself.",
        )
    if {kind, belongs} == {PICTURE, FILM}:
        where = "image_input" if kind == PICTURE else "video_input"
        return _fault(
            "input_wrong_kind", f"This is a {kind}, where a {belongs} belongs.", f"Does it belong in {where}?"
        )
    if kind == OTHER:
        return _warning(
            "input_unknown_kind",
            f"This does not look like a {belongs} ({seen.content_type or 'of no stated type'}).",
            "Open it in a browser.",
        )
    size = picture_size(seen.head) if kind == PICTURE else None
    if size and min(size) < _TINY:
        return _warning("input_tiny", f"The picture is {size[0]} x {size[1]} pixels.", "Is it the right one?")
    return None


def _asks_for_login(seen: Seen) -> bool:
    text = seen.head[:FIRST_BYTES].lower()
    asked = re.search(rb"type\s*=\s*[\"']?password|\bsign[ -]?in\b|\blog[ -]?in\b", text)
    return bool(asked) or bool(re.search(r"log-?in|sign-?in|/auth|accounts\.", seen.end.lower()))


def _host(url: str) -> str:
    found = re.match(r"[a-z]+://(?:[^/?#@]*@)?([^/?#]*)", url, re.IGNORECASE)
    return found[1].lower() if found else ""


def _empty() -> Finding:
    return _fault("input_empty", "The file at this address is empty (0 bytes).", "Upload it again.")


def _fault(code: str, message: str, hint: str) -> Finding:
    return Finding(code, message, hint, is_problem=True)


def _warning(code: str, message: str, hint: str) -> Finding:
    return Finding(code, message, hint, is_problem=False)


def _problem(place: Input, finding: Finding) -> Problem:
    where = (place.manifest, place.row, place.line, place.column, place.cell)
    return Problem(*where, finding.code, f"{shown(place.url)}: {finding.message}", finding.hint)


def _left_out(addresses: int, asked: int) -> Problem:
    message = f"Of {addresses:,} addresses {asked:,} were looked at, spread over all rows."
    return Problem(
        "", None, None, None, None, "inputs_sampled", message, "The others are as the manifest has them."
    )


def shown(url: str) -> str:
    """An address as a message shows it: a line at most, without its query, which may hold a signature."""
    plain = re.split(r"[?#]", url, maxsplit=1)[0]
    return plain if len(plain) <= 90 else f"{plain[:60]}…{plain[-25:]}"
