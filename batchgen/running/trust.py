"""Whether the key may go where the settings of a folder send it.

A `batchgen.toml` may have come with a folder that somebody else made. An address in it is used only if it is the
service's own, on this machine, named again by a flag or the environment, or trusted by the user
(`batchgen config trust`), whose word is kept outside of every project: one service's key at one origin.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from batchgen.errors import UsageError
from batchgen.files import whole_file

#: Asks a person whether the key may go to this origin, for this run only.
Ask = Callable[[str], bool]


def origin_of(url: str) -> str:
    """Scheme, host and port, in one spelling: `https://Example.com:443/v1` -> `https://example.com`."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine, by its name: nothing is looked up."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host in ("localhost", "::1") or (host.startswith("127.") and host.replace(".", "").isdigit())


def trust_file() -> Path:
    """Where the user's word is kept: with the user's own settings, outside of every project."""
    if sys.platform == "win32":
        home = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "batchgen" / "trust.json"


def trusted() -> list[tuple[str, str]]:
    """(service, origin) of each origin that the user trusts with that service's key."""
    try:
        found = json.loads(trust_file().read_text(encoding="utf-8"))
        return [(str(entry["service"]), str(entry["origin"])) for entry in found["trusted"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{trust_file()} can't be read.",
            code="bad_config",
            hint="Remove it, and trust your hosts again with `batchgen config trust HOST`.",
        ) from None


def trust(host: str, service: str) -> str:
    """Keep the user's word that the service's key may go to this host; returns the origin."""
    origin = origin_of(host)
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname or urlsplit(host).path.strip("/"):
        raise UsageError(
            "That is no host.",
            code="bad_host",
            hint="For example: batchgen config trust https://videos.example.com",
        )
    kept = dict.fromkeys([*trusted(), (service, origin)])
    document = {"trusted": [{"service": name, "origin": where} for name, where in kept]}
    with whole_file(trust_file()) as file:
        file.write(json.dumps(document, indent=1).encode() + b"\n")
    with suppress(OSError):
        trust_file().chmod(0o600)
    return origin


def check_destination(
    base_url: str, *, service: str, own: str, from_folder: str, plain_http: bool, ask: Ask | None = None
) -> None:
    """Raise UsageError unless the key of `service` may go to `base_url`.

    `own` is the service's own address; `from_folder` is the file that named `base_url`, "" where a flag, the
    environment or nobody did. `ask` asks on a terminal.
    """
    origin = origin_of(base_url)
    if is_loopback(base_url):
        return
    if origin.startswith("http:") and not plain_http:
        raise UsageError(
            f"{origin} is not encrypted: whoever is on the way could read the key.",
            code="plain_http",
            hint="Use an https:// address, or say that you mean it: --plain-http.",
        )
    if not from_folder or origin == origin_of(own) or (service, origin) in trusted():
        return
    if ask is not None and ask(f"{from_folder} sends your key to {origin}. Is that right, for this run?"):
        return
    more = "" if service == "gateway" else f" --service {service}"
    raise UsageError(
        f"{from_folder} names the address {origin}, and your key would go there.",
        code="untrusted_address",
        hint=f"If that is right, say so once: `batchgen config trust {origin}{more}`; or name it with --base-url.",
    )
