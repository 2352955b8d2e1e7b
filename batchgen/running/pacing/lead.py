"""Lead: how long before its slot a POST is got ready, so that connecting and committing do not shift it."""


class Lead:
    """How long before its slot a POST is got ready: as long as connecting and committing took lately.

    Without it the time that those take would jitter into the pace, and a told limit would be touched. Nothing
    is got ready early where no slot was ever waited for: then the lead would only be a delay.
    """

    LONGEST = 1.0

    def __init__(self) -> None:
        self.needed = False
        self._seconds = 0.01

    @property
    def seconds(self) -> float:
        return self._seconds if self.needed else 0.0

    def took(self, seconds: float) -> None:
        """Getting ready took so many seconds: rise at once, fall slowly.

        Worked example: 80 ms once gives a lead of 100 ms; after 20 POSTs of 5 ms each it is 67 ms.
        """
        self._seconds = min(self.LONGEST, max(0.002, self._seconds * 0.98, seconds * 1.25))
