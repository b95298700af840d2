"""`outrider receive`: a destination to try deliveries on."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from outrider.development import DEVELOPMENT_USERS
from outrider.domain.duration import parse_duration
from outrider.domain.errors import Misconfigured
from outrider.domain.tenant import SigningKeys

CURRENT_KEY = "QSTASH_CURRENT_SIGNING_KEY"
NEXT_KEY = "QSTASH_NEXT_SIGNING_KEY"


def _parse_delay(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a duration; write 2s, 1m or 1h30m") from None


def receive(
    *,
    host: Annotated[str, typer.Option("--host", metavar="TEXT", help="Address to listen on")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="NUMBER", help="Port; 0 takes a free one")
    ] = 3000,
    status: Annotated[int, typer.Option("--status", min=200, max=599, metavar="NUMBER", help="Status to answer")] = 200,
    fail_first: Annotated[
        int,
        typer.Option(
            "--fail-first", min=0, metavar="NUMBER", help="Answer 500 to the first attempts of a message, this many"
        ),
    ] = 0,
    delay: Annotated[
        int, typer.Option("--delay", parser=_parse_delay, metavar="DURATION", help="Wait before answering")
    ] = "0s",  # type: ignore[assignment] # typer parses the default like what is typed
) -> None:
    """Run a destination that prints what it receives.

    Each delivery is printed with its time, message id, attempt, body, and whether its signature
    is right. Signatures are checked with QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY, by default the
    keys of the first development user.
    """
    from outrider.cli.receiver import Behaviour, Receiver  # noqa: PLC0415 - needs the standard HTTP server

    behaviour = Behaviour(keys=_keys(), status=status, fail_first=fail_first, delay_ms=delay)
    try:
        receiver = Receiver((host, port), behaviour, sys.stdout)
    except OSError as failure:
        raise Misconfigured(
            f"cannot listen on {host}:{port}: {failure.strerror}",
            hint="another process may have the port; choose one with --port",
        ) from None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with receiver:
        typer.echo(f"Receiving on {receiver.url} (Ctrl-C stops)")
        sys.stdout.flush()
        try:
            receiver.serve_forever()
        except KeyboardInterrupt:
            return


def _keys() -> SigningKeys:
    """The keys of the environment. Raises Misconfigured for one without the other."""
    current, following = os.environ.get(CURRENT_KEY), os.environ.get(NEXT_KEY)
    if not current and not following:
        return DEVELOPMENT_USERS[0].keys
    if not current or not following:
        raise Misconfigured(f"{CURRENT_KEY} and {NEXT_KEY} must both be set, or neither")
    return SigningKeys(current=current, next=following)
