"""What a store keeps about messages that are to come: queues, keys, groups, schedules, profiles, tenants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from outrider.domain.audit import AuditEntry
from outrider.domain.flow_control import KeyState
from outrider.domain.health import EndpointAttempts
from outrider.domain.instant import Instant
from outrider.domain.message import Message, MessageState
from outrider.domain.queue import Oldest, Queue
from outrider.domain.schedule import Schedule
from outrider.domain.tenant import Tenant, Token
from outrider.domain.url_group import UrlGroup
from outrider.ports.messages import Receipt


class QueueStore(Protocol):
    """Queues; their lines are messages."""

    async def change_queue(
        self, tenant: str, name: str, change: Callable[[Queue | None], Queue], now: Instant, *, most: int
    ) -> Queue:
        """Make or change a queue by a pure function; what waits takes the slots that this frees.

        Raises TooMany if it is new and the tenant has `most` of them.
        """
        ...

    async def get_queue(self, tenant: str, name: str) -> Queue | None: ...

    async def list_queues(self, tenant: str) -> list[Queue]: ...

    async def oldest_in_queues(self, tenant: str, name: str | None = None) -> dict[str, Oldest]:
        """The oldest message of each queue, or of the named one, by the queue's name; of an idle one there is none."""
        ...

    async def delete_queue(self, tenant: str, name: str) -> bool:
        """Delete a queue in whose line nothing waits; whether it is gone. Who holds a slot goes on without it."""
        ...


class FlowControlStore(Protocol):
    """Flow-control keys; each is made by the first message that names it."""

    async def change_flow_key(
        self, tenant: str, key: str, change: Callable[[KeyState], KeyState], now: Instant
    ) -> KeyState | None:
        """Change a key by a pure function, and admit what it then may; None if it is unknown."""
        ...

    async def get_flow_key(self, tenant: str, key: str) -> KeyState | None: ...

    async def list_flow_keys(self, tenant: str, search: str, limit: int) -> list[tuple[str, KeyState]]:
        """Keys that contain `search`, by name."""
        ...


class UrlGroupStore(Protocol):
    """URL groups."""

    async def change_url_group(
        self,
        tenant: str,
        name: str,
        change: Callable[[UrlGroup | None], UrlGroup | None],
        *,
        most: int,
    ) -> UrlGroup | None:
        """Make, change or (by None) delete a group by a pure function. Raises TooMany like `change_queue`."""
        ...

    async def get_url_group(self, tenant: str, name: str) -> UrlGroup | None: ...

    async def list_url_groups(self, tenant: str) -> list[UrlGroup]: ...


class HealthStore(Protocol):
    """How attempts ended, as far back as the log goes."""

    async def endpoint_attempts(self, tenant: str, group: str, url: str, limit: int) -> EndpointAttempts:
        """The latest attempts that ended of a group's messages to a URL, latest first, at most `limit`.

        Of at most `limit` messages, too: those that came last among those that were attempted. So its
        cost is bounded, whatever the group has sent and whatever of it waits.
        """
        ...


class ScheduleStore(Protocol):
    """Schedules, and the one transaction in which one fires."""

    async def put_schedule(self, schedule: Schedule, *, most: int) -> None:
        """Create, or overwrite whole the one with its id (`created_at` stays). Raises TooMany."""
        ...

    async def change_schedule(
        self, tenant: str, schedule_id: str, change: Callable[[Schedule], Schedule]
    ) -> Schedule | None:
        """Change by a pure function; None if it is unknown."""
        ...

    async def delete_schedule(self, tenant: str, schedule_id: str) -> bool: ...

    async def get_schedule(self, tenant: str, schedule_id: str) -> Schedule | None: ...

    async def list_schedules(self, tenant: str) -> list[Schedule]: ...

    async def due_schedules(self, now: Instant, limit: int) -> list[Schedule]:
        """Of all tenants, those with `next_fire_at <= now`, earliest first."""
        ...

    async def next_fire_at(self) -> Instant | None: ...

    async def fire_schedule(
        self, before: Schedule, after: Schedule, messages: Sequence[Message], now: Instant, *, per_day: int | None
    ) -> list[Receipt] | None:
        """Replace `before` by `after` and add the messages, as `add` does, all in one transaction.

        None, and nothing done, if the stored schedule is no longer `before` (fired, changed or deleted meanwhile).
        """
        ...

    async def message_states(self, tenant: str, message_ids: Sequence[str]) -> dict[str, MessageState]:
        """The states of those messages that are still there."""
        ...


class UsageStore(Protocol):
    """What tenants have used."""

    async def messages_on(self, tenant: str, day: Instant) -> int:
        """Messages the tenant published in the UTC day that begins then; callbacks do not count."""
        ...


class SealedProfile(Struct, frozen=True):
    """A destination profile as it is stored: its headers encrypted. `updated_at` is when it was put."""

    host: str
    sealed: bytes
    updated_at: Instant


class ProfileStore(Protocol):
    """Destination profiles, sealed by who stores them; the store cannot read one."""

    async def put_profile(self, tenant: str, host: str, sealed: bytes, now: Instant, *, most: int) -> None:
        """Make a host's profile, or replace it. Raises TooMany if it is new and the tenant has `most`, NotFound for
        an unknown tenant.
        """
        ...

    async def get_profile(self, tenant: str, host: str) -> SealedProfile | None: ...

    async def list_profiles(self, tenant: str) -> list[SealedProfile]:
        """By host."""
        ...

    async def delete_profile(self, tenant: str, host: str) -> bool:
        """Whether there was one."""
        ...


class SealedKeys(Struct, frozen=True):
    """A tenant's signing keys as they are stored: each encrypted, as text.

    Attributes:
        standard_webhooks: as in SigningKeys; no secret.
    """

    current: str
    next: str
    standard_webhooks: bool = False


class SignInLink(Struct, frozen=True):
    """A link that signs in to the console once, as it is stored: the hash of its code.

    Attributes:
        token: the id of the token whose session it begins.
        expires_at: None for one that is valid until its first use.
    """

    hash: str
    token: str
    expires_at: Instant | None


class TenantStore(Protocol):
    """Tenants, their tokens, and their keys, sealed by who stores them; the store cannot read one.

    With every change goes what the audit log is to say of it; nothing is said of a change that found nothing.
    """

    async def add_tenant(self, tenant: Tenant, keys: SealedKeys, audit: AuditEntry | None = None) -> None:
        """Raises Malformed if the name is taken."""
        ...

    async def remove_tenant(self, tenant_id: str, audit: AuditEntry | None = None) -> None:
        """Remove a tenant and everything it owns."""
        ...

    async def list_tenants(self) -> list[Tenant]: ...

    async def add_token(self, token: Token, audit: AuditEntry | None = None) -> None:
        """Raises Malformed if the hash is stored already."""
        ...

    async def list_tokens(self, tenant_id: str) -> list[Token]: ...

    async def revoke_token(self, tenant_id: str, token_id: str, audit: AuditEntry | None = None) -> bool:
        """Whether there was one."""
        ...

    async def find_token(self, token_hash: str) -> Token | None: ...

    async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
        """When tokens were used, by their ids; the latest time counts."""
        ...

    async def add_link(self, link: SignInLink, now: Instant) -> None:
        """Store a link; those that have expired go, and one without an end replaces the token's former one.

        Raises NotFound if its token is gone.
        """
        ...

    async def use_link(self, link_hash: str, now: Instant) -> Token | None:
        """The token that a link signs in with, this once; None if there is no such link, or none any more."""
        ...

    async def get_keys(self, tenant_id: str) -> SealedKeys | None: ...

    async def replace_keys(
        self, tenant_id: str, before: SealedKeys, after: SealedKeys, audit: AuditEntry | None = None
    ) -> bool:
        """Put both keys of `after` in the place of those of `before`; whether those were there still.

        `standard_webhooks` stays as it is stored.
        """
        ...

    async def set_standard_webhooks(self, tenant_id: str, *, on: bool, audit: AuditEntry | None = None) -> bool:
        """Change that default of the tenant's deliveries, its keys stay; whether there is such a tenant."""
        ...
