"""What the functions of the library are given: manifests, conditions, and keywords with types of their own."""

import difflib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Literal, ParamSpec, Protocol, TypedDict, TypeVar

from batchgen.errors import UsageError
from batchgen.running.event import Event
from batchgen.running.flag import Flag
from batchgen.running.shown import Plan

P = ParamSpec("P")
T = TypeVar("T")

Path_ = str | os.PathLike[str]


class ArrowTable(Protocol):
    """A table of pandas, polars, pyarrow, datasets, duckdb: the Arrow C interface."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


Rows = Iterable[Mapping[str, object]] | ArrowTable
Manifests = Path_ | Sequence[Path_] | Rows
Select = str | Sequence[str | tuple[str, str]] | Mapping[str, str]


class ReadingWords(TypedDict, total=False):
    """How manifests are read."""

    own: Sequence[str]
    sheet: str | None
    encoding: str | None
    delimiter: str | None


class WhatWords(TypedDict, total=False):
    """Which rows are bought."""

    only_valid: bool
    limit: int | None
    select: Select | None
    resubmit_changed: bool


class MoneyWords(TypedDict, total=False):
    """How much may be spent."""

    max_credits: int | str | None
    max_usd: float | str | None
    fill_cap: bool
    max_failures: int | str | None


class PaceWords(TypedDict, total=False):
    """How fast, and how long a run that is stopped waits for open submissions."""

    rate: str | None
    burst: int | None
    max_in_flight: int | None
    poll_rate: str | None
    grace: float | str | None


class EndWords(TypedDict, total=False):
    """When a run ends."""

    wait: bool
    download: bool
    deadline: float | str | None


class HookWords(TypedDict, total=False):
    """Who hears of it, and who may stop it."""

    stop: Flag | None
    on_event: Callable[[Event], None] | None
    progress: bool


class WhereWords(TypedDict, total=False):
    """Where it writes, and whom it buys from."""

    out: Path_ | None
    service: str | None
    base_url: str | None


class RunWords(WhereWords, WhatWords, MoneyWords, PaceWords, EndWords, ReadingWords, HookWords, total=False):
    """What `run` and `arun` take."""

    sandbox: bool
    confirm: Callable[[Plan], bool] | None


class PlanWords(WhereWords, WhatWords, ReadingWords, total=False):
    """What `plan` takes."""

    sandbox: bool
    max_credits: int | str | None
    max_usd: float | str | None
    fill_cap: bool


class CollectWords(PaceWords, EndWords, HookWords, total=False):
    """What `collect` and `acollect` take."""

    base_url: str | None


class RetryWords(CollectWords, total=False):
    """What `retry` takes."""

    state: str | Sequence[str] | None
    code: str | Sequence[str] | None
    jobs: str | Sequence[str] | None
    review: Literal["reject"] | None
    buy_again: bool
    max_credits: int | str | None
    max_usd: float | str | None
    max_failures: int | str | None


#: What a keyword is when nobody says; None for all others.
DEFAULTS: Mapping[str, object] = {
    "wait": True, "download": True, "check_inputs": True, "own": (),
    **dict.fromkeys(
        ("only_valid", "resubmit_changed", "fill_cap", "progress", "sandbox", "buy_again", "dry_run"), False
    ),
}  # fmt: skip


class UnknownKeyword(UsageError, TypeError):
    """A keyword that the function does not take: a TypeError, as it is anywhere in Python."""

    def __init__(self, function: str, name: str, known: Sequence[str]) -> None:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}=?" if near else f"help(batchgen.{function}) shows all."
        super().__init__(f"There is no setting {name!r} of {function}().", code="bad_setting", hint=hint)


def named(words: type) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Show each keyword of a function by its name and type, and refuse any other, as Python does."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        own = inspect.signature(function)
        first = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        hints = {name: kind for name, kind in words.__annotations__.items() if name not in own.parameters}
        more = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS.get(name), annotation=kind)
            for name, kind in hints.items()
        ]
        shown = own.replace(parameters=[*first, *more])

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            if unknown := kwargs.keys() - shown.parameters.keys():  # a cap with a typing error must not be no cap
                raise UnknownKeyword(function.__name__, min(unknown), list(shown.parameters))
            return function(*args, **kwargs)

        call.__signature__ = shown  # type: ignore[attr-defined]
        return call

    return decorate


def conditions(select: Select | None) -> tuple[tuple[str, str], ...]:
    """`"campaign=spring*"`, a list of such, pairs, or a dict, as (column, glob) pairs."""
    if select is None:
        return ()
    if isinstance(select, Mapping):
        return tuple((str(column), str(glob)) for column, glob in select.items())
    return tuple(_pair(one) for one in ([select] if isinstance(select, str) else select))


def _pair(condition: str | tuple[str, str]) -> tuple[str, str]:
    if not isinstance(condition, str):
        column, glob = condition
        return str(column), str(glob)
    column, sign, glob = condition.partition("=")
    if not sign or not column.strip():
        raise UsageError(
            f"select= has {condition!r}, which is not COLUMN=GLOB.",
            code="bad_select",
            hint='For example: select="campaign=spring*", or select={"campaign": "spring*"}.',
        )
    return column.strip(), glob


def words(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """One word or several."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
