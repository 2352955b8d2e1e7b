"""Where the videos are: URLs that may expire and may differ at every look."""

import math


class Urls:
    """Makes and reads the URLs of videos. `base` is the service's own, `files` the file host's."""

    def __init__(self) -> None:
        self.base = ""
        self.files = ""

    def of(self, task_id: str, expires: float | None, nonce: int | None) -> str:
        """The URL of a task's video; `expires` is in task time."""
        query = [] if expires is None else [f"expires={math.floor(expires * 1000)}"]
        if nonce is not None:
            query.append(f"look={nonce}")
        return f"{self.files}/files/{task_id}.mp4" + (f"?{'&'.join(query)}" if query else "")

    @staticmethod
    def expired(query: str, now: float) -> bool:
        """Whether the query of such a URL says that its time is over."""
        for part in query.split("&"):
            name, _, value = part.partition("=")
            if name == "expires" and value.isdigit():
                return int(value) / 1000 <= now
        return False
