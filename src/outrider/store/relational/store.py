"""Every operation of the Store, given to the database that a subclass drives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from outrider.domain.activity import Counts, Row, Span
from outrider.domain.audit import AuditEntry
from outrider.domain.event import Event, EventKind
from outrider.domain.flow_control import KeyState
from outrider.domain.health import EndpointAttempts
from outrider.domain.hosts import EVERY_HOST, Hosts
from outrider.domain.instant import Instant
from outrider.domain.message import DeadLetter, Message, MessageState
from outrider.domain.query import Clusters, Count, DeadLetterQuery, LogQuery, MessageFilter, MessageQuery, Page
from outrider.domain.queue import Oldest, Queue
from outrider.domain.schedule import Schedule
from outrider.domain.settlement import Settlement
from outrider.domain.status import Standing, StoreKind, StoreSize
from outrider.domain.tenant import Tenant, Token
from outrider.domain.url_group import UrlGroup
from outrider.ports import (
    Cancellation,
    EndedLeases,
    LogEntry,
    MessageSummary,
    Node,
    Receipt,
    Retention,
    SealedKeys,
    SealedProfile,
    SignInLink,
    Verdict,
    Violation,
)
from outrider.store.relational import (
    activity,
    cancellations,
    dead_letters,
    flow_keys,
    health,
    inspection,
    listings,
    log,
    messages,
    nodes,
    profiles,
    queues,
    schedules,
    settlements,
    status,
    tenants,
    upkeep,
    url_groups,
    usage,
)
from outrider.store.relational import audit as audit_log
from outrider.store.relational.connection import Connection
from outrider.store.relational.transactions import Operation, Shared

A = TypeVar("A")
R = TypeVar("R")

_ADD = Shared[messages.Batch, list[Receipt]](1, messages.add)
_RECORD = Shared[Sequence[Event], None](2, log.record)
_APPLY = Shared[settlements.Batch, list[Verdict]](3, settlements.apply)


class RelationalStore:
    """A Store over a database. Its drivers say how an operation gets a transaction."""

    _kind: StoreKind
    """Which database."""

    _serves_alone = False
    """Whether no other process delivers from the database."""

    def _write(self, do: Operation[R], *, rows: int = 1) -> Awaitable[R]:
        """What `do` returns, once it is committed. It may be run more than once, each time on what is stored then.

        A Refusal must come before it has changed anything.
        """
        raise NotImplementedError

    def _write_audited(self, audit: AuditEntry | None, do: Operation[R]) -> Awaitable[R]:
        """The same, and in its transaction what the audit log says of it, unless it returns False: it found nothing."""
        if audit is None:
            return self._write(do)

        async def do_and_record(connection: Connection) -> R:
            result = await do(connection)
            if result is not False:
                await audit_log.record_change(connection, audit)
            return result

        return self._write(do_and_record)

    def _write_shared(self, kind: Shared[A, R], argument: A, *, rows: int, size: int = 0) -> Awaitable[R]:
        """This caller's part of what an operation for many callers at once returns, once it is committed."""
        raise NotImplementedError

    def _read(self, ask: Operation[R]) -> Awaitable[R]:
        """What `ask` returns; all its queries see one snapshot, of what was committed when it was called or later."""
        raise NotImplementedError

    def _check_room(self, rows: int, size: int) -> None:
        """Raises Overloaded if so many more messages, of so many bytes, may not wait to be stored."""
        raise NotImplementedError

    # Messages

    async def add(self, messages: Sequence[Message], now: Instant, *, per_day: int | None = None) -> list[Receipt]:
        size = sum(len(message.body) for message in messages)
        self._check_room(len(messages), size)
        return await self._write_shared(_ADD, (messages, now, per_day), rows=len(messages), size=size)

    async def claim_due(
        self,
        node: str,
        now: Instant,
        limit: int,
        hosts: Hosts = EVERY_HOST,
        *,
        after: tuple[str, str] | None = None,
        each: int | None = None,
    ) -> list[Message]:
        return await self._write(
            lambda connection: messages.claim_due(connection, node, now, limit, hosts, after=after, each=each)
        )

    async def next_due_at(self, hosts: Hosts = EVERY_HOST) -> Instant | None:
        return await self._read(lambda connection: messages.next_due_at(connection, hosts))

    async def apply(self, settlements: Sequence[Settlement], now: Instant) -> list[Verdict]:
        size = sum(len(message.body) for settlement in settlements for message in settlement.follow_ups)
        return await self._write_shared(_APPLY, (settlements, now), rows=len(settlements), size=size)

    async def give_back(self, node: str, message_ids: Sequence[str], now: Instant) -> EndedLeases:
        return await self._write(lambda connection: messages.give_back(connection, node, message_ids, now))

    async def get_message(self, tenant: str, message_id: str) -> Message | None:
        return await self._read(lambda connection: messages.get_message(connection, tenant, message_id))

    async def list_messages(self, tenant: str, query: MessageQuery, now: Instant) -> Page[MessageSummary]:
        after = listings.read_cursor(listings.WAITING, query.cursor)
        return await self._read(lambda connection: listings.list_messages(connection, tenant, query, after, now))

    async def count_messages(self, tenant: str, query: MessageQuery, now: Instant) -> Count:
        return await self._read(lambda connection: listings.count_messages(connection, tenant, query, now))

    async def make_due(self, tenant: str, message_id: str, now: Instant) -> bool:
        return await self._write(lambda connection: messages.make_due(connection, tenant, message_id, now))

    async def cancel(self, tenant: str, which: MessageFilter, now: Instant, limit: int) -> Cancellation:
        return await self._write(lambda connection: cancellations.cancel(connection, tenant, which, now, limit))

    # The log

    async def record(self, events: Sequence[Event]) -> None:
        await self._write_shared(_RECORD, events, rows=len(events))

    async def list_log(self, tenant: str, query: LogQuery) -> Page[LogEntry]:
        after = log.read_cursor(query.cursor)
        return await self._read(lambda connection: log.list_log(connection, tenant, query, after))

    async def count_entries(self, tenant: str, since: Instant, until: Instant) -> dict[EventKind, int]:
        return await self._read(lambda connection: log.count_entries(connection, tenant, since, until))

    async def list_logged(self, tenant: str, query: LogQuery) -> Page[MessageSummary]:
        after = listings.read_cursor(listings.LOGGED, query.cursor)
        return await self._read(lambda connection: listings.list_logged(connection, tenant, query, after))

    # Dead letters

    async def list_dead_letters(self, tenant: str, query: DeadLetterQuery) -> Page[DeadLetter]:
        after = dead_letters.read_cursor(query.cursor)
        return await self._read(lambda connection: dead_letters.list_dead_letters(connection, tenant, query, after))

    async def count_dead_letters(self, tenant: str, query: DeadLetterQuery) -> Count:
        return await self._read(lambda connection: dead_letters.count_dead_letters(connection, tenant, query))

    async def cluster_dead_letters(self, tenant: str, query: DeadLetterQuery) -> Clusters:
        return await self._read(lambda connection: dead_letters.cluster_dead_letters(connection, tenant, query))

    async def get_dead_letter(self, tenant: str, dead_letter_id: str) -> DeadLetter | None:
        return await self._read(lambda connection: dead_letters.get_dead_letter(connection, tenant, dead_letter_id))

    async def delete_dead_letters(self, tenant: str, dead_letter_ids: Sequence[str]) -> int:
        return await self._write(
            lambda connection: dead_letters.delete_dead_letters(connection, tenant, dead_letter_ids)
        )

    async def retry_dead_letters(
        self, tenant: str, retries: Sequence[tuple[str, Message]], now: Instant
    ) -> list[Receipt]:
        self._check_room(len(retries), sum(len(message.body) for _, message in retries))
        return await self._write(
            lambda connection: dead_letters.retry_dead_letters(connection, tenant, retries, now), rows=len(retries)
        )

    # Queues and flow control

    async def change_queue(
        self, tenant: str, name: str, change: Callable[[Queue | None], Queue], now: Instant, *, most: int
    ) -> Queue:
        return await self._write(
            lambda connection: queues.change_queue(connection, tenant, name, change, now, most=most)
        )

    async def get_queue(self, tenant: str, name: str) -> Queue | None:
        return await self._read(lambda connection: queues.get_queue(connection, tenant, name))

    async def list_queues(self, tenant: str) -> list[Queue]:
        return await self._read(lambda connection: queues.list_queues(connection, tenant))

    async def oldest_in_queues(self, tenant: str, name: str | None = None) -> dict[str, Oldest]:
        return await self._read(lambda connection: queues.oldest_in_queues(connection, tenant, name))

    async def delete_queue(self, tenant: str, name: str) -> bool:
        return await self._write(lambda connection: queues.delete_queue(connection, tenant, name))

    async def change_flow_key(
        self, tenant: str, key: str, change: Callable[[KeyState], KeyState], now: Instant
    ) -> KeyState | None:
        return await self._write(lambda connection: flow_keys.change_flow_key(connection, tenant, key, change, now))

    async def get_flow_key(self, tenant: str, key: str) -> KeyState | None:
        return await self._read(lambda connection: flow_keys.get_flow_key(connection, tenant, key))

    async def list_flow_keys(self, tenant: str, search: str, limit: int) -> list[tuple[str, KeyState]]:
        return await self._read(lambda connection: flow_keys.list_flow_keys(connection, tenant, search, limit))

    # URL groups

    async def change_url_group(
        self, tenant: str, name: str, change: Callable[[UrlGroup | None], UrlGroup | None], *, most: int
    ) -> UrlGroup | None:
        return await self._write(
            lambda connection: url_groups.change_url_group(connection, tenant, name, change, most=most)
        )

    async def get_url_group(self, tenant: str, name: str) -> UrlGroup | None:
        return await self._read(lambda connection: url_groups.get_url_group(connection, tenant, name))

    async def list_url_groups(self, tenant: str) -> list[UrlGroup]:
        return await self._read(lambda connection: url_groups.list_url_groups(connection, tenant))

    async def endpoint_attempts(self, tenant: str, group: str, url: str, limit: int) -> EndpointAttempts:
        return await self._read(lambda connection: health.endpoint_attempts(connection, tenant, group, url, limit))

    # Schedules

    async def put_schedule(self, schedule: Schedule, *, most: int) -> None:
        await self._write(lambda connection: schedules.put_schedule(connection, schedule, most=most))

    async def change_schedule(
        self, tenant: str, schedule_id: str, change: Callable[[Schedule], Schedule]
    ) -> Schedule | None:
        return await self._write(lambda connection: schedules.change_schedule(connection, tenant, schedule_id, change))

    async def delete_schedule(self, tenant: str, schedule_id: str) -> bool:
        return await self._write(lambda connection: schedules.delete_schedule(connection, tenant, schedule_id))

    async def get_schedule(self, tenant: str, schedule_id: str) -> Schedule | None:
        return await self._read(lambda connection: schedules.get_schedule(connection, tenant, schedule_id))

    async def list_schedules(self, tenant: str) -> list[Schedule]:
        return await self._read(lambda connection: schedules.list_schedules(connection, tenant))

    async def due_schedules(self, now: Instant, limit: int) -> list[Schedule]:
        return await self._read(lambda connection: schedules.due_schedules(connection, now, limit))

    async def next_fire_at(self) -> Instant | None:
        return await self._read(schedules.next_fire_at)

    async def fire_schedule(
        self, before: Schedule, after: Schedule, messages: Sequence[Message], now: Instant, *, per_day: int | None
    ) -> list[Receipt] | None:
        return await self._write(
            lambda connection: schedules.fire_schedule(connection, before, after, messages, now, per_day=per_day),
            rows=1 + len(messages),
        )

    async def message_states(self, tenant: str, message_ids: Sequence[str]) -> dict[str, MessageState]:
        return await self._read(lambda connection: schedules.message_states(connection, tenant, message_ids))

    # Usage

    async def messages_on(self, tenant: str, day: Instant) -> int:
        return await self._read(lambda connection: usage.messages_on(connection, tenant, day))

    # Figures

    async def add_activity(self, rows: Sequence[Row]) -> None:
        await self._write(lambda connection: activity.add_rows(connection, rows), rows=0)

    async def read_activity(self, tenant: str, span: Span) -> list[tuple[Instant, Counts]]:
        return await self._read(lambda connection: activity.read_span(connection, tenant, span))

    async def purge_activity(self, now: Instant, limit: int) -> int:
        return await self._write(lambda connection: activity.purge(connection, now, limit))

    async def standing(self, tenant: str, now: Instant, most: int) -> Standing:
        return await self._read(lambda connection: status.standing(connection, tenant, now, most))

    async def size(self) -> StoreSize:
        return StoreSize(self._kind, await self._read(status.size_bytes))

    # Destination profiles

    async def put_profile(self, tenant: str, host: str, sealed: bytes, now: Instant, *, most: int) -> None:
        await self._write(lambda connection: profiles.put_profile(connection, tenant, host, sealed, now, most=most))

    async def get_profile(self, tenant: str, host: str) -> SealedProfile | None:
        return await self._read(lambda connection: profiles.get_profile(connection, tenant, host))

    async def list_profiles(self, tenant: str) -> list[SealedProfile]:
        return await self._read(lambda connection: profiles.list_profiles(connection, tenant))

    async def delete_profile(self, tenant: str, host: str) -> bool:
        return await self._write(lambda connection: profiles.delete_profile(connection, tenant, host))

    # Tenants

    async def add_tenant(self, tenant: Tenant, keys: SealedKeys, audit: AuditEntry | None = None) -> None:
        await self._write_audited(audit, lambda connection: tenants.add_tenant(connection, tenant, keys))

    async def remove_tenant(self, tenant_id: str, audit: AuditEntry | None = None) -> None:
        await self._write_audited(audit, lambda connection: tenants.remove_tenant(connection, tenant_id))

    async def list_tenants(self) -> list[Tenant]:
        return await self._read(tenants.list_tenants)

    async def add_token(self, token: Token, audit: AuditEntry | None = None) -> None:
        await self._write_audited(audit, lambda connection: tenants.add_token(connection, token))

    async def list_tokens(self, tenant_id: str) -> list[Token]:
        return await self._read(lambda connection: tenants.list_tokens(connection, tenant_id))

    async def revoke_token(self, tenant_id: str, token_id: str, audit: AuditEntry | None = None) -> bool:
        return await self._write_audited(
            audit, lambda connection: tenants.revoke_token(connection, tenant_id, token_id)
        )

    async def find_token(self, token_hash: str) -> Token | None:
        return await self._read(lambda connection: tenants.find_token(connection, token_hash))

    async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
        await self._write(lambda connection: tenants.note_uses(connection, uses))

    async def add_link(self, link: SignInLink, now: Instant) -> None:
        await self._write(lambda connection: tenants.add_link(connection, link, now))

    async def use_link(self, link_hash: str, now: Instant) -> Token | None:
        return await self._write(lambda connection: tenants.use_link(connection, link_hash, now))

    async def get_keys(self, tenant_id: str) -> SealedKeys | None:
        return await self._read(lambda connection: tenants.get_keys(connection, tenant_id))

    async def replace_keys(
        self, tenant_id: str, before: SealedKeys, after: SealedKeys, audit: AuditEntry | None = None
    ) -> bool:
        return await self._write_audited(
            audit, lambda connection: tenants.replace_keys(connection, tenant_id, before, after)
        )

    async def set_standard_webhooks(self, tenant_id: str, *, on: bool, audit: AuditEntry | None = None) -> bool:
        return await self._write_audited(
            audit, lambda connection: tenants.set_standard_webhooks(connection, tenant_id, on=on)
        )

    # The audit log

    async def record_change(self, entry: AuditEntry) -> None:
        await self._write(lambda connection: audit_log.record_change(connection, entry))

    async def last_change(self, tenant: str, action: str) -> Instant | None:
        return await self._read(lambda connection: audit_log.last_change(connection, tenant, action))

    async def list_changes(self, tenant: str | None, *, before: int | None, limit: int) -> list[AuditEntry]:
        return await self._read(lambda connection: audit_log.list_changes(connection, tenant, before, limit))

    # Nodes

    async def join(self, node: str, now: Instant, until: Instant) -> EndedLeases:
        return await self._write(lambda connection: nodes.join(connection, node, now, until, alone=self._serves_alone))

    async def beat(self, node: str, now: Instant, until: Instant) -> bool:  # noqa: ARG002 - the port's
        return await self._write(lambda connection: nodes.beat(connection, node, until))

    async def leave(self, node: str, now: Instant) -> EndedLeases:
        return await self._write(lambda connection: nodes.leave(connection, node, now))

    async def recover(self, now: Instant, limit: int, *, dead_before: Instant) -> EndedLeases:
        return await self._write(lambda connection: nodes.recover(connection, now, limit, dead_before=dead_before))

    async def list_nodes(self) -> list[Node]:
        return await self._read(nodes.list_nodes)

    # Upkeep

    async def check(self, now: Instant) -> None:
        await self._write(lambda connection: upkeep.check(connection, now))

    async def inspect(self) -> list[Violation]:
        return await self._read(inspection.inspect)

    async def keep_fact(self, name: str, value: str) -> str:
        return await self._write(lambda connection: upkeep.keep_fact(connection, name, value))

    async def purge(self, retention: Retention, limit: int) -> int:
        return await self._write(lambda connection: upkeep.purge(connection, retention, limit))
