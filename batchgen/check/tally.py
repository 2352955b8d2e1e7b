"""Jobs and credits, summed by scene, provider, model and one more column."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from batchgen.job import Row

Key = tuple[str, str, str, int, str]  # provider, model, scene, price, value of `by`
Group = tuple[int, int | None, int]  # jobs, price or None where it varies, credits


class Tally:
    """Counts valid jobs by (provider, model, scene, price, value of `by`): few different ones in any batch."""

    def __init__(self, by: str | None = None) -> None:
        self.by = by
        self._counts: Counter[Key] = Counter()

    def add(self, request: Mapping[str, Any], row: Row, price: int) -> None:
        """One job."""
        value = row.text(self.by) if self.by else ""
        self._counts[request["provider"], request["model"], request["scene"], price, value] += 1

    def add_many(self, counts: Mapping[Key, int]) -> None:
        """Jobs that were counted elsewhere."""
        self._counts.update(counts)

    @property
    def jobs(self) -> int:
        return self._counts.total()

    @property
    def credits(self) -> int:
        return sum(key[3] * jobs for key, jobs in self._counts.items())

    def by_price(self) -> dict[tuple[str, int], int]:
        """How many jobs there are of each (scene, price)."""
        found: Counter[tuple[str, int]] = Counter()
        for (_, _, scene, price, _), jobs in self._counts.items():
            found[scene, price] += jobs
        return dict(found)

    def groups(self, name: str) -> dict[str, Group]:
        """The sums by "provider", "model", "scene" or "by", largest amount of credits first."""
        index = ("provider", "model", "scene", "price", "by").index(name)
        found: dict[str, Group] = {}
        for key, jobs in self._counts.items():
            value = str(key[index])
            had, price, amount = found.get(value, (0, key[3], 0))
            found[value] = (had + jobs, price if price == key[3] else None, amount + jobs * key[3])
        return dict(sorted(found.items(), key=lambda item: (-item[1][2], item[0])))
