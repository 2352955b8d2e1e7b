"""When: rates, tasks in flight, what the service says about waiting, and when a task is worth a look.

Everything here is pure arithmetic on instants that are passed in: `now` is monotonic seconds, `wall` is
seconds since 1970 and appears only where a date header or a saved state needs it. Nothing sleeps, nothing
opens a connection, nothing reads a clock.

rate      a told limit (`20/10s`) and the slot clock that keeps it
hints     Retry-After and RateLimit headers, and the same in words
finder    an untold rate, found out from what is accepted and what is throttled
in_flight how many tasks may run at once, told or found out
lead      how long before its slot a POST is got ready
lanes     a pacer for each model where limits belong to a model, and models that are parked
submit    SubmitPacer: when the next POST may begin, and what binds it
away      a service that does not answer: pause, probe, park
failures  the circuit breaker of `--max-failures`
durations how long tasks of a model and scene take, learned from looks
looks     the best times to look at a task whose durations are known (dynamic programming)
schedule  PollSchedule: which task to look at next, and when
polls     PollPacer: how many looks a second
"""

from .away import Away
from .durations import Durations
from .failures import Failures, MaxFailures
from .hints import retry_after
from .lanes import Lanes
from .lead import Lead
from .limits import Limit, limits
from .polls import PollPacer
from .rate import Rate, SlotClock
from .schedule import PollSchedule
from .submit import SubmitPacer

__all__ = [
    "Away",
    "Durations",
    "Failures",
    "Lanes",
    "Lead",
    "Limit",
    "MaxFailures",
    "PollPacer",
    "PollSchedule",
    "Rate",
    "SlotClock",
    "SubmitPacer",
    "limits",
    "retry_after",
]
