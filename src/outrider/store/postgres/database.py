"""The database behind the URL: what kind it is, and how connections to it are opened."""

from __future__ import annotations

import secrets
import socket
from urllib.parse import parse_qs, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from msgspec import Struct

from outrider.domain.errors import Misconfigured, OutriderError
from outrider.store.postgres import migrations
from outrider.store.postgres.failures import FAILURES, needs_operator, unavailable
from outrider.store.postgres.migrations import Mode, Raw
from outrider.store.postgres.session import Session

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 40.0
"""For a server that does not answer at all; others end by `statement_timeout` before."""

SILENCE_S = 10
"""What is sent to a server whose network takes nothing any more breaks the connection after so long.

Without it a black hole shows by COMMAND_TIMEOUT_S alone: a server that has a statement may be silent for 30 s.
"""

OLDEST_SERVER = 13

_SETTINGS = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "15s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": f"{SILENCE_S}s",
    # Tables grow from nothing within minutes: plans must not be those of an empty one.
    "enable_seqscan": "off",
    "jit": "off",
}
"""What a session sets, as far as the server knows it."""


class Traits(Struct, frozen=True):
    """What was found out about the database.

    Attributes:
        is_postgres: whether it is PostgreSQL itself.
        pooled: whether something stands between that may give each transaction another session.
        settings: the SQL that sets a session's settings.
    """

    is_postgres: bool
    pooled: bool
    settings: tuple[tuple[str, str], ...]


class Database:
    """A place to open connections to.

    Attributes:
        where: its name for people, without user and password.
        mode: known once `open` has returned.
    """

    def __init__(self, url: str) -> None:
        self.where = named(url)
        self._url = url
        self._traits = Traits(is_postgres=True, pooled=False, settings=())
        self.mode = Mode.FULL

    @property
    def pooled(self) -> bool:
        return self._traits.pooled

    async def open(self, mode: Mode | None, *, migrate: bool) -> None:
        """Find out what the database is, and bring its schema up to date.

        Raises Misconfigured, naming the remedy, for what waiting would not mend, and StoreUnavailable.
        """
        try:
            raw = await self._dial("outrider")
        except (asyncpg.ClientConfigurationError, ValueError) as failure:
            raise Misconfigured(
                f"the URL of the database '{self.where}' cannot be used: {type(failure).__name__}",
                code="database_malformed",
                hint="write postgresql://user:password@host:5432/name",
            ) from None
        except FAILURES as failure:
            raise _at_opening(failure, self.where) from failure
        try:
            self._traits = await _examine(raw, self.where)
            self.mode = await self._choose_mode(raw, mode)
            if not await migrations.is_current(raw):
                await self._migrate(raw, may=migrate)
        except FAILURES as failure:
            raise _at_opening(failure, self.where) from failure
        finally:
            await _close(raw)

    async def open_session(self) -> Session:
        """A connection that is ready for transactions. Raises StoreUnavailable."""
        lane = secrets.token_hex(8)
        raw = await self._connect(f"outrider {lane}")
        session = Session(raw, lane, pooled=self.pooled, mode=self.mode, settings=self._traits.settings)
        try:
            await session.prepare()
        except FAILURES as failure:
            raw.terminate()
            raise unavailable(failure, self.where) from failure
        except BaseException:
            raw.terminate()
            raise
        return session

    async def connect(self) -> Raw:
        """A connection for a question or two. Raises StoreUnavailable."""
        return await self._connect("outrider")

    async def _connect(self, name: str) -> Raw:
        try:
            return await self._dial(name)
        except FAILURES as failure:
            raise unavailable(failure, self.where) from failure

    async def _dial(self, name: str) -> Raw:
        connection: Raw = await asyncpg.connect(
            self._url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            statement_cache_size=0 if self.pooled or not self._traits.settings else 400,
            max_cached_statement_lifetime=0,
            server_settings={"application_name": name},
            target_session_attrs=None if "target_session_attrs=" in self._url else SessionAttribute.primary,
        )
        _bound_silence(connection)
        return connection

    async def _choose_mode(self, raw: Raw, wanted: Mode | None) -> Mode:
        there = await migrations.mode_of(raw)
        chosen = wanted or there or (Mode.FULL if self._traits.is_postgres else Mode.PORTABLE)
        if there is not None and there is not chosen:
            raise Misconfigured(
                f"database_mode is '{chosen.value}', and the store at '{self.where}' was made in mode '{there.value}'",
                code="store_of_another_mode",
                hint=f"set database_mode to auto or {there.value}, or use another database",
            )
        return chosen

    async def _migrate(self, raw: Raw, *, may: bool) -> None:
        if not may:
            raise Misconfigured(
                f"the store at '{self.where}' is of an older release",
                code="store_too_old",
                hint="run `outrider db migrate` first",
            )
        await raw.execute("SET statement_timeout = 0")
        await migrations.migrate(raw, self.mode)


def _bound_silence(raw: Raw) -> None:
    """Have the system break the connection where its other end does not even receive; asyncpg has no way to say so."""
    opened = raw._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # noqa: SLF001
    if opened is None or opened.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", max(1, SILENCE_S // 2)),
        ("TCP_KEEPINTVL", max(1, SILENCE_S // 2)),
        ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", SILENCE_S * 1000),
    ):
        if hasattr(socket, name):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def named(url: str) -> str:
    """The URL as people may see it: neither user nor password, which may stand in two places."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", []))
    return f"postgresql://{hosts}{parts.path}"


def _at_opening(failure: BaseException, where: str) -> OutriderError:
    told = unavailable(failure, where)
    if needs_operator(failure):
        return Misconfigured(told.sentence, code="database_refuses", hint=told.hint)
    return told


async def _examine(raw: Raw, where: str) -> Traits:
    async with raw.transaction():
        version, encoding, pid, commits = (
            await raw.fetch(
                "SELECT version(), current_setting('server_encoding', true), pg_backend_pid(),"
                " current_setting('synchronous_commit', true)"
            )
        )[0]
    is_postgres = version.startswith("PostgreSQL ") and "-YB-" not in version and not await _has_citus(raw)
    if is_postgres and raw.get_server_version().major < OLDEST_SERVER:
        raise Misconfigured(
            f"the store at '{where}' is PostgreSQL {raw.get_server_version().major}, "
            f"and {OLDEST_SERVER} is the oldest that is supported",
            code="database_too_old",
            hint="upgrade the server",
        )
    if encoding is not None and encoding.upper().replace("-", "") != "UTF8":
        raise Misconfigured(
            f"the store at '{where}' has the encoding {encoding}, and needs UTF8",
            code="database_encoding",
            hint="create the database with ENCODING 'UTF8' TEMPLATE template0",
        )
    wanted = dict(_SETTINGS)
    if commits == "off":
        wanted["synchronous_commit"] = "on"
    # A pooler makes up the process id that it tells its clients.
    pooled = pid != raw.get_server_pid()
    return Traits(is_postgres, pooled, await _known(raw, wanted))


async def _has_citus(raw: Raw) -> bool:
    async with raw.transaction():
        return bool(await raw.fetchval("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"))


async def _known(raw: Raw, settings: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Those that this server takes."""
    known: list[tuple[str, str]] = []
    for name, value in settings.items():
        try:
            await raw.execute(f"BEGIN; SET LOCAL {name} = '{value}'; COMMIT")
        except asyncpg.PostgresError:
            await raw.execute("ROLLBACK")
        else:
            known.append((name, value))
    return tuple(known)


async def _close(raw: Raw) -> None:
    try:
        await raw.close(timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        raw.terminate()
