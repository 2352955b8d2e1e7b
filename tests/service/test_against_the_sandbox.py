"""The Api against every fault of the sandbox, which was written from the outside and keeps its own books."""

import asyncio
from dataclasses import replace

import pytest

from batchgen.job import Outcome, OutcomeKind
from batchgen.sandbox.faults import POST_FAULTS
from batchgen.sandbox.options import Options
from batchgen.sandbox.server import SandboxServer
from batchgen.service import Api
from batchgen.service.dialects import service_of
from batchgen.service.secret import Secret

REQUEST = {"provider": "kie", "model": "m", "scene": "text-to-video", "prompt": "A glass city"}
CALL = service_of("gateway").dialect.create(REQUEST)
#: The sandbox calls these no faults: they must be accepted.
PROPER = {"chunked", "cookie", "created-201", "accepted-202", "number-id", "gzip", "path-id", "bom", "long-header"}
#: 308 means "not done here" to everybody; a service that charges and then says it lies.
LIES = {"accept-redirect"}
SURE = {OutcomeKind.REJECTED, OutcomeKind.REFUSED, OutcomeKind.THROTTLED, OutcomeKind.NOT_SENT}


async def nothing() -> None:
    pass


async def second_post(url: str, key: str) -> Outcome:
    """The outcome of the second POST; the first one is sound and its id is known."""
    api = Api(url, Secret(key), post_timeout=0.5)
    first = await api.submit(CALL, "key-1", nothing)
    outcome = await api.submit(CALL, "key-2", nothing)
    await api.aclose()
    if outcome.kind is OutcomeKind.ACCEPTED and outcome.task_id == first.task_id:  # the ledger's own rule
        return replace(outcome, kind=OutcomeKind.IN_DOUBT)
    return outcome


@pytest.mark.parametrize("fault", [name for name in POST_FAULTS if name not in LIES])
def test_what_is_said_of_a_post_agrees_with_the_books_of_the_service(fault: str) -> None:
    with SandboxServer(Options(faults=(f"{fault}:#2",))) as sandbox:
        outcome = asyncio.run(second_post(sandbox.base_url, sandbox.key))
        audit = sandbox.audit()
    charged = len(audit.tasks) == 2
    assert len(audit.posts) <= 2, "a POST was sent again"
    if outcome.kind in SURE:
        assert not charged
    if outcome.kind is OutcomeKind.ACCEPTED:
        assert charged
        assert (
            outcome.task_id.removeprefix("../") in {str(task.task_id) for task in audit.tasks}
            or fault == "number-id"
        )
    if fault in PROPER:
        assert outcome.kind is OutcomeKind.ACCEPTED
    elif charged:
        assert outcome.kind is OutcomeKind.IN_DOUBT
