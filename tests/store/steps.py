"""What tests of a store do again and again."""

from collections.abc import Iterable

from msgspec import structs
from tests.factories import NOW, TENANT, make_leased

from outrider.domain.event import Event, EventKind
from outrider.domain.message import DeadLetter, Message
from outrider.domain.query import DeadLetterQuery, LogQuery, MessageFilter
from outrider.ports import Cancellation, LogEntry, Store


async def get(store: Store, message: Message) -> Message:
    found = await store.get_message(message.tenant, message.id)
    assert found is not None
    return found


def as_logged(events: Iterable[Event]) -> list[Event]:
    """Events as the log gives them: what kind of failure it was is counted, and not kept."""
    return [structs.replace(event, failure=None) for event in events]


async def entries(store: Store, *messages: Message, tenant: str = TENANT, **query) -> list[LogEntry]:
    """The log, earliest first; of these messages, if any are named."""
    which = query.pop("filter", MessageFilter(ids=tuple(message.id for message in messages)))
    page = await store.list_log(tenant, LogQuery(filter=which, count=1000, **{"latest_first": False} | query))
    assert page.cursor is None
    return list(page.items)


async def kinds(store: Store, *messages: Message) -> list[EventKind]:
    return [entry.event.kind for entry in await entries(store, *messages)]


async def dead_letters(store: Store, tenant: str = TENANT, **query) -> list[DeadLetter]:
    page = await store.list_dead_letters(tenant, DeadLetterQuery(**query))
    assert page.cursor is None
    return list(page.items)


def on_raw(store, do):
    """What `do` returns, given SQLite's own connection, on the writer's thread."""

    async def run(connection):
        return do(connection.raw)

    return store._writer.write(run)


async def lose_leases(store, now: int = NOW) -> int:
    """No node of these tests is entered, so whoever looks ends their leases: how many."""
    return (await store.recover(now, 1000, dead_before=now)).count


async def add_leased(store: Store, **fields) -> Message:
    message = make_leased(**fields)
    await store.add([message], NOW)
    return message


async def cancel(store: Store, *, limit: int = 100, now: int = NOW, **which) -> Cancellation:
    return await store.cancel(TENANT, MessageFilter(**which), now, limit)
