"""Settings: flag over environment over `batchgen.toml` over default, gathered into one frozen Config.

Each setting knows where its value came from; `batchgen config` shows it. The API key is not among them: it is
read from the environment (or asked for, unseen) at the moment a connection is opened, and kept nowhere.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from batchgen.amount import Unit
from batchgen.check.prices import PriceTable
from batchgen.errors import UsageError
from batchgen.planning.decide import Cap
from batchgen.running.environment import KEY_VARIABLE, check_variables, nearest, remember_keys, variable
from batchgen.running.pacing import MaxFailures, Rate
from batchgen.running.trust import is_loopback
from batchgen.service.dialects import GATEWAY, NAMES, Service, service_of
from batchgen.service.secret import concealed

FILE = "batchgen.toml"
DEFAULT_BASE_URL = "https://sseedance.com"
CAPS = ("max_credits", "max_usd")
#: What a folder's own file may never decide: it may have come from somebody else, and each of these spends money or
#: sends the key where nobody looks.
NOT_FROM_A_FOLDER = ("metrics_file", "idempotent", "trust_refunds", "plain_http", "yes", "on_end")


def seconds(text: object) -> float:
    """`90`, `90s`, `30m`, `2h` -> seconds."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|h|d)?", str(text).strip().lower())
    if match is None:
        raise ValueError("a time such as 90s, 30m or 2h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}[match[2]]


def _post_timeout(text: object) -> float:
    """A POST that is given no time ends in doubt, every one, and each may have been charged."""
    if (span := seconds(text)) < 1:
        raise ValueError("a time of 1s at least, such as 90s or 2m: what is cut off may have been charged")
    return span


def in_words(span: float) -> str:
    """Seconds as `seconds` reads them: 1800.0 -> `30m`, 90.0 -> `90s`."""
    for name, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if span and span % length == 0:
            return f"{span / length:.0f}{name}"
    return f"{span:g}s"


def _base_url(text: object) -> str:
    url = str(text).strip().rstrip("/")
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or re.search(r"[@?#\s]", url)
        or not _has_port(parts)
    ):
        raise ValueError("an address such as https://sseedance.com, without key or query")
    return url


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _shown(name: str, value: object) -> str:
    """A value that is refused, for a person. An address may hold a key: of it only the host is shown."""
    if name != "base_url":
        return f"is {concealed(repr(value))}"
    host = urlsplit(str(value).strip()).netloc.rpartition("@")[2]
    if "." not in host and not host.startswith("localhost"):
        return "is no address (not shown here: it may hold a key)"
    return f"is an address at {concealed(host)!r} (the rest is not shown: it may hold a key)"


def _positive(text: object) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", str(text).strip()) or int(str(text)) < 1:
        raise ValueError("a whole number from 1 upward")
    return int(str(text))


def _path(text: object) -> Path:
    if not str(text).strip():
        raise ValueError("the name of a file")
    return Path(str(text))


def _bool(text: object) -> bool:
    if isinstance(text, bool):
        return text
    word = str(text).strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("true or false")


def _rate(text: object) -> Rate:
    try:
        return Rate.parse(str(text))
    except ValueError:
        raise ValueError("a rate such as 2/s, 20/10s or 60/min, and one in an hour at least") from None


def _failures(text: object) -> MaxFailures:
    try:
        return MaxFailures.parse(str(text))
    except ValueError:
        raise ValueError("a number of failures such as 20, a share such as 50%, or none") from None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: how its text is read, its default, and what it is for."""

    read: Callable[[object], Any]
    default: Any
    help: str


def _service(text: object) -> str:
    name = str(text).strip().lower()
    if name not in NAMES:
        raise ValueError("one of " + ", ".join(NAMES))
    return name


SETTINGS: Mapping[str, Setting] = {
    "service": Setting(_service, GATEWAY, "whom to buy from: " + ", ".join(NAMES)),
    "base_url": Setting(_base_url, DEFAULT_BASE_URL, "address of the service (default: its own)"),
    "rate": Setting(_rate, None, "submissions at most, e.g. 2/s, 20/10s, 60/min (default: found out)"),
    "burst": Setting(_positive, 1, "submissions that may leave at once"),
    "max_in_flight": Setting(
        _positive, None, "open submissions plus unfinished tasks at most (default: found out, from 3 upward)"
    ),
    "poll_rate": Setting(_rate, None, "status questions at most, e.g. 5/s (default: found out, from 20/s)"),
    "deadline": Setting(seconds, 1800.0, "how long a run waits for one task, e.g. 30m"),
    "max_failures": Setting(
        _failures, MaxFailures(share=0.5), "stop after N, or P% of the last 50, jobs without a video"
    ),
    "max_credits": Setting(Cap.parse, Cap(), "credits that may be spent in this OUT at most; none lifts it"),
    "max_usd": Setting(Cap.parse_usd, Cap(), "the same in US dollars, for a service that counts dollars"),
    "park_after": Setting(
        seconds, 600.0, "how long a model may answer nothing but 429 until its rows are left for later"
    ),
    "post_timeout": Setting(_post_timeout, 120.0, "seconds in total for one submission"),
    "grace": Setting(
        seconds, None, "how long a run that is stopped waits for open submissions, e.g. 8s (default: post_timeout)"
    ),
    "metrics_file": Setting(_path, None, "a file for Prometheus, written every 5 s and at the end"),
    "idempotent": Setting(_bool, False, "the service is known to honour Idempotency-Key"),
    "trust_refunds": Setting(_bool, False, "a failed task counts as refunded although no answer says so"),
    "downloads": Setting(_positive, 8, "videos downloaded in parallel"),
    "plain_http": Setting(_bool, False, "the key may travel unencrypted to an http:// address beyond this machine"),
}


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one command. `origins` says where each came from; `prices` are price overrides."""

    service: str = GATEWAY
    base_url: str = DEFAULT_BASE_URL
    rate: Rate | None = None
    burst: int = 1
    max_in_flight: int | None = None
    poll_rate: Rate | None = None
    deadline: float = 1800.0
    max_failures: MaxFailures = field(default_factory=lambda: MaxFailures(share=0.5))
    max_credits: Cap = field(default_factory=Cap)
    max_usd: Cap = field(default_factory=Cap)
    park_after: float = 600.0
    post_timeout: float = 120.0
    #: None: as long as a submission may take.
    grace: float | None = None
    metrics_file: Path | None = None
    idempotent: bool = False
    trust_refunds: bool = False
    downloads: int = 8
    plain_http: bool = False
    prices: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    #: The folder's file, where there is one, and what stands in it.
    file: str = ""
    written: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dialect(self) -> Service:
        """The service by its name: key variable, unit, models."""
        return service_of(self.service)

    @property
    def honours_key(self) -> bool:
        """Whether a doubt may be sent again with its key: a person says so, and the service's data too."""
        return self.idempotent and bool(self.dialect.idempotency)

    @property
    def unit(self) -> Unit:
        """What the service counts in."""
        return Unit(self.dialect.unit, self.dialect.scale)

    @property
    def cap(self) -> Cap:
        """The cap that was said, in the smallest part of the service's unit. Raises UsageError for one in another
        unit: it would be no cap.
        """
        mine, other = ("max_usd", "max_credits") if self.unit.name == "usd" else ("max_credits", "max_usd")
        if getattr(self, other).said:
            counted, origin = "credits" if other == "max_credits" else "US dollars", self.origins.get(other, other)
            raise UsageError(
                f"{origin} is a cap in {counted}, but {self.service} counts {self.unit.word}.",
                code="wrong_unit",
                hint=f"Use {self.unit.cap_flag}, and take the other one away.",
            )
        said: Cap = getattr(self, mine)
        if mine == "max_usd" or said.credits is None:
            return said
        return Cap(said.said, said.credits * self.unit.scale)

    @property
    def cap_origin(self) -> str:
        """Where the cap comes from."""
        return self.origins.get("max_usd" if self.unit.name == "usd" else "max_credits", "")

    def table(self, *, lenient: bool = False) -> PriceTable:
        """What the service sells, and for how much. `lenient`: a row without a price is a warning."""
        return PriceTable.load(self.prices, self.dialect.catalogue, lenient=lenient)

    def at(self, service: str) -> "Config":
        """The same settings for another service: that of a ledger."""
        if service == self.service:
            return self
        usual = self.origins.get("base_url", "default") == "default"
        return replace(self, service=service, base_url=service_of(service).base_url if usual else self.base_url)

    def from_folder(self, name: str) -> str:
        """The folder's file, if it decided this setting; "" if a flag, the environment or nobody did."""
        return self.file if self.file and self.origins.get(name) == self.file else ""

    @classmethod
    def load(
        cls,
        flags: Mapping[str, object] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> "Config":
        """Gather the settings. A flag that is None was not given. Raises UsageError naming what is wrong."""
        flags = {name: value for name, value in (flags or {}).items() if value is not None}
        if unknown := flags.keys() - SETTINGS.keys():  # a cap with a typing error in its name must not be no cap
            raise _no_such_setting("", min(unknown))
        environment = os.environ if environment is None else environment
        check_variables(environment, SETTINGS)
        path = (folder or Path()) / FILE
        file = _read_file(path)
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for name, setting in SETTINGS.items():
            env_name = variable(name)
            flag = "--" + name.replace("_", "-")
            if name in flags:
                value, origin = flags[name], flag
            elif environment.get(env_name, "") != "":
                value, origin = environment[env_name], env_name
            elif env_name in environment and name in (
                "max_credits",
                "max_usd",
            ):  # a script's unset variable must not be no cap
                raise UsageError(
                    f"{env_name} is empty.",
                    code="bad_setting",
                    hint="Write what may be spent, or none for no cap; or take the variable away.",
                )
            elif name in file:
                value, origin = file[name], str(path)
            else:
                values[name], origins[name] = setting.default, "default"
                continue
            try:
                values[name] = setting.read(value)
            except ValueError as error:
                where = f"{name} in {path}" if origin == str(path) else origin
                remember_keys(environment)
                said = _shown(name, value)
                raise UsageError(f"{where} {said}, but must be {error}.", code="bad_setting") from None
            origins[name] = origin
        if origins["base_url"] == "default":
            values["base_url"] = service_of(values["service"]).base_url
        _refuse_key_in_address(values["base_url"], environment)
        return cls(
            **values, prices=file.get("prices", {}), origins=origins, file=str(path) if file else "", written=file
        )


def _refuse_key_in_address(base_url: str, environment: Mapping[str, str]) -> None:
    """An address is shown, written down and sent on: a key has no place in it."""
    remember_keys(environment)
    if concealed(base_url) != base_url:
        raise UsageError(
            "The service's address holds the API key, so it is not shown here.",
            code="key_in_address",
            hint="The address must be an address such as https://sseedance.com; the key stays in its variable.",
        )


def about_settings(config: Config, *, sandbox: bool) -> list[str]:
    """What a plan says of the settings: the service's address if it is not the usual one, and all that the folder's
    file decided.
    """
    lines = []
    if not sandbox and config.service != GATEWAY:
        lines.append(f"service {config.service} ({config.origins.get('service', '')})")
    if not sandbox and config.base_url != config.dialect.base_url:
        plain = ", unencrypted" if config.base_url.startswith("http:") and not is_loopback(config.base_url) else ""
        lines.append(f"service {config.base_url}{plain} ({config.origins.get('base_url', '')})")
    decided = [f"{name} = {config.written[name]}" for name in SETTINGS if config.from_folder(name)]
    if decided:
        lines.append(f"{config.file} sets {', '.join(decided)}")
    return lines


def cheap_prices(prices: PriceTable, config: Config) -> list[str]:
    """A warning for each price of the folder's file that is below the table's, with both figures."""
    return [
        f"warning: {config.file} has {entry} = {price:,}; the price table says {usual:,}, and the cap counts less"
        for entry, price, usual in prices.cheaper()
    ]


def _read_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise UsageError(f"{path} can't be read: {why}.", code="bad_config") from None
    for name in found:
        _refuse_key(path, name)
        _refuse_from_folder(path, name, found[name])
        if name not in SETTINGS and name != "prices":
            raise _no_such_setting(f"{path}: ", name)
    _check_prices(path, "prices", found.get("prices", {}))
    return found


def _refuse_key(path: Path, name: str) -> None:
    if name.lower() in ("api_key", "key", "token"):
        raise UsageError(
            f"{path} holds an API key. Keys do not belong in files.",
            code="key_in_file",
            hint=f"Take it out, and set the environment variable {KEY_VARIABLE} instead.",
        )


def _refuse_from_folder(path: Path, name: str, value: object) -> None:
    if name in NOT_FROM_A_FOLDER:
        flag = f"Say it by the environment variable {variable(name)}" if name in SETTINGS else "Say it by its flag"
        raise UsageError(
            f"{path} sets {name}, which a file in a folder may not decide: the folder may be somebody else's.",
            code="not_from_a_folder",
            hint=f"Take the line out. {flag}, if you mean it.",
        )
    if name in ("max_credits", "max_usd") and str(value).strip().lower() == "none":
        raise UsageError(
            f"{path} lifts the cap, which a file in a folder may not do: the folder may be somebody else's.",
            code="not_from_a_folder",
            hint=f"Take the line out; say --{name.replace('_', '-')} none, if you mean it.",
        )


def _check_prices(path: Path, table: str, prices: object) -> None:
    """Every line below a `[table]` belongs to it: a setting that stands there would pass for a provider."""
    if not isinstance(prices, Mapping):
        raise UsageError(
            f"{path}: {table} is {prices!r}, but must be a table.",
            code="bad_price",
            hint="Write, for example, [prices] and below it text-to-video = 6.",
        )
    for name, value in prices.items():
        if isinstance(value, Mapping):
            _check_prices(path, f"{table}.{name}", value)
            continue
        _refuse_key(path, name)
        if value == 0 and not isinstance(value, bool):
            raise UsageError(
                f"{path}: {name} costs nothing in [{table}], so no cap would hold.",
                code="free_price",
                hint="Write what it really costs, or take the line out.",
            )
        if meant := nearest(name.lower().replace("-", "_"), SETTINGS):
            raise UsageError(
                f"{path}: {name} stands below [{table}], and so counts as a price.",
                code="bad_config",
                hint=f"Move the setting {meant} above the first line in brackets.",
            )


def _no_such_setting(where: str, name: str) -> UsageError:
    return UsageError(
        f"{where}There is no setting {name!r}.",
        code="bad_config",
        hint="The settings are: " + ", ".join([*SETTINGS, *(["prices"] if where else [])]) + ".",
    )
