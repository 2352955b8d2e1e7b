"""The environment variables of ours: which there are, what is another's, and where the key comes from.

A `BATCHGEN_` variable that nobody reads is a setting with a typing error, and is refused: a cap with a typing error
must not be no cap. Kubernetes makes variables of that kind for a Service called `batchgen…`; they are told by their
form and passed over.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

from batchgen.errors import UsageError
from batchgen.service.dialects import NAMES, service_of
from batchgen.service.secret import Secret, remember

KEY_VARIABLE = "BATCHGEN_API_KEY"
KEY_FILE_VARIABLE = "BATCHGEN_API_KEY_FILE"
OUT_VARIABLE = "BATCHGEN_OUT"

#: Flags of the commands that are no settings and have a variable too. Not among them is what only a person may say
#: (`--yes`, `--resubmit-changed`, `--buy-again`, `--on-end`), and `--json`, which whoever reads the output decides.
FLAGS = (
    "out", "sandbox", "only_valid", "limit", "select", "own", "sheet", "encoding", "dry_run", "fill_cap", "no_wait",
    "no_download", "quiet", "must_resume",
)  # fmt: skip
#: Variables of ours that are no settings: the tests kill the program by the second, and are longer by the others.
_OTHERS = (KEY_VARIABLE, KEY_FILE_VARIABLE, "BATCHGEN_FAILPOINT", "BATCHGEN_PROOF", "BATCHGEN_PROOF_ROOT")

#: What Kubernetes puts into each pod for a Service whose name begins with `batchgen`, and the kind of its value.
_KUBERNETES = (
    (r"(?:\w+_)?SERVICE_HOST", "address"),
    (r"(?:\w+_)?SERVICE_PORT(?:_\w+)?", "port"),
    (r"(?:\w+_)?PORT", "url"),
    (r"(?:\w+_)?PORT_\d+_(?:TCP|UDP|SCTP)", "url"),
    (r"(?:\w+_)?PORT_\d+_(?:TCP|UDP|SCTP)_PROTO", "protocol"),
    (r"(?:\w+_)?PORT_\d+_(?:TCP|UDP|SCTP)_PORT", "port"),
    (r"(?:\w+_)?PORT_\d+_(?:TCP|UDP|SCTP)_ADDR", "address"),
)


def variable(name: str) -> str:
    """The variable of a setting or flag: `max_credits` -> `BATCHGEN_MAX_CREDITS`."""
    return f"BATCHGEN_{name.upper()}"


def check_variables(environment: Mapping[str, str], settings: Iterable[str]) -> None:
    """Raise UsageError for a variable of ours that nobody reads. Its value may be a key: it is not shown."""
    settings = list(settings)
    known = dict.fromkeys([*map(variable, (*settings, *FLAGS)), *_OTHERS])
    for name in sorted(environment):
        if name in known or not name.startswith("BATCHGEN_") or _is_kubernetes(name, environment[name]):
            continue
        meant = nearest(name, known)
        if name in ("BATCHGEN_YES", "BATCHGEN_ON_END"):
            hint = "That is said by the flag only, each time. Take the variable away."
        elif meant:
            hint = f"Write {meant}, or take it away."
        else:
            hint = "Take it away. Known are: " + ", ".join([*map(variable, settings), KEY_VARIABLE]) + "."
        raise UsageError(f"There is no setting for the environment variable {name}.", code="bad_setting", hint=hint)
    if environment.get(KEY_VARIABLE) and environment.get(KEY_FILE_VARIABLE):
        raise UsageError(
            f"{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both set.",
            code="bad_setting",
            hint="Take one of them away: the key comes from one place.",
        )


def _is_kubernetes(name: str, value: str) -> bool:
    rest = name.removeprefix("BATCHGEN_")
    return any(re.fullmatch(form, rest) and _looks_like(kind, value) for form, kind in _KUBERNETES)


def _looks_like(kind: str, value: str) -> bool:
    if kind == "port":
        return re.fullmatch(r"[0-9]{1,5}", value) is not None
    if kind == "protocol":
        return value in ("tcp", "udp", "sctp")
    if kind == "url":
        match = re.fullmatch(r"(?:tcp|udp|sctp)://\[?([^\[\]]+)\]?:[0-9]{1,5}", value)
        return match is not None and _looks_like("address", match[1])
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was meant: the same, or one with a small typing error."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.9)), None)


def remember_keys(environment: Mapping[str, str] | None = None) -> None:
    """From now on no sentence of ours holds a key that some service's variable names."""
    environment = os.environ if environment is None else environment
    for name in {KEY_VARIABLE, *(service_of(service).key_variable for service in NAMES)}:
        remember(environment.get(name, "").strip())


def key_from_environment(
    environment: Mapping[str, str] | None = None, *, variable: str = KEY_VARIABLE, near: bool = False
) -> Secret | None:
    """A service's API key by its variable, or None when the environment has none. `near`: it stays on this machine.

    The gateway's may stand in a file. Raises UsageError where that can't be read.
    """
    environment = os.environ if environment is None else environment
    if variable == KEY_VARIABLE and (name := environment.get(KEY_FILE_VARIABLE, "").strip()):
        return Secret(_read_key(Path(name)), near=near)
    key = environment.get(variable, "").strip()
    return Secret(key, near=near) if key else None


def key_origin(environment: Mapping[str, str] | None = None) -> str:
    """The variable that says the key, or the usual one where none does."""
    environment = os.environ if environment is None else environment
    return KEY_FILE_VARIABLE if environment.get(KEY_FILE_VARIABLE, "").strip() else KEY_VARIABLE


def _read_key(path: Path) -> str:
    """What a secret's file holds, without its final newline. No message shows any of it."""
    try:
        with path.open("rb") as file:
            held = file.read(1 << 16)
        return held.decode("ascii").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        why = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        why = "it holds characters that no key has"
    raise UsageError(
        f"{KEY_FILE_VARIABLE}: {path} can't be read: {why}.",
        code="bad_key_file",
        hint="Name a file that holds the key and nothing else.",
    )
