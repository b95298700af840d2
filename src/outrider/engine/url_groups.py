"""URL groups: their endpoints, and the options that lie beneath every publish to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import structs

from outrider.domain.addresses import AddressPolicy
from outrider.domain.duration import format_duration
from outrider.domain.errors import Malformed, NotFound, TooMany
from outrider.domain.health import MOST_ATTEMPTS, EndpointHealth, assess, check_window
from outrider.domain.limits import Limits
from outrider.domain.options import Headers, OptionPatch
from outrider.domain.url_group import Endpoint, EndpointMatch, UrlGroup, with_endpoints, without_endpoints
from outrider.engine.addresses import check_address, check_callbacks
from outrider.engine.cache import Cache
from outrider.ports import Clock, HealthStore, UrlGroupStore
from outrider.wire.destination import check_url
from outrider.wire.names import check_name, quoted
from outrider.wire.options import default_options


class GroupStore(UrlGroupStore, HealthStore, Protocol):
    """URL groups, and how their endpoints fare."""


class UrlGroups:
    """A tenant's URL groups.

    A group exists as long as it has endpoints. What an endpoint's URL may be is checked when it
    is added, so that a publish to the group finds only what can be called.
    """

    def __init__(self, store: GroupStore, clock: Clock, policy: AddressPolicy, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._limits = limits
        self._defaults = default_options(limits)
        self._known: Cache[tuple[str, str], UrlGroup] = Cache()

    async def add_endpoints(self, tenant: str, name: str, endpoints: Sequence[Endpoint]) -> UrlGroup:
        """Add endpoints, or change those that have the name or URL; a group that is not there is made.

        Raises Malformed or Undeliverable, naming the endpoint, for a URL that cannot be called, and
        TooMany for a group or an endpoint over the limit; then nothing was added.
        """
        check_name("URL group", name)
        if not endpoints:
            raise Malformed(
                f"no endpoints are given for URL group '{name}'; give at least one",
                code="no_endpoints",
                hint='write {"endpoints": [{"url": "https://example.com"}]}',
            )
        for endpoint in endpoints:
            what = f"endpoint {quoted(endpoint.name or endpoint.url)}"
            check_address(self._policy, check_url(endpoint.url, what), what)
        now = self._clock.now()

        def add(group: UrlGroup | None) -> UrlGroup:
            before = group or UrlGroup(name=name, created_at=now, updated_at=now)
            after = with_endpoints(before, endpoints, now)
            self._check_size(before, after)
            return after

        return self._there(name, await self._change(tenant, name, add))

    async def remove_endpoints(self, tenant: str, name: str, matches: Sequence[EndpointMatch]) -> None:
        """Remove the endpoints that fit; with the last of them goes the group. Raises NotFound for an unknown group."""
        now = self._clock.now()
        await self._change(tenant, name, lambda group: without_endpoints(self._there(name, group), matches, now))

    async def set_defaults(self, tenant: str, name: str, patch: OptionPatch, headers: Headers) -> UrlGroup:
        """Replace the options beneath those of every publish; `headers` is how they were said. Raises NotFound."""
        check_callbacks(self._policy, patch.resolve(self._defaults))
        now = self._clock.now()
        changed = await self._change(
            tenant,
            name,
            lambda group: structs.replace(
                self._there(name, group), defaults=patch, default_headers=headers, updated_at=now
            ),
        )
        return self._there(name, changed)

    async def get(self, tenant: str, name: str) -> UrlGroup:
        """Raises NotFound."""
        return self._there(name, await self._store.get_url_group(tenant, name))

    async def health(self, tenant: str, group: UrlGroup, window_ms: int | None = None) -> list[EndpointHealth]:
        """How the group's endpoints fared in the window that ends now, by default a day.

        One question to the store for each endpoint, so that nobody waits behind all of them.
        Raises Malformed for a window that the log does not cover.
        """
        try:
            window_ms = check_window(window_ms, self._limits.log_retention_ms)
        except ValueError as error:
            raise Malformed(
                f"window {format_duration(window_ms or 0)!r} {error}",
                code="invalid_window",
                hint="ask for a shorter window, or raise limits.log_retention",
            ) from None
        since = self._clock.now() - window_ms
        remembered = [
            await self._store.endpoint_attempts(tenant, group.name, endpoint.url, MOST_ATTEMPTS)
            for endpoint in group.endpoints
        ]
        return assess(group.endpoints, remembered, since)

    async def list(self, tenant: str) -> list[UrlGroup]:
        """By name."""
        return await self._store.list_url_groups(tenant)

    async def delete(self, tenant: str, name: str) -> None:
        """One that is not there is no error."""
        await self._change(tenant, name, lambda _: None)

    async def find(self, tenant: str, name: str) -> UrlGroup | None:
        """The group as it was within the last second, for a publish."""
        now = self._clock.now()
        known = self._known.get((tenant, name), now)
        if known is not None:
            return known
        changes = self._known.changes
        found = await self._store.get_url_group(tenant, name)
        if found is not None and self._known.changes == changes:
            self._known.put((tenant, name), found, now)
        return found

    async def _change(
        self, tenant: str, name: str, change: Callable[[UrlGroup | None], UrlGroup | None]
    ) -> UrlGroup | None:
        try:
            return await self._store.change_url_group(tenant, name, change, most=self._limits.url_groups)
        finally:
            self._known.forget((tenant, name))

    def _check_size(self, before: UrlGroup, after: UrlGroup) -> None:
        most = self._limits.endpoints_per_group
        if len(after.endpoints) > max(most, len(before.endpoints)):
            raise TooMany(
                f"URL group '{after.name}' would have {len(after.endpoints)} endpoints, over the limit of {most}",
                code="too_many_endpoints",
                hint="spread the endpoints over several groups, or raise limits.endpoints_per_group",
            )

    @staticmethod
    def _there(name: str, group: UrlGroup | None) -> UrlGroup:
        if group is None:
            raise NotFound(
                f"URL group {quoted(name)} does not exist",
                code="url_group_not_found",
                hint="a group is made by adding its first endpoint; GET /v2/topics lists those there are",
            )
        return group
