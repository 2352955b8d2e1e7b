"""How a program says that a run is to stop."""

from typing import Protocol


class Flag(Protocol):
    """Anything that can say that it is set: a threading.Event, for example."""

    def is_set(self) -> bool: ...
