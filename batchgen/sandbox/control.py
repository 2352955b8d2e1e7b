"""What only a sandbox has: a page that says what it is, its audit, and a door for tests to change it.

POST /sandbox/control takes a JSON object: any live option by its field name, and the verbs `advance` (move
time by so many seconds), `grant` (top the account up), `away` (refuse connections for so many real seconds).
"""

import json
from collections.abc import Callable

from aiohttp import web

from .service import Service
from .wire import Wire, json_answer

PAGE = b"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>batchgen sandbox</title></head><body>
<p>This is the batchgen sandbox, a local stand-in for the video service: it speaks the documented API, keeps
its own books and spends nothing. Point a client at this address with the key that it printed, and read what
it saw at <a href="/sandbox/audit">/sandbox/audit</a>.</p>
</body></html>
"""


class Control:
    """The sandbox's own paths. `changed` is called after the options were replaced."""

    def __init__(self, service: Service, changed: Callable[[], None]) -> None:
        self._service = service
        self._changed = changed

    async def handle(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """Answer `/`, `/sandbox/audit` and `/sandbox/control`."""
        match request.method, path:
            case (("GET" | "HEAD"), "/"):
                return Wire(200, PAGE, kind="text/html; charset=utf-8")
            case "GET", "/sandbox/audit":
                self._service.settle()
                audit = self._service.books.audit(self._service.options.credits)
                return json_answer(200, audit.to_json(brief=query == "brief"))
            case "POST", "/sandbox/control":
                return self._control(await request.read())
        return Wire(404, b"Not found\n", kind="text/plain")

    def _control(self, data: bytes) -> Wire:
        try:
            changes = json.loads(data)
            if not isinstance(changes, dict):
                raise ValueError("Send a JSON object.")
            self.change(**changes)
        except (ValueError, TypeError) as error:
            return json_answer(400, {"error": {"code": "bad_control", "message": str(error)}})
        return json_answer(200, {"ok": True})

    def change(self, advance: float = 0.0, grant: int = 0, away: float = 0.0, **options: object) -> None:
        """Do what a control request says; raises ValueError when it can't be done."""
        service = self._service
        if options:
            service.apply(service.options.changed(options))
            if "speed" in options:
                service.clock.set_speed(service.options.speed)
            self._changed()
        if advance:
            service.clock.advance(float(advance))
            service.books.moved(service.clock.now())
        if grant:
            service.books.grant(int(grant), service.clock.real())
        if away:
            service.away_for = float(away)
