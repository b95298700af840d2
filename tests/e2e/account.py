"""A tenant with all that its applications need."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from tests.e2e.server_process import ServerProcess

from outrider.clock import SystemClock
from outrider.domain.tenant import Scope
from outrider.engine.directory import Directory
from outrider.sealing import SealedBox
from outrider.secret_key import keep_secret_key
from outrider.store.sqlite import SqliteStore


@dataclass(frozen=True)
class Account:
    """What `outrider tenant add` and `outrider token create` print."""

    name: str
    url: str
    token: str
    current: str
    next: str


def open_account(server: ServerProcess) -> Account:
    """Add a tenant to a running server's store, as the command line does."""
    return asyncio.run(_open(server, f"tenant-{secrets.token_hex(4)}"))


async def _open(server: ServerProcess, name: str) -> Account:
    store = await SqliteStore.open(server.database, exclusive=False)
    key = keep_secret_key(server.data)
    try:
        directory = Directory(store, SystemClock(), SealedBox(key))
        tenant, keys = await directory.create_tenant(name)
        _, token = await directory.create_token(tenant.name, Scope.FULL)
    finally:
        await store.close()
    return Account(name, server.url, token, keys.current, keys.next)
