"""A test that asks for `wire` holds over each: plain, TLS 1.2, and TLS 1.3 with its session tickets."""

import pytest
from fault_server import WIRES, FaultServer, Wire


@pytest.fixture(params=WIRES, ids=str)
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setattr(FaultServer, "wire", request.param)
    return request.param  # type: ignore[no-any-return]
