"""The contract of every Store: URL groups."""

import asyncio

import pytest
from msgspec import structs
from tests.factories import NOW, TENANT
from tests.store.conftest import OTHER_TENANT

from outrider.domain.errors import NotFound, TooMany
from outrider.domain.options import CallbackPatch, Deduplication, FlowControl, OptionPatch, Redaction
from outrider.domain.url_group import Endpoint, UrlGroup, with_endpoints

FULL = UrlGroup(
    name="full",
    endpoints=(Endpoint("https://a.example/1", "one"), Endpoint("https://a.example/2")),
    defaults=OptionPatch(
        headers=(("X-A", "1"), ("X-A", "2")),
        retries=0,
        callback=CallbackPatch(url="https://a.example/cb", options=OptionPatch(delay_ms=5)),
        flow_control=FlowControl("key", rate=3),
        redaction=Redaction(headers=("x-a",)),
        deduplication=Deduplication(by_content=True),
    ),
    default_headers=(("Upstash-Retries", "0"),),
    created_at=NOW,
    updated_at=NOW + 1,
)


def group(name: str = "group") -> UrlGroup:
    return structs.replace(FULL, name=name)


async def put(store, value: UrlGroup, *, tenant: str = TENANT, most: int = 9) -> UrlGroup:
    return await store.change_url_group(tenant, value.name, lambda _: value, most=most)


async def test_group_is_read_as_it_was_stored(store):
    assert await put(store, FULL) == FULL
    assert await store.get_url_group(TENANT, "full") == FULL
    assert await store.list_url_groups(TENANT) == [FULL]


async def test_change_sees_what_is_stored(store):
    seen = []

    def change(before):
        seen.append(before)
        return group()

    await store.change_url_group(TENANT, "group", change, most=9)
    await store.change_url_group(TENANT, "group", change, most=9)
    assert seen == [None, group()]


async def test_changes_at_once_lose_nothing(store):
    def adding(url):
        def change(before):
            return with_endpoints(before or UrlGroup(name="g", created_at=NOW, updated_at=NOW), [Endpoint(url)], NOW)

        return change

    urls = [f"https://a.example/{number}" for number in range(20)]
    await asyncio.gather(*(store.change_url_group(TENANT, "g", adding(url), most=1) for url in urls))
    assert sorted(endpoint.url for endpoint in (await store.get_url_group(TENANT, "g")).endpoints) == sorted(urls)


async def test_none_deletes_the_group(store):
    await put(store, group())
    assert await store.change_url_group(TENANT, "group", lambda _: None, most=9) is None
    assert await store.change_url_group(TENANT, "group", lambda _: None, most=9) is None
    assert await store.get_url_group(TENANT, "group") is None


async def test_new_group_over_the_limit_is_refused_and_others_can_be_changed(store):
    await put(store, group("a"), most=2)
    await put(store, group("b"), most=2)
    with pytest.raises(TooMany, match="limit of 2 URL groups"):
        await put(store, group("c"), most=2)
    await put(store, structs.replace(group("a"), endpoints=()), most=2)
    await put(store, group("c"), tenant=OTHER_TENANT, most=2)
    assert [found.name for found in await store.list_url_groups(TENANT)] == ["a", "b"]


async def test_refusal_of_a_change_reaches_its_caller_and_changes_nothing(store):
    await put(store, group())

    def refuse(_):
        raise NotFound("no")

    with pytest.raises(NotFound):
        await store.change_url_group(TENANT, "group", refuse, most=9)
    assert await store.get_url_group(TENANT, "group") == group()


async def test_groups_belong_to_their_tenant_and_go_with_it(store):
    await put(store, group())
    assert await store.get_url_group(OTHER_TENANT, "group") is None
    assert await store.list_url_groups(OTHER_TENANT) == []
    await store.remove_tenant(TENANT)
    assert await store.list_url_groups(TENANT) == []


async def test_group_of_an_unknown_tenant_is_refused(store):
    with pytest.raises(NotFound, match="tenant"):
        await put(store, group(), tenant="ten_nobody")
