"""The Python face before money is spent: `validate`, `estimate`, `plan`. No key, and no service is spoken to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from batchgen.check.survey import ReadOptions, Survey, find_manifests, survey
from batchgen.manifest.rows import manifests as places
from batchgen.planning.decide import Selection
from batchgen.running.estimating import check_room, estimated
from batchgen.running.given import (
    Manifests,
    Path_,
    PlanWords,
    ReadingWords,
    Select,
    conditions,
    named,
)
from batchgen.running.python_words import speaking_python
from batchgen.running.settings import CAPS, Config
from batchgen.running.shown import Amount, Estimate, Plan, Price


@named(ReadingWords)
def validate(manifests: Manifests, **given: Unpack[ReadingWords]) -> Survey:
    """Every problem of every row: `.valid`, `.invalid`, `.problems`, `.warnings`, `.ok`. Opens no connection.

    >>> found = validate("manifests/examples.csv")
    >>> (found.rows, found.invalid)
    (3, 0)
    """
    with speaking_python():
        prices = Config.load().table(lenient=True)
        return survey(find_manifests(places(manifests)), read_options(given), prices)


class EstimateWords(ReadingWords, total=False):
    """What `estimate` takes."""

    by: str | None
    out: Path_ | None
    service: str | None
    max_credits: int | str | None
    max_usd: float | str | None
    select: Select | None


@named(EstimateWords)
def estimate(manifests: Manifests, **given: Unpack[EstimateWords]) -> Estimate:
    """What manifests cost: `.credits`, `.to_pay`, `.by_scene`, `.by_model`, `.by` for a column, `.complete`.

    No connection. ManifestError where a manifest is missing or can't be read, CapError where more than
    `max_credits` is to be paid.

    >>> estimate("manifests/examples.csv").credits
    24
    """
    with speaking_python():
        config = Config.load({name: given.get(name) for name in ("service", *CAPS)})
        options = read_options(given, select=given.get("select"))
        out = None if (named_out := given.get("out")) is None else Path(named_out)
        found, paid, to_pay = estimated(places(manifests), options, config, given.get("by"), out)
        if found.file_problems or not found.rows:
            from batchgen.planning.preview import ManifestProblems

            raise ManifestProblems(found)
        check_room(to_pay[1], config.cap, found.unit)
        unit = found.unit

        def priced(groups: Mapping[str, tuple[int, int | None, int]]) -> dict[str, Price]:
            return {name: Price(n, unit.maybe(one), unit.number(all_)) for name, (n, one, all_) in groups.items()}

        return Estimate(
            unit.name, found.valid, unit.number(found.credits), priced(found.by_scene), priced(found.by_provider),
            priced(found.by_model), None if found.by is None else priced(found.by), Amount.of(*paid, unit),
            Amount.of(*to_pay, unit), not found.problems_total, found.problems, found.warnings,
        )  # fmt: skip


@named(PlanWords)
def plan(manifests: Manifests, **given: Unpack[PlanWords]) -> Plan:
    """What `run` would do with these manifests: `.to_pay`, `.actions`, `.warnings`. Buys nothing.

    >>> plan("manifests/examples.csv", sandbox=True).to_pay
    Amount(jobs=3, amount=24)
    """
    from batchgen.planning.preview import Preview
    from batchgen.running import flow
    from batchgen.running.context import RunOptions

    with speaking_python():
        flags = {name: given.get(name) for name in ("service", "base_url", *CAPS)}
        preview = flow.run(places(manifests), Config.load(flags), RunOptions(**what(given), dry_run=True))
    if not isinstance(preview, Preview):
        raise TypeError("a dry run runs nothing")
    return Plan.of(preview)


def what(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that RunOptions takes as they are."""
    names = ("sandbox", "only_valid", "limit", "fill_cap", "resubmit_changed")
    out = given.get("out")
    return {
        "out": None if out is None else Path(out),
        "selection": Selection(conditions(given.get("select"))),
        "read": read_options(given),
        **{name: given[name] for name in names if name in given},
    }


def read_options(given: Mapping[str, Any], select: Select | None = None) -> ReadOptions:
    """How manifests are read."""
    own: str | Sequence[str] = given.get("own", ())
    return ReadOptions(
        encoding=given.get("encoding"),
        sheet=given.get("sheet"),
        delimiter=given.get("delimiter"),
        own=(own,) if isinstance(own, str) else tuple(own),
        select=conditions(select),
    )
