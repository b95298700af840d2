"""`outrider doctor`: whether a receiver is fit for deliveries."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer

from outrider.cli.flags import Config, load
from outrider.cli.receive import CURRENT_KEY
from outrider.cli.table import print_table
from outrider.clock import SystemClock
from outrider.domain.duration import parse_duration
from outrider.domain.errors import Misconfigured
from outrider.wire.destination import check_url


def doctor(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where deliveries are to go")],
    *,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="KEY",
            envvar=CURRENT_KEY,
            show_default=False,
            help="Signing key that the receiver knows; also sends one request that it should accept",
        ),
    ] = None,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="How long each look-up, handshake and request may take")
    ] = "10s",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: {url, healthy, checks}")] = False,
    dev: Annotated[
        bool, typer.Option("--dev", help="Judge as `outrider dev` does: http:// and this machine are allowed")
    ] = False,
    config: Config = None,
) -> None:
    """Check a receiver, and exit 1 if it is not fit for deliveries.

    The checks are: its URL, DNS, addresses, TLS certificate and latency; that it refuses a request
    without a signature and one signed with another key; and, given the key, that it accepts a rightly
    signed one. What may be called is decided by the settings, as for deliveries.

    It sends four or five POST requests, marked User-Agent: Outrider-Doctor, whose body is the empty
    JSON object {}. With a key, the last of them passes verification and reaches the application.
    Redirects are reported and not followed.
    """
    from outrider.cli.examination import Examination  # noqa: PLC0415 - the HTTP stack is slow to import

    settings = load({}, config).settings
    examination = Examination(
        check_url(url, "URL"),
        policy=settings.address_policy("dev" if dev else "serve"),
        clock=SystemClock(),
        key=key or None,
        timeout_ms=_timeout_ms(timeout),
    )
    checks = asyncio.run(examination.run())
    healthy = all(check.verdict != "fail" for check in checks)
    if as_json:
        document = {"url": url, "healthy": healthy, "checks": checks}
        typer.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
    else:
        print_table(("result", "check", "finding"), [(one.verdict, one.check, one.sentence) for one in checks])
    raise typer.Exit(0 if healthy else 1)


def _timeout_ms(text: str) -> int:
    try:
        timeout_ms = parse_duration(text)
    except ValueError as error:
        raise Misconfigured(f"--timeout {text!r} {error}") from None
    if not timeout_ms:
        raise Misconfigured("--timeout '0s' leaves no time; write 10s")
    return timeout_ms
