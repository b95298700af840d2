"""The first tenant or the development users, and what is printed of them."""

from __future__ import annotations

import sys

from outrider.development import DEVELOPMENT_USERS
from outrider.domain.errors import Malformed
from outrider.domain.tenant import Scope, SigningKeys
from outrider.engine.directory import Directory
from outrider.engine.sign_in_links import VALID_MS, SignInLinks, link_to

FIRST_TENANT = "default"


async def seed_development_users(directory: Directory) -> None:
    """Make the public users, and give them their public keys again if those were rotated."""
    tenants = {tenant.name: tenant for tenant in await directory.list_tenants()}
    for user in DEVELOPMENT_USERS:
        tenant = tenants.get(user.name)
        if tenant is None:
            tenant, _ = await directory.create_tenant(user.name)
        await directory.set_keys(tenant.id, user.keys.current, user.keys.next)
        if await directory.principal(user.token) is None:
            await directory.add_token(tenant, user.token, Scope.FULL, "public development token")


async def announce_development(directory: Directory, url: str, links: SignInLinks | None) -> None:
    """Print what applications need, and with `links` one that signs in to the console until it was used."""
    user = DEVELOPMENT_USERS[0]
    print("Outrider development server. Copy these into your application's environment:\n")
    _print_environment(url, user.token, user.keys)
    print("\nA JavaScript application needs only QSTASH_DEV=true. Stop with Ctrl-C.", flush=True)
    principal = await directory.principal(user.token)
    if links is not None and principal is not None:
        link = link_to(url, await links.create_for(principal.actor.id, None))
        print(f"\nConsole: {link}", flush=True)


async def announce_first_tenant(directory: Directory, url: str, links: SignInLinks | None) -> None:
    """On the first start, make a tenant and print, this once, what its applications need.

    With `links`, one that signs in to the console, too.
    """
    if await directory.list_tenants():
        return
    try:
        tenant, keys = await directory.create_tenant(FIRST_TENANT)
    except Malformed as refusal:
        if refusal.code != "tenant_exists":
            raise
        print(f"Another node made tenant '{FIRST_TENANT}' and printed its token.", file=sys.stderr)
        return
    stored, token = await directory.create_token(tenant.name, Scope.FULL, "first token")
    _print_environment(url, token, keys)
    print(
        f"Made tenant '{FIRST_TENANT}'. The token is shown this once; `outrider token create` makes another.",
        file=sys.stderr,
    )
    if links is not None:
        link = link_to(url, await links.create_for(stored.id, VALID_MS))
        print(f"Console: {link}", file=sys.stderr)
        print("The link works once, within ten minutes; `outrider console link` makes another.", file=sys.stderr)


def _print_environment(url: str, token: str, keys: SigningKeys) -> None:
    print(f"QSTASH_URL={url}")
    print(f"QSTASH_TOKEN={token}")
    print(f"QSTASH_CURRENT_SIGNING_KEY={keys.current}")
    print(f"QSTASH_NEXT_SIGNING_KEY={keys.next}", flush=True)
