"""Destination profiles: kept sealed, opened only to be sent."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import json

from outrider.domain.errors import NotFound, Unavailable
from outrider.domain.limits import Limits
from outrider.domain.options import Headers
from outrider.domain.profile import Profile, profile_for
from outrider.engine.cache import Cache
from outrider.ports import Clock, ProfileStore, SealedProfile
from outrider.sealing import SealBroken, SealedBox


class ProfileUnreadable(Unavailable):
    """A stored profile does not open with the server's secret key."""

    default_code = "profile_unreadable"


class Profiles:
    """A tenant's destination profiles.

    What is believed for a second is which hosts of a tenant have one, and their sealed headers: a
    tenant without any costs a delivery one look into a dictionary.
    """

    def __init__(self, store: ProfileStore, clock: Clock, box: SealedBox, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._box = box
        self._limits = limits
        self._known: Cache[str, Mapping[str, SealedProfile]] = Cache()

    async def put(self, tenant: str, host: str, headers: Headers) -> Profile:
        """Make a host's profile, or replace it. Raises TooMany for a new one over the limit."""
        now = self._clock.now()
        sealed = self._box.seal(json.encode(headers), tenant, host)
        try:
            await self._store.put_profile(tenant, host, sealed, now, most=self._limits.profiles)
        finally:
            self._known.forget(tenant)
        return Profile(host, headers, now)

    async def get(self, tenant: str, host: str) -> Profile:
        """Raises NotFound, and ProfileUnreadable."""
        stored = await self._store.get_profile(tenant, host)
        if stored is None:
            raise NotFound(
                f"there is no destination profile of '{host}'",
                code="profile_not_found",
                hint="PUT makes one; GET /v2/profiles lists those there are",
            )
        return self._opened(tenant, stored)

    async def list(self, tenant: str) -> list[Profile]:
        """By host. Raises ProfileUnreadable."""
        return [self._opened(tenant, stored) for stored in await self._store.list_profiles(tenant)]

    async def delete(self, tenant: str, host: str) -> None:
        """One that is not there is no error."""
        try:
            await self._store.delete_profile(tenant, host)
        finally:
            self._known.forget(tenant)

    async def headers_for(self, tenant: str, url: str) -> Headers:
        """What a delivery to the URL carries besides its own, as it was within the last second.

        Raises ProfileUnreadable: without its headers, nothing may be sent to the host.
        """
        profiles = self._known.get(tenant, self._clock.now())
        if profiles is None:
            profiles = await self._read(tenant)
        if not profiles:
            return ()
        host = profile_for(url, profiles)
        return () if host is None else self._opened(tenant, profiles[host]).headers

    async def _read(self, tenant: str) -> Mapping[str, SealedProfile]:
        now, changes = self._clock.now(), self._known.changes
        profiles = {stored.host: stored for stored in await self._store.list_profiles(tenant)}
        if self._known.changes == changes:
            self._known.put(tenant, profiles, now)
        return profiles

    def _opened(self, tenant: str, stored: SealedProfile) -> Profile:
        try:
            plain = self._box.open(stored.sealed, tenant, stored.host)
        except SealBroken:
            raise ProfileUnreadable(
                f"the destination profile of '{stored.host}' does not open with the server's secret key",
                hint="give the server its former key (OUTRIDER_SECRET_KEY or secret.key), or put the profile again",
            ) from None
        return Profile(stored.host, json.decode(plain, type=Headers), stored.updated_at)
