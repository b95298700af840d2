"""What several benchmarks do: deliver so many messages through a server, fill it by batches, measure how long."""

from __future__ import annotations

import json

from bench.harness import Receiver, Sent, Server, Usage, machine_cpu_s, send
from bench.report import Report

BATCH = 100
"""Messages in a batch."""

MIB = 2**20


def deliver(
    server: Server,
    receiver: Receiver,
    report: Report,
    name: str,
    messages: int,
    *headers: str,
    url: str | None = None,
    within_s: float = 120.0,
) -> None:
    """Publish so many to `url`, as `publish_url` takes it, or the receiver; every one of them has to come, once.

    Its figures begin with the name.
    """
    receiver.reset()
    before, machine_s = server.usage(), machine_cpu_s()
    sent = publish_to(server, url or server.publish_url(f"{receiver.url}/hook"), *headers, count=messages)
    came = receiver.wait_for(messages, within_s)
    after = server.usage()
    others_s = machine_cpu_s() - machine_s - (after.cpu_s - before.cpu_s) - sent.cpu_seconds - came.cpu_seconds
    took_s = (came.last_us - sent.first_us) / 1e6
    report.add(name, "messages/s", messages / took_s)
    report.add(f"{name}: publish, p99", "ms", sent.latency_us.p99 / 1000)
    add_cost(report, name, before, after, messages)
    report.add(f"{name}: everything else on this machine", "CPUs", max(0.0, others_s) / took_s)


def publish_to(server: Server, url: str, *headers: str, body: str | None = None, **how: float | None) -> Sent:
    """Send to a URL of the server with its token; `how` as for `send`."""
    own = (f"Authorization: Bearer {server.token}", "Content-Type: application/json")
    return send([url], headers=(*own, *headers), body=body, **how)  # type: ignore[arg-type]


def publish_batches(server: Server, destination: str, messages: int, *, body_bytes: int = 200, **headers: str) -> Sent:
    """Publish by batches, so many messages in all, a multiple of BATCH; `headers` as in `Upstash_Delay="1h"`."""
    assert messages % BATCH == 0, f"{messages} are no whole batches of {BATCH}"
    start = '{"us":{us},"x":"'
    filling = "x" * (body_bytes - len(start) - len('"}') - len("1800000000000000") + len("{us}"))
    item = {
        "destination": destination,
        "headers": {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        "body": f'{start}{filling}"}}',
    }
    body = json.dumps([item] * BATCH)
    return publish_to(server, f"{server.url}/v2/batch", body=body, count=messages // BATCH, connections=8)


def add_cost(report: Report, name: str, before: Usage, after: Usage, messages: int) -> None:
    report.add(f"{name}: server", "µs CPU a message", 1e6 * (after.cpu_s - before.cpu_s) / messages)
