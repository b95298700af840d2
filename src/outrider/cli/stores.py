"""The store as the administrative commands use it: directly, also while a server runs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from outrider.cli.flags import load
from outrider.clock import SystemClock
from outrider.domain.errors import Misconfigured
from outrider.engine.directory import Directory
from outrider.ports import Store
from outrider.settings import Settings

T = TypeVar("T")

Dev = Annotated[bool, typer.Option("--dev", help="Act on the development server's store")]


def with_directory(
    act: Callable[[Directory], Awaitable[T]], *, data: str | None, config: Path | None, dev: bool, create: bool = False
) -> T:
    """What `act` returns, given the tenants of the store.

    Raises Misconfigured if there is no store yet, unless `create` says to make one.
    """
    return with_store(
        lambda store, _: act(Directory(store, SystemClock())), data=data, config=config, dev=dev, create=create
    )


def with_store(
    act: Callable[[Store, Settings], Awaitable[T]],
    *,
    data: str | None,
    config: Path | None,
    dev: bool,
    create: bool = False,
) -> T:
    """What `act` returns, given the store and the settings. Raises Misconfigured as `with_directory` does."""
    settings = load({"data": data}, config).settings
    database = settings.database("dev" if dev else "serve")
    if create:
        database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    elif not database.exists():
        raise Misconfigured(
            f"there is no store at '{database}'",
            hint=f"`outrider {'dev' if dev else 'serve'}` makes one on its first start; --data names its folder",
        )
    return asyncio.run(_with_open(act, database, settings))


async def _with_open(act: Callable[[Store, Settings], Awaitable[T]], database: Path, settings: Settings) -> T:
    from outrider.store.sqlite import SqliteStore  # noqa: PLC0415 - `outrider --help` needs no database

    store = await SqliteStore.open(database, exclusive=False)
    try:
        return await act(store, settings)
    finally:
        await store.close()
