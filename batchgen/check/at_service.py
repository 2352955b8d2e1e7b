"""A row that holds to the schema, at a service behind the gateway: its model, the values it takes, its price."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchgen.check.prices import PriceTable
from batchgen.job import Problem, Row
from batchgen.manifest.entry import shown

#: Warnings about the gateway's models that a service's own data says better.
SAID_BY_DATA = frozenset({"dead_model", "odd_provider"})


@dataclass(frozen=True, slots=True)
class Offer:
    """What the service makes of a row. `price` is in the smallest part of its unit, 0 where none is known."""

    price: int
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def offer(row: Row, request: Mapping[str, Any], prices: PriceTable, *, wanted: bool) -> Offer:
    """The service's word on a row. One that is not wanted may be another service's: nothing is said of it."""
    if not wanted:
        return Offer(prices.of(request) or 0)
    catalogue = prices.catalogue
    problems = [_told(row, *said) for said in catalogue.problems(request)]
    warnings = [_told(row, *said) for said in catalogue.warnings(request)]
    price = None if problems else prices.of(request)
    if price is None and not problems:
        (warnings if prices.lenient else problems).append(_no_price(row, request, prices))
    return Offer(price or 0, tuple(problems), tuple(warnings))


def _told(row: Row, key: str, code: str, message: str, hint: str) -> Problem:
    """A problem at the cell of `options.NAME`, or of the whole `options` where that holds it."""
    whole = key.partition(".")[0]
    column, cell = row.places.get(key) or row.places.get(whole) or (key, None)
    line = row.lines.get(key, row.lines.get(whole, row.line))
    return Problem(row.manifest, row.number, line, column, cell, code, message, hint)


def _no_price(row: Row, request: Mapping[str, Any], prices: PriceTable) -> Problem:
    service, model = prices.catalogue.service, str(request["model"])
    if prices.rate(model) is None:
        message = f"No price is known of {shown(model)} on {service}."
    else:
        message = f"How long the video of {shown(model)} will be is not said, and its price is by the second."
    hint = f'Name it in batchgen.toml: [prices."{service}/{model}"] and below it per_second = 0.05, or per_video.'
    return _told(row, "model", "no_price", message, hint)
