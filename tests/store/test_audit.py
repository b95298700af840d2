"""The contract of every Store: the audit log."""

from tests.factories import NOW, TENANT, make_keys, make_tenant, make_token
from tests.store.conftest import OTHER_TENANT

from outrider.domain.audit import AuditEntry
from outrider.ports import Retention


def make_entry(action="queue.pause", tenant=TENANT, time=NOW, subject="q"):
    return AuditEntry(time=time, tenant=tenant, actor="tok_1", hint="abcd", action=action, subject=subject)


async def told(store, tenant=None, before=None, limit=100):
    return [entry.action for entry in await store.list_changes(tenant, before=before, limit=limit)]


async def test_changes_are_listed_latest_first_page_by_page_and_by_tenant(store):
    for number in range(4):
        await store.record_change(make_entry(f"a.{number}", tenant=TENANT if number % 2 else OTHER_TENANT))
    assert await told(store) == ["a.3", "a.2", "a.1", "a.0"]
    assert await told(store, TENANT) == ["a.3", "a.1"]
    first, second = await store.list_changes(None, before=None, limit=2)
    assert first.id > second.id
    assert await told(store, before=second.id) == ["a.1", "a.0"]
    assert await told(store, OTHER_TENANT, before=second.id) == ["a.0"]
    (kept,) = await store.list_changes(TENANT, before=first.id, limit=10)
    assert (kept.time, kept.tenant, kept.actor, kept.hint, kept.subject) == (NOW, TENANT, "tok_1", "abcd", "q")


async def test_the_last_of_a_kind_is_found_among_the_tenants_own(store):
    assert await store.last_change(TENANT, "keys.rotate") is None
    for action, tenant, time in (
        ("keys.rotate", TENANT, NOW),
        ("keys.rotate", TENANT, NOW + 1),
        ("queue.pause", TENANT, NOW + 2),
        ("keys.rotate", OTHER_TENANT, NOW + 3),
    ):
        await store.record_change(make_entry(action, tenant, time))
    assert await store.last_change(TENANT, "keys.rotate") == NOW + 1
    assert await store.last_change(TENANT, "keys.rot") is None


async def test_changes_of_tenants_tokens_and_keys_are_remembered_with_them(store):
    tenant, keys, token = make_tenant(), make_keys(), make_token()
    await store.add_tenant(tenant, keys, make_entry("tenant.create"))
    await store.set_standard_webhooks(tenant.id, on=True, audit=make_entry("tenant.set"))
    await store.add_token(token, make_entry("token.create"))
    await store.replace_keys(tenant.id, keys, make_keys(), make_entry("keys.rotate"))
    await store.revoke_token(token.tenant, token.id, make_entry("token.revoke"))
    await store.remove_tenant(tenant.id, make_entry("tenant.remove", tenant=tenant.id))
    made = ["tenant.remove", "token.revoke", "keys.rotate", "token.create", "tenant.set", "tenant.create"]
    assert await told(store) == made
    assert await told(store, tenant.id) == ["tenant.remove"]


async def test_a_change_that_found_nothing_is_not_remembered(store):
    entry = make_entry()
    assert not await store.set_standard_webhooks("ten_unknown", on=True, audit=entry)
    assert not await store.revoke_token(TENANT, "tok_unknown", entry)
    assert not await store.replace_keys(TENANT, make_keys(), make_keys(), entry)
    assert await told(store) == []


async def test_what_outlived_the_audit_retention_is_purged(store):
    for time in (NOW - 2, NOW - 1, NOW):
        await store.record_change(make_entry(time=time, subject=str(time)))
    retention = Retention(logs_before=0, dead_letters_before=0, now=NOW, changes_before=NOW)
    assert await store.purge(retention, 1) == 1
    assert await store.purge(retention, 100) == 1
    assert [entry.time for entry in await store.list_changes(None, before=None, limit=9)] == [NOW]
