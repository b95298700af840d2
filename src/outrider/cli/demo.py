"""`outrider demo`: a server that has something to do."""

from __future__ import annotations

import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import msgspec
import typer

from outrider.development import DEVELOPMENT_USERS
from outrider.domain.instant import MINUTE_MS, SECOND_MS

if TYPE_CHECKING:
    from outrider.cli.demonstration.client import Client


def demo(
    *,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Of the server")] = "http://127.0.0.1:8080",
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="TEXT",
            help="With full access [default: the first development user's]",
            show_default=False,
        ),
    ] = DEVELOPMENT_USERS[0].token,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0, metavar="NUMBER", help="How long [default: until Ctrl-C]", show_default=False),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0.1, max=100, metavar="NUMBER", help="Messages a second, on average")
    ] = 5.0,
    seed: Annotated[int, typer.Option("--seed", metavar="NUMBER", help="Of the mix: the same seed, the same mix")] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave schedules, the URL group, the queue and what is in flight")
    ] = False,
) -> None:
    """Publish a living mix of messages to a running server.

    An online shop's: most are delivered, some slowly, some after retries, some never. There are schedules, a URL
    group, a queue, a flow-control key, callbacks and labels. Destinations are on a free port of this machine, so the
    server must deliver to http:// and to loopback, as `outrider dev` does.
    """
    from outrider.cli.demonstration.client import Client  # noqa: PLC0415 - needs the standard HTTP client and server
    from outrider.cli.demonstration.receiver import receiving  # noqa: PLC0415 - as above

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Client(url, token) as client, receiving() as receiver, _nobody_listening() as nowhere:
        published: Counter[str] = Counter()
        try:
            _set_up(client, receiver)
            typer.echo(f"Publishing {rate:g} messages a second to {url}, delivered to {receiver} (Ctrl-C stops)")
            _publish(client, _Pace(rate, seed, minutes), (seed, receiver, nowhere), published)
        except KeyboardInterrupt:
            typer.echo("stopping")
        finally:
            if not keep:
                _clean_up(client)
        typer.echo(f"published {sum(published.values())}: " + ", ".join(f"{n} {kind}" for kind, n in published.items()))


class _Pace:
    """When the next message is due: at random, on average so many a second."""

    def __init__(self, rate: float, seed: int, minutes: float | None) -> None:
        self._rate = rate
        self._rng = Random(seed)  # noqa: S311 - a pace, not a secret
        self._next_at = time.monotonic()
        self._ends_at = None if minutes is None else self._next_at + minutes * MINUTE_MS / SECOND_MS

    def wait(self) -> bool:
        """Return when it is due; False if the time is over before."""
        self._next_at += self._rng.expovariate(self._rate)
        if self._ends_at is not None and self._next_at > self._ends_at:
            time.sleep(max(0.0, self._ends_at - time.monotonic()))
            return False
        time.sleep(max(0.0, self._next_at - time.monotonic()))
        return True


def _publish(client: Client, pace: _Pace, mix: tuple[int, str, str], published: Counter[str]) -> None:
    """Until the time is over; what the server refuses is told, and the others go on."""
    from outrider.cli.demonstration.mix import sendings  # noqa: PLC0415 - as above

    for sending in sendings(*mix):
        if not pace.wait():
            return
        status, answer = client.call("POST", sending.path, headers=sending.headers, body=sending.body)
        if status < 300:
            published[sending.kind] += 1
        else:
            typer.echo(f"{sending.kind} refused with {status}: {answer['error']}", err=True)


def _set_up(client: Client, receiver: str) -> None:
    from outrider.cli.demonstration import mix  # noqa: PLC0415 - as above

    as_json = {"Content-Type": "application/json"}
    for schedule_id, (cron, path) in mix.SCHEDULES.items():
        said = {"Upstash-Cron": cron, "Upstash-Schedule-Id": schedule_id, "Upstash-Label": mix.LABEL}
        client.demand("POST", f"/v2/schedules/{receiver}{path}", headers=said, body=b'{"source": "schedule"}')
    endpoints = [{"name": path.rpartition("/")[2], "url": f"{receiver}{path}"} for path in mix.GROUP_PATHS]
    client.call("DELETE", f"/v2/topics/{mix.GROUP}")
    body = msgspec.json.encode({"endpoints": endpoints})
    client.demand("POST", f"/v2/topics/{mix.GROUP}/endpoints", headers=as_json, body=body)
    queue = msgspec.json.encode({"queueName": mix.QUEUE, "parallelism": 2})
    client.demand("POST", "/v2/queues", headers=as_json, body=queue)


def _clean_up(client: Client) -> None:
    """Delete what was set up, and cancel what is still to be delivered: nobody will listen any more."""
    from outrider.cli.demonstration import mix  # noqa: PLC0415 - as above

    for schedule_id in mix.SCHEDULES:
        client.call("DELETE", f"/v2/schedules/{schedule_id}")
    client.call("DELETE", f"/v2/topics/{mix.GROUP}")
    while (client.call("DELETE", f"/v2/messages?label={quote(mix.LABEL)}&count=500")[1] or {}).get("cancelled"):
        pass
    client.call("DELETE", f"/v2/queues/{mix.QUEUE}")


@contextmanager
def _nobody_listening() -> Iterator[str]:
    """A URL of this machine that refuses connections: its port is taken, and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
