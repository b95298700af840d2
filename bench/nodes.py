"""The end-to-end figure with several nodes on one PostgreSQL, and with one on SQLite in the same run.

    .venv/bin/python -m bench.nodes [--nodes 1 2 4] [--messages 30000] [--runs 3] [--database URL]

Nodes are processes of `outrider serve`, each on a port of its own; the load is spread over all, 64
connections a node. The database is durable (fsync, synchronous_commit and full_page_writes on), fresh for
each run, and of a server on this machine: one that is started for the benchmark, or `--database`, whose
user may make databases. Its share is that of its processes in the CPU time that they and the nodes used.
Runs take turns, so that what else the machine does meets all alike. Where there are fewer CPUs than nodes,
database and tools can use, more nodes cannot be faster: read the CPU time a message.

An idle node is one with nothing to do; its statements are counted where the server has
pg_stat_statements, its transactions everywhere.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.database import Postgres, durable_server
from bench.harness import Receiver, Server, machine_cpu_s, publish, run
from bench.report import Report, describe_machine, print_table
from msgspec import Struct

CONNECTIONS = 64
"""Of the load, to each node."""

IDLE_S = 30.0
SETTLING_S = 12.0
"""After which a server's statistics tell of what was before."""

SQLITE = "1 node, SQLite"


@contextlib.contextmanager
def nodes_on(url: str, count: int, folder: Path) -> Iterator[list[Server]]:
    """So many nodes on a database, all with one secret key and one token."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    environ = {"OUTRIDER_DATABASE": url, "OUTRIDER_SECRET_KEY": key}
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(Server(folder / "node_1", environ=environ))
        others = [Server(folder / f"node_{n}", environ=environ, token=first.token) for n in range(2, count + 1)]
        yield [first, *(stack.enter_context(other) for other in others)]


class Round(Struct, frozen=True):
    """Nodes, and what is measured of them.

    Attributes:
        name: of the figures.
        postgres: where they keep their messages; None: on SQLite, which is part of them.
    """

    name: str
    nodes: list[Server]
    receiver: Receiver
    postgres: Postgres | None = None

    def run(self, report: Report, messages: int) -> None:
        """Publish and deliver so many."""
        self.receiver.reset()
        written = self.postgres.written() if self.postgres else None
        before = self._cpu_s()
        connections = CONNECTIONS * len(self.nodes)
        sent = publish(self.nodes, f"{self.receiver.url}/hook", count=messages, connections=connections)
        came = self.receiver.wait_for(messages)
        nodes_s, database_s, machine_s = (after - its for after, its in zip(self._cpu_s(), before, strict=True))
        took_s = (came.last_us - sent.first_us) / 1e6
        others_s = machine_s - nodes_s - database_s - sent.cpu_seconds - came.cpu_seconds
        report.add(f"{self.name}: end to end", "messages/s", messages / took_s)
        report.add(f"{self.name}: publish, p50", "ms", sent.latency_us.p50 / 1000)
        report.add(f"{self.name}: publish, p99", "ms", sent.latency_us.p99 / 1000)
        report.add(f"{self.name}: nodes", "µs CPU a message", 1e6 * nodes_s / messages)
        if self.postgres and written:
            report.add(f"{self.name}: database", "µs CPU a message", 1e6 * database_s / messages)
            report.add(f"{self.name}: database's share of CPU", "%", 100 * database_s / (database_s + nodes_s))
            now = self.postgres.written()
            transactions = now.transactions - written.transactions
            report.add(f"{self.name}: messages", "a transaction", messages / transactions)
            log_bytes = now.log_bytes - written.log_bytes
            report.add(f"{self.name}: write-ahead log", "bytes a message", log_bytes / messages)
        report.add(f"{self.name}: everything else on this machine", "CPUs", max(0.0, others_s) / took_s)

    def run_warm(self, report: Report, messages: int) -> None:
        """Run once without counting, and once."""
        self.run(Report("warm-up"), messages // 3)
        self.run(report, messages)

    def _cpu_s(self) -> tuple[float, float, float]:
        """CPU time of the nodes, of the database, of the whole machine."""
        database_s = self.postgres.usage().cpu_s if self.postgres else 0.0
        return sum(node.usage().cpu_s for node in self.nodes), database_s, machine_cpu_s()


def measure_idle(postgres: Postgres, folder: Path, report: Report, seconds: float) -> None:
    """What a node that has nothing to do asks of the database."""
    name = "outrider_bench_idle"
    with postgres.database(name) as url, nodes_on(url, 1, folder):
        time.sleep(SETTLING_S)
        began, cpu_s = time.monotonic(), postgres.usage().cpu_s
        transactions, statements = postgres.transactions(name), postgres.statements(name)
        time.sleep(seconds)
        took, cpu_s = time.monotonic() - began, postgres.usage().cpu_s - cpu_s
        report.add("idle node: transactions", "a second", (postgres.transactions(name) - transactions) / took)
        if statements is not None:
            report.add("idle node: statements", "a second", ((postgres.statements(name) or 0) - statements) / took)
        report.add("idle node: database", "ms CPU a second", 1000 * cpu_s / took)


def print_ratios(report: Report, counts: Sequence[int]) -> None:
    """How many times the figure of the first number of nodes, and that of SQLite, the others have."""
    names = [SQLITE, *(title(count) for count in counts)]
    speeds = [report.median(f"{name}: end to end") for name in names]
    rows = [
        (name, f"{speed / speeds[0]:.2f}", f"{speed / speeds[1]:.2f}")
        for name, speed in zip(names, speeds, strict=True)
    ]
    print()
    print_table(("end to end, times that of", SQLITE, names[1]), rows, right=(1, 2))


def title(count: int) -> str:
    return f"{count} node{'s' * (count > 1)}, PostgreSQL"


def main() -> None:
    parser = argparse.ArgumentParser(description="several nodes on one PostgreSQL")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--messages", type=int, default=30_000, help="in a run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--idle-seconds", type=float, default=IDLE_S)
    parser.add_argument("--database", help="URL of a PostgreSQL server on this machine; default: one is started")
    parser.add_argument("--folder", type=Path, help="where databases are made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("nodes")
    with (
        tempfile.TemporaryDirectory(dir=said.folder) as name,
        Receiver(Path(name)) as receiver,
        durable_server(said.database) as postgres,
    ):
        folder = Path(name)
        machine = describe_machine(folder) | {"postgresql": postgres.describe()}
        for number in range(said.runs):
            with Server(folder / f"sqlite_{number}") as server:
                Round(SQLITE, [server], receiver).run_warm(report, said.messages)
            for count in said.nodes:
                within = folder / f"postgresql_{number}_{count}"
                with postgres.database("outrider_bench") as url, nodes_on(url, count, within) as nodes:
                    Round(title(count), nodes, receiver, postgres).run_warm(report, said.messages)
        with durable_server(said.database, counts_statements=True) as counting:
            measure_idle(counting, folder / "idle", report, said.idle_seconds)
    report.print()
    print_ratios(report, said.nodes)
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    run(main)
