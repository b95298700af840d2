"""Queues: made, changed, paused, and deleted with what waits in them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from outrider.domain.errors import Malformed, NotFound
from outrider.domain.limits import Limits
from outrider.domain.query import MessageFilter
from outrider.domain.queue import Oldest, Queue, check_parallelism
from outrider.engine.cache import Cache
from outrider.engine.dispatcher import Dispatcher
from outrider.engine.messages import Messages
from outrider.ports import Clock, QueueStore
from outrider.wire.names import check_name, quoted

Change = Callable[[Queue | None], Queue]


class Queues:
    """A tenant's queues."""

    def __init__(
        self, store: QueueStore, clock: Clock, dispatcher: Dispatcher, messages: Messages, limits: Limits
    ) -> None:
        self._store = store
        self._clock = clock
        self._dispatcher = dispatcher
        self._messages = messages
        self._limits = limits
        self._known: Cache[tuple[str, str], Queue] = Cache()

    async def put(self, tenant: str, name: str, *, parallelism: int | None, paused: bool | None) -> Queue:
        """Make a queue, or change what is said of it. Raises Malformed, and TooMany for a new one over the limit."""
        check_name("queue", name)
        now = self._clock.now()
        said: dict[str, object] = {"updated_at": now}
        if parallelism is not None:
            said["parallelism"] = _checked_parallelism(parallelism)
        if paused is not None:
            said["paused"] = paused
        return await self._change(
            tenant,
            name,
            lambda queue: structs.replace(queue or Queue(name=name, created_at=now, updated_at=now), **said),
        )

    async def ensure(self, tenant: str, name: str) -> None:
        """Make the queue on its first use, and never change one. Raises TooMany if it is one over the limit."""
        if self._known.get((tenant, name), self._clock.now()) is not None:
            return
        check_name("queue", name)
        changes = self._known.changes
        now = self._clock.now()
        queue = await self._store.get_queue(tenant, name)
        if queue is None:
            queue = await self._change(
                tenant, name, lambda found: found or Queue(name=name, created_at=now, updated_at=now)
            )
            changes = self._known.changes
        if self._known.changes == changes:
            self._known.put((tenant, name), queue, now)

    async def get(self, tenant: str, name: str) -> Queue:
        """Raises NotFound."""
        queue = await self._store.get_queue(tenant, name)
        if queue is None:
            raise _unknown(name)
        return queue

    async def list(self, tenant: str) -> list[Queue]:
        """By name."""
        return await self._store.list_queues(tenant)

    async def oldest(self, tenant: str, name: str | None = None) -> dict[str, Oldest]:
        """The oldest message of each queue, or of the named one; of an idle one there is none."""
        return await self._store.oldest_in_queues(tenant, name)

    async def pause(self, tenant: str, name: str) -> Queue:
        """Nothing takes a slot until it is resumed. Raises NotFound: a pause of a misspelt name must not succeed."""
        return await self._set_paused(tenant, name, paused=True)

    async def resume(self, tenant: str, name: str) -> Queue:
        """What waits may take the free slots again. Raises NotFound."""
        return await self._set_paused(tenant, name, paused=False)

    async def delete(self, tenant: str, name: str) -> None:
        """Cancel the queue's unfinished messages, whose running attempts may end, and delete it. None is no error.

        Cancelling goes in bounded transactions, so what is enqueued meanwhile is cancelled too, as
        long as it finds the queue there.
        """
        try:
            await self._cancel_messages(tenant, name)
            while not await self._store.delete_queue(tenant, name):
                await self._cancel_messages(tenant, name)
        finally:
            self._known.forget((tenant, name))

    async def _cancel_messages(self, tenant: str, name: str) -> None:
        await self._messages.cancel_many(tenant, MessageFilter(queues=(name,)), limit=None)

    async def _set_paused(self, tenant: str, name: str, *, paused: bool) -> Queue:
        now = self._clock.now()

        def change(queue: Queue | None) -> Queue:
            if queue is None:
                raise _unknown(name)
            return queue if queue.paused is paused else structs.replace(queue, paused=paused, updated_at=now)

        return await self._change(tenant, name, change)

    async def _change(self, tenant: str, name: str, change: Change) -> Queue:
        try:
            return await self._store.change_queue(tenant, name, change, self._clock.now(), most=self._limits.queues)
        finally:
            self._known.forget((tenant, name))
            self._dispatcher.look()


def _checked_parallelism(n: int) -> int:
    try:
        return check_parallelism(n)
    except ValueError as error:
        raise Malformed(str(error), code="invalid_parallelism") from None


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"queue {quoted(name)} does not exist",
        code="queue_not_found",
        hint="a queue is made by POST /v2/queues or by its first message; GET /v2/queues lists those there are",
    )
