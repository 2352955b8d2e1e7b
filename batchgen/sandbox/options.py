"""Everything that can be set about the sandbox, with the name and the help text of each option.

The metadata of a field is what a command line needs: `flag`, `help`, `type` (bool is a switch) and, where
there are some, `choices`, `repeat` (the flag may be given several times) and `metavar`. Values are checked
when an `Options` is made: a wrong one raises ValueError with a sentence. A field with `live` may be changed
while the sandbox runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .clock import parse_duration
from .envelopes import STYLES_OF_TASKS
from .limits import parse_rate
from .rules import Rule, check_shares, parse_rule, parse_script

STYLES = tuple(STYLES_OF_TASKS)
RETRY_AFTER = ("seconds", "date", "float", "ms", "text", "none")
LIMIT_HEADERS = ("none", "x", "x-epoch", "draft", "draft7")
IDEMPOTENCY = ("ignore", "honour", "conflict", "reject")
ACTIVE_STATUSES = ("429", "200")
REFUNDS = ("seen", "automatic", "never")

PRICES = {"text-to-video": 6, "image-to-video": 8, "video-to-video": 10}


def _option(flag: str, default: Any, text: str, **more: Any) -> Any:
    kind = str if default is None or isinstance(default, tuple) else type(default)
    return field(default=default, metadata={"flag": flag, "help": text, "type": kind, **more})


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the sandbox behaves. Times are seconds of task time unless they say otherwise."""

    port: int = _option("--port", 0, "Port on 127.0.0.1; 0 takes a free one.", metavar="N")
    keys: tuple[str, ...] = _option(
        "--key", ("sandbox-key",), "An API key that is good.", repeat=True, metavar="KEY", live=True
    )
    key_dies_after: int | None = _option(
        "--key-dies-after", None, "After N POSTs every key is bad (401).", type=int, metavar="N", live=True
    )
    credits: int | None = _option(
        "--credits",
        None,
        "Credits of the account; without it they never run out.",
        type=int,
        metavar="N",
        live=True,
    )
    prices: tuple[str, ...] = _option(
        "--price", (), "Another price: SCENE=CREDITS.", repeat=True, metavar="SCENE=N", live=True
    )
    state_cost: bool = _option(
        "--state-cost", False, "State costCredits (and refundedCredits) in the answers.", live=True
    )
    refund: str = _option(
        "--refund",
        "seen",
        "Credits of failed tasks come back when a GET sees the failure, automatically, or never.",
        choices=REFUNDS,
        live=True,
    )
    refund_moderation: bool = _option(
        "--refund-moderation/--no-refund-moderation",
        True,
        "Give back credits of refused prompts too.",
        live=True,
    )
    duration: str = _option(
        "--duration",
        "2-4",
        "How long tasks take: 3, 2-4, lognormal:MEDIAN:SIGMA or bimodal:SHORT:LONG:SHARE.",
        metavar="SPEC",
        live=True,
    )
    speed: float = _option(
        "--speed", 1.0, "How many times faster than that the time of tasks runs.", metavar="X", live=True
    )
    manual_time: bool = _option(
        "--manual-time", False, 'Time stands still until POST /sandbox/control {"advance": S} moves it.'
    )
    seed: int = _option("--seed", 0, "The same seed draws the same durations and faults.", metavar="N")
    style: str = _option("--style", "documented", "The envelope of answers and errors.", choices=STYLES, live=True)
    rate: str = _option(
        "--rate",
        "",
        "POSTs allowed, in a sliding window: 20/10s, or several: 5/1s,100/60s.",
        metavar="R",
        live=True,
    )
    poll_rate: str = _option("--poll-rate", "", "GETs of tasks allowed, in the same form.", metavar="R", live=True)
    max_active: int | None = _option(
        "--max-active", None, "Tasks that may run at once; more are refused.", type=int, metavar="N", live=True
    )
    active_status: str = _option(
        "--active-status",
        "429",
        "How too many tasks are refused: 429, or 200 with an error in the body.",
        choices=ACTIVE_STATUSES,
        live=True,
    )
    retry_after: str = _option(
        "--retry-after",
        "seconds",
        "How a 429 says when to come back: a header in one of four forms, in the text, or not.",
        choices=RETRY_AFTER,
        live=True,
    )
    limit_headers: str = _option(
        "--limit-headers",
        "none",
        "X-RateLimit headers (reset in seconds, or since 1970), or RateLimit (newest draft, or draft 7).",
        choices=LIMIT_HEADERS,
        live=True,
    )
    idempotency: str = _option(
        "--idempotency",
        "ignore",
        "Idempotency-Key: ignored, honoured (the same task again), answered 409 with the id, or 422 without.",
        choices=IDEMPOTENCY,
        live=True,
    )
    faults: tuple[str, ...] = _option(
        "--fault",
        (),
        "NAME[@ARG]:WHERE; WHERE is a share (3%), numbers (#1,5-9) or a pattern (*tiger*).",
        repeat=True,
        metavar="FAULT",
        live=True,
    )
    script: str = _option(
        "--script",
        "",
        "A YAML file of what happens to the n-th POST, task, GET and file.",
        metavar="FILE",
        live=True,
    )
    latency: float = _option("--latency", 0.0, "Real seconds that every POST takes.", metavar="S", live=True)
    idle_close: float = _option(
        "--idle-close", 3630.0, "Real seconds after which an idle connection is closed.", metavar="S"
    )
    url_life: float | None = _option(
        "--url-life", None, "Seconds after which a video URL is expired (403).", type=float, metavar="S", live=True
    )
    fresh_urls: bool = _option("--fresh-urls", False, "Every GET of a finished task gives another URL.", live=True)
    file_host: bool = _option("--file-host", False, "Serve the videos from a second port, as another host would.")
    file_bytes: int = _option("--file-bytes", 0, "Make every video at least this large.", metavar="N", live=True)

    def __post_init__(self) -> None:
        _one_of("style", self.style, STYLES)
        _one_of("retry-after", self.retry_after, RETRY_AFTER)
        _one_of("limit-headers", self.limit_headers, LIMIT_HEADERS)
        _one_of("idempotency", self.idempotency, IDEMPOTENCY)
        _one_of("refund", self.refund, REFUNDS)
        _one_of("active-status", self.active_status, ACTIVE_STATUSES)
        if not 0 <= self.port <= 65535:
            raise ValueError("The port must be from 0 to 65535.")
        if self.speed <= 0:
            raise ValueError("The speed must be above 0.")
        parse_duration(self.duration)
        parse_rate(self.rate)
        parse_rate(self.poll_rate)
        self.price_table()
        check_shares(self.rules())

    def price_table(self) -> dict[str, int]:
        """Credits by scene."""
        prices = dict(PRICES)
        for text in self.prices:
            scene, _, amount = text.partition("=")
            if scene not in PRICES or not amount.isdigit():
                raise ValueError(f"“{text}” is no price: write text-to-video=6.")
            prices[scene] = int(amount)
        return prices

    def rules(self) -> list[Rule]:
        """The faults of `faults` and of the script, in this order."""
        rules = [parse_rule(text) for text in self.faults]
        if self.script:
            try:
                text = Path(self.script).read_text(encoding="utf-8")
            except OSError as error:
                raise ValueError(f"The script {self.script} can't be read: {error.strerror}.") from error
            rules += parse_script(text)
        return rules

    def changed(self, changes: Mapping[str, Any]) -> "Options":
        """A copy with other values of `live` fields; lists become tuples. Raises ValueError."""
        live = {each.name for each in fields(self) if each.metadata.get("live")}
        for name in changes:
            if name not in live:
                raise ValueError(f"“{name}” can't be changed while the sandbox runs.")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()
        }
        return replace(self, **values)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"“{value}” is no {name}: choose one of {', '.join(known)}.")


def list_options() -> str:
    """The options as a Markdown table, for docs/use/sandbox.md."""
    lines = ["| option | default | what it does |", "| --- | --- | --- |"]
    for each in fields(Options):
        flag, shown = each.metadata["flag"], each.metadata.get("metavar", "")
        if each.metadata.get("choices"):
            shown = "|".join(str(choice) for choice in each.metadata["choices"]).replace("|", "\\|")
        usage = f"{flag} {shown}" if shown and each.metadata["type"] is not bool else flag
        default = each.default if each.metadata["type"] is not bool else "on" if each.default else "off"
        told = ", ".join(default) if isinstance(default, tuple) else default
        lines.append(f"| `{usage}` | {'' if told in (None, '') else f'`{told}`'} | {each.metadata['help']} |")
    return "\n".join(lines) + "\n"
