"""URL groups: one publish, one message an endpoint, each with a life of its own."""

import asyncio

import pytest
from tests.engine.world import World, unreachable

from outrider.domain.addresses import AddressPolicy
from outrider.domain.destination import GroupName
from outrider.domain.errors import Malformed, NotFound, TooMany, Undeliverable
from outrider.domain.event import EventKind as E
from outrider.domain.limits import Limits
from outrider.domain.message import MessageState
from outrider.domain.options import CallbackPatch, Deduplication, OptionPatch
from outrider.domain.url_group import Endpoint, EndpointMatch
from outrider.engine.publisher import FanOut, Publication
from outrider.engine.url_groups import UrlGroups

ONE = "https://one.example/x"
TWO = "https://two.example/x"
THREE = "https://three.example/x"


def groups(world):
    return world.engine.url_groups


async def urls(world, name: str = "group") -> list[str]:
    return [endpoint.url for endpoint in (await groups(world).get(world.tenant, name)).endpoints]


def deduplicated(fan_out: FanOut) -> list[bool]:
    return [publication.deduplicated for publication in fan_out.publications]


class TestManaging:
    async def test_group_is_made_by_its_first_endpoint_and_gone_with_its_last(self, world):
        await world.group("group", ONE)
        await world.group("group", TWO)
        assert await urls(world) == [ONE, TWO]
        await groups(world).remove_endpoints(world.tenant, "group", [EndpointMatch(url=ONE)])
        assert await urls(world) == [TWO]
        await groups(world).remove_endpoints(world.tenant, "group", [EndpointMatch(url=TWO)])
        assert await groups(world).list(world.tenant) == []

    async def test_unknown_group_is_named_and_deleting_it_is_no_error(self, world):
        with pytest.raises(NotFound, match="'group'"):
            await groups(world).get(world.tenant, "group")
        with pytest.raises(NotFound, match="'group'"):
            await groups(world).remove_endpoints(world.tenant, "group", [EndpointMatch(url=ONE)])
        with pytest.raises(NotFound, match="'group'"):
            await groups(world).set_defaults(world.tenant, "group", OptionPatch(), ())
        await groups(world).delete(world.tenant, "group")

    @pytest.mark.parametrize(
        ("url", "error"),
        [
            ("https://127.0.0.1/x", Undeliverable),
            ("https://[::1]/x", Undeliverable),
            ("http://a.example/x", Undeliverable),
            ("a.example/x", Malformed),
            ("https://a.example/#x", Malformed),
        ],
    )
    async def test_endpoint_that_cannot_be_called_is_refused_with_all_others(self, world, url, error):
        with pytest.raises(error):
            await groups(world).add_endpoints(world.tenant, "group", [Endpoint(ONE), Endpoint(url, "bad")])
        assert await groups(world).list(world.tenant) == []

    async def test_defaults_with_a_callback_that_cannot_be_called_are_refused(self, world):
        await world.group("group", ONE)
        patch = OptionPatch(callback=CallbackPatch(url="https://10.0.0.1/"))
        with pytest.raises(Undeliverable, match="callback"):
            await groups(world).set_defaults(world.tenant, "group", patch, ())

    async def test_name_and_endpoints_keep_their_rules(self, make_world):
        world = await make_world(Limits(url_groups=1, endpoints_per_group=2))
        with pytest.raises(Malformed, match="URL group 'a b'"):
            await world.group("a b", ONE)
        with pytest.raises(Malformed, match="no endpoints"):
            await world.group("group")
        await world.group("group", ONE, TWO)
        await world.group("group", ONE, TWO)
        with pytest.raises(TooMany, match="3 endpoints, over the limit of 2"):
            await world.group("group", THREE)
        with pytest.raises(TooMany, match="limit of 1 URL groups"):
            await world.group("other", ONE)


class TestPublishing:
    async def test_every_endpoint_gets_a_message_that_knows_its_group(self, world):
        await groups(world).add_endpoints(world.tenant, "group", [Endpoint(ONE, "first"), Endpoint(TWO)])
        published = await world.publish_to_group("group", b"news", retries=1)
        assert [publication.url for publication in published.publications] == [ONE, TWO]
        first, second = [await world.message(publication.message_id) for publication in published.publications]
        assert (first.url, first.group, first.endpoint, first.body) == (ONE, "group", "first", b"news")
        assert (second.url, second.group, second.endpoint, second.options.retries) == (TWO, "group", None, 1)
        headers = [dict(world.destinations.calls_to(url)[0].headers) for url in (ONE, TWO)]
        assert [each["Upstash-Topic-Name"] for each in headers] == ["group", "group"]
        assert [each.get("Upstash-Endpoint-Name") for each in headers] == ["first", None]

    async def test_publish_to_nobody_is_refused(self, world):
        with pytest.raises(NotFound, match="'group'"):
            await world.publish_to_group("group")
        with pytest.raises(Malformed, match="invalid scheme"):
            await world.publish_to_group("a.example")

    async def test_what_the_publish_says_beats_the_group_and_the_group_beats_the_server(self, world):
        await world.group("group", ONE)
        defaults = OptionPatch(
            retries=7,
            labels=("default",),
            headers=(("X-Both", "group"), ("X-Group", "group")),
            callback=CallbackPatch(url=TWO, options=OptionPatch(retries=1, method="PUT")),
        )
        await groups(world).set_defaults(world.tenant, "group", defaults, (("Upstash-Retries", "7"),))
        published = await world.publish_to_group(
            "group",
            retries=2,
            headers=(("X-Both", "publish"), ("X-Publish", "publish")),
            callback=CallbackPatch(options=OptionPatch(retries=5)),
        )
        options = (await world.message(published.publications[0].message_id)).options
        assert (options.retries, options.labels, options.timeout_ms) == (2, ("default",), 30_000)
        assert options.headers == (("X-Both", "publish"), ("X-Publish", "publish"), ("X-Group", "group"))
        assert (options.callback.url, options.callback.options.retries, options.callback.options.method) == (
            TWO, 5, "PUT",
        )  # fmt: skip

    async def test_each_endpoint_is_retried_for_itself(self, world):
        world.destinations.answer(TWO, 500, 200)
        await world.group("group", ONE, TWO)
        published = await world.publish_to_group("group")
        one, two = [publication.message_id for publication in published.publications]
        await world.clock.advance(13_000)
        assert await world.log(one) == [E.CREATED, E.ACTIVE, E.DELIVERED]
        assert await world.log(two) == [E.CREATED, E.ACTIVE, E.ERROR, E.RETRY, E.ACTIVE, E.DELIVERED]

    async def test_endpoint_that_is_given_up_is_a_dead_letter_of_its_own(self, world):
        world.destinations.behave(TWO, unreachable)
        await world.group("group", ONE, TWO)
        await world.publish_to_group("group", retries=0)
        assert [(letter.message.url, letter.message.group) for letter in await world.dead_letters()] == [(TWO, "group")]

    async def test_message_to_every_endpoint_is_deduplicated_for_itself(self, world):
        same = Deduplication(id="same")
        await world.group("group", ONE, TWO)
        first = await world.publish_to_group("group", deduplication=same)
        assert deduplicated(first) == [False, False]
        await world.group("group", THREE)
        second = await world.publish_to_group("group", deduplication=same)
        assert deduplicated(second) == [True, True, False]
        assert [one.message_id for one in second.publications[:2]] == [one.message_id for one in first.publications]
        third = await world.publish_to_group("group", deduplication=same)
        assert deduplicated(third) == [True, True, True]
        assert len(world.destinations.calls) == 3

    async def test_content_is_deduplicated_for_each_endpoint_too(self, world):
        by_content = Deduplication(by_content=True)
        await world.group("group", ONE, TWO)
        assert deduplicated(await world.publish_to_group("group", b"a", deduplication=by_content)) == [False, False]
        assert deduplicated(await world.publish_to_group("group", b"a", deduplication=by_content)) == [True, True]
        assert deduplicated(await world.publish_to_group("group", b"b", deduplication=by_content)) == [False, False]

    async def test_batch_answers_a_group_by_a_fan_out_in_its_place(self, world):
        await world.group("group", ONE, TWO)
        requests = [world.request(ONE), world.request(GroupName("group")), world.request(GroupName("nobody"))]
        single, fan_out, refusal = await world.engine.publisher.publish_batch(requests)
        assert isinstance(single, Publication)
        assert [publication.url for publication in fan_out.publications] == [ONE, TWO]
        assert isinstance(refusal, NotFound)
        await world.rest()
        assert len(world.destinations.calls) == 3

    async def test_endpoint_that_may_not_be_called_any_more_is_named(self, world):
        private = "https://10.0.0.1/x"
        await world.group("group", ONE)
        policy = AddressPolicy.production(allowed_networks=("10.0.0.0/8",))
        lenient = UrlGroups(world.store, world.clock, policy, world.limits)
        await lenient.add_endpoints(world.tenant, "group", [Endpoint(private, "private")])
        with pytest.raises(Undeliverable, match="endpoint 'private' of group"):
            await world.publish_to_group("group")
        await world.rest()
        assert not world.destinations.calls


class TestFreshness:
    async def test_change_counts_from_the_next_publish_on(self, world):
        await world.group("group", ONE)
        await world.publish_to_group("group")
        await world.group("group", TWO)
        assert len((await world.publish_to_group("group")).publications) == 2
        await groups(world).delete(world.tenant, "group")
        with pytest.raises(NotFound):
            await world.publish_to_group("group")

    async def test_look_up_that_a_change_overtook_is_not_believed(self, world, monkeypatch):
        await world.group("group", ONE)
        look_up, go_on = world.store.get_url_group, asyncio.Event()

        async def slowly(*which):
            found = await look_up(*which)
            await go_on.wait()
            return found

        monkeypatch.setattr(world.store, "get_url_group", slowly)
        overtaken = asyncio.create_task(world.publish_to_group("group"))
        await world.rest()
        await world.group("group", TWO)
        go_on.set()
        await overtaken
        assert len((await world.publish_to_group("group")).publications) == 2

    async def test_change_by_another_process_counts_within_a_second(self, world):
        await world.group("group", ONE)
        await world.publish_to_group("group")
        elsewhere = world.new_engine("node_2")
        await elsewhere.url_groups.add_endpoints(world.tenant, "group", [Endpoint(TWO)])
        assert len((await world.publish_to_group("group")).publications) == 1
        await world.clock.advance(1_000)
        assert len((await world.publish_to_group("group")).publications) == 2

    async def test_groups_of_tenants_are_apart(self, world: World):
        await world.group("group", ONE)
        await world.publish_to_group("group")
        tenant, _ = await world.directory.create_tenant("other")
        world.tenant = tenant.id
        with pytest.raises(NotFound):
            await world.publish_to_group("group")


async def test_publish_to_a_group_with_a_queue_stands_in_line(world):
    release = world.destinations.hang(ONE)
    await world.group("group", ONE, TWO)
    published = await world.engine.publisher.publish(world.request(GroupName("group"), queue="line"))
    await world.rest()
    assert [call.url for call in world.destinations.calls] == [ONE]
    waiting = await world.message(published.publications[1].message_id)
    assert waiting.state is MessageState.HELD
    release.set()
    await world.rest()
    assert [call.url for call in world.destinations.calls] == [ONE, TWO]
