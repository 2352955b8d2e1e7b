"""How each service is spoken to: the interface of a dialect, and the table of the services.

A dialect is pure: it says what to send and what an answer means, on plain values. It opens nothing, waits for
nothing and knows no clock; `service` sends its calls. docs/how/add-a-service.md tells how to add one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from batchgen.check.catalogue import GATEWAY, Catalogue
from batchgen.errors import UsageError
from batchgen.job import Answer, Look, Outcome
from batchgen.service.dialects.data import Line, read_data

__all__ = ["GATEWAY", "NAMES", "Answer", "Call", "Candidate", "Dialect", "Lists", "Service", "service_of"]

Request = Mapping[str, Any]

#: Every service by its name, and the module that speaks to it.
_MODULES = {
    "gateway": "gateway",
    "fal": "fal",
    "kie": "kie",
    "ark": "ark",
    "replicate": "replicate",
    "litellm": "openai_videos",
    "openai-videos": "openai_videos",
}
NAMES = tuple(_MODULES)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it will leave, but for the key and the headers that all have.

    `path` is quoted, begins with "/", stands below the service's base URL, and may end in a query. `lists`: it
    goes to the address of the service's lists, where that is another one.
    """

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    lists: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request that a service's list tells of: perhaps one that is in doubt here.

    `endpoint` is the path or the model it was sent to, `body` what was sent (None: the list does not say),
    `created_at` seconds since 1970 (None: not said).
    """

    task_id: str
    endpoint: str
    body: Any = None
    created_at: float | None = None


class Dialect(Protocol):
    """What each service's module has. Answers to trust are whole ones; everything unknown stays in doubt."""

    def create(self, request: Request) -> Call:
        """The POST for a job. Its body is frozen in the ledger before it leaves."""
        ...

    def created(self, answer: Answer, sent: Call, *, idempotent: bool = False) -> Outcome:
        """What is known after the POST. `idempotent`: the service is configured to honour a client's key."""
        ...

    def ask(self, task_id: str, model: str) -> tuple[Call, ...]:
        """The calls that tell of a task, in order; a later one is made where `asked` wants it."""
        ...

    def asked(self, answers: Sequence[Answer], task_id: str) -> Look | None:
        """What these answers say of the task; None: the next call is needed."""
        ...

    @property
    def lists(self) -> "Lists | None":
        """The service's list of its requests, where it has one."""
        ...

    def needs_key(self, path: str) -> bool:
        """Whether a video at this path of the service itself is fetched with the key."""
        ...


class Lists(Protocol):
    """A service's own list of its requests, for `resolve --auto`."""

    def page(self, endpoint: str, since: float, until: float, cursor: str) -> Call:
        """The call for one page of requests in this window (seconds since 1970)."""
        ...

    def listed(self, answer: Answer, cursor: str) -> tuple[Sequence[Candidate], str]:
        """A page's candidates, and the cursor of the next page ("": that was the last one).

        Raises ValueError for an answer that is no page.
        """
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """One line of the table of services: whom we buy from, with whose key, in which unit.

    `auth` is the word before the key in Authorization. `limits` says whether a limit belongs to the account or to
    a model; `pace` is what the service documents of its limit. `idempotency` is how it honours a client's key
    ("": it does not). `settles`: by what a doubt can be settled (`list`, `candidates`, `person`).
    """

    name: str
    title: str
    key_variable: str
    auth: str
    base_url: str
    lists_url: str
    limits: str
    pace: str
    idempotency: str
    settles: str
    source: str
    get_key: str
    catalogue: Catalogue
    paths: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()

    @property
    def unit(self) -> str:
        return self.catalogue.unit

    @property
    def scale(self) -> int:
        return self.catalogue.scale

    @property
    def dialect(self) -> Dialect:
        """How it is spoken to."""
        module = import_module(f"batchgen.service.dialects.{_MODULES[self.name]}")
        make: Callable[[Service], Dialect] = module.dialect
        return make(self)


@cache
def service_of(name: str) -> Service:
    """The service of that name. Raises UsageError where there is none."""
    if name not in _MODULES:
        raise UsageError(
            f"There is no service {name!r}.",
            code="no_such_service",
            hint=f"The services are: {', '.join(NAMES)}.",
        )
    data = read_data(name)
    said = {key: data.table[key] for key in _SAID}
    return Service(catalogue=data.catalogue, lines=data.lines, paths=data.paths, words=data.words, **said)


_SAID = (
    "name", "title", "key_variable", "auth", "base_url", "lists_url", "limits", "pace", "idempotency", "settles",
    "source", "get_key",
)  # fmt: skip
