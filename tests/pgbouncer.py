"""PgBouncer in front of a test's PostgreSQL server, in transaction mode: no session outlives a transaction.

Its program is what OUTRIDER_TEST_PGBOUNCER names, else that of the machine; `python -m tests.pgbouncer` says which.
Unlike PostgreSQL it comes in no package that .venv could hold: `make setup` installs the system's where it may, and
elsewhere its tests fail until somebody has.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.free_port import free_port
from tests.postgres_server import SUPERUSER, PostgresServer, server_account

START_S = 10.0
POLL_S = 0.005

MODE = {"pool_mode": "transaction", "max_client_conn": "500", "default_pool_size": "20"}

# Beside it, something waits for the end of the pipe that the test process holds, however that process ends.
RUN = 'exec 3<&0; (read -r ended <&3; kill -KILL "$$" 2>/dev/null) & exec "$@" 3<&- </dev/null'


class MissingPgBouncerError(Exception):
    """There is no PgBouncer to test with; the message names the remedy."""


class PgBouncer:
    """A pooler of its own; it ends with this process at the latest.

    Attributes:
        port: of 127.0.0.1; the same for all its life.
    """

    def __init__(self, server: PostgresServer, settings: Mapping[str, str] | None = None) -> None:
        self._server = server
        self._program = find_pgbouncer()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self._folder = server.folder / f"pgbouncer-{self.port}"
        self._folder.mkdir()
        self._configure({**MODE, **(settings or {})})
        self.start()

    def url(self, database: str = "postgres") -> str:
        """Of a database of the server, by way of the pooler; `pgbouncer` is its own console."""
        return self._server.url(database, port=self.port)

    @property
    def log(self) -> str:
        """What it has said."""
        return (self._folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Return when it takes connections."""
        assert self._process is None, "the pooler runs already"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", RUN, "run", self._program, self._folder / "pgbouncer.ini"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._server.folder,
                start_new_session=True,
                **server_account(),
            )
        deadline = time.monotonic() + START_S
        while not self._takes_connections():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"PgBouncer does not start:\n{self.log}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Kill it: it has nothing to lose but its connections, to either side."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _configure(self, settings: Mapping[str, str]) -> None:
        at = {"listen_addr": "127.0.0.1", "listen_port": str(self.port), "unix_socket_dir": ""}
        users = {"auth_type": "trust", "auth_file": str(self._folder / "users"), "admin_users": SUPERUSER}
        lines = [f"{name} = {value}" for name, value in {**settings, **at, **users}.items()]
        databases = f"* = host=127.0.0.1 port={self._server.port}"
        config = "\n".join(["[databases]", databases, "[pgbouncer]", *lines, ""])
        (self._folder / "pgbouncer.ini").write_text(config)
        (self._folder / "users").write_text(f'"{SUPERUSER}" ""\n')
        account = server_account()
        if account:  # it reads them, and the server's watch removes them
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, account["user"], account["group"])

    def _takes_connections(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


def find_pgbouncer() -> Path:
    """The program to test with. Raises MissingPgBouncerError."""
    named = os.environ.get("OUTRIDER_TEST_PGBOUNCER")
    found = shutil.which(named or "pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        raise MissingPgBouncerError(
            f"there is no program '{named or 'pgbouncer'}' to test with; install PgBouncer with the machine's package "
            "manager (the package `pgbouncer`), or set OUTRIDER_TEST_PGBOUNCER to the path of the program"
        )
    return Path(found)


if __name__ == "__main__":
    try:
        print(find_pgbouncer())  # noqa: T201 - what it is asked for
    except MissingPgBouncerError as missing:
        sys.exit(str(missing))
