"""Hop 3: a publish becomes messages, stored and, where they can be, held for delivery at once.

A publish to a URL group becomes one message an endpoint, all stored in one transaction, each with
its own retries and its own deduplication. The group's defaults lie beneath what the publish says.
A group's endpoints were checked when they were added; if one may not be called any more (the
operator allows less), the publish is refused whole, by an error that names the endpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from msgspec import UNSET, Struct, structs

from outrider.domain.addresses import AddressPolicy
from outrider.domain.destination import Destination, GroupName
from outrider.domain.errors import Malformed, Refusal
from outrider.domain.event import created
from outrider.domain.instant import Instant
from outrider.domain.limits import Limits
from outrider.domain.message import Message, MessageState, new_id
from outrider.domain.options import DeliveryOptions, OptionPatch
from outrider.engine.addresses import check_address, check_callbacks
from outrider.engine.dispatcher import Dispatcher
from outrider.engine.queues import Queues
from outrider.engine.url_groups import UrlGroups
from outrider.ports import Clock, MessageStore, Observer, Receipt, Stored
from outrider.wire.deduplication import deduplication_key
from outrider.wire.destination import unknown_group
from outrider.wire.names import quoted
from outrider.wire.options import check_first_delivery, default_options

Write = Callable[[Sequence[Message]], Awaitable[list[Receipt] | None]]


class PublishRequest(Struct, frozen=True, kw_only=True):
    """What a producer asks for.

    Attributes:
        queue: where the messages stand in line; it is made on its first use.
        schedule_id: the schedule on whose behalf it is published.
    """

    tenant: str
    destination: Destination
    patch: OptionPatch
    body: bytes = b""
    queue: str | None = None
    schedule_id: str | None = None
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
        groups: UrlGroups,
        queues: Queues,
        policy: AddressPolicy,
        limits: Limits,
    ) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._dispatcher = dispatcher
        self._groups = groups
        self._queues = queues
        self._policy = policy
        self._limits = limits
        self._defaults = default_options(limits)

    async def publish(self, request: PublishRequest) -> Publication | FanOut:
        """Store one message, or one for each endpoint of a group."""
        drafts = await self.draft(request)
        receipts = await self.commit(drafts)
        return published(request, drafts, receipts)

    async def publish_batch(self, requests: Sequence[PublishRequest]) -> list[Publication | FanOut | Refusal]:
        """Store every request that can be sent, in one transaction; the others are answered by their refusal.

        Raises Malformed, naming the index, for one that breaks a rule, and LimitReached if they do
        not fit the day whole; then nothing is stored.
        """
        now = self._clock.now()
        drafts = [await self._draft_or_refusal(index, request, now) for index, request in enumerate(requests)]
        # Only once no item is malformed are queues made: a batch that is refused whole leaves nothing.
        drafts = [await self._queued_or_refusal(*each) for each in zip(requests, drafts, strict=True)]
        accepted = [message for draft in drafts if not isinstance(draft, Refusal) for message in draft]
        receipts = iter(await self.commit(accepted))
        return [
            draft if isinstance(draft, Refusal) else published(request, draft, [next(receipts) for _ in draft])
            for request, draft in zip(requests, drafts, strict=True)
        ]

    async def draft(self, request: PublishRequest) -> list[Message]:
        """The messages that the request comes to, not stored yet; the queue they need is there.

        Raises every refusal that the request deserves, except that of a used-up day.
        """
        drafts = await self._draft(request, self._clock.now())
        if request.queue is not None:
            await self._queues.ensure(request.tenant, request.queue)
        return drafts

    async def rehearse(self, request: PublishRequest) -> list[Message]:
        """The same, and nothing is made for them: neither is the queue there, nor is its limit asked for."""
        return await self._draft(request, self._clock.now())

    async def republish(self, message: Message, overrides: OptionPatch) -> Publication:
        """Publish a message once more, with its body and options as they are stored, but for `overrides`."""
        draft = self.once_more(message, overrides)
        if draft.queue is not None:
            await self._queues.ensure(draft.tenant, draft.queue)
        (publication,) = publications_of([draft], await self.commit([draft]))
        return publication

    def once_more(self, message: Message, overrides: OptionPatch) -> Message:
        """A new message like that one, with all its retries, not stored yet. Raises Undeliverable."""
        now = self._clock.now()
        # The delay was served before the first attempt; only an override brings another.
        options = overrides.resolve(structs.replace(message.options, delay_ms=0, not_before=None))
        self.check_addresses(message.url, options)
        first_delivery = options.first_delivery_at(now)
        return structs.replace(
            message,
            id=new_id("msg", now),
            options=options,
            created_at=now,
            not_before=first_delivery,
            due_at=first_delivery,
            state=MessageState.DUE,
            retried=0,
            lease=None,
            deduplication=None,
            cancel_requested=False,
            finished_at=None,
        )

    async def commit(self, drafts: Sequence[Message], write: Write | None = None) -> list[Receipt]:
        """Hop 4: store new messages in one transaction, and hand on to the dispatcher those that it took.

        `write` is that transaction, `Store.add` if none is given; where it returns None, it stored none.
        """
        if not drafts and write is None:
            return []
        offered = [self._dispatcher.offer(message) for message in drafts]
        try:
            receipts = await (self._add if write is None else write)(offered) or []
        except asyncio.CancelledError:
            # Who waited for the commit is gone; it may come all the same.
            for message in offered:
                self._dispatcher.abandon(message)
            raise
        except BaseException:
            self._give_up(offered)
            raise
        self._hand_on(offered[: len(receipts)], receipts)
        self._give_up(offered[len(receipts) :])
        return receipts

    def _give_up(self, offered: Sequence[Message]) -> None:
        """No place in the window stays taken for a message that was not stored."""
        for message in offered:
            self._dispatcher.accept(message, None)

    async def _add(self, messages: Sequence[Message]) -> list[Receipt]:
        return await self._store.add(messages, self._clock.now(), per_day=self._limits.messages_per_day)

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
        check_address(self._policy, url, "destination")
        check_callbacks(self._policy, options)

    async def _draft_or_refusal(self, index: int, request: PublishRequest, now: Instant) -> list[Message] | Refusal:
        try:
            return await self._draft(request, now)
        except Malformed as refusal:
            raise Malformed(
                f"item {index} of the batch: {refusal.sentence}", code=refusal.code, hint=refusal.hint
            ) from None
        except Refusal as refusal:
            return refusal

    async def _queued_or_refusal(
        self, request: PublishRequest, draft: list[Message] | Refusal
    ) -> list[Message] | Refusal:
        if request.queue is None or isinstance(draft, Refusal):
            return draft
        try:
            await self._queues.ensure(request.tenant, request.queue)
        except Refusal as refusal:
            return refusal
        return draft

    async def _draft(self, request: PublishRequest, now: Instant) -> list[Message]:
        destination = request.destination
        if isinstance(destination, GroupName):
            return await self._fan_out(request, destination.name, now)
        options = self._resolve(request, request.patch, now)
        self.check_addresses(destination.text, options)
        return [self._message(request, request.patch, options, now, url=destination.text)]

    async def _fan_out(self, request: PublishRequest, name: str, now: Instant) -> list[Message]:
        group = await self._groups.find(request.tenant, name)
        if group is None:
            raise unknown_group(name)
        patch = request.patch.over(group.defaults)
        options = self._resolve(request, patch, now)
        check_callbacks(self._policy, options)
        for endpoint in group.endpoints:
            check_address(self._policy, endpoint.url, f"endpoint {quoted(endpoint.name or endpoint.url)} of {name}")
        return [
            self._message(request, patch, options, now, url=endpoint.url, group=name, endpoint=endpoint.name)
            for endpoint in group.endpoints
        ]

    def _resolve(self, request: PublishRequest, patch: OptionPatch, now: Instant) -> DeliveryOptions:
        options = patch.resolve(self._defaults)
        check_first_delivery(options, self._limits, now, queued=request.queue is not None)
        return options

    def _message(
        self,
        request: PublishRequest,
        patch: OptionPatch,
        options: DeliveryOptions,
        now: Instant,
        *,
        url: str,
        group: str | None = None,
        endpoint: str | None = None,
    ) -> Message:
        first_delivery = options.first_delivery_at(now)
        return Message(
            id=new_id("msg", now),
            tenant=request.tenant,
            url=url,
            options=options,
            body=request.body,
            created_at=now,
            not_before=first_delivery,
            due_at=first_delivery,
            queue=request.queue,
            group=group,
            endpoint=endpoint,
            schedule_id=request.schedule_id,
            caller_ip=request.caller_ip,
            deduplication=None
            if patch.deduplication is UNSET
            else deduplication_key(
                patch.deduplication,
                url=url,
                headers=options.headers,
                body=request.body,
                limits=self._limits,
                # An endpoint is parted from its neighbours by its URL: not every one has a name.
                endpoint=None if group is None else url,
            ),
        )


def publications_of(drafts: Sequence[Message], receipts: Sequence[Receipt]) -> tuple[Publication, ...]:
    """What a producer is told of the messages it published, one for one."""
    return tuple(
        Publication(draft.id, draft.url)
        if isinstance(receipt, Stored)
        else Publication(receipt.message_id, draft.url, deduplicated=True)
        for draft, receipt in zip(drafts, receipts, strict=True)
    )


def published(request: PublishRequest, drafts: Sequence[Message], receipts: Sequence[Receipt]) -> Publication | FanOut:
    """The answer to a request whose drafts got these receipts."""
    publications = publications_of(drafts, receipts)
    return FanOut(publications) if isinstance(request.destination, GroupName) else publications[0]
