"""The machine's own limits: what a web server, a disk and the tools do here when nothing else is asked of them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.baselines.setup import find_missing
from bench.harness import Receiver, send, usage_of_family
from bench.report import Report

from bench import nginx

SECONDS = 2.0
PIECE = b"x" * 4096


def measure_limits(folder: Path, receiver: Receiver, report: Report) -> dict[str, str]:
    """Measure each; what could not be, and why."""
    measure_sync(folder, report)
    receiver.reset()
    sent = send([f"{receiver.url}/hook"], seconds=SECONDS)
    came = receiver.wait_for(sent.requests)
    report.add("limit: load to receiver", "requests/s", sent.rate)
    cpu_s = sent.cpu_seconds + came.cpu_seconds
    report.add("limit: load and receiver", "µs CPU a request", 1e6 * cpu_s / sent.requests)
    why = find_missing(["nginx"])
    if why is not None:
        return {"limit: nginx": why}
    server, url = nginx.answering(folder / "nginx")
    with server:
        before_s = usage_of_family(server.pid).cpu_s
        sent = send([f"{url}/hook"], seconds=SECONDS)
        cpu_s = usage_of_family(server.pid).cpu_s - before_s
    report.add("limit: nginx answering 200", "requests/s", sent.rate)
    report.add("limit: nginx", "µs CPU a request", 1e6 * cpu_s / sent.requests)
    return {}


def measure_sync(folder: Path, report: Report) -> None:
    """Append 4 KiB and sync it, again and again."""
    path = folder / "limit.probe"
    count, started = 0, time.perf_counter()
    with path.open("wb", buffering=0) as file:
        while (took := time.perf_counter() - started) < SECONDS:
            file.write(PIECE)
            os.fdatasync(file.fileno())
            count += 1
    path.unlink()
    report.add("limit: append 4 KiB and fdatasync", "a second", count / took)
