"""A process for `kill -9`: stores messages and prints each id once its commit is acknowledged."""

import asyncio
import sys
from pathlib import Path

from tests.factories import NOW, TENANT, make_leased, make_settlement, make_tenant

from outrider.domain.message import Message
from outrider.ports import SealedKeys
from outrider.store.sqlite import SqliteStore


def acknowledge(what: str, message: Message) -> None:
    sys.stdout.write(f"{what} {message.id}\n")
    sys.stdout.flush()


async def main(database: Path) -> None:
    store = await SqliteStore.open(database)
    await store.add_tenant(make_tenant(id=TENANT), SealedKeys("a", "b"))

    async def publish() -> None:
        while True:
            message = make_leased(body=b"x" * 1500)
            await store.add([message], NOW)
            acknowledge("added", message)
            await store.apply([make_settlement(message)], NOW)
            acknowledge("delivered", message)

    await asyncio.gather(*(publish() for _ in range(20)))


asyncio.run(main(Path(sys.argv[1])))
