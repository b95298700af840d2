"""What was given up can be read, deleted and tried anew."""

import pytest

from outrider.domain.errors import NotFound
from outrider.domain.instant import DAY_MS
from outrider.domain.message import MessageState
from outrider.domain.options import OptionPatch
from outrider.domain.query import DeadLetterQuery, MessageFilter

URL = "https://a.example/x"
NOTHING = OptionPatch()


@pytest.fixture
async def failed(world):
    """Three dead letters; their destination works again."""
    world.destinations.answer(URL, 500)
    ids = [await world.publish(URL, bytes([i]), retries=0, delay_ms=1_000, headers=(("X-A", "1"),)) for i in range(3)]
    await world.clock.advance(1_000)
    world.destinations.answer(URL, 200)
    letters = await world.dead_letters()
    assert {letter.message.id for letter in letters} == set(ids)
    world.destinations.calls.clear()
    return letters


async def test_retried_dead_letter_becomes_a_new_message(world, failed):
    letter = failed[0]
    published = await world.engine.dead_letters.retry(world.tenant, letter.id, NOTHING)
    await world.rest()
    (call,) = world.destinations.calls
    assert call.body == letter.message.body
    assert ("X-A", "1") in call.headers
    assert published.message_id != letter.message.id
    assert (await world.message(published.message_id)).state is MessageState.DELIVERED
    assert letter.id not in {left.id for left in await world.dead_letters()}


async def test_overrides_of_a_retry_are_laid_over_the_stored_options(world, failed):
    overrides = OptionPatch(method="PUT", retries=7, headers=(("X-B", "2"),), delay_ms=5_000)
    published = await world.engine.dead_letters.retry(world.tenant, failed[0].id, overrides)
    message = await world.message(published.message_id)
    assert (message.options.method, message.options.retries) == ("PUT", 7)
    assert dict(message.options.headers) == {"X-A": "1", "X-B": "2"}
    assert message.due_at == world.clock.now() + 5_000


async def test_unknown_id_retries_nothing(world, failed):
    ids = (failed[0].id, "1-1")
    with pytest.raises(NotFound, match="'1-1'"):
        await world.engine.dead_letters.retry_many(world.tenant, DeadLetterQuery(ids=ids), NOTHING)
    assert len(await world.dead_letters()) == 3
    assert not world.destinations.calls


async def test_retrying_by_filter_goes_page_by_page(world, failed):
    query = DeadLetterQuery(filter=MessageFilter(urls=(URL,)), count=2)
    first = await world.engine.dead_letters.retry_many(world.tenant, query, NOTHING)
    assert (len(first.items), first.cursor is None) == (2, False)
    second = await world.engine.dead_letters.retry_many(
        world.tenant, DeadLetterQuery(filter=query.filter, count=2, cursor=first.cursor), NOTHING
    )
    assert (len(second.items), second.cursor) == (1, None)
    await world.rest()
    assert len(world.destinations.calls) == 3
    assert (await world.engine.dead_letters.retry_many(world.tenant, query, NOTHING)).items == ()


async def test_deleted_dead_letter_is_gone(world, failed):
    await world.engine.dead_letters.delete(world.tenant, failed[0].id)
    for attempt in (world.engine.dead_letters.delete, world.engine.dead_letters.get):
        with pytest.raises(NotFound, match=failed[0].id):
            await attempt(world.tenant, failed[0].id)
    page = await world.engine.dead_letters.delete_many(world.tenant, DeadLetterQuery(count=1))
    assert (len(page.items), page.cursor is None) == (1, False)
    assert len(await world.dead_letters()) == 1


async def test_dead_letter_outlives_the_log_but_not_its_own_retention(world, failed):
    await world.engine.messages.cancel_many(world.tenant, MessageFilter(), None)
    delivered = await world.publish(URL)
    await world.rest()
    # A store may keep a day of the log until all of it is past.
    await world.clock.leap(world.limits.log_retention_ms + DAY_MS)
    with pytest.raises(NotFound):
        await world.message(delivered)
    letters = await world.dead_letters()
    assert [letter.message.body for letter in letters] == [letter.message.body for letter in failed]
    await world.clock.leap(world.limits.dlq_retention_ms - world.limits.log_retention_ms)
    assert await world.dead_letters() == ()
    with pytest.raises(NotFound):
        await world.message(failed[0].message.id)


async def test_tenants_do_not_see_each_others_dead_letters(world, failed):
    other, _ = await world.directory.create_tenant("other")
    with pytest.raises(NotFound):
        await world.engine.dead_letters.get(other.id, failed[0].id)
    assert (await world.engine.dead_letters.list(other.id, DeadLetterQuery())).items == ()
    assert await world.engine.messages.cancel_many(other.id, MessageFilter(), None) == 0
