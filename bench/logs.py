"""How long a query of the log, or of figures, takes among very many entries.

    .venv/bin/python -m bench.logs [--entries 100000] [--repeat 30]

On SQLite, over HTTP, one query after the other. The entries are of parked messages, one each, published in
batches under a hundred labels in turn; a few hundred messages are delivered last.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from bench.harness import Receiver, Server, run
from bench.report import Report, describe_machine
from bench.rounds import BATCH, MIB, deliver, publish_batches

LABELS = 100
DELIVERED = 500
PAGE = 1000
DEEP = 20
"""At most so many pages are before the deep one."""

NO_LIMIT = {"OUTRIDER_LIMIT_BURST_PER_SECOND": "1000000"}


def queries(server: Server, entries: int) -> dict[str, dict[str, str]]:
    """What is asked, by name, of so many entries at least."""
    oldest = json.loads(server.get("/v2/logs?order=earliestFirst&count=1"))["events"][0]
    pages = min(DEEP, entries // PAGE)
    asked = {"count": str(PAGE)}
    for _ in range(pages):
        asked["cursor"] = json.loads(server.get(f"/v2/logs?{urlencode(asked)}"))["cursor"]
    return {
        "newest page of 100": {},
        f"newest page of {PAGE:,}": {"count": str(PAGE)},
        f"page of 100 behind {pages * PAGE:,} entries": {**asked, "count": "100"},
        "one message": {"messageId": oldest["messageId"]},
        "one label in a hundred": {"label": "label-7"},
        "a label that nobody has": {"label": "nobody"},
        "state DELIVERED": {"state": "DELIVERED"},
        "state FAILED, of which there are none": {"state": "FAILED"},
        "a destination that nobody has": {"url": "http://127.0.0.1:1/none"},
        "oldest page": {"order": "earliestFirst"},
    }


FIGURES = {
    "status": "/v2/status",
    "activity of an hour": "/v2/activity",
    "activity since 1970, in 1,000 points": "/v2/activity?from=0&points=1000",
}


def measure(server: Server, report: Report, entries: int, repeat: int) -> None:
    paths = {f"log: {name}": f"/v2/logs?{urlencode(which)}" for name, which in queries(server, entries).items()}
    for name, path in (paths | {f"figures: {name}": path for name, path in FIGURES.items()}).items():
        server.get(path)
        for _ in range(repeat):
            started = time.perf_counter()
            server.get(path)
            report.add(name, "ms", 1000 * (time.perf_counter() - started))


def main() -> None:
    parser = argparse.ArgumentParser(description="queries of the log")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="where the database is made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("logs")
    with tempfile.TemporaryDirectory(dir=said.folder) as name:
        folder = Path(name)
        machine = describe_machine(folder) | {"entries": said.entries}
        with Receiver(folder) as receiver, Server(folder / "one", environ=NO_LIMIT) as server:
            entries = said.entries - said.entries % BATCH
            label = f"label-{{n%{LABELS}}}"
            publish_batches(server, f"{receiver.url}/later", entries, Upstash_Delay="1d", Upstash_Label=label)
            deliver(server, receiver, Report("delivered"), "", DELIVERED)
            measure(server, report, entries, said.repeat)
            report.add("log: server's memory, at its highest", "MiB", server.usage().peak_bytes / MIB)
    report.print()
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    run(main)
