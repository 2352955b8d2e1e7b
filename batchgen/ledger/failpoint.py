"""Named places where a test may kill the process: `BATCHGEN_FAILPOINT=name[:n]` ends it at the n-th pass.

Each stands before or after a durable step. The crash matrix visits every one; `NAMES` is checked against the
source by a test, so that none is forgotten.
"""

import os
import signal
import sys

NAMES = (
    "begin.before",
    "begin.after",
    "end.accepted.before",
    "end.accepted.after",
    "end.rejected.before",
    "end.rejected.after",
    "end.throttled.before",
    "end.throttled.after",
    "end.not_sent.before",
    "end.not_sent.after",
    "end.refused.before",
    "end.refused.after",
    "end.in_doubt.before",
    "end.in_doubt.after",
    "see.before",
    "see.after",
    "fetched.before",
    "fetched.after",
    "take_in.before",
    "take_in.filled",
    "take_in.begun",
    "take_in.piece",
    "take_in.after",
    "results.before",
    "results.after",
)

_wanted, _, _nth = os.environ.get("BATCHGEN_FAILPOINT", "").partition(":")
_left = int(_nth) if _nth.isdigit() else 1


def reached(name: str) -> None:
    """Die here, as by `kill -9`, if the environment says so."""
    global _left  # noqa: PLW0603 - the count of passes belongs to the process
    if name != _wanted:
        return
    _left -= 1
    if _left == 0:
        if sys.platform == "win32":
            os._exit(137)
        os.kill(os.getpid(), signal.SIGKILL)
