"""Tenants' signing keys: kept sealed, each for its tenant, opened only to sign or to be shown to their owner."""

from __future__ import annotations

import binascii

from outrider.domain.errors import Unavailable
from outrider.domain.tenant import SigningKeys
from outrider.ports import SealedKeys, TenantStore
from outrider.sealing import SealBroken, SealedBox

_MARK = "sealed:"
"""Begins what is sealed; a key that an earlier schema held as it is begins with `sig_`."""

_KIND = "signing key"


class KeysUnreadable(Unavailable):
    """A tenant's stored signing keys do not open with the server's secret key."""

    default_code = "keys_unreadable"


def seal_keys(box: SealedBox, tenant: str, keys: SigningKeys) -> SealedKeys:
    """The keys as they are stored. Either can stand in the other's place, so that a rotation moves one as it is."""
    return SealedKeys(seal_key(box, tenant, keys.current), seal_key(box, tenant, keys.next), keys.standard_webhooks)


def seal_key(box: SealedBox, tenant: str, key: str) -> str:
    """One of them."""
    return _MARK + binascii.b2a_base64(box.seal(key.encode(), _KIND, tenant), newline=False).decode()


def open_keys(box: SealedBox, tenant: str, sealed: SealedKeys) -> SigningKeys:
    """The keys that were sealed for the tenant. Raises KeysUnreadable."""
    try:
        return SigningKeys(
            _opened(box, tenant, sealed.current), _opened(box, tenant, sealed.next), sealed.standard_webhooks
        )
    except SealBroken:
        raise KeysUnreadable(
            "the tenant's signing keys do not open with the server's secret key",
            hint="give the server its former key (OUTRIDER_SECRET_KEY or secret.key), or make new signing keys by "
            "POST /v2/keys/rotate and give both to the receivers",
        ) from None


async def seal_plain_keys(store: TenantStore, box: SealedBox) -> int:
    """Seal the keys that an earlier schema held as they are; of how many tenants.

    Each tenant's are replaced only if nobody did so meanwhile: several nodes may do this at once, and one that is
    interrupted is followed by the next start.
    """
    count = 0
    for tenant in await store.list_tenants():
        stored = await store.get_keys(tenant.id)
        if stored is None or _is_sealed(stored.current) or _is_sealed(stored.next):
            continue
        sealed = seal_keys(box, tenant.id, SigningKeys(stored.current, stored.next))
        count += await store.replace_keys(tenant.id, stored, sealed)
    return count


def _opened(box: SealedBox, tenant: str, sealed: str) -> str:
    if not _is_sealed(sealed):
        raise SealBroken("not sealed")
    return box.open(binascii.a2b_base64(sealed.removeprefix(_MARK)), _KIND, tenant).decode()


def _is_sealed(stored: str) -> bool:
    return stored.startswith(_MARK)
