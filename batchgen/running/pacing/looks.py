"""The best times to look at a task whose durations are known: dynamic programming over look times.

With a price per look in seconds of waiting, the best schedule from age t on (task not done at t) costs
    V(t) = min over u > t of  price + E[u - end, if it ends by u] + P(alive at u) * V(u),
all given that it is alive at t. Solved backwards on a grid of ages.
"""

import bisect
import math
from collections.abc import Sequence


class Looks:
    """A schedule: `after(age)` is the age at which a task not done at `age` is best looked at next.

    `ages` is the grid (rising), `alive[i]` the share of tasks not done at `ages[i]`; between two ages ends are
    taken to be spread evenly. `price` is what a look costs in seconds of waiting.
    """

    def __init__(self, ages: Sequence[float], alive: Sequence[float], *, price: float) -> None:
        self.ages = list(ages)
        self.alive = list(alive)
        self.price = price
        self.next: list[int] = []
        self.cost = self._solve()

    def _solve(self) -> float:
        """Fill `next`; returns the expected cost of the whole schedule from age 0, per task."""
        ages, alive, price = self.ages, self.alive, self.price
        last = len(ages) - 1
        # waited[i] = integral of (share done) from 0 to ages[i]: differences give E[u - end] quickly
        waited = [0.0]
        for i in range(last):
            done = 1 - (alive[i] + alive[i + 1]) / 2
            waited.append(waited[-1] + done * (ages[i + 1] - ages[i]))
        cost = [0.0] * (last + 1)  # times alive[i]
        best = [last] * (last + 1)
        for i in range(last - 1, -1, -1):
            least, choice = math.inf, last
            gone = 1 - alive[i]
            for j in range(i + 1, last + 1):
                late = waited[j] - waited[i] - gone * (ages[j] - ages[i])
                value = price * alive[i] + late + cost[j]
                if value < least:
                    least, choice = value, j
                elif late > least:
                    break
            cost[i], best[i] = least, choice
        self.next = best
        return cost[0]

    def after(self, age: float) -> float:
        """The age of the next look for a task that is not done at `age`; infinite beyond the grid."""
        i = bisect.bisect_right(self.ages, age) - 1
        if i >= len(self.ages) - 1:
            return math.inf
        here = self.ages[self.next[max(i, 0)]]
        there = self.ages[self.next[i + 1]] if i + 2 < len(self.ages) else here
        part = (age - self.ages[i]) / (self.ages[i + 1] - self.ages[i])
        return max(age, here + (there - here) * part)

    def half(self, age: float) -> float:
        """The age at which half of the tasks that are alive at `age` have ended."""
        target = self._alive(age) / 2
        at = bisect.bisect_left(self.alive, -target, key=lambda share: -share)
        return self.ages[at] if at < len(self.ages) else max(age, self.ages[-1]) * 1.2

    def _alive(self, age: float) -> float:
        i = bisect.bisect_right(self.ages, age) - 1
        if i >= len(self.ages) - 1:
            return self.alive[-1]
        part = (age - self.ages[i]) / (self.ages[i + 1] - self.ages[i])
        return self.alive[i] + (self.alive[i + 1] - self.alive[i]) * part
