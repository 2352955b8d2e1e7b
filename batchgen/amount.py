"""Amounts of money: whole numbers of the smallest part of a service's unit, and how people and JSON read them.

A ledger, a price and a cap are integers (`6` credits; `350000` millionths of a dollar); a decimal point appears
only here, where they are read or shown.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

_WRITTEN = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")
_AMOUNTS = ("credits", "price", "cap", "amount")


@dataclass(frozen=True, slots=True)
class Unit:
    """What a service counts in: its name (`credits`, `usd`), and how many smallest parts one of it has."""

    name: str = "credits"
    scale: int = 1

    def exact(self, amount: int) -> Decimal:
        """The amount in whole units.

        >>> Unit("usd", 1_000_000).exact(350_000)
        Decimal('0.35')
        """
        return (Decimal(amount) / self.scale).normalize() if self.scale > 1 else Decimal(amount)

    def number(self, amount: int) -> int | float:
        """For JSON and spreadsheets: a number with as many decimals as it has, six at most."""
        if amount % self.scale == 0:
            return amount // self.scale
        return float(self.exact(amount))

    def maybe(self, amount: int | None) -> int | float | None:
        """The same, where there may be none."""
        return None if amount is None else self.number(amount)

    def text(self, amount: int) -> str:
        """For people, without the unit: `1,234` or `0.35`; dollars have two decimals at least."""
        exact = self.exact(amount)
        least = 2 if self.name == "usd" else 0
        digits = max(least, -int(exact.as_tuple().exponent)) if exact else least
        return f"{exact:,.{digits}f}"

    def count(self, amount: int) -> str:
        """For people: `1 credit`, `6 credits`, `$0.35`."""
        if self.name == "usd":
            return f"${self.text(amount)}"
        return f"{self.text(amount)} credit{'' if self.exact(amount) == 1 else 's'}"

    @property
    def word(self) -> str:
        """The heading of a column for people."""
        return "US dollars" if self.name == "usd" else self.name

    @property
    def cap_flag(self) -> str:
        """The option that caps what may be spent in this unit."""
        return f"--max-{self.name}"

    def parse(self, text: object) -> int:
        """An amount as a person writes it. Raises ValueError where it is none, or finer than the unit's parts."""
        written = str(text).strip()
        if not _WRITTEN.fullmatch(written):
            raise ValueError(f"{written!r} is no amount")
        parts = Decimal(written) * self.scale
        if parts != parts.to_integral_value(rounding=ROUND_DOWN):
            raise ValueError(f"{written!r} is finer than a {self.scale}th")
        return int(parts)

    def column(self, name: str) -> str:
        """The name of a column of amounts: `charged_credits` -> `charged_usd`."""
        return name.removesuffix("credits") + self.name if name.endswith("_credits") else name

    def document(self, value: Any) -> Any:
        """A JSON document of ours in this unit: each key `credits` named for it, each amount in whole units."""
        if self == CREDITS:
            return value
        if isinstance(value, list):
            return [self.document(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        return {self.name if key == "credits" else key: self._of(key, inner) for key, inner in value.items()}

    def _of(self, key: str, value: Any) -> Any:
        if key not in _AMOUNTS:
            return self.document(value)
        if isinstance(value, dict):
            return {name: self.number(one) if _is_amount(one) else one for name, one in value.items()}
        return self.number(value) if _is_amount(value) else value


def _is_amount(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


CREDITS = Unit()
