"""The store as the administrative commands use it: directly, also while servers run on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from outrider.cli.flags import load
from outrider.clock import SystemClock
from outrider.database_url import DatabaseUrl, SqliteFile
from outrider.domain.audit import COMMAND_LINE
from outrider.domain.errors import Misconfigured
from outrider.engine.directory import Directory
from outrider.ports import Store
from outrider.sealing import SealedBox
from outrider.settings import Mode, Settings
from outrider.storage import claim, open_store, secret_key_of

T = TypeVar("T")

Dev = Annotated[bool, typer.Option("--dev", help="Act on the development server's store")]


def with_directory(
    act: Callable[[Directory], Awaitable[T]],
    *,
    data: str | None,
    database: str | None,
    config: Path | None,
    dev: bool,
    create: bool = False,
    seals: bool = False,
) -> T:
    """What `act` returns, given the tenants of the store.

    `seals` says that it makes or reads signing keys: then the secret key must be there, or is made.
    Raises Misconfigured if there is no store yet, unless `create` says to make one.
    """

    async def act_on(store: Store, settings: Settings) -> T:
        where = settings.database_of("dev" if dev else "serve")
        box = SealedBox(await secret_key_of(store, where, settings)) if seals else None
        return await act(Directory(store, SystemClock(), box, actor=COMMAND_LINE))

    return with_store(
        act_on,
        data=data,
        database=database,
        config=config,
        dev=dev,
        create=create,
    )


def with_store(
    act: Callable[[Store, Settings], Awaitable[T]],
    *,
    data: str | None,
    database: str | None,
    config: Path | None,
    dev: bool,
    create: bool = False,
) -> T:
    """What `act` returns, given the store and the settings. Raises Misconfigured as `with_directory` does."""
    settings = load({"data": data, "database": database}, config).settings
    mode: Mode = "dev" if dev else "serve"
    where = settings.database_of(mode)
    check_exists(where, mode, create=create)
    return asyncio.run(_with_open(act, where, settings, mode, create=create))


def check_exists(database: DatabaseUrl, mode: Mode, *, create: bool = False) -> None:
    """Raises Misconfigured if it is a file that is not there, and may not be made."""
    if isinstance(database, SqliteFile) and not create and not database.path.exists():
        raise Misconfigured(
            f"there is no store at '{database.path}'",
            hint=f"`outrider {mode}` makes one on its first start; --data names its folder, --database another one",
        )


async def _with_open(
    act: Callable[[Store, Settings], Awaitable[T]],
    database: DatabaseUrl,
    settings: Settings,
    mode: Mode,
    *,
    create: bool,
) -> T:
    store = await open_store(database, settings, serving=False, migrate=create)
    try:
        await claim(store, database, mode)
        return await act(store, settings)
    finally:
        await store.close()
