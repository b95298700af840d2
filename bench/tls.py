"""What TLS to the destination costs: the same messages in the clear and encrypted, both through nginx.

    .venv/bin/python -m bench.tls [--messages 10000] [--runs 3]

nginx stands before the receiver and has a self-signed certificate, which the server trusts by SSL_CERT_FILE.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.baselines.setup import find_missing
from bench.harness import Receiver, Server, run
from bench.report import Report, describe_machine
from bench.rounds import deliver

from bench import nginx


def measure(folder: Path, report: Report, messages: int, runs: int) -> None:
    certificate = nginx.make_certificate(folder)
    environ = {"SSL_CERT_FILE": str(certificate.certificate)}
    with Receiver(folder) as receiver:
        front, plain, encrypted = nginx.before(receiver.url, certificate, folder / "nginx")
        ways = {"in the clear, through nginx": f"{plain}/hook", "TLS, through nginx": f"{encrypted}/hook"}
        with front, Server(folder / "one", environ=environ) as server:
            for url in ways.values():
                deliver(server, receiver, Report("warm-up"), "", messages // 3, url=server.publish_url(url))
            for _ in range(runs):
                for name, url in ways.items():
                    deliver(server, receiver, report, name, messages, url=server.publish_url(url))


def main() -> None:
    parser = argparse.ArgumentParser(description="deliveries over TLS")
    parser.add_argument("--messages", type=int, default=10_000, help="in a run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the database is made; default: the system's temporary one")
    parser.add_argument("--json", type=Path, help="the file of results")
    said = parser.parse_args()
    report = Report("tls")
    why = find_missing(["nginx"])
    missing = {} if why is None else {"deliveries over TLS": why}
    with tempfile.TemporaryDirectory(dir=said.folder) as name:
        folder = Path(name)
        machine = describe_machine(folder) | {"missing": missing}
        if not missing:
            measure(folder, report, said.messages, said.runs)
    report.print()
    for what, reason in missing.items():
        print(f"missing: {what}: {reason}")
    print("\nwritten to", report.write(said.json, machine))


if __name__ == "__main__":
    run(main)
