"""What the service says of the tasks that a person names, before they are believed: GETs only, a minute at most."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from batchgen.errors import BatchgenError
from batchgen.job import Look, Trouble
from batchgen.running.context import RunOptions
from batchgen.running.flow import as_before, service
from batchgen.running.resolve import service_of
from batchgen.running.settings import Config
from batchgen.service import Api

#: Tasks that are asked about at most, so many at once, and the seconds that all of it may take.
MOST, AT_ONCE, LONGEST = 200, 8, 60.0


def sentences(out: Path, config: Config, tasks: Mapping[str, str]) -> dict[str, str]:
    """A sentence for each task id (with its model) that says whether the service of OUT's ledger knows it."""
    if not tasks:
        return {}
    belongs_to = service_of(out)
    config, options = as_before(out, config, RunOptions())
    address = belongs_to.rpartition(" ")[2]
    if not options.sandbox and "://" in address and config.base_url != address:
        # The folder's own word on where the key goes: it counts no more than that of a batchgen.toml there.
        place = str(out / "ledger.sqlite3")
        config = replace(config, base_url=address, file=place, origins={**config.origins, "base_url": place})
    try:
        with service(out, config, options) as (base_url, key, name):
            if name != belongs_to:
                why = f"the settings name {name}, this folder belongs to {belongs_to}"
                return dict.fromkeys(tasks, f"The service was not asked: {why}.")
            api = Api(base_url, key, service=config.service, poll_timeout=20.0)
            looks = asyncio.run(_ask(api, list(tasks.items())[:MOST]))
    except BatchgenError as error:
        return dict.fromkeys(tasks, f"The service was not asked: {error.message}")
    return {task: _sentence(looks[task]) if task in looks else "The service was not asked." for task in tasks}


async def _ask(api: Api, tasks: list[tuple[str, str]]) -> dict[str, Look]:
    found: dict[str, Look] = {}
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(task_id: str, model: str) -> None:
        async with slots:
            found[task_id] = await api.task(task_id, model)

    try:
        await asyncio.wait({asyncio.create_task(one(*task)) for task in tasks}, timeout=LONGEST)
    finally:
        await api.aclose()
    return found


def _sentence(look: Look) -> str:
    if look.status is not None:
        word = look.status.state or look.status.word or "no status"
        return f"The service knows it ({word})."
    if look.trouble is Trouble.NOT_FOUND:
        return (
            "The service knows no such task. If it was made just now, it may come; else look it up again, and name "
            "the right one with --task-id."
        )
    return f"Asked about it, the service gave no answer of use: {look.message.rstrip('.')}."
