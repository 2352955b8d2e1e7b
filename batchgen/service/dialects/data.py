"""The dated data beside a dialect: `NAME.toml` -> the table's line, the catalogue of models, the outcome lines;
`prices/NAME.json` -> what its models cost.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from batchgen.check.catalogue import Catalogue
from batchgen.check.rates import Rate
from batchgen.check.video_model import Model, Option
from batchgen.job import OutcomeKind

FOLDER = "batchgen.service.dialects"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a dialect's outcome table: an answer that the shared reading calls in doubt, and what it is.

    All that is given must hold: the HTTP `status`, the body's own `code`, a word in the error (`says`, lower
    case), a `header` that is there. `source` names where the service says so.
    """

    outcome: OutcomeKind
    code: str
    source: str
    status: tuple[int, ...] = ()
    body_code: tuple[int, ...] = ()
    says: str = ""
    header: str = ""
    throttle: str = ""


@dataclass(frozen=True, slots=True)
class Data:
    """Everything that a service's file says."""

    table: Mapping[str, Any]
    catalogue: Catalogue
    paths: Mapping[str, str]
    words: Mapping[str, str]
    lines: tuple[Line, ...]


def data_text(name: str) -> str:
    """The data file of a service as it is written."""
    return files(FOLDER).joinpath(f"{name}.toml").read_text(encoding="utf-8")


def prices_text(name: str) -> str:
    """The price data of a service as it is written; "" where there is none."""
    file = files(FOLDER).joinpath("prices", f"{name}.json")
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@cache
def read_data(name: str) -> Data:
    """The data of a service."""
    table = tomllib.loads(data_text(name))
    models = {key: _model(key, said, table) for key, said in table.get("models", {}).items()}
    prices = json.loads(prices_text(name) or '{"version": "", "models": {}}')
    catalogue = Catalogue(
        service=table["name"],
        unit=table["unit"],
        scale=table["unit_scale"],
        dated=table["date"],
        gone_since=table.get("gone_since", ""),
        usual=_model("", table.get("usual", {}), {}),
        models=models,
        rates={key: _rate(said) for key, said in prices["models"].items()},
        rates_dated=prices["version"],
    )
    lines = tuple(_line(said) for said in table.get("outcomes", ()))
    defaults = {"lists_url": "", "pace": "", "idempotency": "", "get_key": ""}
    return Data({**defaults, **table}, catalogue, table.get("paths", {}), table.get("words", {}), lines)


def _model(name: str, said: Mapping[str, Any], table: Mapping[str, Any]) -> Model:
    usual = table.get("usual", {})
    return Model(
        name=name,
        scenes=tuple(said.get("scenes", ())),
        inputs={**usual.get("inputs", {}), **said.get("inputs", {})},
        options={key: _option(value) for key, value in said.get("options", {}).items()},
        renamed={**usual.get("renamed", {}), **said.get("renamed", {})},
        needs=tuple(said.get("needs", ())),
        gone_since=said.get("gone_since", ""),
        source=said.get("source", ""),
    )


def _option(said: Mapping[str, Any]) -> Option:
    return Option(
        type=said.get("type", "text"),
        values=tuple(said.get("values", ())),
        least=said.get("least"),
        most=said.get("most"),
        default=said.get("default"),
    )


def _rate(said: Mapping[str, Any]) -> Rate:
    amounts = {key: Decimal(value) for key, value in said.items() if key.startswith("per_")}
    return Rate(amounts, said.get("pixels", {}), said.get("source", ""))


def _line(said: Mapping[str, Any]) -> Line:
    return Line(
        outcome=OutcomeKind(said["outcome"]),
        code=said["code"],
        source=said["source"],
        status=_numbers(said.get("status")),
        body_code=_numbers(said.get("body_code")),
        says=said.get("says", ""),
        header=said.get("header", ""),
        throttle=said.get("throttle", ""),
    )


def _numbers(said: Any) -> tuple[int, ...]:
    if said is None:
        return ()
    return (said,) if isinstance(said, int) else tuple(said)
