"""A message's way: published, attempted, retried, settled."""

import asyncio

import pytest
from tests.engine.world import unreachable

from outrider.domain.attempt import Blocked, TimedOut
from outrider.domain.destination import GroupName
from outrider.domain.errors import Malformed, NotFound, StoreUnavailable, Undeliverable
from outrider.domain.event import EventKind as E
from outrider.domain.instant import DAY_MS, MINUTE_MS, SECOND_MS
from outrider.domain.message import MessageState
from outrider.domain.options import CallbackPatch, Deduplication, OptionPatch
from outrider.engine.publisher import PublishRequest
from outrider.ports import OutgoingRequest

URL = "https://a.example/x"


async def test_published_message_is_delivered_at_once(world):
    message_id = await world.publish(URL, b"hello", method="PUT", headers=(("X-Id", "7"),))
    await world.rest()
    (call,) = world.destinations.calls
    assert (call.method, call.url, call.body) == ("PUT", URL, b"hello")
    assert ("X-Id", "7") in call.headers
    assert ("Upstash-Message-Id", message_id) in call.headers
    assert (await world.message(message_id)).state is MessageState.DELIVERED
    assert await world.log(message_id) == [E.CREATED, E.ACTIVE, E.DELIVERED]


async def test_observers_see_what_the_log_shows(world):
    message_id = await world.publish(URL)
    await world.rest()
    assert [event.kind for event in world.witness.seen] == await world.log(message_id)


async def test_delayed_message_waits_for_its_time(world):
    message_id = await world.publish(URL, delay_ms=10 * MINUTE_MS)
    await world.clock.advance(10 * MINUTE_MS - 1)
    assert not world.destinations.calls
    assert (await world.message(message_id)).state is MessageState.DUE
    await world.clock.advance(1)
    assert len(world.destinations.calls) == 1


async def test_not_before_beats_delay_and_the_past_means_now(world):
    now = world.clock.now()
    await world.publish("https://a.example/later", not_before=now + 5_000, delay_ms=1)
    await world.publish("https://a.example/past", not_before=now - 5_000, delay_ms=9_000)
    await world.rest()
    assert [call.url for call in world.destinations.calls] == ["https://a.example/past"]
    await world.clock.advance(5_000)
    assert len(world.destinations.calls) == 2


async def test_shorter_delay_published_later_overtakes_a_longer_one(world):
    await world.publish("https://a.example/long", delay_ms=60_000)
    await world.publish("https://a.example/short", delay_ms=1_000)
    await world.clock.advance(1_000)
    assert [call.url for call in world.destinations.calls] == ["https://a.example/short"]


async def test_refused_message_waits_for_its_backoff(world):
    world.destinations.answer(URL, 500, 200)
    message_id = await world.publish(URL)
    await world.rest()
    retry_at = (await world.message(message_id)).due_at
    assert 12_000 <= retry_at - world.clock.now() <= 12_200
    await world.clock.advance_to(retry_at - 1)
    assert len(world.destinations.calls) == 1
    await world.clock.advance(1)
    assert len(world.destinations.calls) == 2
    assert ("Upstash-Retried", "1") in world.destinations.calls[1].headers
    assert await world.log(message_id) == [E.CREATED, E.ACTIVE, E.ERROR, E.RETRY, E.ACTIVE, E.DELIVERED]


async def test_exhausted_message_becomes_a_dead_letter(world):
    world.destinations.answer(URL, 503)
    message_id = await world.publish(URL, b"precious", retries=2, retry_delay="1000 * (1 + retried)")
    await world.clock.advance(3_000)
    assert len(world.destinations.calls) == 3
    message = await world.message(message_id)
    assert message.state is MessageState.FAILED
    assert await world.log(message_id) == [E.CREATED, *[E.ACTIVE, E.ERROR, E.RETRY] * 2, E.ACTIVE, E.ERROR, E.FAILED]
    (letter,) = await world.dead_letters()
    assert (letter.message.id, letter.message.body, letter.response.status) == (message_id, b"precious", 503)
    await world.clock.leap(DAY_MS)
    assert len(world.destinations.calls) == 3


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (unreachable, "connection refused"),
        (lambda _: TimedOut(1_000, "no answer within 1s"), "no answer within 1s"),
    ],
)
async def test_failure_without_a_response_is_retried_and_told(world, behaviour, error):
    world.destinations.behave(URL, behaviour)
    message_id = await world.publish(URL, retries=1, retry_delay="10")
    await world.clock.advance(10)
    (letter,) = await world.dead_letters()
    assert (letter.message.id, letter.response, letter.error) == (message_id, None, error)
    assert len(world.destinations.calls) == 2


async def test_blocked_address_is_not_tried_again(world):
    world.destinations.behave(URL, lambda _: Blocked("10.0.0.1 is private"))
    await world.publish(URL)
    await world.clock.leap(DAY_MS // 24)
    assert len(world.destinations.calls) == 1
    assert [letter.error for letter in await world.dead_letters()] == ["10.0.0.1 is private"]


async def test_destination_can_forbid_retries(world):
    world.destinations.answer(URL, 489, headers=(("Upstash-NonRetryable-Error", "true"),))
    message_id = await world.publish(URL)
    await world.rest()
    assert (await world.message(message_id)).state is MessageState.FAILED
    assert len(world.destinations.calls) == 1


async def test_retry_after_of_the_destination_is_obeyed(world):
    world.destinations.answer(URL, 429, 200, headers=(("Retry-After", "90"),))
    await world.publish(URL)
    await world.clock.advance(90 * SECOND_MS - 1)
    assert len(world.destinations.calls) == 1
    await world.clock.advance(1)
    assert len(world.destinations.calls) == 2


async def test_duplicate_is_answered_with_the_first_id_and_not_delivered(world):
    again = Deduplication(id="order-7")
    first = await world.publish(URL, deduplication=again)
    second = await world.engine.publisher.publish(world.request(URL, deduplication=again))
    await world.rest()
    assert (second.message_id, second.deduplicated) == (first, True)
    assert len(world.destinations.calls) == 1
    assert world.engine.dispatcher.in_flight == 0


async def test_deduplication_ends_with_its_window(world):
    again = Deduplication(by_content=True, window_ms=5_000)
    first = await world.publish(URL, b"same", deduplication=again)
    assert await world.publish(URL, b"same", deduplication=again) == first
    assert await world.publish(URL, b"other", deduplication=again) != first
    await world.clock.advance(5_000)
    assert await world.publish(URL, b"same", deduplication=again) != first


async def test_address_that_can_never_be_reached_is_refused_at_publish(world):
    for url in ("http://example.com/", "https://127.0.0.1/", "https://localhost/", "https://[::ffff:10.0.0.1]/"):
        with pytest.raises(Undeliverable):
            await world.publish(url)
    assert not world.witness.seen


async def test_callback_address_is_refused_at_publish_too(world):
    with pytest.raises(Undeliverable, match="failure callback"):
        await world.publish(URL, failure_callback=CallbackPatch(url="https://10.0.0.1/"))


async def test_batch_stores_what_can_be_sent_and_answers_the_rest_by_its_refusal(world):
    good, bad = world.request(URL), world.request("https://127.0.0.1/")
    first, refused, second = await world.engine.publisher.publish_batch([good, bad, good])
    await world.rest()
    assert isinstance(refused, Undeliverable)
    assert first.message_id != second.message_id
    assert len(world.destinations.calls) == 2


async def test_batch_with_an_item_that_breaks_a_rule_stores_nothing(world):
    far = world.request(URL, not_before=world.clock.now() + 2 * world.limits.delay_ms)
    with pytest.raises(Malformed, match="item 1 of the batch: Upstash-Not-Before"):
        await world.engine.publisher.publish_batch([world.request(URL), far])
    await world.rest()
    assert not world.destinations.calls


async def test_long_attempt_shows_as_active_before_it_ends(world):
    release = world.destinations.hang(URL)
    message_id = await world.publish(URL)
    await world.clock.advance(1_000)
    assert await world.log(message_id) == [E.CREATED, E.ACTIVE]
    release.set()
    await world.rest()
    assert await world.log(message_id) == [E.CREATED, E.ACTIVE, E.DELIVERED]


async def test_fault_of_ours_is_a_failed_attempt_and_not_a_stuck_message(world):
    def fault(_: OutgoingRequest):
        raise ZeroDivisionError

    world.destinations.behave(URL, fault)
    message_id = await world.publish(URL, retries=0)
    await world.rest()
    assert (await world.message(message_id)).state is MessageState.FAILED
    assert world.witness.noted("attempt_faulted")


async def test_settlement_is_kept_until_the_store_can_commit_it(world, monkeypatch):
    message_id = await world.publish(URL, delay_ms=1_000)
    apply, failures = world.store.apply, 3

    async def fail_first(settlements, now):
        nonlocal failures
        if failures:
            failures -= 1
            raise StoreUnavailable("disk full")
        return await apply(settlements, now)

    monkeypatch.setattr(world.store, "apply", fail_first)
    await world.clock.advance(1_000)
    assert (await world.message(message_id)).state is MessageState.LEASED
    await world.clock.advance(5_000)
    assert (await world.message(message_id)).state is MessageState.DELIVERED
    assert len(world.destinations.calls) == 1
    assert len(world.witness.noted("store_failed")) == len(world.witness.noted("store_recovered")) == 1


async def test_store_that_cannot_be_read_costs_no_attempt(world, monkeypatch):
    message_id = await world.publish(URL, delay_ms=2_000, retries=0)
    get_keys = world.store.get_keys

    async def fail(_):
        raise StoreUnavailable("disk trouble")

    await world.clock.advance(1_999)
    monkeypatch.setattr(world.store, "get_keys", fail)
    await world.clock.advance(1)
    assert not world.destinations.calls
    monkeypatch.setattr(world.store, "get_keys", get_keys)
    await world.clock.advance(1_000)
    assert (await world.message(message_id)).state is MessageState.DELIVERED


async def test_claims_resume_when_the_store_does(world, monkeypatch):
    await world.publish(URL, delay_ms=1_000)
    claim = world.store.claim_due

    async def fail(*_, **__):
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(world.store, "claim_due", fail)
    await world.clock.advance(3_000)
    assert not world.destinations.calls
    monkeypatch.setattr(world.store, "claim_due", claim)
    await world.clock.advance(1_000)
    assert len(world.destinations.calls) == 1


async def test_publish_that_was_not_stored_keeps_no_place_in_the_window(world, monkeypatch):
    async def fail(*_, **__):
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(world.store, "add", fail)
    with pytest.raises(StoreUnavailable):
        await world.publish(URL)
    assert world.engine.dispatcher.in_flight == 0


async def test_message_whose_publisher_went_away_during_the_commit_is_delivered(world):
    publishing = asyncio.create_task(world.publish(URL))
    await asyncio.sleep(0)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    await world.rest()
    assert len(world.destinations.calls) == 1
    assert world.engine.dispatcher.in_flight == 0


async def test_unknown_url_group_is_named(world):
    with pytest.raises(NotFound, match="'nobody'"):
        await world.engine.publisher.publish(
            PublishRequest(tenant=world.tenant, destination=GroupName("nobody"), patch=OptionPatch())
        )


async def test_removed_tenant_takes_its_messages_along(world):
    release = world.destinations.hang(URL)
    await world.publish(URL)
    waiting = await world.publish(URL, delay_ms=5_000)
    await world.directory.remove_tenant("acme")
    release.set()
    await world.clock.advance(10_000)
    with pytest.raises(NotFound):
        await world.message(waiting)
    assert len(world.destinations.calls) == 1
    assert world.witness.noted("lease_lost")
    await asyncio.wait_for(world.engine.dispatcher.idle(), 1)
