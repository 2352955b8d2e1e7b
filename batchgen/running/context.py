"""What a run is given: what was asked for (RunOptions), and what each of its stations works with (RunContext)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from batchgen.job import Look, Outcome
from batchgen.ledger import Clock, Ledger
from batchgen.planning.preview import PlanOptions, Preview
from batchgen.running.flag import Flag
from batchgen.running.settings import Config
from batchgen.running.state import Board
from batchgen.running.trust import Ask
from batchgen.service.dialects import Call
from batchgen.service.secret import Secret
from batchgen.videos.addresses import Reach


@dataclass(frozen=True, slots=True)
class RunOptions(PlanOptions):
    """What `run` takes besides settings. `confirm` shows a plan and answers whether to go on (None: --yes).

    `submit`: `collect` never does. `stop`: the run ends gently when it is set. `hear` is called with each event, in
    the thread that called. `watch` is told the address of the live page (None: no such page).
    """

    sandbox: bool = False
    dry_run: bool = False
    must_resume: bool = False
    submit: bool = True
    wait: bool = True
    download: bool = True
    progress: str = "none"
    confirm: Callable[[Preview], bool] | None = None
    #: A person at a terminal sees the plan and is asked.
    asks: bool = False
    tell: Callable[[str], None] = lambda _sentence: None
    #: Is shown the plan, whether or not it is asked about.
    show: Callable[[Preview], None] = lambda _preview: None
    ask_key: Callable[[], Secret | None] = lambda: None
    #: Asks on a terminal whether the key may go to an address that a folder's file names; None without one.
    ask_trust: Ask | None = None
    sandbox_options: Any = None
    watch: Callable[[str], None] | None = None
    stop: Flag | None = None
    hear: Callable[[dict[str, Any]], None] | None = None


class Service(Protocol):
    """What a run needs of the service. Only the submitter calls `submit`."""

    def create(self, request: Mapping[str, Any]) -> Call: ...

    async def submit(self, call: Call, idempotency_key: str, before_send: Callable[[], Any]) -> Outcome: ...

    async def task(self, task_id: str, model: str = "") -> Look: ...

    async def probe(self) -> bool: ...

    def key_for(self, url: str) -> Mapping[str, str]: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RunContext:
    """What every station of a run works with.

    A service on this machine or this network (`near`) keeps its videos there too; any other may not send us inside.
    """

    ledger: Ledger
    service: Service
    board: Board
    settings: Config
    options: RunOptions
    clock: Clock
    near: Reach = Reach.PUBLIC

    def price_line(self, provider: str, model: str, scene: str) -> str:
        """The line of batchgen.toml that says what such a video costs: `prices."kie/veo3".text-to-video`."""
        return self.settings.table().entry(provider, model, scene)
