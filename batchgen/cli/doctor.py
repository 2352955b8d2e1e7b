"""`doctor`: what may go wrong on this machine, and whether a ledger keeps its promises. Opens no connection."""

import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from batchgen import __version__
from batchgen.errors import BatchgenError
from batchgen.ledger.audit import violations
from batchgen.ledger.sqlite.file_systems import file_system_of, is_local
from batchgen.ledger.sqlite.history import check_not_behind, tasks_told
from batchgen.ledger.sqlite.lock import is_running
from batchgen.ledger.sqlite.store import meta_value, reading, warn_old_sqlite
from batchgen.running.environment import key_from_environment, key_origin
from batchgen.running.settings import FILE, Config

#: Less free room than this is worth saying, in bytes.
LOW_DISK = 2_000_000_000


def findings(out: Path | None) -> list[tuple[bool, str]]:
    """(fine, sentence) for each thing looked at."""
    found = [*_machine(), *_settings()]
    if out is not None:
        found += _ledger(out)
    return found


def _machine() -> Iterator[tuple[bool, str]]:
    yield True, f"batchgen {__version__}, Python {sys.version.split()[0]}, {platform.platform()}"
    yield True, warn_old_sqlite() or f"SQLite {sqlite3.sqlite_version}"
    free = shutil.disk_usage(Path()).free
    yield free >= LOW_DISK, f"{free / 1e9:.1f} GB free on this disk"
    kind = file_system_of(Path())
    local = is_local(kind)
    yield local, f"file system: {kind or 'unknown'}" + ("" if local else " (a ledger in a file needs a local disk)")


def _settings() -> Iterator[tuple[bool, str]]:
    try:
        config = Config.load()
    except BatchgenError as error:
        yield False, error.message
        return
    where = FILE if any(origin.endswith(FILE) for origin in config.origins.values()) else "no batchgen.toml"
    yield True, f"settings can be read ({where}); service {config.base_url}"
    try:
        key = key_from_environment()
    except BatchgenError as error:
        yield False, f"{key_origin()}: {error.message}"
        return
    yield True, f"{key_origin()} is {'set' if key else 'not set: only --sandbox works, or a terminal to ask on'}"


def _ledger(out: Path) -> Iterator[tuple[bool, str]]:
    try:
        told = tasks_told(out)
        with reading(out) as connection:
            check_not_behind(connection, out, str(meta_value(connection, "service")), told)
            broken = violations(connection, running=is_running(out))
    except BatchgenError as error:
        yield False, " ".join(filter(None, (error.message, error.hint)))
        return
    yield not broken, f"the ledger in {out} " + ("keeps its promises" if not broken else "is not in order:")
    for sentence in broken:
        yield False, sentence
