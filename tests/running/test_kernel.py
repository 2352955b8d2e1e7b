"""An interrupted cell of a real notebook kernel stops buying, and the next cell goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

pytest.importorskip("ipykernel", reason="ipykernel is not installed: `pip install ipykernel`")

from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


class Notebook:
    """One kernel in the test's folder."""

    def __init__(self, folder: Path) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(folder))
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def begin(self, code: str) -> str:
        return self._client.execute(code)

    def until(self, message: str, text: str = "") -> dict[str, Any]:
        """The reply to a cell, or its first output that holds `text`."""
        while True:
            if text:
                said = self._client.get_iopub_msg(timeout=60)
                if said["parent_header"].get("msg_id") == message and text in json.dumps(said["content"]):
                    return dict(said["content"])
            else:
                said = self._client.get_shell_msg(timeout=60)
                if said["parent_header"].get("msg_id") == message:
                    return dict(said["content"])

    def run(self, code: str) -> dict[str, Any]:
        return self.until(self.begin(code))

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


CELL = """
import batchgen, threading
def hear(event):
    if event.event == "accepted":
        print("bought", event.job_id, flush=True)
"""
LEFT = 'assert not [t for t in threading.enumerate() if t.name.startswith(("batchgen", "ledger"))]'


@pytest.mark.parametrize("call", ["batchgen.run", "await batchgen.arun"])
def test_an_interrupted_cell_stops_buying_and_the_next_one_goes_on(desk: Desk, call: str) -> None:
    with desk.service() as service:  # the kernel finds its address and key in the environment
        desk.jobs("m.csv", *(f"prompt {n}" for n in range(60)))
        notebook = Notebook(desk.folder)
        try:
            assert notebook.run(CELL)["status"] == "ok"
            cell = notebook.begin(f'{call}("m.csv", out="out", rate="5/s", download=False, on_event=hear)')
            notebook.until(cell, "bought")
            notebook.interrupt()
            reply = notebook.until(cell)
            assert reply["ename"] in ("KeyboardInterrupt", "CancelledError")
            bought = len(service.audit().tasks)
            assert 0 < bought < 60
            assert notebook.run(LEFT)["status"] == "ok"
            again = notebook.run('assert batchgen.run("m.csv", out="out", limit=1, wait=False).exit in (0, 7)')
            assert again["status"] == "ok", again
            assert len(service.audit().tasks) == bought + 1
        finally:
            notebook.close()
