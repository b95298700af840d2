"""Where the console is."""

from __future__ import annotations

from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.console.door import Door
from outrider.http.console.files import Files
from outrider.http.console.session import SESSION, SIGN_IN, SignIn
from outrider.http.console.stream import live
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.schema import text


def routes(door: Door, files: Files) -> tuple[Route, ...]:
    """The rows of a console that may be used through that door."""
    sign_in = SignIn(door)

    async def page(call: Call) -> Answer:
        door.check_host(call.request)
        return files.answer(call.param("path") if "path" in call.params else "", call.request)

    in_and_out = "/console/api/session"
    return (
        Route("GET", in_and_out, sign_in.show, Needs.OPEN, Operation("Who is signed in.", SESSION)),
        Route("POST", in_and_out, sign_in.begin, Needs.OPEN, Operation("Sign in.", SESSION, body=SIGN_IN)),
        Route("DELETE", in_and_out, sign_in.end, Needs.OPEN, Operation("Sign out.", statuses=(204,))),
        Route("GET", "/console/api/live", live, Needs.READ, _LIVE),
        Route("GET", "/console", page, Needs.OPEN, _PAGE),
        Route("GET", "/console/{path:rest}", page, Needs.OPEN, _PAGE),
    )


_LIVE = Operation(
    "Server-sent events: `pulse` each second with the counts of that second, `changed` with the topics that have.",
    text(),
    media="text/event-stream",
)
_PAGE = Operation("The console: pages and files for a browser.", text(), media="text/html")
