"""Hop 3: a publish becomes messages, stored and, where they can be, held for delivery at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec import UNSET, Struct

from outrider.domain.addresses import AddressPolicy
from outrider.domain.destination import Destination, GroupName
from outrider.domain.errors import Malformed, Refusal, Undeliverable
from outrider.domain.event import created
from outrider.domain.instant import Instant
from outrider.domain.limits import Limits
from outrider.domain.message import Message, new_id
from outrider.domain.options import DeliveryOptions, OptionPatch
from outrider.engine.dispatcher import Dispatcher
from outrider.ports import Clock, MessageStore, Observer, Receipt, Stored
from outrider.wire.deduplication import deduplication_key
from outrider.wire.destination import unknown_group
from outrider.wire.options import check_first_delivery, default_options

Write = Callable[[Sequence[Message]], Awaitable[list[Receipt]]]


class PublishRequest(Struct, frozen=True, kw_only=True):
    """What a producer asks for."""

    tenant: str
    destination: Destination
    patch: OptionPatch
    body: bytes = b""
    queue: str | None = None
    caller_ip: str | None = None


class Publication(Struct, frozen=True):
    """One message, as its producer is told of it.

    Attributes:
        message_id: with `deduplicated`, the id of the message published first.
    """

    message_id: str
    url: str
    deduplicated: bool = False


class FanOut(Struct, frozen=True):
    """A publish to a URL group: one message an endpoint."""

    publications: tuple[Publication, ...]


class Publisher:
    """Accepts messages. What it returned is stored."""

    def __init__(
        self,
        *,
        store: MessageStore,
        clock: Clock,
        observer: Observer,
        dispatcher: Dispatcher,
        policy: AddressPolicy,
        limits: Limits,
    ) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._dispatcher = dispatcher
        self._policy = policy
        self._limits = limits
        self._defaults = default_options(limits)

    async def publish(self, request: PublishRequest) -> Publication | FanOut:
        """Store one message, or one for each endpoint of a group."""
        drafts = self._draft(request, self._clock.now())
        receipts = await self.commit(drafts)
        return _published(request, drafts, receipts)

    async def publish_batch(self, requests: Sequence[PublishRequest]) -> list[Publication | FanOut | Refusal]:
        """Store every request that can be sent, in one transaction; the others are answered by their refusal.

        Raises Malformed, naming the index, for one that breaks a rule; then nothing is stored.
        """
        now = self._clock.now()
        drafts = [self._draft_or_refusal(index, request, now) for index, request in enumerate(requests)]
        accepted = [message for draft in drafts if not isinstance(draft, Refusal) for message in draft]
        receipts = iter(await self.commit(accepted))
        return [
            draft if isinstance(draft, Refusal) else _published(request, draft, [next(receipts) for _ in draft])
            for request, draft in zip(requests, drafts, strict=True)
        ]

    async def commit(self, drafts: Sequence[Message], write: Write | None = None) -> list[Receipt]:
        """Hop 4: store new messages in one transaction, and hand on to the dispatcher those that it took.

        `write` is that transaction, `Store.add` if none is given.
        """
        if not drafts:
            return []
        offered = [self._dispatcher.offer(message) for message in drafts]
        receipts: list[Receipt] = []
        try:
            receipts = await (self._add if write is None else write)(offered)
        finally:
            # Whatever went wrong, no place in the window stays taken for a message that was not stored.
            for message in offered[len(receipts) :]:
                self._dispatcher.accept(message, None)
        self._hand_on(offered, receipts)
        return receipts

    async def _add(self, messages: Sequence[Message]) -> list[Receipt]:
        return await self._store.add(messages, self._clock.now())

    def _hand_on(self, offered: Sequence[Message], receipts: Sequence[Receipt]) -> None:
        """Tell of messages that were stored, and attempt those that are leased."""
        entries = []
        for message, receipt in zip(offered, receipts, strict=True):
            stored = receipt.message if isinstance(receipt, Stored) else None
            self._dispatcher.accept(message, stored)
            if stored is not None:
                entries.append(created(stored))
        self._observer.events(entries)

    def check_addresses(self, url: str, options: DeliveryOptions) -> None:
        """Raise Undeliverable for a destination or callback that the guard would never let us reach."""
        for what, target in (
            ("destination", url),
            ("callback", options.callback and options.callback.url),
            ("failure callback", options.failure_callback and options.failure_callback.url),
        ):
            refusal = self._policy.refuse_url(target) if target else None
            if refusal is not None:
                raise Undeliverable(f"{what} {refusal}")

    def _draft_or_refusal(self, index: int, request: PublishRequest, now: Instant) -> list[Message] | Refusal:
        try:
            return self._draft(request, now)
        except Malformed as refusal:
            raise Malformed(
                f"item {index} of the batch: {refusal.sentence}", code=refusal.code, hint=refusal.hint
            ) from None
        except Refusal as refusal:
            return refusal

    def _draft(self, request: PublishRequest, now: Instant) -> list[Message]:
        destination = request.destination
        if isinstance(destination, GroupName):
            raise unknown_group(destination.name)
        options = request.patch.resolve(self._defaults)
        check_first_delivery(options, self._limits, now, queued=request.queue is not None)
        self.check_addresses(destination.text, options)
        first_delivery = options.first_delivery_at(now)
        return [
            Message(
                id=new_id("msg", now),
                tenant=request.tenant,
                url=destination.text,
                options=options,
                body=request.body,
                created_at=now,
                not_before=first_delivery,
                due_at=first_delivery,
                queue=request.queue,
                caller_ip=request.caller_ip,
                deduplication=None
                if request.patch.deduplication is UNSET
                else deduplication_key(
                    request.patch.deduplication,
                    url=destination.text,
                    headers=options.headers,
                    body=request.body,
                    limits=self._limits,
                ),
            )
        ]


def publications_of(drafts: Sequence[Message], receipts: Sequence[Receipt]) -> tuple[Publication, ...]:
    """What a producer is told of the messages it published, one for one."""
    return tuple(
        Publication(draft.id, draft.url)
        if isinstance(receipt, Stored)
        else Publication(receipt.message_id, draft.url, deduplicated=True)
        for draft, receipt in zip(drafts, receipts, strict=True)
    )


def _published(request: PublishRequest, drafts: Sequence[Message], receipts: Sequence[Receipt]) -> Publication | FanOut:
    publications = publications_of(drafts, receipts)
    return FanOut(publications) if isinstance(request.destination, GroupName) else publications[0]
