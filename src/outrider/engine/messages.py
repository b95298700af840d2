"""Messages on their way: look one up, have it attempted now, cancel some."""

from __future__ import annotations

from outrider.domain.errors import NotFound
from outrider.domain.event import Event, EventKind
from outrider.domain.message import Message
from outrider.domain.query import MessageFilter
from outrider.domain.settlement import cannot_go_now
from outrider.engine.dispatcher import Dispatcher
from outrider.ports import Cancellation, Clock, MessageStore, Observer

CANCEL_BATCH = 500
"""Most messages cancelled in one transaction."""


class Messages:
    """A tenant's messages."""

    def __init__(self, store: MessageStore, clock: Clock, observer: Observer, dispatcher: Dispatcher) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._dispatcher = dispatcher

    async def get(self, tenant: str, message_id: str) -> Message:
        """The message; a finished one is there for the log retention. Raises NotFound."""
        message = await self._store.get_message(tenant, message_id)
        if message is None:
            raise NotFound(f"message '{message_id}' does not exist", code="message_not_found")
        return message

    async def retry_now(self, tenant: str, message_id: str) -> None:
        """Have a message that waits for its time attempted as soon as there is room.

        Raises NotFound, and Conflict for one that does not wait for time.
        """
        now = self._clock.now()
        if not await self._store.make_due(tenant, message_id, now):
            raise cannot_go_now(await self.get(tenant, message_id))
        self._dispatcher.look()
        self._observer.events(
            [Event(tenant=tenant, message_id=message_id, kind=EventKind.RETRY, time=now, next_delivery_at=now)]
        )

    async def cancel(self, tenant: str, message_id: str) -> None:
        """Cancel one message. Raises NotFound for one that is unknown or finished."""
        canceled = await self._cancel_batch(tenant, MessageFilter(ids=(message_id,)), 1)
        if not canceled.canceled and not canceled.requested:
            message = await self._store.get_message(tenant, message_id)
            if message is not None and not message.state.finished:
                return
            raise NotFound(
                f"message '{message_id}' does not exist or is finished: there is nothing to cancel",
                code="message_not_found",
            )

    async def cancel_many(self, tenant: str, which: MessageFilter, limit: int | None) -> int:
        """Cancel unfinished messages, oldest first, in bounded transactions; how many. None is no limit."""
        total = 0
        while limit is None or total < limit:
            batch = CANCEL_BATCH if limit is None else min(CANCEL_BATCH, limit - total)
            canceled = await self._cancel_batch(tenant, which, batch)
            total += len(canceled.canceled) + len(canceled.requested)
            if not canceled.more:
                break
        return total

    async def _cancel_batch(self, tenant: str, which: MessageFilter, limit: int) -> Cancellation:
        now = self._clock.now()
        cancellation = await self._store.cancel(tenant, which, now, limit)
        self._dispatcher.withdraw(cancellation.requested)
        if cancellation.canceled:
            self._dispatcher.look()
        self._observer.events(
            [
                Event(tenant=tenant, message_id=message_id, kind=kind, time=now)
                for ids, kinds in (
                    (cancellation.canceled, (EventKind.CANCEL_REQUESTED, EventKind.CANCELED)),
                    (cancellation.requested, (EventKind.CANCEL_REQUESTED,)),
                )
                for message_id in ids
                for kind in kinds
            ]
        )
        return cancellation
